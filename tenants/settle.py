"""What phones sent goes from the intake's log into the tracks of its trips: the log is settled."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from tenants import chunks, intake, journal, pauses, windows
from tenants.chunks import Chain, Source
from tenants.fixes import Fixes, Ints
from tenants.intake import OUTSIDE, PAUSED, REFUSED, Unusable
from tenants.models import TripState
from tenants.problems import Unavailable
from tenants.realm import Tenant
from tenants.windows import NEVER, Window

log = logging.getLogger(__name__)

MOST_SETTLED: Final = 50_000
"""Fixes in one transaction, and an entry of the log more."""

HALVINGS: Final = 6
"""What the database refuses of a phone's fixes is narrowed down so far."""

SETTLER: Final = 0x736574746C65
"""The advisory lock of who settles a regency's log."""


@dataclass(slots=True)
class Settled:
    """What came of settling: which trips have new fixes, how many fixes were taken from the log.

    None are where another settles it just now. `left` is about how many are still in it.
    """

    left: int
    fixes: int = 0
    trip_ids: set[UUID] = field(default_factory=set)


def settle(tenant: Tenant, *, most: int = MOST_SETTLED) -> Settled:
    """Settle the oldest entries of a tenant's log, `most` fixes of them, in one transaction.

    Whatever the database refuses of it is set apart with all that it says, so that the rest goes
    on. Raises `Unavailable` when the database does not answer: nothing is lost, try again later.
    """
    try:
        try:
            return _settled(tenant, most, chunks.append)
        except Exception as reason:
            if gone(reason):
                raise
            # What went wrong may quote positions.
            log.error("the intake's log cannot be settled: %s", type(reason).__name__)  # noqa: TRY400
        return _settled(tenant, most, _append_apart)
    except Exception as reason:
        if gone(reason):
            raise Unavailable from None
        raise


def gone(reason: Exception) -> bool:
    """Whether it is the database that failed, and not what was to be stored."""
    return isinstance(reason, Unavailable | OperationalError) or (
        isinstance(reason, DBAPIError) and reason.connection_invalidated
    )


def waits(session: Session, since: datetime) -> bool:
    """Whether something in the log has waited since then: who took it in has gone."""
    return bool(session.connection().execute(WAITS, {"since": since}).scalar_one())


WAITS: Final = text("SELECT EXISTS (SELECT 1 FROM intake_log WHERE received_at < :since)")

Append = Callable[[Session, Fixes, Ints, Sequence[Source], dict[UUID, Chain]], list[int]]


def _settled(tenant: Tenant, most: int, append: Append) -> Settled:
    with tenant.session(readonly=False) as session:
        if not session.connection().execute(TRY_LOCK, {"key": SETTLER}).scalar_one():
            return Settled(journal.left(session))
        entries = journal.read(session, most=most)
        sent, source, sources = entries.fixes, entries.source, entries.sources
        if not entries.ids:
            return Settled(entries.left)
        chains = chunks.lock(session, {each.trip_id for each in sources})
        now = datetime.now(UTC)
        # Read once no change to the trips is under way: what has ended or rests takes no more.
        tracked = _windows(session, sources, tenant.zone)
        inside, paused = windows.divide(sent.time, source, tracked)
        left_out = {
            (UUID(sources[number].device), reason)
            for which, reason in ((~inside, OUTSIDE), (paused, PAUSED))
            for number in np.unique(source[which]).tolist()
        }
        intake.set_apart(session, (), left_out, now)
        kept = inside & ~paused
        counts = append(session, sent.only(kept), source[kept], sources, chains)
        moved = {each.trip_id for each, count in zip(sources, counts, strict=True) if count}
        journal.remove(session, entries.ids)
        return Settled(entries.left, len(sent), moved)


TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(:key)")
TRIPS: Final = text(
    "SELECT id, starts_on, ends_on, finished_at, state,"
    " EXISTS (SELECT 1 FROM pause WHERE trip_id = trip.id) AS paused FROM trip"
    " WHERE id = ANY(CAST(:trips AS uuid[]))"
)


def _windows(session: Session, sources: Sequence[Source], zone: str) -> list[Window]:
    """When each source is tracked."""
    trip_ids = list({each.trip_id for each in sources})
    rows = session.connection().execute(TRIPS, {"trips": trip_ids}).all()
    paused = pauses.paused(session, [row.id for row in rows if row.paused])
    found = {
        row.id: windows.window(row, zone, paused.get(row.id, ()))
        for row in rows
        if row.state != TripState.CANCELLED
    }
    return [found.get(each.trip_id, NEVER) for each in sources]


def _append_apart(
    session: Session,
    sent: Fixes,
    source: Ints,
    sources: Sequence[Source],
    chains: dict[UUID, Chain],
) -> list[int]:
    """As `chunks.append`, one source after the other; what cannot be stored is set apart."""
    return [
        _append_halves(session, sent.only(source == number), each, chains, HALVINGS)
        for number, each in enumerate(sources)
    ]


def _append_halves(
    session: Session, part: Fixes, source: Source, chains: dict[UUID, Chain], halvings: int
) -> int:
    """Store what can be of a source's fixes; what is refused is halved so many times at most."""
    before = replace(chains[source.trip_id])
    try:
        with session.begin_nested():
            number = np.zeros(len(part), dtype=np.intp)
            return sum(chunks.append(session, part, number, [source], chains))
    except Exception as reason:
        if gone(reason):
            raise
        chains[source.trip_id] = before
        failed = type(reason).__name__
    if halvings and len(part) > 1:
        half = np.arange(len(part)) < len(part) // 2
        return sum(
            _append_halves(session, part.only(which), source, chains, halvings - 1)
            for which in (half, ~half)
        )
    log.error("%d fixes of a phone cannot be stored: %s", len(part), failed)
    refused = [(UUID(source.device), _refused(few)) for few in part.parts()]
    intake.set_apart(session, refused, (), datetime.now(UTC))
    return 0


def _refused(part: Fixes) -> Unusable:
    """All that fixes say: they were acknowledged, so that only this is left of them."""
    columns = {name: getattr(part, name).tolist() for name in Fixes.__slots__}
    return Unusable(REFUSED, {"fixes": len(part)} | columns)
