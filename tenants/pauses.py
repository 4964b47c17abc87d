"""Pauses (*jeda*): times in which a traveller is not tracked on an active trip, by her own word."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Exists, func, select
from sqlalchemy.orm import Session

from tenants import access, trips
from tenants.access import Viewer
from tenants.evidence import Pause
from tenants.models import Role, Trip, TripState
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotAllowed, WrongState

LONGEST_PAUSE: Final = timedelta(hours=24)
ENDS_AT: Final = func.coalesce(Pause.ended_at, Pause.started_at + LONGEST_PAUSE)
"""When a pause ends: one that is left open ends by itself."""


def ends_at(pause: Pause) -> datetime:
    """When a pause ends, as `ENDS_AT` has it."""
    return pause.ended_at or pause.started_at + LONGEST_PAUSE


def lasting(now: datetime) -> Exists:
    """Condition on `Trip`: whether it is paused at `now`."""
    return (
        select(Pause.id)
        .where(Pause.trip_id == Trip.id, Pause.started_at <= now, now < ENDS_AT)
        .correlate(Trip)
        .exists()
    )


def pause(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    *,
    reason: str,
    until: datetime | None = None,
    now: datetime,
) -> Pause:
    """Pause tracking from now on, for 24 hours at most; open until resumed without `until`."""
    last = _last_locked(session, viewer, trip_id)
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise InvalidInput("until", "harus dalam 24 jam", "must be within 24 hours")
    if last is not None and ends_at(last) > now:
        raise InvalidInput("tripId", "sudah dijeda", "is paused already")
    if last is not None and last.ended_at is None:
        last.ended_at = ends_at(last)
        session.flush()  # there is room for one open pause a trip
    begun = Pause(trip_id=trip_id, started_at=now, ended_at=until, reason=text_of("reason", reason))
    session.add(begun)
    session.flush()
    return begun


def resume(session: Session, viewer: Viewer, trip_id: UUID, *, now: datetime) -> Pause:
    """End the pause that the trip is in."""
    last = _last_locked(session, viewer, trip_id)
    if last is None or ends_at(last) <= now:
        raise InvalidInput("tripId", "tidak sedang dijeda", "is not paused")
    last.ended_at = max(now, last.started_at)
    session.flush()
    return last


def _last_locked(session: Session, viewer: Viewer, trip_id: UUID) -> Pause | None:
    """The last pause of the viewer's own active trip, which is marked: its verdict may change."""
    access.trip(session, viewer, trip_id)
    trips.arrived(session, trip_id)
    session.expire_all()
    trip = access.trip(session, viewer, trip_id)
    if trip.traveller_id != viewer.member_id:
        raise NotAllowed((Role.TRAVELLER,))
    if trip.state is not TripState.ACTIVE:
        raise WrongState(trip.state)
    newest = select(Pause).where(Pause.trip_id == trip_id).order_by(Pause.started_at.desc())
    return session.scalars(newest.limit(1)).one_or_none()


def of_trip(session: Session, viewer: Viewer, trip_id: UUID) -> list[Pause]:
    """A trip's pauses in order of time; raises `NotFound` when it is not the viewer's to see."""
    access.trip(session, viewer, trip_id)
    rows = select(Pause).where(Pause.trip_id == trip_id).order_by(Pause.started_at)
    return list(session.scalars(rows))


def paused(
    session: Session, trip_ids: Iterable[UUID]
) -> Mapping[UUID, list[tuple[datetime, datetime]]]:
    """From when (included) to when (not included) each trip is paused, in order of time."""
    if not (wanted := list(trip_ids)):
        return {}
    rows = session.execute(
        select(Pause.trip_id, Pause.started_at, ENDS_AT)
        .where(Pause.trip_id.in_(wanted))
        .order_by(Pause.started_at)
    )
    found: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for trip_id, start, end in rows:
        found.setdefault(trip_id, []).append((start, end))
    return found
