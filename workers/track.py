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
CELL_M = 250.0  # side of the squares in which positions are looked at together
HALF_CELL_M = CELL_M * 0.7072  # from their middle to their corners
CELL_NUMBER = np.array([1.0, 2.0**24])  # of a square, by its column and row
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
        self._borders = shapely.union_all(shapely.boundary(self._outlines))
        self._rough = shapely.simplify(self._outlines, ROUGH_M, preserve_topology=False)
        self._anchors = shapely.get_coordinates(shapely.point_on_surface(self._outlines))
        shapely.prepare(self._outlines)
        shapely.prepare(self._shore)
        shapely.prepare(self._borders)
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
        near = self._beside(at, reach)
        corner = np.floor(at / CELL_M)
        cell, which = np.unique(corner @ CELL_NUMBER, return_inverse=True)
        with self._lock:
            if 3 * len(cell) > len(at):
                lies, may = self._exactly(at, reach, near)
            else:
                lies, may = self._by_cells(at, reach, near, corner, which)
        codes = (*(self._codes[i] for i in near), OUTSIDE)
        return Labels(codes, np.argmax(lies, axis=1), may)

    def _beside(self, at: Floats, reach: Floats) -> Ints:
        """The regions that any of the positions may lie in."""
        if not len(at):
            return np.zeros(0, dtype=np.intp)
        margin = float(reach.max())
        low, high = self._bounds[:, :2] - margin, self._bounds[:, 2:] + margin
        return np.flatnonzero(
            ((low <= at.max(axis=0)) & (high >= at.min(axis=0))).all(axis=1),
        )

    def _by_cells(
        self, at: Floats, reach: Floats, near: Ints, corner: Floats, which: Ints
    ) -> tuple[Bools, Bools]:
        """As `_exactly`, but positions in one square together, unless it matters where in it.

        It does not where no border crosses the square, and what is in reach from its middle is so
        from all of it.
        """
        count = int(which.max()) + 1
        middle, widest, least = np.empty((count, 2)), np.zeros(count), np.full(count, np.inf)
        middle[which] = (corner + 0.5) * CELL_M
        np.maximum.at(widest, which, reach)
        np.minimum.at(least, which, reach)
        inside, outer = self._exactly(middle, widest + HALF_CELL_M, near)
        _, inner = self._exactly(middle, least - HALF_CELL_M, near)
        alike = (outer == inner).all(axis=1) & ~_within(self._borders, _points(middle), HALF_CELL_M)
        lies, may, apart = inside[which], outer[which], ~alike[which]
        lies[apart], may[apart] = self._exactly(at[apart], reach[apart], near)
        return lies, may

    def _exactly(self, at: Floats, reach: Floats, near: Ints) -> tuple[Bools, Bools]:
        """The columns each position lies in, and those it may lie in, bool (n, m)."""
        low, high = self._bounds[near, :2], self._bounds[near, 2:]
        wide = reach[:, None, None]
        within = (at[:, None] >= low - wide) & (at[:, None] <= high + wide)
        fix, column = np.nonzero(within.all(axis=2))
        points, outline = _points(at), self._outlines[near[column]]
        lies = np.zeros((len(at), len(near) + 1), dtype=np.bool_)
        lies[fix, column] = shapely.intersects(outline, points[fix])
        lies[:, -1] = ~lies.any(axis=1)
        may, other = lies.copy(), ~lies[fix, column]
        fix, column, outline = fix[other], column[other], outline[other]
        may[fix, column] = _within(outline, points[fix], reach[fix])
        may[:, -1] |= _within(self._shore, points, reach)
        return lies, may

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
