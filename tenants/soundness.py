"""Soundness: whether a regency's evidence is what it sealed, as the province's heads prove it.

All is read once and bit by bit, from one moment's state of the database.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, islice
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Executable, Row, and_, exists, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from tenants import links, seals
from tenants.evidence import (
    DeviationRecord,
    DeviationReply,
    DeviationRuling,
    DeviationState,
    VerdictRecord,
)
from tenants.links import Link
from tenants.models import Trip
from tenants.province import KeptHead
from tenants.realm import Province, Tenant
from tenants.seals import COVERED, Covered, Seal, Sealed, SealedKind, Unsealed
from tenants.trails import Fault, What, of_chain, of_trip, shown

N = TypeVar("N", int, UUID)

AT_ONCE: Final = 1_000
TRIPS_AT_ONCE: Final = 20
LATE: Final = timedelta(minutes=5)
"""How long a transaction may last that dates a row: longer than any of the service's may."""
FAULTS: Final = 1_000


@dataclass(slots=True)
class Checked:
    """What was read, and what was found: the first faults, and how many there are.

    `unsealed` counts what no seal covers yet, `unpublished` the seals whose heads the province does
    not hold yet; `newest` is the newest head that it holds.
    """

    seals: int = 0
    heads: int = 0
    trips: int = 0
    chunks: int = 0
    rows: int = 0
    unsealed: int = 0
    unpublished: int = 0
    newest: KeptHead | None = None
    found: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(
    tenant: Tenant, province: Province, *, follow: Callable[[int, int], object] = max
) -> Checked:
    """Compare all evidence of a regency with its seals, and those with the province's heads.

    `follow(done, of)` is told how far it has come.
    """
    checked = Checked()
    with province.session(readonly=True) as held, tenant.session(readonly=True) as session:
        # The province first: a head that comes meanwhile is of a seal that is there.
        for each in (held, session):
            each.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            each.execute(text("SELECT pg_current_snapshot()"))
        kept = select(KeptHead).where(KeptHead.tenant == tenant.code)
        newest = kept.order_by(KeptHead.number.desc(), KeptHead.received_at).limit(1)
        checked.newest = held.scalar(newest)
        tables = [Seal, Trip, *(covered.row for covered in COVERED), DeviationRecord]
        total = sum(
            session.scalars(select(func.count()).select_from(table)).one() for table in tables
        )
        done = 0
        heads = _stream(held, kept.order_by(KeptHead.number, KeptHead.received_at))
        for part in (
            _seals(session, (head for (head,) in heads), checked),
            _trips(session, checked),
            *(_rows(session, covered, checked) for covered in COVERED),
            _gone(session),
            _stated(session),
        ):
            for fault in part:
                if fault is None:
                    done += 1
                    follow(done, total)
                    continue
                checked.found += 1
                if len(checked.faults) < FAULTS:
                    checked.faults.append(fault)
    follow(total, total)
    return checked


Found = Iterator[Fault | None]
"""Faults, and None for each thing that was read."""


def _stream(session: Session, query: Executable) -> Iterator[Any]:
    options = {"stream_results": True, "yield_per": AT_ONCE}
    for rows in session.execute(query, execution_options=options).partitions():
        yield from rows
        session.expunge_all()


class _Groups(Generic[N]):
    """Rows by an ascending number, handed out as far as one asks for."""

    def __init__(self, rows: Iterable[Any], number: Callable[[Any], N]) -> None:
        self._groups: Iterator[tuple[N, Iterator[Any]]] = groupby(rows, number)
        self._next: tuple[N, Iterator[Any]] | None = next(self._groups, None)

    def upto(self, number: N | None) -> Iterator[tuple[N, Iterator[Any]]]:
        """The groups not yet handed out; each is to be used before the next is asked for."""
        while self._next is not None and (number is None or self._next[0] <= number):
            yield self._next
            self._next = next(self._groups, None)


def _seals(session: Session, heads: Iterable[KeptHead], checked: Checked) -> Found:
    """Each seal with its items, the seal before it, and the province's heads."""
    kept = _Groups(heads, lambda head: head.number)
    columns = (Sealed.seal, Sealed.kind, Sealed.id, Sealed.trip_id, Sealed.version, Sealed.digest)
    in_order = select(*columns).order_by(Sealed.seal, Sealed.id, Sealed.kind)
    items = _Groups(_stream(session, in_order), lambda item: item.seal)
    previous, parted = b"", False
    for (seal,) in _stream(session, select(Seal).order_by(Seal.number)):
        place = f"seal {seal.number}, of {shown(seal.sealed_at)}"
        digest = seals.digest_of_items(())
        for number, rows in items.upto(seal.number):
            if number == seal.number:
                digest = seals.digest_of_items(rows)
            else:
                yield _without_seal(number)
        head = seals.head_of(seal.previous, seal.number, seal.sealed_at, seal.digest)
        for wrong, why in (
            (seal.digest != digest, "its items are not those that it was made over"),
            (seal.head != head, "its head is not that of its content"),
            (seal.previous != previous, "it does not follow from the seal before"),
        ):
            if wrong:
                yield Fault(What.ALTERED, place, why, seal=seal.number)
                break
        for number, rows in kept.upto(seal.number):
            received = list(rows)
            checked.heads += len(received)
            if number != seal.number:
                yield _lost(received[0])
            elif not parted and any(each.head != seal.head for each in received):
                # What follows has another head too: where it began is what matters.
                parted = True
                why = f"the province received another head at {shown(received[0].received_at)}"
                if len(received) > 1:
                    why = f"the province received {len(received)} different heads for it"
                why += f"; the seal is over {_subjects(session, seal.number)}"
                yield Fault(What.ALTERED, place, why, seal=seal.number)
        previous = seal.head
        checked.seals += 1
        checked.unpublished += checked.newest is None or seal.number > checked.newest.number
        yield None
    for number, _ in items.upto(None):
        yield _without_seal(number)
    for _, rows in kept.upto(None):
        received = list(rows)
        checked.heads += len(received)
        yield _lost(received[0])


def _without_seal(number: int) -> Fault:
    why = "there are items of it, but no such seal"
    return Fault(What.REMOVED, f"seal {number}", why, seal=number)


def _lost(head: KeptHead) -> Fault:
    why = f"it is gone; the province received its head at {shown(head.received_at)}"
    place = f"seal {head.number}, of {shown(head.sealed_at)}"
    return Fault(What.REMOVED, place, why, seal=head.number)


def _subjects(session: Session, number: int) -> str:
    of = select(Sealed.trip_id).where(Sealed.seal == number).distinct().order_by(Sealed.trip_id)
    first = [f"trip {trip_id}" for trip_id in session.scalars(of.limit(4))]
    return ", ".join(first[:3]) + (" and others" if len(first) > 3 else "") or "nothing"


def _trips(session: Session, checked: Checked) -> Found:
    """Each trip's chunks: whether they make a chain, and the one that was sealed."""
    trips = (trip_id for (trip_id,) in _stream(session, select(Trip.id).order_by(Trip.id)))
    while some := list(islice(trips, TRIPS_AT_ONCE)):
        said = links.heads(session, some)
        chains: _Groups[UUID] = _Groups(links.links(session, some), lambda link: link.trip_id)
        sealed = _Groups(
            _stream(
                session,
                select(Sealed.id, Sealed.seal, Sealed.version, Sealed.digest, Seal.sealed_at)
                .join(Seal, Seal.number == Sealed.seal)
                .where(Sealed.kind == SealedKind.TRACK, Sealed.id.in_(some))
                .order_by(Sealed.id, Sealed.seal),
            ),
            lambda item: item.id,
        )
        for trip_id in some:
            chain: list[Link] = [link for _, rows in chains.upto(trip_id) for link in rows]
            faults = list(of_chain(trip_id, chain, said.get(trip_id)))
            items = [item for _, rows in sealed.upto(trip_id) for item in rows]
            yield from faults or of_trip(trip_id, chain, items)
            if chain and (not items or items[-1].digest != chain[-1].link):
                checked.unsealed += 1
            checked.trips += 1
            checked.chunks += len(chain)
            yield None


WORDS: Final = {
    SealedKind.TRACK: "track",
    SealedKind.VERDICT: "verdict",
    SealedKind.CLOSED_VERDICT: "verdict",
    SealedKind.DEVIATION: "deviation",
    SealedKind.REPLY: "reply",
    SealedKind.RULING: "ruling",
    SealedKind.CHECK_IN: "check-in",
}


def _rows(session: Session, covered: Covered, checked: Checked) -> Found:
    """Each row of a kind: whether it is what was sealed, each time that it was."""
    before = aliased(Seal)
    noted = select(Unsealed.id).where(Unsealed.kind == covered.kind)
    query = (
        covered.select(
            *(Sealed.seal.label("seal"), Sealed.version.label("version")),
            *(Sealed.digest.label("sealed"), before.sealed_at.label("before")),
            covered.row.id.in_(noted).label("noted"),
        )
        .outerjoin(Sealed, and_(Sealed.id == covered.row.id, Sealed.kind == covered.kind))
        .outerjoin(before, before.number == Sealed.seal - 1)
        .order_by(covered.row.id, Sealed.seal)
    )
    if covered.kind is SealedKind.CLOSED_VERDICT:
        query = query.where(or_(VerdictRecord.final, ~VerdictRecord.current))
    for _, group in groupby(_stream(session, query), lambda row: row.id):
        row, *more = list(group)
        items = [each for each in (row, *more) if each.seal is not None]
        why = _wrong(covered, row, items)
        checked.rows += 1
        checked.unsealed += why is None and row.noted
        if why is not None:
            what = (
                What.ALTERED
                if items and items[-1].sealed != covered.content(row)[1]
                else (What.INSERTED)
            )
            place = f"trip {row.trip}, {WORDS[covered.kind]} {row.id}, of {shown(row.dated)}"
            seal = items[-1].seal if items else None
            yield Fault(what, place, why, trip_id=row.trip, row_id=row.id, at=row.dated, seal=seal)
        yield None


def _wrong(covered: Covered, row: Row[Any], items: list[Row[Any]]) -> str | None:
    version, digest = covered.content(row)
    if covered.kind is SealedKind.CLOSED_VERDICT:
        # One in force is sealed anew when it is refreshed; one that another replaced stays.
        rests = [item for item in items if item.version == 0]
        if version and rests:
            return "it is in force, but another had replaced it when it was sealed"
        sealed = items[-1:] if version else rests
        if row.noted and (version or not rests):
            return None
    elif items and items[0].before is not None and items[0].before > row.dated + LATE:
        return f"it was not there yet when what was new was sealed at {shown(items[0].before)}"
    else:
        sealed = items
    if not sealed:
        return None if row.noted else "no seal is over it"
    if all(item.sealed == digest for item in sealed):
        return None
    return f"it is not what seal {sealed[-1].seal} is over"


def _gone(session: Session) -> Found:
    """What was sealed and is no longer there."""
    rows = {covered.kind: covered.row for covered in COVERED}
    del rows[SealedKind.CLOSED_VERDICT]
    for kind, table in (*rows.items(), (SealedKind.TRACK, Trip)):
        there = exists().where(table.id == Sealed.id)
        query = (
            select(Sealed.id, Sealed.trip_id, Seal.number, Seal.sealed_at)
            .join(Seal, Seal.number == Sealed.seal)
            .where(Sealed.kind == kind, ~there)
            .order_by(Sealed.id, Seal.number)
        )
        for _, group in groupby(_stream(session, query), lambda row: row.id):
            row = next(group)
            place = f"trip {row.trip_id}, {WORDS[kind]} {row.id}, of {shown(row.sealed_at)}"
            why = f"it is gone; seal {row.number} is over it"
            yield Fault(
                *(What.REMOVED, place, why),
                trip_id=row.trip_id,
                row_id=row.id,
                at=row.sealed_at,
                seal=row.number,
            )


def _stated(session: Session) -> Found:
    """Each deviation: whether it is what its verdict and the word of people make it."""
    ruled = (
        select(DeviationRuling.upheld)
        .where(DeviationRuling.deviation_id == DeviationRecord.id)
        .order_by(DeviationRuling.ruled_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    replied = exists().where(DeviationReply.deviation_id == DeviationRecord.id)
    query = select(
        DeviationRecord, VerdictRecord.detail, ruled.label("upheld"), replied.label("replied")
    ).join(VerdictRecord, VerdictRecord.id == DeviationRecord.verdict_id)
    for case, detail, upheld, replied_to in _stream(session, query):
        said = {
            DeviationState.UPHELD: upheld is True,
            DeviationState.EXCUSED: upheld is False,
            DeviationState.ANSWERED: replied_to,
        }
        why = None
        if _said(case) not in _told(detail):
            why = f"it is not what verdict {case.verdict_id} says"
        elif not said.get(case.state, True):
            why = f"its state is {case.state}, which no reply or ruling made it"
        if why is not None:
            place = f"trip {case.trip_id}, deviation {case.id}, of {shown(case.found_at)}"
            yield Fault(
                *(What.ALTERED, place, why), trip_id=case.trip_id, row_id=case.id, at=case.found_at
            )
        yield None


def _said(case: DeviationRecord) -> tuple[Any, ...]:
    return (
        *(case.kind, case.severity, case.leg, case.region_code, case.planned_region_code),
        *(case.started_at, case.ended_at, round(case.coverage, 6), case.amount),
        *(case.evidence, case.message_id, case.message_en),
    )


def _told(detail: Any) -> list[tuple[Any, ...]]:
    """The deviations of a verdict's detail; none where it is not as the service writes it."""
    try:
        return [
            (
                *(said["kind"], said["severity"], said["leg"]),
                *(said["region"], said["planned_region"]),
                *(datetime.fromisoformat(said[name]) for name in ("started_at", "ended_at")),
                *(said["coverage"], None if said["amount"] is None else Decimal(said["amount"])),
                *(said["evidence"], said["message_id"], said["message_en"]),
            )
            for said in detail["deviations"]
        ]
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return []
