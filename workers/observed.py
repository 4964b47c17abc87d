"""What a track shows of a trip: the facts the rules look at, each with its doubt kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from workers.case import Claim, Day, DayState, Fixes, Plan, PlannedLeg, Ruleset, Stay
from workers.track import (
    OUTSIDE,
    Bools,
    Ints,
    Labels,
    RegionIndex,
    Track,
    clean,
    dwelling,
    held,
    overlap,
    stays,
    visits,
)


@dataclass(frozen=True, slots=True)
class Span:
    """A day of the trip: from midnight to midnight in the zone planned for it, epoch s.

    The first begins and the last ends with the window, in the home zone, so that days tile it.
    `wakes`, `sleeps`: its waking hours within the window. `planned`: the regions of its legs.
    `right`: where one may be. `open`: it lies in the window but has not ended yet.
    """

    date: date
    start: float
    end: float
    wakes: float
    sleeps: float
    planned: tuple[str, ...]
    right: frozenset[str]
    open: bool


@dataclass(frozen=True, slots=True, eq=False)
class Trip:
    """A plan at a moment: its window from start to end and how far it has run, epoch s."""

    plan: Plan
    rules: Ruleset
    regions: RegionIndex
    legs: tuple[PlannedLeg, ...]
    start: float
    end: float
    until: float
    spans: tuple[Span, ...]

    @property
    def final(self) -> bool:
        """Whether the trip's time is over."""
        return self.until >= self.end

    def deadline(self, leg: PlannedLeg) -> float:
        """Until when a traveller may still be on the way to a leg, epoch s."""
        arrived = midnight(leg.arrive_on + timedelta(days=1), leg.zone)
        return arrived + self.rules.arrival_grace_seconds

    def testable(self, span: Span) -> bool:
        """Whether a day spent at home says anything: not when home is a right place to be."""
        excused = self.plan.home in span.planned or any(
            place.region == self.plan.home and place.from_on <= span.date <= place.until_on
            for place in self.plan.lawful_places
        )
        return span.sleeps > span.wakes and not excused


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """All that a rule may look at; arrays run over the n fixes of the track.

    column: intp, the label each fix is held in. home: certainly there. maybe_away: in a presence
    perhaps outside home. right: perhaps where the plan allows it that day. present: per leg, in a
    presence there that is not perhaps at home. dwelling: bool (n - 1,), intervals spent near one
    place. day: intp, index into `days` and the trip's spans.
    """

    trip: Trip
    claim: Claim | None
    track: Track
    labels: Labels
    column: Ints
    home: Bools
    maybe_away: Bools
    right: Bools
    present: tuple[Bools, ...]
    dwelling: Bools
    day: Ints
    days: tuple[Day, ...]
    stays: tuple[Stay, ...]

    @property
    def coverage(self) -> float:
        """Known share of the trip so far, 0 to 1."""
        return self.track.coverage(self.trip.start, self.trip.until)

    def count(self, state: DayState) -> int:
        """Days of one state."""
        return sum(day.state is state for day in self.days)


def trip(plan: Plan, rules: Ruleset, regions: RegionIndex, as_of: datetime) -> Trip:
    """The window of a plan, cut where the traveller finished, as far as it has run at `as_of`."""
    legs = tuple(sorted(plan.legs, key=lambda leg: leg.position))
    start = midnight(plan.starts_on, plan.home_zone)
    end = midnight(plan.ends_on + timedelta(days=1), plan.home_zone)
    if plan.finished_at:
        end = max(start, min(end, plan.finished_at.timestamp()))
    until = max(start, min(end, as_of.timestamp()))
    spans = tuple(_spans(plan, legs, rules, start=start, end=end, until=until))
    return Trip(plan, rules, regions, legs, start, end, until, spans)


def observe(trip: Trip, claim: Claim | None, fixes: Fixes) -> Observed:
    """Reads a track against a trip."""
    rules, regions, home = trip.rules, trip.regions, trip.plan.home
    track = clean(fixes, trip.start, trip.until, regions=regions, rules=rules)
    labels = regions.label(track.at, track.reach)
    starts = [span.start for span in trip.spans]
    day = np.searchsorted(starts, track.time, side="right") - 1
    allowed = labels.may & _allowed(trip, labels)[day]
    holding = np.where(allowed.any(axis=1, keepdims=True), allowed, labels.may)
    column = held(_resolved(trip, labels, allowed), holding)
    whereabouts = stays(track, column, labels, rules)
    maybe_home = _perhaps(home, labels, regions)
    certain = _certainly(home, trip, labels)
    away = _presence(~maybe_home, track, rules)
    maybe_away = _presence(~certain, track, rules)
    return Observed(
        trip=trip,
        claim=claim,
        track=track,
        labels=labels,
        column=column,
        home=certain,
        maybe_away=maybe_away,
        right=allowed.any(axis=1) | _near_shore(trip, track, labels),
        present=tuple(
            _presence(
                _perhaps(leg.region, labels, regions) & (~maybe_home | (leg.region == home)),
                track,
                rules,
            )
            for leg in trip.legs
        ),
        dwelling=dwelling(track, rules),
        day=day,
        days=tuple(
            Day(
                date=span.date,
                planned=span.planned,
                seen=_seen(span, whereabouts),
                known_seconds=track.known_seconds(span.start, min(span.end, trip.until)),
                state=_state(trip, span, track, certain, away[day == i], maybe_away[day == i]),
            )
            for i, span in enumerate(trip.spans)
        ),
        stays=whereabouts,
    )


def midnight(day: date, zone: str, hour: int = 0) -> float:
    """When a date begins in a zone, or an hour of it, epoch s."""
    return datetime.combine(day, time(hour), ZoneInfo(zone)).timestamp()


def _spans(
    plan: Plan,
    legs: tuple[PlannedLeg, ...],
    rules: Ruleset,
    *,
    start: float,
    end: float,
    until: float,
) -> Iterator[Span]:
    """The days begun so far."""

    def there(day: date) -> list[PlannedLeg]:
        return [leg for leg in legs if leg.arrive_on <= day <= leg.depart_on]

    def zone(day: date) -> str:
        return next((leg.zone for leg in there(day)), plan.home_zone)

    always = {plan.home, *plan.transit, *(leg.region for leg in legs)}
    day, opens = plan.starts_on, start
    while opens < until:
        following = day + timedelta(days=1)
        last = day >= plan.ends_on
        closes = end if last else min(end, midnight(following, zone(following)))
        yield Span(
            date=day,
            start=opens,
            end=closes,
            wakes=max(opens, midnight(day, zone(day), rules.waking_from_hour)),
            sleeps=min(closes, midnight(day, zone(day), rules.waking_until_hour)),
            planned=tuple(dict.fromkeys(leg.region for leg in there(day))),
            right=frozenset(always).union(
                place.region
                for place in plan.lawful_places
                if place.from_on <= day <= place.until_on
            ),
            open=closes > until,
        )
        day, opens = following, closes
        if last:
            return


def _allowed(trip: Trip, labels: Labels) -> Bools:
    """Columns where one may be on each day, bool (days, m); regions without outline: OUTSIDE."""
    mapped = trip.regions.names.keys()
    return np.array(
        [
            [code in span.right if code else bool(span.right - mapped) for code in labels.codes]
            for span in trip.spans
        ],
        dtype=np.bool_,
    ).reshape(len(trip.spans), len(labels.codes))


def _resolved(trip: Trip, labels: Labels, allowed: Bools) -> Ints:
    """The column of each fix before it is held: in doubt a right one, a destination first."""
    planned = {leg.region for leg in trip.legs}
    order = sorted(
        range(len(labels.codes)),
        key=lambda i: (labels.codes[i] not in planned, labels.codes[i] != trip.plan.home, i),
    )
    first_right = np.array(order)[np.argmax(allowed[:, order], axis=1)]
    wrong_side = allowed.any(axis=1) & ~allowed[np.arange(len(allowed)), labels.inside]
    return np.where(wrong_side, first_right, labels.inside)


def _near_shore(trip: Trip, track: Track, labels: Labels) -> Bools:
    """Fixes outside every outline, but not so far from the right regions as to be elsewhere."""
    outside = labels.inside == labels.codes.index(OUTSIDE)
    right = frozenset[str]().union(*(span.right for span in trip.spans))
    near = np.zeros(len(outside), dtype=np.bool_)
    near[outside] = trip.regions.near(right, track.at[outside], trip.rules.offshore_m)
    return near


def _perhaps(code: str, labels: Labels, regions: RegionIndex) -> Bools:
    """Fixes that may lie in a region; one without outline lies outside all that have one."""
    return labels.column(code if code in regions.names else OUTSIDE)


def _certainly(code: str, trip: Trip, labels: Labels) -> Bools:
    """Fixes that can lie in no other region.

    Off the shore counts as home, unless the plan leads to a region without outline: it may be
    just there.
    """
    others = np.array([column not in (code, OUTSIDE) for column in labels.codes])
    certain = labels.column(code) & ~(labels.may & others).any(axis=1)
    if any(leg.region not in trip.regions.names for leg in trip.legs):
        certain &= labels.inside != labels.codes.index(OUTSIDE)
    return certain if code in trip.regions.names else np.zeros_like(certain)


def _presence(mask: Bools, track: Track, rules: Ruleset) -> Bools:
    """The fixes of a mask that belong to a presence, not to a stray one or two."""
    kept = np.zeros_like(mask)
    for first, last in visits(mask, track.time, rules):
        kept[first : last + 1] = True
    return kept


def _seen(span: Span, whereabouts: tuple[Stay, ...]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            stay.region
            for stay in whereabouts
            if stay.region
            and stay.started_at.timestamp() < span.end
            and stay.ended_at.timestamp() >= span.start
        )
    )


def _state(
    trip: Trip, span: Span, track: Track, home: Bools, away: Bools, maybe_away: Bools
) -> DayState:
    """AWAY by presence outside home; HOME only when nothing could hide having been away.

    Such hiding places are a silence next to a fix not certainly at home, one that lasts to the end
    of a trip that goes on for days, and one of many waking hours: a phone run empty at home looks
    the same as one lying there.
    """
    if away.any():
        return DayState.AWAY
    if not trip.testable(span) or maybe_away.any():
        return DayState.UNKNOWN
    starts, ends = track.edges[:-1], track.edges[1:]
    home_before, home_after = np.append([True], home), np.append(home, [span.end >= trip.end])
    waking = overlap(starts, ends, span.wakes, span.sleeps)
    silent = (ends - starts > trip.rules.gap_seconds) & (
        overlap(starts, ends, span.start, span.end) > 0
    )
    hiding = ~(home_before & home_after) | (waking > trip.rules.home_silence_seconds)
    known = track.known & home_before & home_after
    needed = trip.rules.home_share * (span.sleeps - span.wakes)
    if (silent & hiding).any() or waking[known].sum() < needed:
        return DayState.UNKNOWN
    return DayState.HOME
