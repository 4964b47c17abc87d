"""When a trip's traveller is tracked: between the start and the end of the assignment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import ColumnElement, and_, or_

from tenants.fixes import Bools, Floats, Ints
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


@dataclass(frozen=True, slots=True)
class Window:
    """When a traveller is tracked on a trip: epoch seconds, both included, but for the pauses.

    Of a pause the first second is included and the last is not.
    """

    start: float
    end: float
    pauses: Sequence[tuple[float, float]] = ()

    def tracks(self, at: float) -> bool:
        """Whether the traveller is tracked at a time."""
        paused = any(start <= at < end for start, end in self.pauses)
        return self.start <= at <= self.end and not paused


NEVER: Final = Window(inf, -inf)


def window(trip: Dated, zone: str, paused: Sequence[tuple[datetime, datetime]] = ()) -> Window:
    """A trip's window and the pauses in it."""
    whole = _unpaused(Dates(trip.starts_on, trip.ends_on, trip.finished_at), zone)
    pauses = [(since.timestamp(), until.timestamp()) for since, until in paused]
    return replace(whole, pauses=pauses) if pauses else whole


class Dates(NamedTuple):
    """What a trip's window follows from."""

    starts_on: date
    ends_on: date
    finished_at: datetime | None


@lru_cache(maxsize=16_384)
def _unpaused(trip: Dates, zone: str) -> Window:
    return Window(start(trip, zone).timestamp(), end(trip, zone).timestamp())


def divide(times: Floats, number: Ints, windows: Sequence[Window]) -> tuple[Bools, Bools]:
    """Whether each time is in its window, the one of its number, and whether in a pause of it.

    The number -1 is that of no window at all.
    """
    edges = np.array([(each.start, each.end) for each in (*windows, NEVER)])
    inside = (times >= edges[number, 0]) & (times <= edges[number, 1])
    paused = np.zeros(len(times), dtype=np.bool_)
    for which, each in enumerate(windows):
        for since, until in each.pauses:
            paused |= inside & (number == which) & (times >= since) & (times < until)
    return inside, paused
