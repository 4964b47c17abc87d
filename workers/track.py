"""The outlines of regions, and where positions lie among them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

METRES_PER_DEGREE = 111_195.0  # of a great circle on the mean sphere
ROUGH_M = 1_000.0  # how far a distance to a region may be off
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
        self._rough = shapely.simplify(self._outlines, ROUGH_M, preserve_topology=False)
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

    def distance(self, code: str, at: Floats) -> Floats:
        """Metres from projected positions (n, 2) to a region that has an outline, float64 (n,)."""
        outline = self._rough[self._codes.index(code)]
        return np.asarray(shapely.distance(outline, _points(at)), dtype=np.float64)


def distance(one: Floats, other: Floats) -> Floats:
    """Metres between positions on the plane, (..., 2)."""
    return np.asarray(np.hypot(one[..., 0] - other[..., 0], one[..., 1] - other[..., 1]))


def _points(at: Floats) -> NDArray[np.object_]:
    return np.asarray(shapely.points(at), dtype=np.object_)


def _within(outline: Any, points: NDArray[np.object_], metres: Floats | float) -> Bools:
    # The stubs know one distance only; shapely takes one for each point.
    return np.asarray(shapely.dwithin(outline, points, metres))  # type: ignore[arg-type]
