"""The days of a trip: how much of each is known, and what it proves."""

from dataclasses import dataclass

import numpy as np

from workers.case import DayState
from workers.fold import Rows
from workers.itinerary import Itinerary, Span
from workers.track import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """Some of the time between edges, float64 (k + 1,) epoch s: the intervals that are `held`."""

    edges: Floats
    total: Floats

    @classmethod
    def of(cls, edges: Floats, held: Bools) -> "Cover":
        return cls(edges, np.append(0.0, np.cumsum(np.diff(edges) * held)))

    def seconds(self, start: Floats | float, end: Floats | float) -> Floats:
        """Seconds of it between two times, or between each pair of two arrays of times."""
        until, since = (np.interp(at, self.edges, self.total) for at in (end, start))
        return np.asarray(np.maximum(until - since, 0.0))

    def share(self, start: float, end: float) -> float:
        """Share of an interval that it covers, 0 to 1."""
        return float(self.seconds(start, end)) / (end - start) if end > start else 0.0


def cover_of(edges: Floats, within: Bools, between: Bools) -> Cover:
    """The time of some spells and of some intervals around them."""
    held = np.empty(len(edges) - 1, dtype=np.bool_)
    held[1::2], held[::2] = within, between
    return Cover.of(edges, held)


def day_states(
    trip: Itinerary,
    spans: tuple[Span, ...],
    spells: Rows,
    edges: Floats,
    *,
    certain: Bools,
    known: Bools,
    still: Bools,
    away: Bools,
    maybe_away: Bools,
) -> list[DayState]:
    """AWAY by presence outside home; HOME only when nothing could hide having been away.

    Such hiding places are a silence next to a spell not certainly at home, one that lasts to the
    end of a trip that goes on for days, and one of many waking hours: a phone run empty at home
    looks the same as one lying there. But when it falls silent and wakes at one place at home on
    several days in a row, they say together what one of them does not.
    """
    rules, count = trip.rules, len(spans)
    if not count:
        return []
    start, end, wakes, sleeps, testable = (
        np.array([getattr(span, name) for span in spans])
        for name in ("start", "end", "wakes", "sleeps", "testable")
    )
    was_away = np.bincount(spells["day"][away], minlength=count)[:count] > 0
    perhaps = np.bincount(spells["day"][maybe_away], minlength=count)[:count] > 0
    before, after = np.append(True, certain), np.append(certain, False)
    at_home = cover_of(edges, certain, known & before & np.append(certain, True))
    lived = at_home.seconds(wakes, sleeps) >= rules.home_share * (sleeps - wakes)
    proven = testable & lived & ~perhaps & ~was_away
    silences = np.flatnonzero(edges[1::2] - edges[::2] > rules.gap_seconds)
    since, until = edges[2 * silences], edges[2 * silences + 1]
    touching = (since < end[:, None]) & (until > start[:, None])
    waking = np.minimum(until, sleeps[:, None]) - np.maximum(since, wakes[:, None])
    # After the last spell a trip that has ended is over, one that goes on may go on anywhere.
    over = (silences == len(spells)) & (end[:, None] >= trip.end)
    framed = before[silences] & (after[silences] | over)
    hiding = touching & (~framed | (waking > _longest(trip, spells, silences)))
    quiet = (still & known & before & after)[silences]
    asleep = proven & ~(hiding & ~quiet).any(axis=1)
    beside = np.append(asleep[1:], False) | np.append(False, asleep[:-1])
    at_home_day = (proven & ~hiding.any(axis=1)) | (asleep & beside)
    return [
        DayState.AWAY if was else DayState.HOME if idle else DayState.UNKNOWN
        for was, idle in zip(was_away.tolist(), at_home_day.tolist(), strict=True)
    ]


def _longest(trip: Itinerary, spells: Rows, silences: Ints) -> Floats:
    """The waking silence that hides no duty: time to go to the nearest destination and back."""
    rules = trip.rules
    longest = np.full(len(silences), float(rules.home_silence_seconds))
    targets = {leg.region for leg in trip.legs} - {trip.plan.home}
    inner = (silences > 0) & (silences < len(spells))
    if not targets or not targets <= trip.regions.names.keys() or not inner.any():
        return longest
    ends = spells["last"][silences[inner] - 1], spells["first"][silences[inner]]
    travel = np.full(len(ends[0]), np.inf)
    for code in targets:
        ways = [trip.regions.distance(code, at) for at in ends]
        going = sum(
            np.minimum(metres / rules.road_mps, rules.air_seconds + metres / rules.air_mps)
            for metres in ways
        )
        travel = np.minimum(travel, going)
    longest[inner] = np.maximum(longest[inner], rules.duty_seconds + travel)
    return longest
