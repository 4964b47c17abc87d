"""The rules a trip is judged by: one small function each, from what was observed to deviations.

Legal basis: PMK 113/PMK.05/2012 as amended by PMK 119/2023, which regional rules (Perwali, Perbup,
Pergub) copy. A deviation is raised on what the track certainly shows and never on its silence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from workers.case import DayState, Deviation, DeviationKind, PlannedLeg, Severity
from workers.observed import Observed, midnight
from workers.track import Floats, Ints, moment, visits

DAYS_ID = ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min")
MONTHS_ID = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")


def never_left(seen: Observed) -> Iterator[Deviation]:
    """The trip was not made: every day is proven to have been spent at home.

    PMK 113/2012: costs are paid for trips carried out. Silent about trips within the home region
    (*dalam kota*) and days on which home is a lawful place; live only once the planned arrival is
    long over and the traveller is still seen at home.
    """
    leg = _unreached(seen)
    if leg is None:
        return
    trip, claimed = seen.trip, seen.claim.days if seen.claim else 0
    home, there, amount = _name(seen, trip.plan.home), _name(seen, leg.region), _cost(seen, claimed)
    start, end, zone = trip.start, trip.until, trip.plan.home_zone
    yield Deviation(
        kind=DeviationKind.NEVER_LEFT,
        severity=Severity.HIGH,
        leg=leg.position,
        started_at=moment(start),
        ended_at=moment(end),
        region=trip.plan.home,
        planned_region=leg.region,
        coverage=seen.coverage,
        amount=amount,
        evidence=seen.track.evidence(seen.home),
        message_id=(
            f"Tidak pernah meninggalkan {home} antara {when_id(start, zone)} dan "
            f"{when_id(end, zone)} (jejak mencakup {seen.coverage:.0%} waktu), padahal ditugaskan "
            f"ke {there}{_stake(amount, f'; diklaim {claimed} hari, ')}."
        ),
        message_en=(
            f"Never left {home} between {when_en(start, zone)} and {when_en(end, zone)} (the "
            f"track covers {seen.coverage:.0%} of the time), though sent to "
            f"{there}{_stake(amount, f'; {_days(claimed)} claimed, ')}."
        ),
    )


def _unreached(seen: Observed) -> PlannedLeg | None:
    """The first leg away from home, when the traveller certainly never left for any."""
    trip = seen.trip
    leg = next((leg for leg in trip.legs if leg.region != trip.plan.home), None)
    if leg is None or seen.maybe_away.any():
        return None
    if not trip.final:
        late = seen.track.time >= trip.deadline(leg)
        if not late.any() or not seen.home[late].all():
            return None
    states = [
        day.state
        for day, span in zip(seen.days, trip.spans, strict=True)
        if trip.testable(span) and not span.open
    ]
    return leg if states and set(states) == {DayState.HOME} else None


@dataclass(frozen=True, slots=True)
class _Dwelling:
    """Time near one wrong place, from fix to fix; `journey` is how many right visits precede."""

    leg: int
    column: int
    journey: int
    first: int
    last: int
    seconds: float


def wrong_region(seen: Observed) -> Iterator[Deviation]:
    """Time spent in a region that is neither home, planned, lawful (*tempat sah*) nor transit.

    PMK 113/2012: the letter names the place of duty. Only dwelling near one place counts, not
    driving through. Where the destination was reached, or there is still time to, stops on the
    way are excused up to a night's rest. One deviation per leg and region. Presence is proof: it
    needs no coverage.
    """
    rules, ends = seen.trip.rules, visits(seen.right, seen.track.time, seen.trip.rules)
    journeys: dict[int, float] = {}
    groups: dict[tuple[int, int], list[_Dwelling]] = {}
    for dwelling in _dwellings(seen, ends):
        journeys[dwelling.journey] = journeys.get(dwelling.journey, 0.0) + dwelling.seconds
        groups.setdefault((dwelling.leg, dwelling.column), []).append(dwelling)
    charged: set[int] = set()
    for (leg, _), group in groups.items():
        allowed, counted = rules.wrong_seconds, group
        in_time = not seen.trip.final and seen.trip.until < seen.trip.deadline(seen.trip.legs[leg])
        if in_time or seen.present[leg].any():
            allowed, counted = (
                rules.transit_seconds,
                [
                    dwelling
                    for dwelling in group
                    if journeys[dwelling.journey] > rules.rest_seconds
                    or not _on_the_way(seen, ends, dwelling)
                ],
            )
        seconds = sum(dwelling.seconds for dwelling in counted)
        if counted and seconds >= allowed:
            yield _wrong(seen, counted, seconds, charged)


def _dwellings(seen: Observed, ends: list[tuple[int, int]]) -> Iterator[_Dwelling]:
    """Unbroken times near wrong places, cut where the next leg begins."""
    if not seen.trip.legs:
        return
    wrong, column, time = ~seen.right, seen.column, seen.track.time
    spent = np.flatnonzero(
        seen.dwelling & wrong[:-1] & wrong[1:] & (column[:-1] == column[1:]),
    )
    arrivals = [midnight(leg.arrive_on, leg.zone) for leg in seen.trip.legs[1:]]
    key = np.stack(
        (
            np.searchsorted(np.maximum.accumulate(arrivals), time[spent], side="right"),
            column[spent],
            np.searchsorted([first for first, _ in ends], spent),
            spent - np.arange(len(spent)),
        ),
    )
    cuts = np.flatnonzero((key[:, 1:] != key[:, :-1]).any(axis=0)) + 1
    for part in np.split(np.arange(len(spent)), cuts):
        if len(part):
            leg, where, journey, _ = key[:, part[0]].tolist()
            first, last = int(spent[part[0]]), int(spent[part[-1]]) + 1
            yield _Dwelling(leg, where, journey, first, last, float(time[last] - time[first]))


def _on_the_way(seen: Observed, ends: list[tuple[int, int]], dwelling: _Dwelling) -> bool:
    """Whether a stop lies between the right places seen before and after it.

    Before any, that is home; a journey still open may lead to any of them.
    """
    at, plan, journey = seen.track.at, seen.trip.plan, dwelling.journey
    anchors = [
        seen.trip.regions.anchor(code)
        for code in (plan.home, *(leg.region for leg in seen.trip.legs))
    ]
    origin = at[ends[journey - 1][1]] if journey else anchors[0]
    targets = [at[ends[journey][0]]] if journey < len(ends) else anchors
    stop = np.median(at[dwelling.first : dwelling.last + 1], axis=0)
    return any(
        origin is None
        or target is None
        or np.hypot(*(origin - stop)) + np.hypot(*(target - stop))
        <= seen.trip.rules.detour * np.hypot(*(origin - target))
        for target in targets
    )


def _wrong(
    seen: Observed, dwellings: list[_Dwelling], seconds: float, charged: set[int]
) -> Deviation:
    """One deviation; it costs the days spent there rather than at the leg, each charged once."""
    leg, present = seen.trip.legs[dwellings[0].leg], seen.present[dwellings[0].leg]
    rules, zone = seen.trip.rules, leg.zone
    fixes = np.concatenate([np.arange(d.first, d.last + 1) for d in dwellings])
    start, end = seen.track.time[fixes[[0, -1]]].tolist()
    at = np.concatenate([np.arange(d.first, d.last) for d in dwellings])
    at_leg = np.flatnonzero(present[:-1] & present[1:])
    lost = set(np.flatnonzero(_by_day(seen, at) > _by_day(seen, at_leg)).tolist())
    amount = _cost(seen, min(len(lost - charged), seen.claim.days if seen.claim else 0))
    charged |= lost
    severity = Severity.MEDIUM if seconds >= rules.medium_seconds else Severity.LOW
    code = seen.labels.codes[dwellings[0].column]
    there = _name(seen, leg.region)
    return Deviation(
        kind=DeviationKind.WRONG_REGION,
        severity=Severity.HIGH if seconds >= rules.high_seconds else severity,
        leg=leg.position,
        started_at=moment(start),
        ended_at=moment(end),
        region=code,
        planned_region=leg.region,
        coverage=seen.track.coverage(start, end),
        amount=amount,
        evidence=seen.track.evidence(fixes),
        message_id=(
            f"Berada {duration(seconds, 'jam', 'menit')} di "
            f"{_name(seen, code) if code else 'luar peta wilayah'} antara {when_id(start, zone)} "
            f"dan {when_id(end, zone)}, padahal ditugaskan ke {there}{_stake(amount, '; nilai ')}."
        ),
        message_en=(
            f"Spent {duration(seconds, 'h', 'min')} in "
            f"{_name(seen, code) if code else 'a place beyond the map'} between "
            f"{when_en(start, zone)} and {when_en(end, zone)}, though sent to "
            f"{there}{_stake(amount, '; worth ')}."
        ),
    )


def _by_day(seen: Observed, intervals: Ints) -> Floats:
    """Seconds in these intervals between fixes, by the day each began on."""
    seconds = np.diff(seen.track.time)[intervals]
    return np.bincount(seen.day[intervals], seconds, len(seen.days)).astype(np.float64)


def short_stay(seen: Observed) -> Iterator[Deviation]:
    """More days are claimed than can have been spent outside home.

    PMK 119/2023: the daily allowance is paid for real days (*jumlah hari riil*). Coming home early
    is a duty and only its claim deviates; days the track does not decide count as spent.
    """
    if seen.claim is None or not seen.trip.final or _unreached(seen):
        return
    claimed = seen.claim.days
    away, unknown = seen.count(DayState.AWAY), seen.count(DayState.UNKNOWN)
    missing = claimed - away - unknown
    if missing <= 0:
        return
    idle = [i for i, day in enumerate(seen.days) if day.state is DayState.HOME]
    start = seen.trip.spans[idle[0]].start if idle else seen.trip.start
    end = seen.trip.spans[idle[-1]].end if idle else seen.trip.end
    home, amount = _name(seen, seen.trip.plan.home), _cost(seen, missing)
    yield Deviation(
        kind=DeviationKind.SHORT_STAY,
        severity=Severity.HIGH if 2 * missing >= claimed else Severity.MEDIUM,
        leg=None,
        started_at=moment(start),
        ended_at=moment(end),
        region=seen.trip.plan.home if idle else None,
        planned_region=None,
        coverage=seen.track.coverage(start, end),
        amount=amount,
        evidence=seen.track.evidence(np.isin(seen.day, idle)),
        message_id=(
            f"Diklaim {claimed} hari, padahal paling banyak {away + unknown} hari di luar {home} "
            f"({away} hari pasti, {unknown} hari tidak diketahui): selisih {missing} hari"
            f"{_stake(amount, ', ')}."
        ),
        message_en=(
            f"{_days(claimed)} claimed, but at most {_days(away + unknown)} outside {home} "
            f"({away} certain, {unknown} unknown): {_days(missing)} too many{_stake(amount, ', ')}."
        ),
    )


RULES: tuple[Callable[[Observed], Iterator[Deviation]], ...] = (
    never_left,
    wrong_region,
    short_stay,
)


def when_id(epoch: float, zone: str) -> str:
    """A local time in Indonesian: "Sel 24 Nov 2026 14.05 WITA"."""
    local = datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(zone))
    day, month = DAYS_ID[local.weekday()], MONTHS_ID[local.month - 1]
    return f"{day} {local.day} {month} {local.year} {local:%H.%M %Z}"


def when_en(epoch: float, zone: str) -> str:
    """A local time in English: "Tue 24 Nov 2026 14:05 WITA"."""
    return f"{datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(zone)):%a %-d %b %Y %H:%M %Z}"


def duration(seconds: float, hour: str, minute: str) -> str:
    """A duration in hours and minutes: "7 jam 30 menit"."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} {hour} {minutes} {minute}" if minutes else f"{hours} {hour}"


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def _name(seen: Observed, code: str) -> str:
    return seen.trip.regions.names.get(code, code)


def _cost(seen: Observed, days: int) -> Decimal | None:
    if seen.claim is None or seen.claim.daily_allowance is None:
        return None
    return days * seen.claim.daily_allowance


def _stake(amount: Decimal | None, lead: str) -> str:
    """What is at stake, "Rp860.000" after its lead; nothing when there is nothing or no rate."""
    return "" if not amount else lead + f"Rp{amount:,.0f}".replace(",", ".")
