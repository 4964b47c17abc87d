"""When a trip's traveller is tracked: between the start and the end of the assignment."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_

from tenants.models import Trip


class Dated(Protocol):
    """A trip, or as much of its row as its window follows from."""

    @property
    def starts_on(self) -> date: ...
    @property
    def ends_on(self) -> date: ...
    @property
    def finished_at(self) -> datetime | None: ...


@lru_cache(maxsize=4_096)
def midnight(day: date, zone: str) -> datetime:
    """When a day begins in a zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def start(trip: Dated, zone: str) -> datetime:
    """When tracking may begin: the first minute of the first day, in the regency's zone."""
    return midnight(trip.starts_on, zone)


def end(trip: Dated, zone: str) -> datetime:
    """When tracking ends: with the last day, or earlier when the traveller said she is back."""
    until = midnight(trip.ends_on + timedelta(days=1), zone)
    return min(until, trip.finished_at) if trip.finished_at else until


def lasting(zone: str, now: datetime) -> ColumnElement[bool]:
    """Condition on `Trip`: whether `now` is from its `start` to before its `end`."""
    today = now.astimezone(ZoneInfo(zone)).date()
    return and_(
        Trip.starts_on <= today,
        Trip.ends_on >= today,
        or_(Trip.finished_at.is_(None), Trip.finished_at > now),
    )
