"""Tracks: uploads of fixes become immutable chunks; a track is read back from them as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from tenants import access, chunks, fixes, pauses, silences, trips, windows
from tenants.access import Viewer
from tenants.chunks import Source
from tenants.fixes import Fixes
from tenants.models import Trip, TripState
from tenants.problems import InvalidInput, WrongState
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

    A fix that is there already is not added again. Fixes outside the assignment's window, and those
    of a pause, are dropped and counted: outside an assignment nobody is tracked. `explained` are
    silences that the phone gives a reason for. Raises `TooManyFixes`, `InvalidFix`, `InvalidInput`,
    `NotFound` for a trip of somebody else, `WrongState` for a cancelled one.
    """
    fixes.check(sent, now=now)
    silences.check(explained, earliest=fixes.EARLIEST, latest=now + fixes.CLOCK_AHEAD)
    if not 1 <= len(device) <= 64 or "\x00" in device:
        raise InvalidInput("device", "harus 1-64 huruf", "must be 1 to 64 characters")
    access.require_own_trip(session, viewer, trip_id)
    chains = chunks.lock(session, [trip_id])
    # Read once no change to it is under way: what has ended takes no more fixes.
    trip = session.get_one(Trip, trip_id)
    if trip.state is TripState.CANCELLED:
        raise WrongState(trip.state)
    start, end = windows.start(trip, zone), windows.end(trip, zone)
    told = silences.add(session, trip_id, explained, device=device, start=start, end=end)
    window = windows.window(trip, zone, pauses.paused(session, [trip_id]).get(trip_id, ()))
    inside, paused = windows.divide(sent.time, np.zeros(len(sent), dtype=np.intp), [window])
    kept = sent.only(inside & ~paused)
    (accepted,) = chunks.append(
        session,
        kept,
        np.zeros(len(kept), dtype=np.intp),
        [Source(trip_id, device)],
        chains,
    )
    if accepted:
        if trip.state is TripState.ISSUED:
            trip.state, trip.started_at = TripState.ACTIVE, now
    elif told:
        trips.arrived(session, trip_id)
    return Receipt(accepted, len(kept) - accepted, len(sent) - len(kept), told)


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
    none = np.zeros(len(sent), dtype=np.intp)
    return sent.only(windows.divide(sent.time, none, [windows.window(trip, zone)])[0])
