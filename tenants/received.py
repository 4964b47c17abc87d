"""Visa as they come back to the sender: read at the province, kept as evidence of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tenants import trips
from tenants.evidence import ReceivedVisum, VisumEvent, VisumMethod
from tenants.models import Trip
from tenants.province import PassingVisum

OVERLAP: Final = timedelta(minutes=10)
"""Hosts are followed at the same time: what one began earlier may be there later than another's."""


def newest(session: Session) -> tuple[datetime | None, frozenset[UUID]]:
    """From when on to ask the province again, None from the beginning; and what is known of it."""
    last = session.scalar(select(func.max(ReceivedVisum.received_at)))
    if last is None:
        return None, frozenset()
    since = last - OVERLAP
    known = session.scalars(select(ReceivedVisum.id).where(ReceivedVisum.received_at >= since))
    return since, frozenset(known)


def at_province(session: Session, *, since: datetime | None) -> list[PassingVisum]:
    """At the province: what hosts confirmed, or withdrew, of this regency's trips."""
    query = select(PassingVisum)
    if since is not None:
        query = query.where(PassingVisum.received_at >= since)
    return list(session.scalars(query.order_by(PassingVisum.received_at)))


def keep(session: Session, visa: Sequence[PassingVisum]) -> list[UUID]:
    """Keep what is new of this regency's trips, which it brings before the judge; returns them."""
    ours = set(session.scalars(select(Trip.id).where(Trip.id.in_({one.trip_id for one in visa}))))
    rows = [
        {
            "id": one.id,
            "trip_id": one.trip_id,
            "leg": one.leg,
            "host": one.tenant,
            "event": one.event,
            "happened_at": one.happened_at,
            "method": one.method,
            "confirmed_at": one.confirmed_at,
            "withdraws": one.withdraws,
            "received_at": one.received_at,
        }
        for one in visa
        if one.trip_id in ours
    ]
    if not rows:
        return []
    fresh = session.scalars(
        insert(ReceivedVisum)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(ReceivedVisum.trip_id),
        rows,
    )
    found = sorted(set(fresh))
    trips.arrived(session, *found)
    return found


@dataclass(frozen=True, slots=True)
class Stamp:
    """One visum as it is shown, by its host or to its sender."""

    id: UUID
    region_code: str
    leg: int
    event: VisumEvent
    happened_at: datetime
    method: VisumMethod
    confirmed_at: datetime
    withdrawn_at: datetime | None


def of_trips(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[Stamp]]:
    """The visa of each trip, by their times; the caller has made sure that it may be seen."""
    found: dict[UUID, list[Stamp]] = {trip_id: [] for trip_id in trip_ids}
    query = select(ReceivedVisum).where(ReceivedVisum.trip_id.in_(trip_ids))
    order = ReceivedVisum.happened_at, ReceivedVisum.confirmed_at
    rows = session.scalars(query.order_by(*order)).all()
    withdrawn = {row.withdraws: row.confirmed_at for row in rows}
    for row in rows:
        if row.withdraws is None:
            found[row.trip_id].append(
                Stamp(
                    row.id,
                    row.host,
                    row.leg,
                    row.event,
                    row.happened_at,
                    row.method,
                    row.confirmed_at,
                    withdrawn.get(row.id),
                )
            )
    return found
