"""Tracks: uploads of fixes become immutable chunks; a track is read back from them as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import access, chunks, fixes, pauses, silences, trips, windows
from tenants.access import Viewer
from tenants.chunks import Addition, Chain
from tenants.fixes import Fixes
from tenants.models import Trip, TripState
from tenants.problems import InvalidInput, NotFound, WrongState
from tenants.silences import Silence


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an upload: every fix is in exactly one of the first three.

    `silences` counts those that were not known.
    """

    accepted: int
    duplicates: int
    outside_window: int
    silences: int = 0


def record(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    sent: Fixes,
    explained: Sequence[Silence] = (),
    *,
    device: str,
    zone: str,
    now: datetime,
) -> Receipt:
    """Add an upload of the traveller's own fixes to the evidence of her trip.

    The same upload again changes nothing. Fixes outside the assignment's window, and those of a
    pause, are dropped and counted: outside an assignment nobody is tracked. `explained` are
    silences that the phone gives a reason for. Raises `TooManyFixes`, `InvalidFix`, `InvalidInput`,
    `NotFound` for a trip of somebody else, `WrongState` for a cancelled one.
    """
    fixes.check(sent, now=now)
    silences.check(explained, earliest=fixes.EARLIEST, latest=now + fixes.CLOCK_AHEAD)
    if not 1 <= len(device) <= 64 or "\x00" in device:
        raise InvalidInput("device", "harus 1-64 huruf", "must be 1 to 64 characters")
    chain = _lock(session, viewer, trip_id)
    # Read once no change to it is under way: what has ended takes no more fixes.
    trip = session.get_one(Trip, trip_id)
    if trip.state is TripState.CANCELLED:
        raise WrongState(trip.state)
    start, end = windows.start(trip, zone), windows.end(trip, zone)
    told = silences.add(session, trip_id, explained, device=device, start=start, end=end)
    inside = _but_paused(session, within(sent, trip, zone), trip_id)
    kept = fixes.canonical(inside)
    if trip.finished_at is not None:
        kept = unknown(session, trip_id, kept)
    outside, repeated = len(sent) - len(inside), len(inside) - len(kept)
    (accepted,) = chunks.append(
        session, [Addition(trip_id, device, kept)] if len(kept) else [], {trip_id: chain}
    ) or [0]
    if not accepted:
        if told:
            trips.arrived(session, trip_id)
        return Receipt(0, repeated + len(kept), outside, told)
    if trip.state is TripState.ISSUED:
        trip.state, trip.started_at = TripState.ACTIVE, now
    return Receipt(accepted, repeated, outside, told)


def _but_paused(session: Session, sent: Fixes, trip_id: UUID) -> Fixes:
    """Without those of the times in which the traveller paused tracking."""
    kept = np.ones(len(sent), dtype=np.bool_)
    for start, end in pauses.paused(session, [trip_id]).get(trip_id, ()):
        kept &= (sent.time < start.timestamp()) | (sent.time >= end.timestamp())
    return sent.only(kept)


def _lock(session: Session, viewer: Viewer, trip_id: UUID) -> Chain:
    """The trip's chain, for no other upload to add to now.

    Raises `NotFound` for a trip of somebody else.
    """
    row = (
        session.connection()
        .execute(LOCK_PROGRESS, {"trip_id": trip_id, "traveller_id": viewer.member_id})
        .first()
    )
    if row is None:
        raise NotFound("Perjalanan dinas")
    return Chain(bytes(row.chain_head), row.arrived)


LOCK_PROGRESS: Final = text(
    "SELECT chain_head, arrived FROM trip_progress WHERE trip_id = :trip_id AND EXISTS"
    " (SELECT 1 FROM trip WHERE id = :trip_id AND traveller_id = :traveller_id) FOR UPDATE"
)


def unknown(session: Session, trip_id: UUID, sent: Fixes) -> Fixes:
    """Without those that are stored already.

    An early return shortens the window, and with it what is kept of an upload sent again: its
    digest alone no longer tells that it is the same.
    """
    stored = chunks.read(session, [trip_id]).get(trip_id)
    if stored is None:
        return sent
    seen = {row.tobytes() for row in fixes.table(fixes.canonical(stored.fixes))}
    fresh = [row.tobytes() not in seen for row in fixes.table(sent)]
    return sent.only(np.array(fresh, dtype=bool))


def of_trip(session: Session, viewer: Viewer, trip_id: UUID, *, zone: str) -> Fixes | None:
    """A trip's fixes by time, for a viewer who may see positions; otherwise, or if none, None.

    Fixes after a return that was declared only later stay evidence, but are nobody's to see.
    """
    trip = access.trip(session, viewer, trip_id)
    if not access.sees_track(viewer, trip.traveller_id):
        return None
    track = chunks.read(session, [trip_id]).get(trip_id)
    if track is None:
        return None
    seen = within(track.fixes, trip, zone)
    return fixes.canonical(seen) if len(seen) else None


def within(sent: Fixes, trip: Trip, zone: str) -> Fixes:
    """The fixes within the assignment: outside of it nobody is tracked."""
    start = windows.start(trip, zone).timestamp()
    end = windows.end(trip, zone).timestamp()
    return sent.only((sent.time >= start) & (sent.time <= end))
