"""Check-ins (*lapor kehadiran*): a traveller says where she is now, with a photo if she likes.

Evidence of its own kind, for people to weigh: no rule reads it. The window of tracking holds for it
as well: outside of the assignment, and while paused, nothing is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, column_property, mapped_column

from tenants import access, fixes, pauses, photos, windows
from tenants.access import Viewer
from tenants.fixes import Fixes
from tenants.models import Base, Trip, TripProgress, TripState
from tenants.problems import InvalidFix, InvalidInput, NotFound, WrongState

MOST_A_TRIP: Final = 100


class CheckIn(Base):
    """Where a traveller said that she is; lon/lat in degrees, `accuracy` in metres.

    `photo` is a picture without metadata, `photo_digest` its SHA-256 in hex.
    """

    __tablename__ = "check_in"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    trip_id: Mapped[UUID] = mapped_column(ForeignKey("trip.id"))
    happened_at: Mapped[datetime]
    lon: Mapped[float]
    lat: Mapped[float]
    accuracy: Mapped[float | None]
    photo: Mapped[bytes | None] = mapped_column(deferred=True)
    photo_type: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    photo_digest: Mapped[str | None] = column_property(func.encode(func.sha256(photo), "hex"))
    __table_args__ = (UniqueConstraint("trip_id", "happened_at"),)


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is, as her phone has it: degrees, and metres if it says."""

    lon: float
    lat: float
    accuracy: float | None


def check_in(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    place: Place,
    *,
    at: datetime,
    photo: bytes | None,
    zone: str,
    now: datetime,
) -> CheckIn:
    """Keep that the viewer is at a place on her own trip; one of the same time is there already.

    The first begins the trip, as the first fix does. Raises `InvalidInput` for a place, time or
    photo that can be none and for a time in which she is not tracked, `NotFound` for a trip of
    somebody else, `WrongState` for a cancelled one.
    """
    _check(place, at, now)
    picture = photos.plain(photo) if photo is not None else None
    access.require_own_trip(session, viewer, trip_id)
    lock = select(TripProgress.trip_id).where(TripProgress.trip_id == trip_id).with_for_update()
    session.execute(lock)
    # Read once no change to it is under way: what has ended takes no more.
    trip = session.get_one(Trip, trip_id)
    if trip.state is TripState.CANCELLED:
        raise WrongState(trip.state)
    paused = pauses.paused(session, [trip_id]).get(trip_id, ())
    if not windows.window(trip, zone, paused).tracks(at.timestamp()):
        raise InvalidInput(
            "at", "di luar penugasan atau dalam jeda", "is outside the assignment or in a pause"
        )
    same = select(CheckIn).where(CheckIn.trip_id == trip_id, CheckIn.happened_at == at)
    known = session.scalar(same)
    if known is not None:
        return known
    kept = select(func.count()).select_from(CheckIn).where(CheckIn.trip_id == trip_id)
    if session.scalars(kept).one() >= MOST_A_TRIP:
        raise InvalidInput(
            "tripId", f"sudah {MOST_A_TRIP} kali", f"has {MOST_A_TRIP} check-ins already"
        )
    session.execute(
        insert(CheckIn).values(
            trip_id=trip_id,
            happened_at=at,
            lon=place.lon,
            lat=place.lat,
            accuracy=place.accuracy,
            photo=picture.content if picture else None,
            photo_type=picture.media_type if picture else None,
        )
    )
    if trip.state is TripState.ISSUED:
        trip.state, trip.started_at = TripState.ACTIVE, now
    return session.scalars(same).one()


def _check(place: Place, at: datetime, now: datetime) -> None:
    """Refuse what no fix could say; raises `InvalidInput`, returns nothing."""
    unknown = np.array([np.nan])
    said = Fixes(
        time=np.array([at.timestamp()]),
        lon=np.array([place.lon]),
        lat=np.array([place.lat]),
        accuracy=unknown if place.accuracy is None else np.array([place.accuracy]),
        speed=unknown,
        mock=np.array([False]),
        battery=unknown,
    )
    try:
        fixes.check(said, now=now)
    except InvalidFix as wrong:
        raise InvalidInput("position", wrong.reason_id, wrong.reason_en) from None


def of_trips(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[CheckIn]]:
    """The trips' check-ins in order of time; who may see them is the caller's to decide."""
    found: dict[UUID, list[CheckIn]] = {trip_id: [] for trip_id in trip_ids}
    rows = select(CheckIn).where(CheckIn.trip_id.in_(trip_ids)).order_by(CheckIn.happened_at)
    for row in session.scalars(rows):
        found[row.trip_id].append(row)
    return found


def shown(rows: Sequence[CheckIn], trip: Trip, zone: str) -> list[CheckIn]:
    """Those within the assignment: one after a return that was declared later is nobody's to see.

    It stays evidence.
    """
    window = windows.window(trip, zone)
    return [row for row in rows if window.tracks(row.happened_at.timestamp())]


@dataclass(frozen=True, slots=True)
class Pictured:
    """A check-in's photo; `digest` is its SHA-256 in hex."""

    trip_id: UUID
    media_type: str
    content: bytes
    digest: str


def photo(session: Session, viewer: Viewer, check_in_id: UUID, *, zone: str) -> Pictured:
    """The photo of a check-in of those whose tracks the viewer may see; raises `NotFound`."""
    found = session.execute(
        select(CheckIn, CheckIn.photo, Trip)
        .join(Trip, Trip.id == CheckIn.trip_id)
        .join(Trip.traveller)
        .where(CheckIn.id == check_in_id, CheckIn.photo.is_not(None), access.tracked(viewer))
    ).one_or_none()
    if found is None or not shown([found[0]], found[2], zone):
        raise NotFound("Foto")
    row, content, _ = found
    return Pictured(row.trip_id, str(row.photo_type), bytes(content or b""), str(row.photo_digest))
