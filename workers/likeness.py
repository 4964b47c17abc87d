"""Whether two tracks are one: fingerprints to find candidates by, and the comparison of two.

Fingerprints are int64 hashes that an index can hold. Those of cells give a position away to
whoever tries all places: they are personal data as positions are.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from workers.case import Fixes, Likeness, Pair
from workers.fold import BIN
from workers.track import METRES_PER_DEGREE, Floats, Ints

Prints = NDArray[np.int64]

A_DAY: Final = 64
FEW: Final = 192
"""Fingerprints kept of a track's movement: so many a day, or at least these few. They are the
lowest, so that what a part of a track keeps is kept of the whole, where it is as dense."""

LINKS: Final = 4
LINK_SECONDS: Final = 29.6
"""A link leads to the first fix after this time. Within seconds two phones in one car move alike;
over longer each has its own noise. No round number: times shift by whole seconds."""

LINK_M: Final = 20
STEP: Final = 5e-6
"""Degrees (0.6 m) to which links are alike: above rounding at six decimals, below phones' noise."""

OFFSET: Final = 0.5372
"""Puts the edges of steps where no decimal fraction lies, or rounding would flip those on them."""

FEWEST: Final = 8
"""Links shared by chance, or by tracks drawn with a ruler, are fewer."""

SLOT: Final = 1_800
CELL: Final = 0.0027
EVERY: Final = 3
"""Half hours are looked at by their hash: one in three, of all tracks the same."""

GRIDS: Final = 3
"""Grids of 300 m cells, shifted by a third: what is 100 m apart shares a cell of one at least."""

NIGHT_FROM: Final = 23
NIGHT_UNTIL: Final = 5
NIGHT_BINS: Final = 3


def prints(fixes: Fixes) -> Prints:
    """Fingerprints of a track's moving parts, sorted, each once, some dozens a day.

    A copy shares them, shifted in time or by a constant in space or only a part of it; two phones
    in one car share none. They depend on the set of fixes, not on order or repetition.
    """
    found, when = _windows(fixes)
    days = (when[-1] - when[0]) / 86_400 if len(when) else 0
    return np.unique(found)[: max(FEW, round(A_DAY * days))]


def cells(fixes: Fixes) -> Prints:
    """Fingerprints of where a track was when, in some half hours, sorted, each once.

    Phones that travel together share most.
    """
    time, lon, lat = _sorted(fixes)
    slot, middle = _middles(time, SLOT)
    kept = _hash(slot) % EVERY == 0
    slot, at = slot[kept], middle[kept]
    found = []
    for grid in range(GRIDS):
        east, north = (
            np.floor(degrees[at] / CELL + grid / GRIDS).astype(np.int64) for degrees in (lon, lat)
        )
        found.append(_hash(slot, east, north, np.full_like(slot, grid)))
    return np.unique(np.concatenate(found))


def likeness(mine: Fixes, theirs: Fixes, *, letter: str, first: bool) -> Likeness | None:
    """How much of my movement is found in theirs, None when it may be chance.

    `letter` is theirs; `first`: mine had arrived before.
    """
    (one, when), (other, then) = _windows(mine), _windows(theirs)
    both, here, there = np.intersect1d(one, other, return_indices=True)
    if len(both) < FEWEST:
        return None
    return Likeness(
        letter=letter,
        shared=len(both) / len(np.unique(one)),
        shift_seconds=float(np.median(when[here] - then[there])),
        first=first,
    )


def pair(mine: Fixes, theirs: Fixes, *, letter: str, zone: str) -> Pair | None:
    """How near two phones were while both were heard, None when they never were at once.

    They are compared by the fixes in the middle of every five minutes. As these are not taken at
    one moment, the way that I can have gone in between does not count as distance. A night is one
    of `zone`, heard in at least three of its five minutes.
    """
    one, other = _sorted(mine), _sorted(theirs)
    (mine_bins, i), (their_bins, j) = _middles(one[0], BIN), _middles(other[0], BIN)
    both, here, there = np.intersect1d(mine_bins, their_bins, return_indices=True)
    if not len(both):
        return None
    scale = METRES_PER_DEGREE * np.array([np.cos(np.radians(one[2][0])), 1.0])
    time, at = one[0][i], np.column_stack((one[1][i], one[2][i])) * scale
    pace = np.hypot(*np.diff(at, axis=0).T) / np.diff(time)
    pace = np.maximum(np.append(pace, 0), np.append(0, pace))[here]
    j = j[there]
    wait = np.abs(time[here] - other[0][j])
    away = at[here] - np.column_stack((other[1][j], other[2][j])) * scale
    apart = np.hypot(*away.T) - pace * wait
    heard_at = float(time[here[0]])
    there_then = datetime.fromtimestamp(heard_at, ZoneInfo(zone)).replace(tzinfo=UTC)
    local = both * BIN + round(there_then.timestamp() - heard_at)
    hour = local // 3_600 % 24
    dark = (hour >= NIGHT_FROM) | (hour < NIGHT_UNTIL)
    # From noon to noon, so that midnight divides no night.
    _, heard = np.unique((local[dark] - 43_200) // 86_400, return_counts=True)
    return Pair(
        letter=letter,
        seconds=float(len(both) * BIN),
        nights=int(np.count_nonzero(heard >= NIGHT_BINS)),
        apart_m=max(0.0, float(np.percentile(apart, 90, method="lower"))),
    )


def _sorted(fixes: Fixes) -> tuple[Floats, Floats, Floats]:
    """Times, longitudes and latitudes in order of time, each time once: the furthest west."""
    sane = np.isfinite(fixes.time) & np.isfinite(fixes.lon) & np.isfinite(fixes.lat)
    time, lon, lat = fixes.time[sane], fixes.lon[sane], fixes.lat[sane]
    if (np.diff(time) > 0).all():
        return time, lon, lat
    order = np.lexsort((lat, lon, time))
    order = order[np.diff(time[order], prepend=-np.inf) > 0]
    return time[order], lon[order], lat[order]


def _windows(fixes: Fixes) -> tuple[Prints, Floats]:
    """Fingerprints of each few links in a row that lead somewhere, and when they begin.

    A link is hashed by how far it goes east and north and how long it takes.
    """
    time, lon, lat = _sorted(fixes)
    n = len(time)
    if not n:
        return np.zeros(0, dtype=np.int64), time
    at = np.arange(n)
    following = np.searchsorted(time, time + LINK_SECONDS)
    following = np.where(following < n, following, at)
    east, north = lon[following] - lon, lat[following] - lat
    length = np.hypot(east, north)
    moving = length >= LINK_M / METRES_PER_DEGREE
    link = _hash(
        *(np.floor(way / STEP + OFFSET).astype(np.int64) for way in (east, north)),
        np.floor(time[following] - time + OFFSET).astype(np.int64),
    ).view(np.uint64)
    whole, way, found = np.ones(n, dtype=np.bool_), np.zeros(n), np.zeros(n, dtype=np.uint64)
    for _ in range(LINKS):
        whole &= moving[at]
        way += length[at]
        found = _mix(found + link[at])
        at = following[at]
    # Going to and fro between two masts is no movement, and the same for many phones.
    whole &= 2 * np.hypot(lon[at] - lon, lat[at] - lat) >= way
    return found[whole].view(np.int64), time[whole]


def _middles(time: Floats, seconds: int) -> tuple[Prints, Ints]:
    """Numbers of the intervals heard in, and the index of the middle one of each's times."""
    number, first, count = np.unique(time // seconds, return_index=True, return_counts=True)
    return number.astype(np.int64), np.asarray(first + count // 2)


def _hash(*columns: Prints) -> Prints:
    """One hash of each row."""
    found = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        found = _mix(found + column.view(np.uint64))
    return found.view(np.int64)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spreads 64-bit numbers so that every bit depends on every other: SplitMix64's last steps."""
    x = values + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
