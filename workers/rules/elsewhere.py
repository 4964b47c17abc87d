"""The rule on time spent where the traveller was not sent."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workers.case import Deviation, DeviationKind, Severity
from workers.itinerary import midnight, moment
from workers.observed import Observed, visits
from workers.rules.rule import Rule, Text
from workers.rules.wording import cost, duration_en, duration_id, stake, when_en, when_id
from workers.track import Floats, Ints


@dataclass(frozen=True, slots=True)
class _Dwelling:
    """Time near one wrong place, from spell to spell; `journey`: how many right visits precede."""

    leg: int
    region: str | None
    journey: int
    first: int
    last: int
    seconds: float


Ends = list[tuple[int, int]]


def wrong_region(seen: Observed) -> Iterator[Deviation]:
    """Time spent in a region that is neither home, planned, lawful (*tempat sah*) nor transit.

    The letter names the place of duty. Only dwelling near one place counts, not driving through.
    Where the destination was reached, or there is still time to, stops on the way are excused up
    to a night's rest. One deviation per leg and region. Presence is proof: it needs no coverage.
    """
    rules, first_last = seen.rules, visits(seen.right, seen.spells, seen.rules)
    ends = list(zip(*(side.tolist() for side in first_last), strict=True))
    journeys: dict[int, float] = {}
    groups: dict[tuple[int, str | None], list[_Dwelling]] = {}
    for dwelling in _dwellings(seen, ends):
        journeys[dwelling.journey] = journeys.get(dwelling.journey, 0.0) + dwelling.seconds
        groups.setdefault((dwelling.leg, dwelling.region), []).append(dwelling)
    charged: set[int] = set()
    for (leg, _), group in groups.items():
        allowed, counted = rules.wrong_seconds, group
        deadline = seen.itinerary.deadline(seen.itinerary.legs[leg])
        if (not seen.final and seen.until < deadline) or seen.present[leg].any():
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


def _dwellings(seen: Observed, ends: Ends) -> Iterator[_Dwelling]:
    """Unbroken times near wrong places, cut where the next leg begins."""
    wrong = np.flatnonzero(seen.dwelling & ~seen.right)
    if not len(wrong) or not seen.itinerary.legs:
        return
    start, end = seen.spells["start"], seen.spells["end"]
    arrivals = [midnight(leg.arrive_on, leg.zone) for leg in seen.itinerary.legs[1:]]
    legs = np.searchsorted(np.maximum.accumulate(arrivals), start[wrong], side="right").tolist()
    journeys = np.searchsorted([first for first, _ in ends], wrong).tolist()
    first = 0
    for i in range(1, len(wrong) + 1):
        at, before = (wrong[i] if i < len(wrong) else -1), wrong[i - 1]
        if (
            at == before + 1
            and seen.known[at]
            and seen.region[at] == seen.region[before]
            and (legs[i], journeys[i]) == (legs[first], journeys[first])
        ):
            continue
        since, until = int(wrong[first]), int(before)
        seconds = float(end[until] - start[since])
        if seconds > 0 and not seen.visa.doubted[since : until + 1].any():
            region = seen.region[since]
            yield _Dwelling(legs[first], region, journeys[first], since, until, seconds)
        first = i


def _on_the_way(seen: Observed, ends: Ends, dwelling: _Dwelling) -> bool:
    """Whether a stop lies between the right places seen before and after it.

    Before any, that is home; a journey still open may lead to any of them.
    """
    plan, journey = seen.plan, dwelling.journey
    anchors = [
        seen.itinerary.regions.anchor(code)
        for code in (plan.home, *(leg.region for leg in seen.itinerary.legs))
    ]
    origin = seen.spells["last"][ends[journey - 1][1]] if journey else anchors[0]
    targets = [seen.spells["first"][ends[journey][0]]] if journey < len(ends) else anchors
    stop = np.median(seen.spells["middle"][dwelling.first : dwelling.last + 1], axis=0)
    return any(
        origin is None
        or target is None
        or np.hypot(*(origin - stop)) + np.hypot(*(target - stop))
        <= seen.rules.detour * np.hypot(*(origin - target))
        for target in targets
    )


def _wrong(
    seen: Observed, dwellings: list[_Dwelling], seconds: float, charged: set[int]
) -> Deviation:
    """One deviation; it costs the days spent there rather than at the leg, each charged once."""
    leg, present = seen.itinerary.legs[dwellings[0].leg], seen.present[dwellings[0].leg]
    rules, zone, claim = seen.rules, leg.zone, seen.dossier.claim
    spells = np.concatenate([np.arange(d.first, d.last + 1) for d in dwellings])
    start, end = float(seen.spells["start"][spells[0]]), float(seen.spells["end"][spells[-1]])
    lost = _by_day(seen, spells) > _by_day(seen, np.flatnonzero(present))
    days = set(np.flatnonzero(lost).tolist())
    amount = cost(seen, min(len(days - charged), claim.days if claim else 0))
    charged |= days
    severity = Severity.MEDIUM if seconds >= rules.medium_seconds else Severity.LOW
    code = dwellings[0].region
    there = seen.name(leg.region)
    return Deviation(
        kind=DeviationKind.WRONG_REGION,
        severity=Severity.HIGH if seconds >= rules.high_seconds else severity,
        leg=leg.position,
        started_at=moment(start),
        ended_at=moment(end),
        region=code,
        planned_region=leg.region,
        coverage=seen.cover.share(start, end),
        amount=amount,
        evidence=seen.evidence(spells),
        message_id=(
            f"Berada {duration_id(seconds)} di {seen.name(code)} antara {when_id(start, zone)} "
            f"dan {when_id(end, zone)}, padahal ditugaskan ke {there}{stake(amount, '; nilai ')}."
        ),
        message_en=(
            f"Spent {duration_en(seconds)} in {seen.name(code) if code else 'a place off the map'} "
            f"between {when_en(start, zone)} and {when_en(end, zone)}, though sent to "
            f"{there}{stake(amount, '; worth ')}."
        ),
    )


def _by_day(seen: Observed, spells: Ints) -> Floats:
    """Seconds in these spells, and between those that follow one another, by day."""
    start, end, day = seen.spells["start"], seen.spells["end"], seen.spells["day"]
    seconds = end[spells] - start[spells]
    joined = np.flatnonzero(np.diff(spells) == 1)
    seconds[joined] += start[spells[joined + 1]] - end[spells[joined]]
    return np.bincount(day[spells], seconds, len(seen.itinerary.spans)).astype(np.float64)


WRONG_REGION = Rule(
    DeviationKind.WRONG_REGION,
    wrong_region,
    Text(
        "Berdiam di kabupaten/kota yang bukan tujuan, transit atau tempat sah.",
        "Time spent in a region that is no destination, transit or lawful place.",
    ),
    Text(
        "Hanya berdiam di satu tempat yang dihitung, bukan lewat; batas wilayah diberi "
        "toleransi; satu malam dan singgah di jalan dimaklumi bila tujuan dicapai.",
        "Only dwelling near one place counts, not driving through; borders have a tolerance; a "
        "night and stops on the way are excused when the destination is reached.",
    ),
    Text(
        "Perubahan surat tugas, tugas tambahan, atau sebab tertahan di sana.",
        "A changed letter, a further duty there, or what held the traveller up.",
    ),
)
