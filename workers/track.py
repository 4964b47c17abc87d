"""A track made readable: sorted, cleaned, labelled with regions, folded into stays and gaps."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from workers.case import Fixes, Gap, Ruleset, Stay

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

METRES_PER_DEGREE = 111_195.0  # of a great circle on the mean sphere
OUTSIDE = None  # the region of a fix that no outline holds


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Regions of n fixes. `codes` are the m columns, sorted, the last one OUTSIDE.

    inside: intp (n,), the column a fix lies in, of overlapping regions the first.
    may: bool (n, m), the columns it may lie in.
    """

    codes: tuple[str | None, ...]
    inside: Ints
    may: Bools

    def column(self, code: str | None) -> Bools:
        """Which fixes may lie in a region; none when the track came nowhere near it."""
        if code not in self.codes:
            return np.zeros(len(self.inside), dtype=np.bool_)
        return np.asarray(self.may[:, self.codes.index(code)])


class RegionIndex:
    """The outlines of one boundary version, on a plane in metres (error below 2 % in Indonesia).

    `tolerance_m`: how far its borders may lie from the true ones. Outlines are valid (multi-)
    polygons in EPSG:4326, longitude first, at least one, and may overlap.
    """

    def __init__(
        self, regions: Sequence[tuple[str, str, BaseGeometry]], tolerance_m: float
    ) -> None:
        ordered = sorted(regions, key=lambda region: region[0])
        self.names = {code: name for code, name, _ in ordered}
        self.tolerance_m = tolerance_m
        self._codes = tuple(self.names)
        bounds = shapely.total_bounds([outline for *_, outline in ordered])
        middle = np.radians((bounds[1] + bounds[3]) / 2)
        self._scale = METRES_PER_DEGREE * np.array([np.cos(middle), 1.0])
        self._outlines = np.array(
            [shapely.transform(outline, self._scale.__mul__) for *_, outline in ordered],
            dtype=np.object_,
        )
        self._bounds = shapely.bounds(self._outlines).reshape(-1, 4)
        parts = shapely.get_parts(shapely.union_all(self._outlines))
        self._shore = shapely.multilinestrings(shapely.get_exterior_ring(parts))
        self._anchors = shapely.get_coordinates(shapely.point_on_surface(self._outlines))
        shapely.prepare(self._outlines)
        shapely.prepare(self._shore)
        # GEOS fills a prepared geometry's indexes at first use, which threads must not share.
        self._lock = Lock()

    def project(self, *, lon: Floats, lat: Floats) -> Floats:
        """Positions in metres on the plane of this index, float64 (n, 2)."""
        return np.column_stack((lon, lat)) * self._scale

    def anchor(self, code: str) -> Floats | None:
        """A point within a region, float64 (2,), None when the region has no outline."""
        if code not in self.names:
            return None
        return np.asarray(self._anchors[self._codes.index(code)], dtype=np.float64)

    def label(self, at: Floats, reach_m: Floats) -> Labels:
        """Labels projected positions (n, 2), each good to reach_m (n,) besides the tolerance."""
        reach = reach_m + self.tolerance_m
        margin = float(reach.max(initial=0.0))
        low, high = self._bounds[:, :2] - margin, self._bounds[:, 2:] + margin
        if len(at):
            near = np.flatnonzero(
                ((low <= at.max(axis=0)) & (high >= at.min(axis=0))).all(axis=1),
            )
        else:
            near = np.zeros(0, dtype=np.intp)
        within = (at[:, None] >= low[near]) & (at[:, None] <= high[near])
        fix, column = np.nonzero(within.all(axis=2))
        points = _points(at)
        lies = np.zeros((len(at), len(near) + 1), dtype=np.bool_)
        with self._lock:
            outline = self._outlines[near[column]]
            lies[fix, column] = shapely.intersects(outline, points[fix])
            lies[:, -1] = ~lies.any(axis=1)
            may, other = lies.copy(), ~lies[fix, column]
            fix, column, outline = fix[other], column[other], outline[other]
            may[fix, column] = _within(outline, points[fix], reach[fix])
            may[:, -1] |= _within(self._shore, points, reach)
        codes = (*(self._codes[i] for i in near), OUTSIDE)
        return Labels(codes, np.argmax(lies, axis=1), may)

    def near(self, codes: Iterable[str], at: Floats, metres: float) -> Bools:
        """Which projected positions (n, 2) lie within metres of any of these regions, bool (n,)."""
        points = _points(at)
        found = np.zeros(len(at), dtype=np.bool_)
        with self._lock:
            for code in set(codes) & self.names.keys():
                outline = self._outlines[self._codes.index(code)]
                found |= _within(outline, points, metres)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A clean track: n fixes in order of time, no two at one time.

    time: float64 (n,) epoch s; at: float64 (n, 2) projected m; reach: float64 (n,) m, what each
    is good to; chunk: intp (n,) into `digests`, which are sorted. `known`: bool (n + 1,): the
    interval before each fix, and after the last one, is not silence; `edges`: float64 (n + 2,)
    epoch s, the ends of these intervals.
    """

    time: Floats
    at: Floats
    reach: Floats
    chunk: Ints
    digests: tuple[bytes, ...]
    known: Bools
    edges: Floats

    def known_seconds(self, start: float, end: float) -> float:
        """Seconds between two times of which something is known."""
        return float(overlap(self.edges[:-1], self.edges[1:], start, end)[self.known].sum())

    def coverage(self, start: float, end: float) -> float:
        """Known share of an interval, 0 to 1."""
        return self.known_seconds(start, end) / (end - start) if end > start else 0.0

    def evidence(self, fixes: Ints | Bools) -> tuple[bytes, ...]:
        """Digests of the chunks that hold these fixes, sorted."""
        return tuple(self.digests[i] for i in np.unique(self.chunk[fixes]))

    def gaps(self) -> tuple[Gap, ...]:
        """The silences, in order of time."""
        return tuple(
            Gap(moment(self.edges[i]), moment(self.edges[i + 1]))
            for i in np.flatnonzero(~self.known)
            if self.edges[i + 1] > self.edges[i]
        )


def clean(
    fixes: Fixes, start: float, until: float, *, regions: RegionIndex, rules: Ruleset
) -> Track:
    """What a set of fixes says between two times: a function of the set, not of its order.

    Of fixes at one time the most accurate counts, then the one furthest west, then south.
    """
    accuracy = np.where(fixes.accuracy > 0, fixes.accuracy, np.nan).astype(np.float64)
    usable = np.isfinite(fixes.time) & np.isfinite(fixes.lon) & np.isfinite(fixes.lat)
    usable &= (fixes.time >= start) & (fixes.time < until)
    usable &= ~(accuracy > rules.accuracy_limit_m)
    time, lon, lat, accuracy = (a[usable] for a in (fixes.time, fixes.lon, fixes.lat, accuracy))
    digests = tuple(sorted(set(fixes.digests)))
    rank = {digest: i for i, digest in enumerate(digests)}
    chunk = np.array([rank[digest] for digest in fixes.digests], dtype=np.intp)[fixes.chunk[usable]]
    order = np.lexsort((chunk, lat, lon, np.nan_to_num(accuracy, nan=np.inf), time))
    order = order[np.diff(time[order], prepend=-np.inf) > 0]
    at = regions.project(lon=lon[order], lat=lat[order])
    true = ~_outliers(time[order], at, rules)
    order, at = order[true], at[true]
    reach = np.fmax(accuracy[order], rules.accuracy_floor_m)
    reach[np.isnan(accuracy[order])] = rules.accuracy_unknown_m
    edges = np.concatenate(([start], time[order], [max(start, until)]))
    known = np.diff(edges) <= rules.gap_seconds
    still = _distance(at[1:], at[:-1]) <= rules.still_m
    known[1:-1] |= still & (np.diff(time[order]) <= rules.still_seconds)
    if not len(order):
        known[:] = False
    return Track(time[order], at, reach, chunk[order], digests, known, edges)


def _outliers(time: Floats, at: Floats, rules: Ruleset) -> Bools:
    """Short excursions nobody can make: too fast out and too fast back to where they began.

    Only between pairs of fixes that agree, so that two phones taking turns refute nobody.
    """
    found = np.zeros(len(time), dtype=np.bool_)
    for width in range(1, rules.outlier_fixes + 1):
        before = np.arange(1, len(time) - width - 2)
        first, last, after = before + 1, before + width, before + width + 1
        out, back = _distance(at[before], at[first]), _distance(at[last], at[after])
        far = np.minimum(out, back)
        excursion = (
            (far > rules.outlier_m)
            & (out > rules.outlier_mps * (time[first] - time[before]))
            & (back > rules.outlier_mps * (time[after] - time[last]))
            & (time[after] - time[before] <= rules.outlier_seconds)
        )
        for one, other in ((before, after), (before - 1, before), (after, after + 1)):
            excursion &= _distance(at[one], at[other]) < far / 2
        for offset in range(width):
            found[first[excursion] + offset] = True
    return found


def held(inside: Ints, may: Bools) -> Ints:
    """The column each fix is held in: the last one as long as it may, else where it lies."""
    if not len(inside):
        return inside
    changes = (inside[1:] != inside[:-1]) | (may[1:] != may[:-1]).any(axis=1)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    columns = np.empty(len(starts), dtype=np.intp)
    current = inside[0]
    for i, start in enumerate(starts):
        if not may[start, current]:
            current = inside[start]
        columns[i] = current
    return np.repeat(columns, np.diff(starts, append=len(inside)))


def runs(mask: Bools) -> Iterator[tuple[int, int]]:
    """First and last index of each run of True."""
    steps = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return zip(
        np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist(), strict=True
    )


def visits(mask: Bools, time: Floats, rules: Ruleset) -> list[tuple[int, int]]:
    """The runs of fixes long enough in number and time to be a presence."""
    return [
        (first, last)
        for first, last in runs(mask)
        if last - first + 1 >= rules.visit_fixes and time[last] - time[first] >= rules.visit_seconds
    ]


def stays(track: Track, column: Ints, labels: Labels, rules: Ruleset) -> tuple[Stay, ...]:
    """Presences by region: short visits merge into what surrounds them, silence separates."""
    if not len(column):
        return ()
    silence = np.cumsum(~track.known[:-1])
    ends = np.flatnonzero(np.diff(column) | np.diff(silence))
    firsts, lasts = np.append(0, ends + 1), np.append(ends, len(column) - 1)
    counts, spans = lasts - firsts + 1, track.time[lasts] - track.time[firsts]
    long = (counts >= rules.visit_fixes) & (spans >= rules.visit_seconds)
    merged: list[tuple[int, int, int]] = []
    for first, last, count in zip(
        firsts[long].tolist(), lasts[long].tolist(), counts[long].tolist(), strict=True
    ):
        if merged:
            start, end, so_far = merged[-1]
            if column[end] == column[first] and silence[end] == silence[first]:
                merged[-1] = (start, last, so_far + count)
                continue
        merged.append((first, last, count))
    return tuple(
        Stay(labels.codes[column[a]], moment(track.time[a]), moment(track.time[b]), count)
        for a, b, count in merged
    )


def dwelling(track: Track, rules: Ruleset) -> Bools:
    """The intervals between fixes spent near one place, not driving through, bool (n - 1,).

    An interval counts when some window of time around it ends near where it began: one bad fix
    spoils the windows it ends, not those beside them.
    """
    if len(track.time) < 2:
        return np.zeros(0, dtype=np.bool_)
    opens = np.arange(len(track.time))
    closes = np.searchsorted(track.time, track.time + rules.dwell_window_seconds)
    opens, closes = opens[closes < len(track.time)], closes[closes < len(track.time)]
    near = _distance(track.at[opens], track.at[closes]) <= rules.dwell_m
    depth = np.zeros(len(track.time), dtype=np.intp)
    np.add.at(depth, opens[near], 1)
    np.add.at(depth, closes[near], -1)
    return np.asarray((np.cumsum(depth)[:-1] > 0) & track.known[1:-1])


def overlap(starts: Floats, ends: Floats, start: float, end: float) -> Floats:
    """Seconds each interval shares with the one from start to end."""
    return np.asarray(np.maximum(np.minimum(ends, end) - np.maximum(starts, start), 0.0))


def moment(epoch: float) -> datetime:
    """Epoch seconds as an aware UTC time."""
    return datetime.fromtimestamp(epoch, UTC)


def _points(at: Floats) -> NDArray[np.object_]:
    return np.asarray(shapely.points(at), dtype=np.object_)


def _within(outline: Any, points: NDArray[np.object_], metres: Floats | float) -> Bools:
    # The stubs know one distance only; shapely takes one for each point.
    return np.asarray(shapely.dwithin(outline, points, metres))  # type: ignore[arg-type]


def _distance(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.hypot(one[..., 0] - other[..., 0], one[..., 1] - other[..., 1]))
