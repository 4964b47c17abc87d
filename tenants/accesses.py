"""Who looked at whose data (*riwayat akses*, UU 27/2022): for the traveller to see.

One row for a viewer, a trip, a kind and an hour, however often she looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Text, UniqueConstraint, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants import access
from tenants.access import Viewer
from tenants.models import Base, Trip


class AccessKind(StrEnum):
    """What was looked at: a finding in a list, a case, a track, where she was then, a photo."""

    FINDING = "FINDING"
    CASE = "CASE"
    TRACK = "TRACK"
    POSITION = "POSITION"
    PHOTO = "PHOTO"


class AccessEntry(Base):
    """That a viewer looked at a trip of somebody else, first at `first_at` in this hour.

    `roles` are what she was allowed it by then.
    """

    __tablename__ = "access_entry"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    trip_id: Mapped[UUID]
    viewer_id: Mapped[UUID]
    kind: Mapped[AccessKind]
    hour: Mapped[datetime]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    first_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("trip_id", "viewer_id", "kind", "hour"),)


@dataclass(frozen=True, slots=True)
class Look:
    """A viewer looked at trips, in one way, at a time."""

    viewer: Viewer
    kind: AccessKind
    trip_ids: tuple[UUID, ...]
    at: datetime


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def record(session: Session, looks: Sequence[Look]) -> None:
    """Keep who looked at trips of others; what is known of this hour is kept once."""
    wanted = {trip_id for look in looks for trip_id in look.trip_ids}
    found = select(Trip.id, Trip.traveller_id).where(Trip.id.in_(wanted))
    travellers: dict[UUID, UUID] = dict(session.execute(found).all())
    rows = [
        {
            "trip_id": trip_id,
            "viewer_id": look.viewer.member_id,
            "kind": look.kind,
            "hour": hour_of(look.at),
            "roles": sorted(look.viewer.roles),
            "first_at": look.at,
        }
        for look in looks
        for trip_id in look.trip_ids
        if trip_id in travellers and travellers[trip_id] != look.viewer.member_id
    ]
    # In one order, so that no two processes wait for one another.
    rows.sort(key=lambda row: [str(row[name]) for name in ("trip_id", "viewer_id", "kind")])
    if rows:
        session.execute(insert(AccessEntry).on_conflict_do_nothing(), rows)


def page(
    session: Session,
    viewer: Viewer,
    *,
    trip_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[AccessEntry]:
    """Up to `first` + 1 accesses to the viewer's own trips, newest first; or to one of them.

    Raises `NotFound` for a trip of somebody else.
    """
    own = select(Trip.id).where(Trip.traveller_id == viewer.member_id)
    if trip_id is not None:
        access.require_own_trip(session, viewer, trip_id)
        own = own.where(Trip.id == trip_id)
    query = select(AccessEntry).where(AccessEntry.trip_id.in_(own))
    if after is not None:
        query = query.where(tuple_(AccessEntry.first_at, AccessEntry.id) < after)
    newest = query.order_by(AccessEntry.first_at.desc(), AccessEntry.id.desc())
    return list(session.scalars(newest.limit(first + 1)))
