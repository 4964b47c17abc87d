"""Live positions (*posisi*): where travellers are now, for those who may see their tracks."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Date, Select, cast, func, or_, select
from sqlalchemy.orm import Session

from tenants import access, boundaries, pauses, trips, windows
from tenants.access import Viewer
from tenants.models import (
    BoundaryRegion,
    Device,
    Member,
    PhoneClient,
    Trip,
    TripProgress,
    TripState,
)

MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Position:
    """The newest fix of a trip, with its traveller and letter; `accuracy` is in metres.

    `device_id` is of the phone that can be asked for the next.
    """

    trip: Trip
    lon: float
    lat: float
    accuracy: float | None
    at: datetime
    device_id: UUID | None


@dataclass(frozen=True, slots=True)
class Sight:
    """Whom a viewer may watch now (None: everybody in the regency), and where they are."""

    travellers: Set[UUID] | None
    present: list[Position]


def live(
    session: Session,
    viewer: Viewer,
    *,
    trip_id: UUID | None = None,
    office_id: UUID | None = None,
    first: int = MOST,
    zone: str,
    now: datetime,
) -> list[Position]:
    """Up to `first` positions that the viewer may see, newest first.

    `office_id`: of travellers of this office and those below it only.
    """
    query = _shown(zone, now).where(access.tracked(viewer))
    if trip_id is not None:
        query = query.where(Trip.id == trip_id)
    if office_id is not None:
        query = query.where(access.within(office_id))
    newest = query.order_by(TripProgress.last_fix_at.desc(), Trip.id).limit(first)
    return _positions(session, newest)


def of_trips(
    session: Session, trip_ids: Collection[UUID], *, zone: str, now: datetime
) -> list[Position]:
    """The positions of those of these trips that are to be shown now; access is the caller's."""
    return _positions(session, _shown(zone, now).where(Trip.id.in_(trip_ids)))


def watched(
    session: Session,
    viewer: Viewer,
    *,
    trip_id: UUID | None = None,
    office_id: UUID | None = None,
    zone: str,
    now: datetime,
) -> Sight:
    """Whom the viewer may watch, of a trip or an office if one is named, and where they are."""
    travellers = None
    if trip_id or office_id or not viewer.roles & access.TRACKS & access.WHOLE_REGENCY:
        seen = select(Member.id).where(access.tracked(viewer))
        if trip_id is not None:
            seen = seen.where(Member.id.in_(select(Trip.traveller_id).where(Trip.id == trip_id)))
        if office_id is not None:
            seen = seen.where(access.within(office_id))
        travellers = frozenset(session.scalars(seen))
    present = live(session, viewer, trip_id=trip_id, office_id=office_id, zone=zone, now=now)
    return Sight(travellers, present)


def _shown(zone: str, now: datetime) -> Select[Any]:
    """Active trips while the assignment lasts, but not while paused, with their newest fix.

    A plan that was changed may leave the newest fix outside the assignment: nobody's to see.
    """
    phone = (
        select(Device.id)
        .where(
            Device.member_id == Trip.traveller_id,
            or_(Device.trip_id.is_(None), Device.trip_id == Trip.id),
            Device.client == PhoneClient.OWNTRACKS,
            Device.revoked_at.is_(None),
        )
        .order_by(Device.last_seen_at.desc().nulls_last(), Device.id)
        .limit(1)
        .correlate(Trip)
        .scalar_subquery()
    )
    fixed_on = cast(func.timezone(zone, TripProgress.last_fix_at), Date)
    return (
        select(
            Trip,
            TripProgress.last_lon,
            TripProgress.last_lat,
            func.nullif(TripProgress.last_accuracy, float("nan")),
            TripProgress.last_fix_at,
            phone,
        )
        .join(Trip.traveller)
        .join(TripProgress, TripProgress.trip_id == Trip.id)
        .options(*trips.SHOWN)
        .where(
            Trip.state == TripState.ACTIVE,
            windows.lasting(zone, now),
            fixed_on.between(Trip.starts_on, Trip.ends_on),
            ~pauses.lasting(now),
        )
    )


def _positions(session: Session, query: Select[Any]) -> list[Position]:
    return [Position(*row) for row in session.execute(query)]


def regions_of(session: Session, trip_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """The region in which each trip's newest fix lies, if in any; access is the caller's."""
    newest = func.ST_SetSRID(func.ST_MakePoint(TripProgress.last_lon, TripProgress.last_lat), 4326)
    rows = session.execute(
        select(TripProgress.trip_id, BoundaryRegion.code)
        .join(BoundaryRegion, func.ST_Covers(BoundaryRegion.outline, newest))
        .where(
            TripProgress.trip_id.in_(trip_ids),
            BoundaryRegion.boundary_set == boundaries.current_version(session),
        )
    )
    return dict(rows.tuples().all())
