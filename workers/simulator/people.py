"""Where simulated people truly are: places, roads and flights, and the days they spend.

Nothing here knows of phones. Towns and airports are where any map shows them, rounded; homes,
offices and hotels are random points around them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from tenants.regions import shipped, zone_of

Floats = NDArray[np.float64]
Point = tuple[float, float]
"""Longitude and latitude, degrees."""
Outlines = Sequence[tuple[str, str, BaseGeometry]]
"""Code, name and outline of each region, as `RegionIndex` takes them."""

METRES_PER_DEGREE: Final = 111_195.0
JAKARTA: Final = ("31.71", "Kota Jakarta Pusat", shapely.box(106.76, -6.25, 106.9, -6.13))
"""Far away, in another zone, and roughly a square: its airport lies outside."""

TOWNS: Final[Mapping[str, tuple[str, Point]]] = {
    "Samarinda": ("64.72", (117.148, -0.495)),
    "Balikpapan": ("64.71", (116.845, -1.255)),
    "Penajam": ("64.09", (116.69, -1.29)),
    "Tana Paser": ("64.01", (116.19, -1.905)),
    "Tenggarong": ("64.02", (116.985, -0.42)),
    "Kota Bangun": ("64.02", (116.59, -0.23)),
    "Sendawar": ("64.07", (115.69, -0.23)),
    "Ujoh Bilang": ("64.11", (115.2, 0.45)),
    "Bontang": ("64.74", (117.48, 0.13)),
    "Sangatta": ("64.08", (117.545, 0.5)),
    "Muara Wahau": ("64.08", (116.87, 1.05)),
    "Tanjung Redeb": ("64.03", (117.49, 2.15)),
    "Jakarta": ("31.71", (106.83, -6.18)),
}
TOWARDS_SAMARINDA: Final[Mapping[str, str]] = {
    "Balikpapan": "Samarinda",
    "Penajam": "Balikpapan",
    "Tana Paser": "Penajam",
    "Tenggarong": "Samarinda",
    "Kota Bangun": "Tenggarong",
    "Sendawar": "Kota Bangun",
    "Ujoh Bilang": "Sendawar",
    "Bontang": "Samarinda",
    "Sangatta": "Bontang",
    "Muara Wahau": "Sangatta",
    "Tanjung Redeb": "Muara Wahau",
}
"""The roads: the next town on the way."""
AIRPORTS: Final[Mapping[str, Point]] = {
    "64.72": (117.251, -0.376),
    "64.71": (116.894, -1.268),
    "64.03": (117.432, 2.155),
    "64.07": (115.76, -0.204),
    "31.71": (106.656, -6.126),
}


def distance(one: Point, other: Point) -> float:
    """Metres, on a plane."""
    east, north = other[0] - one[0], other[1] - one[1]
    return METRES_PER_DEGREE * float(np.hypot(east * np.cos(np.radians(one[1])), north))


def moved(point: Point, east_m: float, north_m: float) -> Point:
    east = east_m / (METRES_PER_DEGREE * float(np.cos(np.radians(point[1]))))
    return float(point[0] + east), float(point[1] + north_m / METRES_PER_DEGREE)


@dataclass(frozen=True, slots=True)
class Base:
    """Where somebody sleeps and works in a region, eats at noon and may go in the evening."""

    region: str
    zone: str
    bed: Point
    desk: Point
    lunch: Point
    evening: Point


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Regions as they truly are, which no map shows exactly."""

    outlines: Mapping[str, BaseGeometry]
    zones: Mapping[str, str]
    towns: Mapping[str, Point]

    @classmethod
    def of(cls, outlines: Outlines) -> "World":
        """A world on any map; a region without a known town has one somewhere inside."""
        towns = {}
        for code, _, outline in outlines:
            inside = shapely.get_coordinates(shapely.point_on_surface(outline))[0]
            known = [town for region, town in TOWNS.values() if region == code]
            towns[code] = next(iter(known), (float(inside[0]), float(inside[1])))
        return cls(
            outlines={code: outline for code, _, outline in outlines},
            zones={code: zone_of(code) for code, *_ in outlines},
            towns=towns,
        )

    def off_the_map(self, rng: np.random.Generator, metres: float) -> "World":
        """The same world with true borders that lie elsewhere than the map has them."""
        east, north = rng.normal(0, metres / METRES_PER_DEGREE / 2, 2)
        outlines = {code: translate(shape, east, north) for code, shape in self.outlines.items()}
        return replace(self, outlines=outlines)

    def holds(self, code: str, point: Point) -> bool:
        return bool(shapely.contains_xy(self.outlines[code], *point))

    def near(self, rng: np.random.Generator, code: str, point: Point, metres: float) -> Point:
        """A random point of a region near another one, ten times `metres` away at the most."""
        for _ in range(50):
            angle, far = rng.uniform(0, 2 * np.pi), min(rng.exponential(metres), 10 * metres)
            found = moved(point, far * np.cos(angle), far * np.sin(angle))
            if self.holds(code, found):
                return found
        return point

    def on_the_border(self, rng: np.random.Generator, code: str) -> Point:
        """A random point within 5 km of a region's border, on either side."""
        line = self.outlines[code].boundary
        at = line.interpolate(rng.uniform(), normalized=True).coords[0]
        return moved((at[0], at[1]), *rng.uniform(-3_500, 3_500, 2))

    def base(self, rng: np.random.Generator, code: str) -> Base:
        town = self.towns[code]
        bed, desk = (self.near(rng, code, town, metres) for metres in (3_000, 1_500))
        return Base(
            region=code,
            zone=self.zones[code],
            bed=bed,
            desk=desk,
            lunch=self.near(rng, code, desk, rng.choice([300.0, 1_500.0])),
            evening=self.near(rng, code, bed, 2_000),
        )

    def road_m(self, one: str, other: str) -> float:
        """Length of the road between two regions' towns, without its bends."""
        stops = [self.towns[one], *_towns_between(one, other), self.towns[other]]
        return sum(distance(a, b) for a, b in pairwise(stops))


def kaltim() -> Outlines:
    """The regions the product ships, and one far away."""
    return [(r.code, r.name, r.outline) for r in shipped().regions] + [JAKARTA]


def _towns_between(one: str, other: str) -> list[Point]:
    def roots(code: str) -> list[str]:
        name = next((name for name, (region, _) in TOWNS.items() if region == code), None)
        way = [name] if name else []
        while way and way[-1] in TOWARDS_SAMARINDA:
            way.append(TOWARDS_SAMARINDA[way[-1]])
        return way

    there, back = roots(one), roots(other)
    fork = next((name for name in there if name in back), None)
    if fork is None:
        return []
    way = [*there[: there.index(fork)], fork, *reversed(back[: back.index(fork)])]
    return [TOWNS[name][1] for name in way[1:-1]]


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A true movement, straight between n points; `flights` are the times in the air."""

    time: Floats
    lon: Floats
    lat: Floats
    flights: tuple[tuple[float, float], ...] = ()

    def at(self, time: Floats) -> tuple[Floats, Floats]:
        return np.interp(time, self.time, self.lon), np.interp(time, self.time, self.lat)


class Journey:
    """A movement as it comes about, from one point in time to the next (epoch s)."""

    def __init__(self, rng: np.random.Generator, now: float, at: Point) -> None:
        self.now, self.at, self.rng = now, at, rng
        self._track: list[Floats] = [np.array([[now, *at]])]
        self._flights: list[tuple[float, float]] = []

    def path(self) -> Path:
        time, lon, lat = np.concatenate(self._track).T
        return Path(time, lon, lat, tuple(self._flights))

    def stay(self, until: float) -> None:
        if until > self.now:
            self._extend(np.array([until]), np.array([self.at]))

    def go(self, to: Point) -> None:
        """On foot where it is near, else by road."""
        metres = distance(self.at, to)
        if metres < 30:
            return
        if metres < 700:
            self._along(np.linspace(0, 1, 8)[1:], to, np.full(7, metres / 7 / 1.2))
            return
        steps = int(np.clip(metres / 250, 6, 800))
        town, country = self.rng.uniform(4, 9), self.rng.uniform(7, 16)
        share = np.linspace(0, 1, steps + 1)[1:]
        edge = np.minimum(share, 1 - share) * metres
        speed = np.where(edge < 4_000, town, country)
        speed *= np.exp(self.rng.normal(0, 0.25, steps))
        spent = metres / steps / speed
        stops = self.rng.random(steps) < spent / 9_000
        spent[stops] += np.minimum(self.rng.lognormal(np.log(700), 0.7, stops.sum()), 3_600)
        self._along(share, to, spent, bends=0.05 * metres)

    def fly(self, to: Point, departs: float) -> None:
        """From where one is, an airport, once it is time."""
        self.stay(departs)
        metres = distance(self.at, to)
        share = np.linspace(0, 1, 61)[1:]
        lands = self.now + 900 + metres / 215
        self._flights.append((self.now, lands))
        # Slow at both ends: taxiing, climbing, approaching.
        eased = share + np.sin(2 * np.pi * share) * -0.12
        self._along(eased, to, np.full(60, (lands - self.now) / 60))

    def _along(self, share: Floats, to: Point, spent: Floats, bends: float = 0) -> None:
        line = np.outer(share, np.subtract(to, self.at)) + np.array(self.at)
        if bends:
            across = np.array([self.at[1] - to[1], to[0] - self.at[0]])
            across /= np.hypot(*across) * METRES_PER_DEGREE
            knots = max(3, min(12, int(bends / 200)))
            wide = np.concatenate(([0], self.rng.normal(0, bends / 2, knots), [0]))
            fine = self.rng.normal(0, min(80.0, bends), len(share))
            aside = np.interp(share, np.linspace(0, 1, knots + 2), wide) + fine
            aside[-1] = 0
            line += np.outer(aside, across)
        self._extend(self.now + np.cumsum(spent), line)

    def _extend(self, time: Floats, points: Floats) -> None:
        self._track.append(np.column_stack((time, points)))
        self.now, self.at = float(time[-1]), (float(points[-1, 0]), float(points[-1, 1]))


def live(journey: Journey, base: Base, until: float, *, duty: bool) -> None:
    """Days at a base until a moment, or a little later when still on the road; at work on
    weekdays, on duty (`duty`) also on others."""
    while journey.now < until:
        today = datetime.fromtimestamp(journey.now, UTC).astimezone(ZoneInfo(base.zone)).date()
        for hour, place in _day(journey.rng, base, working=duty or today.weekday() < 5):
            when = local(today, hour, base.zone)
            if journey.now < when < until:
                journey.stay(when)
                journey.go(place)
        journey.stay(min(until, local(today + timedelta(days=1), 0, base.zone)))


def _day(rng: np.random.Generator, base: Base, *, working: bool) -> Iterator[tuple[float, Point]]:
    if working:
        yield rng.uniform(6.8, 8.2), base.desk
        if rng.random() < 0.7:
            yield rng.uniform(11.8, 12.5), base.lunch
            yield rng.uniform(12.8, 13.5), base.desk
        yield rng.uniform(15.5, 17.5), base.bed
    else:
        for start in rng.uniform(8, 15, rng.integers(0, 3)):
            yield start, base.evening if rng.random() < 0.6 else base.lunch
            yield start + rng.uniform(0.5, 3), base.bed
    if rng.random() < 0.5:
        yield rng.uniform(18.5, 20), base.evening
        yield rng.uniform(20.3, 22), base.bed


def local(day: date, hour: float, zone: str) -> float:
    """An hour of a day in a zone, epoch s."""
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).timestamp() + hour * 3_600


def drive(journey: Journey, one: str, to: Base) -> None:
    """From a region to a base by road through the towns between, sleeping on the way at night."""
    for town in [*_towns_between(one, to.region), to.bed]:
        remaining = distance(journey.at, to.bed)
        clock = (journey.now / 3_600 + 8) % 24
        if remaining > 60_000 and (clock > 19.5 or clock < 5):
            journey.go(moved(journey.at, *journey.rng.normal(0, 500, 2)))
            journey.stay(journey.now + ((30.5 - clock) % 24) * 3_600)
        journey.go(town)


def regions_along(world: World, path: Path) -> list[tuple[str, float, float]]:
    """Where a path truly is, region by region: code, entered, left; half a minute fine.

    Nobody is anywhere while he flies. Stays shorter than a quarter of an hour are left out, and so
    are absences of up to two hours from a region.
    """
    time = np.arange(path.time[0], path.time[-1] + 30, 30)
    lon, lat = path.at(time)
    column = np.full(len(time), -1)
    for i, shape in enumerate(world.outlines.values()):
        column[(column < 0) & shapely.contains_xy(shape, lon, lat)] = i
    for departs, lands in path.flights:
        column[(time > departs) & (time < lands)] = -1
    ends = np.append(np.flatnonzero(np.diff(column)), len(time) - 1)
    starts = np.append(0, ends[:-1] + 1)
    codes = [*world.outlines, ""]
    found: list[tuple[str, float, float]] = []
    latest: dict[str, int] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        code, entered, left = codes[column[start]], float(time[start]), float(time[end])
        before = latest.get(code)
        if before is not None and entered - found[before][2] < 7_200:
            found[before] = (code, found[before][1], left)
        elif code and left - entered >= 900:
            latest[code] = len(found)
            found.append((code, entered, left))
    return found
