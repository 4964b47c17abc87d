"""A plan laid out in time: the window of the assignment and the days in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from workers.case import Plan, PlannedLeg
from workers.ruleset import Ruleset
from workers.track import Floats, RegionIndex


@dataclass(frozen=True, slots=True)
class Span:
    """A day of the trip: from midnight to midnight in the zone planned for it, epoch s.

    The first begins and the last ends with the window, in the home zone, so that days tile it.
    `wakes`, `sleeps`: its waking hours within the window. `planned`: the regions of its legs.
    `right`: where one may be. `testable`: a day spent at home says something.
    """

    date: date
    zone: str
    start: float
    end: float
    wakes: float
    sleeps: float
    planned: tuple[str, ...]
    right: frozenset[str]
    testable: bool


@dataclass(frozen=True, slots=True, eq=False)
class Itinerary:
    """What a track is read against. `start`, `end`: the window, epoch s; `midnights`: its days'.

    `allowed`: all regions where the plan lets one be on some day.
    """

    plan: Plan
    rules: Ruleset
    regions: RegionIndex
    legs: tuple[PlannedLeg, ...]
    start: float
    end: float
    spans: tuple[Span, ...]
    midnights: Floats
    allowed: frozenset[str]

    def deadline(self, leg: PlannedLeg) -> float:
        """Until when a traveller may still be on the way to a leg, epoch s."""
        arrived = midnight(leg.arrive_on + timedelta(days=1), leg.zone)
        return arrived + self.rules.arrival_grace_seconds


def itinerary(plan: Plan, rules: Ruleset, regions: RegionIndex) -> Itinerary:
    """Lays a plan out; the window ends where the traveller finished."""
    legs = tuple(sorted(plan.legs, key=lambda leg: leg.position))
    start = midnight(plan.starts_on, plan.home_zone)
    end = midnight(plan.ends_on + timedelta(days=1), plan.home_zone)
    if plan.finished_at:
        end = max(start, min(end, plan.finished_at.timestamp()))
    always = frozenset((plan.home, *plan.transit, *(leg.region for leg in legs)))
    always |= _airports(plan, regions)
    spans = tuple(_spans(plan, legs, rules, always=always, start=start, end=end))
    midnights = np.array([span.start for span in spans])
    allowed = frozenset[str]().union(*(span.right for span in spans))
    return Itinerary(plan, rules, regions, legs, start, end, spans, midnights, allowed)


def _airports(plan: Plan, regions: RegionIndex) -> frozenset[str]:
    """The regions that the flights of a plan lead through."""
    places = [place for flight in plan.flights for place in (flight.origin, flight.destination)]
    if not places:
        return frozenset()
    lon, lat = (np.array([getattr(place, name) for place in places]) for name in ("lon", "lat"))
    labels = regions.label(regions.project(lon=lon, lat=lat), np.zeros(len(places)))
    return frozenset(code for i in labels.inside if (code := labels.codes[i]) is not None)


def _spans(
    plan: Plan,
    legs: tuple[PlannedLeg, ...],
    rules: Ruleset,
    *,
    always: frozenset[str],
    start: float,
    end: float,
) -> Iterator[Span]:
    def there(day: date) -> list[PlannedLeg]:
        return [leg for leg in legs if leg.arrive_on <= day <= leg.depart_on]

    def zone(day: date) -> str:
        return next((leg.zone for leg in there(day)), plan.home_zone)

    day, opens = plan.starts_on, start
    while opens < end:
        following = day + timedelta(days=1)
        last = day >= plan.ends_on
        closes = end if last else min(end, midnight(following, zone(following)))
        lawful = {
            place.region for place in plan.lawful_places if place.from_on <= day <= place.until_on
        }
        wakes = max(opens, midnight(day, zone(day), rules.waking_from_hour))
        sleeps = min(closes, midnight(day, zone(day), rules.waking_until_hour))
        planned = tuple(dict.fromkeys(leg.region for leg in there(day)))
        yield Span(
            date=day,
            zone=zone(day),
            start=opens,
            end=closes,
            wakes=wakes,
            sleeps=sleeps,
            planned=planned,
            right=frozenset(always | lawful),
            testable=sleeps > wakes and plan.home not in lawful.union(planned),
        )
        day, opens = following, closes
        if last:
            return


def midnight(day: date, zone: str, hour: int = 0) -> float:
    """When a date begins in a zone, or an hour of it, epoch s."""
    return datetime.combine(day, time(hour), ZoneInfo(zone)).timestamp()


def moment(epoch: float) -> datetime:
    """Epoch seconds as an aware UTC time."""
    return datetime.fromtimestamp(epoch, UTC)
