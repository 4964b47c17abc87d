"""Seals: what is new in a regency's evidence is bound, every half minute, into one chain.

Each seal has items, one for each trip whose chain of chunks moved and one for each row that is new:

* TRACK: the trip's newest link (tenants/chunks.py), and with it every fix and their order;
* REPLY, RULING: the whole row;
* CHECK_IN: the whole row, the photo by its SHA-256;
* DEVIATION: trip, kind, leg, region and when it was found. The rest follows its verdict, which
  says the same of it in its detail;
* VERDICT: outcome, versions of rules and boundaries, and of each deviation kind, severity, leg,
  region and amount: what no refresh changes in a row (workers/evaluate.py);
* CLOSED_VERDICT: the whole row, once the trip is over or another verdict took its place.

The head is SHA-256 over the head before, number, time (both 64 bits, little-endian, µs since 1970)
and the digest of the items; the province keeps it with the time at which it came. So whoever
changes what is sealed, as the owner of this database too, is found by tenants/soundness.py.

Not covered: what came after the newest seal; the details of a verdict in force on a trip that is
not over; a refresh of a verdict in force, which is sealed as another version beside the old one;
when a chunk was received, but that it was there when it was sealed; plans, silences and records.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Identity,
    Index,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.checkins import CheckIn
from tenants.evidence import (
    DeviationRecord,
    DeviationReply,
    DeviationRuling,
    VerdictRecord,
    findings,
)
from tenants.models import Base, Role

LOCK: Final = 0x7365616C
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Seal(Base):
    """One link of the regency's evidence chain: `head` is over `previous`, time and `digest`.

    `digest` is over the items, the rows of `sealed`; tenants/seals.py says how.
    """

    __tablename__ = "seal"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    previous: Mapped[bytes]
    digest: Mapped[bytes]
    head: Mapped[bytes]


class SealedKind(StrEnum):
    """What an item of a seal is about; `id` is the trip's for TRACK, otherwise the row's."""

    TRACK = "TRACK"
    VERDICT = "VERDICT"
    CLOSED_VERDICT = "CLOSED_VERDICT"
    DEVIATION = "DEVIATION"
    REPLY = "REPLY"
    RULING = "RULING"
    CHECK_IN = "CHECK_IN"


class Sealed(Base):
    """An item of a seal: the digest of one row's content, or the head of one trip's chunks.

    `version` is for TRACK how much had arrived for the trip, for a closed verdict in force the time
    of its evaluation in µs, otherwise 0.
    """

    __tablename__ = "sealed"
    seal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[SealedKind] = mapped_column(primary_key=True)
    trip_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes]
    __table_args__ = (Index("sealed_row", "id", "digest"),)


class Unsealed(Base):
    """A row that no seal covers yet, noted in the transaction that made it."""

    __tablename__ = "unsealed"
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[SealedKind]
    id: Mapped[UUID]


@dataclass(frozen=True, slots=True)
class Covered:
    """The rows of one kind of item: which columns it covers, and when a row says it was made."""

    kind: SealedKind
    row: type[VerdictRecord | DeviationRecord | DeviationReply | DeviationRuling | CheckIn]
    columns: tuple[InstrumentedAttribute[Any], ...]
    dated: InstrumentedAttribute[datetime]

    def select(self, *more: Any) -> Select[Any]:
        """The rows' covered columns, then `trip` and `dated`, then `more`."""
        with_trip = self.row in (VerdictRecord, DeviationRecord, CheckIn)
        trip = self.row.trip_id if with_trip else DeviationRecord.trip_id  # type: ignore[union-attr]
        found = select(*self.columns, trip.label("trip"), self.dated.label("dated"), *more)
        if with_trip:
            return found
        return found.join(DeviationRecord, DeviationRecord.id == self.row.deviation_id)  # type: ignore[union-attr]

    def content(self, row: Row[Any]) -> tuple[int, bytes]:
        """Version and digest of a row as it stands."""
        said = {column.key: row._mapping[column.key] for column in self.columns}
        if self.kind is SealedKind.VERDICT:
            # Detail that the service did not write is covered as it is.
            with suppress(LookupError, TypeError, AttributeError):
                said["detail"] = findings(said["detail"])
        in_force = self.kind is SealedKind.CLOSED_VERDICT and said["current"]
        return micros(row.dated) if in_force else 0, digest_of(self.kind, said)


VERDICT_SAYS: Final = (
    *(VerdictRecord.id, VerdictRecord.trip_id, VerdictRecord.outcome, VerdictRecord.final),
    *(VerdictRecord.ruleset, VerdictRecord.boundary_set, VerdictRecord.detail),
)
COVERED: Final = (
    Covered(SealedKind.VERDICT, VerdictRecord, VERDICT_SAYS, VerdictRecord.evaluated_at),
    Covered(
        SealedKind.CLOSED_VERDICT,
        VerdictRecord,
        (
            *VERDICT_SAYS,
            *(VerdictRecord.current, VerdictRecord.coverage, VerdictRecord.observed_days),
            *(VerdictRecord.unknown_days, VerdictRecord.watermark, VerdictRecord.evaluated_at),
        ),
        VerdictRecord.evaluated_at,
    ),
    Covered(
        SealedKind.DEVIATION,
        DeviationRecord,
        (
            *(DeviationRecord.id, DeviationRecord.trip_id, DeviationRecord.kind),
            *(DeviationRecord.leg, DeviationRecord.region_code, DeviationRecord.found_at),
        ),
        DeviationRecord.found_at,
    ),
    Covered(
        SealedKind.REPLY,
        DeviationReply,
        (
            *(DeviationReply.id, DeviationReply.deviation_id, DeviationReply.member_id),
            *(DeviationReply.body, DeviationReply.replied_at),
        ),
        DeviationReply.replied_at,
    ),
    Covered(
        SealedKind.RULING,
        DeviationRuling,
        (
            *(DeviationRuling.id, DeviationRuling.deviation_id, DeviationRuling.member_id),
            *(DeviationRuling.upheld, DeviationRuling.reason, DeviationRuling.ruled_at),
        ),
        DeviationRuling.ruled_at,
    ),
    Covered(
        SealedKind.CHECK_IN,
        CheckIn,
        (
            *(CheckIn.id, CheckIn.trip_id, CheckIn.happened_at, CheckIn.lon, CheckIn.lat),
            *(CheckIn.accuracy, CheckIn.photo_type, CheckIn.photo_digest, CheckIn.received_at),
        ),
        CheckIn.received_at,
    ),
)


def digest_of(kind: SealedKind, said: Mapping[str, Any]) -> bytes:
    """SHA-256 over JSON in ASCII with sorted keys and no spaces, times in UTC."""
    plain = {
        key: value.astimezone(UTC) if isinstance(value, datetime) else value
        for key, value in said.items()
    }
    content = json.dumps([kind, plain], default=str, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).digest()


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def digest_of_items(items: Iterable[Sealed | Row[Any]]) -> bytes:
    """SHA-256 over the items in order of id and kind."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(item.kind.encode() + b"\0" + item.id.bytes + item.trip_id.bytes)
        digest.update(struct.pack("<q", item.version) + item.digest)
    return digest.digest()


def head_of(previous: bytes, number: int, sealed_at: datetime, digest: bytes) -> bytes:
    return hashlib.sha256(
        previous + struct.pack("<qq", number, micros(sealed_at)) + digest
    ).digest()


def newest(session: Session) -> Seal | None:
    return session.scalar(select(Seal).order_by(Seal.number.desc()).limit(1))


def head(session: Session, viewer: Viewer) -> Seal | None:
    """The newest seal, for the inspectorate to compare with what the province holds."""
    viewer.require(Role.INSPECTOR)
    return newest(session)


def seal(session: Session) -> Seal | None:
    """Bind what is new since the last seal; None when nothing is, or another does so just now.

    No upload waits for it, and it for none: what commits meanwhile is for the next.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return None
    items = sorted([*_tracks(session), *_rows(session)], key=lambda item: (item.id, item.kind))
    if not items:
        return None
    last = newest(session)
    number, previous = (last.number + 1, last.head) if last else (1, b"")
    now = session.scalars(select(func.clock_timestamp())).one()
    digest = digest_of_items(items)
    made = Seal(
        number=number,
        sealed_at=now,
        previous=previous,
        digest=digest,
        head=head_of(previous, number, now, digest),
    )
    session.add(made)
    session.flush()
    columns = ("id", "kind", "trip_id", "version", "digest")
    session.execute(
        insert(Sealed),
        [{"seal": number} | {name: getattr(item, name) for name in columns} for item in items],
    )
    return made


def _tracks(session: Session) -> Iterator[Sealed]:
    for trip_id, arrived, link in session.execute(MOVED):
        yield Sealed(
            kind=SealedKind.TRACK, id=trip_id, trip_id=trip_id, version=arrived, digest=link
        )


MOVED: Final = text(
    "SELECT trip_id, arrived, chain_head FROM trip_progress WHERE chain_head <> '' AND NOT EXISTS"
    " (SELECT FROM sealed WHERE id = trip_progress.trip_id AND digest = chain_head)"
)


def _rows(session: Session) -> Iterator[Sealed]:
    for covered in COVERED:
        # One statement, so that what is taken off the list and what is read are the same rows.
        noted = delete(Unsealed).where(Unsealed.kind == covered.kind).returning(Unsealed.id)
        due = noted.cte("due")
        for row in session.execute(covered.select().where(covered.row.id.in_(select(due.c.id)))):
            version, digest = covered.content(row)
            yield Sealed(
                kind=covered.kind, id=row.id, trip_id=row.trip, version=version, digest=digest
            )
