"""Reading a track as it arrives: fixes into sightings of five minutes, sightings into spells.

A state depends on the set of fixes folded into it, not on their order, repetition or uploads. An
upload costs what it brings: only the hours around it are read again.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.case import Fixes
from workers.itinerary import Itinerary
from workers.jumps import jumps
from workers.track import Bools, Floats, Ints, distance

Rows = NDArray[np.void]
"""Rows of one of the types below; a field is an array."""

HOUR: Final = 3_600
BIN: Final = 300

FIX: Final = np.dtype(
    [
        ("time", "f8"),
        ("lon", "f8"),
        ("lat", "f8"),
        ("accuracy", "f4"),
        ("battery", "f4"),
        ("chunk", "i4"),
        ("mock", "?"),
    ]
)
"""A usable fix; a time occurs once. `accuracy` is infinite when unknown."""

SIGHTING: Final = np.dtype(
    [
        ("bin", "i8"),
        ("start", "f8"),
        ("end", "f8"),
        ("lon", "f8"),
        ("lat", "f8"),
        ("x", "f8"),
        ("y", "f8"),
        ("reach", "f4"),
        ("battery", "f4"),
        ("fixes", "i4"),
        ("mock", "i4"),
        ("chunk", "i4"),
        ("label", "i4"),
        ("uniform", "?"),
    ]
)
"""The fixes of five minutes as one: their median position, which a bad one does not move.

`reach`: metres they are good to. `battery`: of the last. `chunk`: which the first came in.
`uniform`: all are at the very same coordinates.
"""

SPELL: Final = np.dtype(
    [
        ("start", "f8"),
        ("end", "f8"),
        ("first", "2f8"),
        ("middle", "2f8"),
        ("last", "2f8"),
        ("battery", "f4"),
        ("fixes", "i4"),
        ("mock", "i4"),
        ("repeated", "i4"),
        ("label", "i4"),
        ("day", "i4"),
        ("dwelling", "?"),
        ("jump", "?"),
        ("ashore", "?"),
    ]
)
"""Sightings in a row that lie alike, within one hour and one day, with no silence among them.

`first`, `middle`, `last`: positions on the plane. `repeated`: fixes at the very coordinates of the
sighting before. `dwelling`: near one place, not driving through. `jump`: it begins where nobody
can have come from where the one before ended. `ashore`: in or near the regions allowed.
"""

Label = tuple[str | None, frozenset[str | None]]
"""The region that a sighting lies in, and all those that it may lie in; None is outside of all."""


@dataclass(frozen=True, eq=False)
class State:
    """A track as read so far: its fixes and sightings, sorted, by hours since 1970; its spells."""

    itinerary: Itinerary
    fixes: Mapping[int, Rows] = field(default_factory=dict)
    seen: Mapping[int, Rows] = field(default_factory=dict)
    spells: Rows = field(default_factory=lambda: np.zeros(0, SPELL))
    labels: tuple[Label, ...] = ()
    digests: tuple[bytes, ...] = ()

    @cached_property
    def sightings(self) -> Rows:
        """All sightings in order of time. Putting them together takes longer than an upload."""
        return _joined(np.zeros(0, SIGHTING), *(self.seen[number] for number in sorted(self.seen)))


def fold(state: State, fixes: Fixes) -> State:
    """The state with more fixes in it; those outside the assignment's time are left out.

    Of fixes at one time the most accurate counts, then the one furthest west, then south.
    """
    digests = state.digests + fixes.digests
    new = _usable(fixes, state.itinerary, len(state.digests))
    if not len(new):
        return replace(state, digests=digests)
    known, seen = dict(state.fixes), dict(state.seen)
    touched, parts = _by_hour(new, new["time"])
    for number, rows in zip(touched, parts, strict=True):
        old = known.get(number)
        known[number] = rows if old is None else _unique(_joined(old, rows), digests)
    read = _sight(_joined(*(known[number] for number in touched)), state.itinerary)
    sightings, labels = _label(read, state)
    seen |= zip(*_by_hour(sightings, sightings["start"]), strict=True)
    spells, reach = state.spells, _reach(state.itinerary)
    for first, last in _neighbourhoods(touched, apart=4 * reach):
        around = [seen[n] for n in range(first - 2 * reach, last + 2 * reach) if n in seen]
        fresh = _spells(_joined(*around), state.itinerary)
        low, high = (first - reach) * HOUR, (last + reach) * HOUR
        past, part = (_between(each["start"], low, high) for each in (spells, fresh))
        spells = _joined(spells[: past.start], fresh[part], spells[past.stop :])
    return replace(state, fixes=known, seen=seen, spells=spells, labels=labels, digests=digests)


def _by_hour(rows: Rows, time: Floats) -> tuple[list[int], list[Rows]]:
    """The hours since 1970 that sorted rows lie in, and the rows of each."""
    number, starts = np.unique((time // HOUR).astype(np.int64), return_index=True)
    return number.tolist(), np.split(rows, starts[1:])


def _usable(fixes: Fixes, itinerary: Itinerary, known: int) -> Rows:
    """The fixes that say something, sorted, each time once; `known` chunks came before."""
    accuracy = np.where(fixes.accuracy > 0, fixes.accuracy, np.inf)
    usable = np.isfinite(fixes.time) & np.isfinite(fixes.lon) & np.isfinite(fixes.lat)
    usable &= (fixes.time >= itinerary.start) & (fixes.time < itinerary.end)
    usable &= np.isinf(accuracy) | (accuracy <= itinerary.rules.accuracy_limit_m)
    rows = np.zeros(np.count_nonzero(usable), FIX)
    for name in ("time", "lon", "lat", "battery", "mock"):
        rows[name] = getattr(fixes, name)[usable]
    rows["accuracy"] = accuracy[usable]
    rows["chunk"] = fixes.chunk[usable] + known
    return _unique(rows, (b"",) * known + fixes.digests)


def _unique(rows: Rows, digests: tuple[bytes, ...]) -> Rows:
    """Fixes in order of time, one at a time. What decides is in them, never how they arrived."""
    time = rows["time"]
    step = np.diff(time)
    if (step > 0).all():
        return rows
    if (step < 0).any():
        rows = rows[np.argsort(time, kind="stable")]
    twice = np.flatnonzero(np.diff(rows["time"]) == 0)
    if not len(twice):
        return rows
    crowded = np.union1d(twice, twice + 1)
    one = rows[crowded]
    rank = {digest: i for i, digest in enumerate(sorted({digests[i] for i in one["chunk"]}))}
    chunk = np.array([rank[digests[i]] for i in one["chunk"]])
    names = ("mock", "battery", "lat", "lon", "accuracy", "time")
    rows[crowded] = one[np.lexsort([chunk, *(one[name] for name in names)])]
    return rows[np.diff(rows["time"], prepend=-np.inf) > 0]


def _sight(rows: Rows, itinerary: Itinerary) -> Rows:
    """Sightings of sorted fixes, not labelled yet.

    Where good and bad fixes meet, those count that are good to twice the best reach.
    """
    rules = itinerary.rules
    number = (rows["time"] // BIN).astype(np.int64)
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    sizes = np.diff(starts, append=len(rows))
    reach = np.where(
        np.isinf(rows["accuracy"]),
        rules.accuracy_unknown_m,
        np.maximum(rows["accuracy"], rules.accuracy_floor_m),
    )
    found = np.zeros(len(starts), SIGHTING)
    found["bin"] = number[starts]
    found["start"] = rows["time"][starts]
    found["end"] = rows["time"][starts + sizes - 1]
    found["battery"] = rows["battery"][starts + sizes - 1]
    found["fixes"], found["chunk"] = sizes, rows["chunk"][starts]
    found["mock"] = np.add.reduceat(rows["mock"], starts, dtype=np.intp)
    good = reach <= 2 * np.repeat(np.minimum.reduceat(reach, starts), sizes)
    group = np.repeat(np.arange(len(starts)), sizes)[good]
    for name in ("lon", "lat"):
        found[name] = _medians(rows[name][good], group)
    found["reach"] = np.maximum.reduceat(np.where(good, reach, 0.0), starts)
    lon, lat = rows["lon"], rows["lat"]
    same = np.repeat(lon[starts], sizes) == lon
    same &= np.repeat(lat[starts], sizes) == lat
    found["uniform"] = np.logical_and.reduceat(same, starts)
    at = itinerary.regions.project(lon=found["lon"], lat=found["lat"])
    found["x"], found["y"] = at[:, 0], at[:, 1]
    return found


def _medians(values: Floats, group: Ints) -> Floats:
    """The lower median of each group: one of its values."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(starts, append=len(group))
    if len(starts) == len(values):
        return values
    widest = int(sizes.max())
    if len(starts) * widest > 8 * len(values):
        return np.asarray(values[np.lexsort((values, group))][starts + (sizes - 1) // 2])
    # Groups of like size are sorted fastest as the rows of a table.
    table = np.full((len(starts), widest), np.inf)
    table[group, np.arange(len(values)) - starts[group]] = values
    table.sort(axis=1)
    return np.asarray(table[np.arange(len(starts)), (sizes - 1) // 2])


def _label(sightings: Rows, state: State) -> tuple[Rows, tuple[Label, ...]]:
    """Says of each sighting where it lies; labels that are new are added at the end."""
    labels = state.itinerary.regions.label(_at(sightings), sightings["reach"].astype(np.float64))
    columns = np.column_stack((labels.inside, labels.may))
    number = {label: i for i, label in enumerate(state.labels)}
    packed = np.packbits(labels.may, axis=1)
    whole = np.column_stack((labels.inside.astype(np.uint16).view(np.uint8).reshape(-1, 2), packed))
    keys = np.ascontiguousarray(whole).view(f"V{whole.shape[1]}").ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    ids = np.empty(len(first), dtype=np.int32)
    for i, row in enumerate(columns[first].tolist()):
        may = frozenset(code for code, so in zip(labels.codes, row[1:], strict=True) if so)
        ids[i] = number.setdefault((labels.codes[row[0]], may), len(number))
    sightings["label"] = ids[which]
    return sightings, tuple(number)


def _at(rows: Rows) -> Floats:
    return np.column_stack((rows["x"], rows["y"]))


def _reach(itinerary: Itinerary) -> int:
    """How many hours around a fix it can change: by dwelling with outliers in it, by jumps."""
    rules = itinerary.rules
    dwelling = 2 * rules.dwell_window_seconds + rules.outlier_seconds
    jumping = rules.jump_settled_seconds + 2 * rules.gap_seconds
    return int((max(dwelling, jumping) + HOUR) // HOUR) + 1


def _neighbourhoods(touched: list[int], *, apart: int) -> list[tuple[int, int]]:
    """Hours, from the first to before the last, around those touched; far ones stay apart."""
    parts = np.split(touched, np.flatnonzero(np.diff(touched) > apart) + 1)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts]


def _between(start: Floats, low: float, high: float) -> slice:
    """Those of sorted times from low to before high."""
    # NumPy would copy the column, a field of records, before it searches.
    return slice(bisect_left(start, low), bisect_left(start, high))


def _joined(*parts: Rows) -> Rows:
    """Rows of one type, one after the other."""
    # NumPy copies records field by field, which takes 25 times as long as copying their bytes.
    kind = parts[0].dtype
    whole = f"V{kind.itemsize}"
    return np.concatenate([part.view(whole) for part in parts]).view(kind)


def _spells(sightings: Rows, itinerary: Itinerary) -> Rows:
    """The spells of these sightings, outliers left out."""
    rules = itinerary.rules
    rows = sightings[~_outliers(sightings, itinerary)]
    at, start, end = _at(rows), rows["start"], rows["end"]
    day = np.searchsorted(itinerary.midnights, start, side="right") - 1
    dwelling = _dwelling(start, at, itinerary)
    silent = start[1:] - end[:-1] > rules.gap_seconds
    jump = np.append(False, jumps(start, end, at, itinerary))
    alike = np.column_stack((start // HOUR, day, rows["label"], dwelling))
    cut = np.append(True, (alike[1:] != alike[:-1]).any(axis=1) | silent | jump[1:])
    first = np.flatnonzero(cut)
    last = np.append(first[1:], len(rows)) - 1
    spells = np.zeros(len(first) if len(rows) else 0, SPELL)
    if not len(spells):
        return spells
    spells["start"], spells["end"] = start[first], end[last]
    spells["first"], spells["last"] = at[first], at[last]
    spells["middle"] = at[(first + last) // 2]
    near = itinerary.regions.near(itinerary.allowed, spells["middle"], rules.offshore_m)
    spells["ashore"] = near
    spells["battery"] = rows["battery"][last]
    again = np.append(
        False,
        (rows["lon"][1:] == rows["lon"][:-1]) & (rows["lat"][1:] == rows["lat"][:-1]),
    )
    again &= rows["uniform"] & np.append(False, rows["uniform"][:-1])
    spells["fixes"] = np.add.reduceat(rows["fixes"], first)
    spells["mock"] = np.add.reduceat(rows["mock"], first)
    spells["repeated"] = np.add.reduceat(np.where(again, rows["fixes"], 0), first)
    spells["label"], spells["day"] = rows["label"][first], day[first]
    spells["dwelling"], spells["jump"] = dwelling[first], jump[first]
    return spells


def _outliers(rows: Rows, itinerary: Itinerary) -> Bools:
    """Short excursions nobody can make: too fast out and too fast back to where they began.

    Only between pairs of sightings that agree, so that two phones taking turns refute nobody.
    """
    rules, at, start, end = itinerary.rules, _at(rows), rows["start"], rows["end"]
    found = np.zeros(len(rows), dtype=np.bool_)
    if len(rows) < 5:
        return found
    step, wait = distance(at[1:], at[:-1]), start[1:] - end[:-1]
    fast = (step > rules.outlier_m) & (step > rules.outlier_mps * wait)
    leaving = np.flatnonzero(fast)
    for width in range(1, int(rules.outlier_seconds // BIN) + 1):
        before = leaving[(leaving >= 1) & (leaving + width + 2 < len(rows))]
        before = before[fast[before + width]]
        last, after = before + width, before + width + 1
        far = np.minimum(step[before], step[last])
        excursion = start[after] - end[before] <= rules.outlier_seconds
        for one, other in ((before, after), (before - 1, before), (after, after + 1)):
            excursion &= distance(at[one], at[other]) < far / 2
            excursion &= start[other] - end[one] <= HOUR
        for offset in range(width):
            found[before[excursion] + 1 + offset] = True
    return found


def _dwelling(start: Floats, at: Floats, itinerary: Itinerary) -> Bools:
    """The sightings near one place: some window of time around them ends near where it began.

    One bad fix spoils the windows it ends, not those beside them.
    """
    rules = itinerary.rules
    closes = np.searchsorted(start, start + rules.dwell_window_seconds)
    opens = np.flatnonzero(closes < len(start))
    closes = closes[opens]
    near = distance(at[opens], at[closes]) <= rules.dwell_m
    near &= start[closes] - start[opens] <= 2 * rules.dwell_window_seconds
    depth = np.bincount(opens[near], minlength=len(start) + 1)
    depth -= np.bincount(closes[near] + 1, minlength=len(start) + 1)[: len(start) + 1]
    return np.asarray(np.cumsum(depth)[:-1] > 0)
