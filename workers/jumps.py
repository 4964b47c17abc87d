"""Jumps: steps of a track that nobody can make."""

import numpy as np

from tenants import airports
from workers.itinerary import Itinerary
from workers.ruleset import Ruleset
from workers.track import Bools, Floats, distance


def jumps(start: Floats, end: Floats, at: Floats, itinerary: Itinerary) -> Bools:
    """Which steps between n sightings nobody can make, bool (n - 1,), by plane neither.

    Both sides need a time near one place: a single step faster than sound is how honest tracks
    look, and after a flight phones repeat stale positions. Slower than a plane, but faster than any
    road or railway, it is a jump where no airport is near; there a few pings an hour are enough.
    """
    rules = itinerary.rules
    step, wait = distance(at[1:], at[:-1]), start[1:] - end[:-1]
    by_air = step / rules.jump_mps + rules.jump_seconds
    by_land = np.minimum(step / rules.jump_land_mps, rules.gap_seconds)
    found = (step > rules.jump_m) & (wait < np.maximum(by_air, by_land))
    for i in np.flatnonzero(found).tolist():
        sides = range(i, -1, -1), range(i + 1, len(at))
        found[i] = (
            wait[i] < by_air[i]
            and all(
                _settled(start, end, at, side, rules, rules.visit_seconds, rules.visit_fixes)
                for side in sides
            )
        ) or (
            wait[i] < by_land[i]
            and all(_settled(start, end, at, side, rules, rules.gap_seconds, 2) for side in sides)
            and not near_airport(itinerary, at[i : i + 2])
        )
    return np.asarray(found)


def _settled(
    start: Floats,
    end: Floats,
    at: Floats,
    onward: range,
    rules: Ruleset,
    silence: float,
    fewest: int,
) -> bool:
    """Whether the sightings one after the other stay near the first for long enough."""
    before = origin = onward[0]
    for i in onward:
        apart = max(start[i] - end[before], start[before] - end[i])
        if apart > silence or distance(at[i], at[origin]) > rules.dwell_m:
            return False
        if max(end[i] - start[origin], end[origin] - start[i]) >= rules.jump_settled_seconds:
            return abs(i - origin) + 1 >= fewest
        before = i
    return False


def near_airport(itinerary: Itinerary, at: Floats) -> bool:
    """Whether any of these positions on the plane, (n, 2), lies at an airport of the world."""
    lon, lat = airports.everywhere()
    known = itinerary.regions.project(lon=lon, lat=lat)
    return any(bool((distance(known, one) <= itinerary.rules.jump_airport_m).any()) for one in at)
