"""A simulated trip: what the letter says, what the traveller does, what his phone tells."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from workers.case import (
    Assignment,
    Attendance,
    Claim,
    DeviationKind,
    Dossier,
    Fixes,
    Flight,
    LawfulPlace,
    Plan,
    PlannedLeg,
    Position,
    Silence,
)
from workers.itinerary import moment
from workers.simulator.people import (
    AIRPORTS,
    Base,
    Journey,
    Path,
    Point,
    World,
    distance,
    drive,
    live,
    local,
    moved,
    regions_along,
)
from workers.simulator.phones import Fake, joined, observe, phone

DAY: Final = timedelta(days=1)
ALLOWANCE: Final = Decimal(400_000)
"""Rupiah a day, made up: no rate ships with the product."""
NOTES: Final = frozenset({DeviationKind.LOW_COVERAGE, DeviationKind.REPORT_LATE})
"""What an honest traveller may have noted of him."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so. `must` be found, within `interval`; `may` be: what follows from the same lie.

    `stays`: region, arrived, left (epoch s), as the traveller truly moved, whatever his phone says.
    """

    must: frozenset[DeviationKind]
    may: frozenset[DeviationKind]
    interval: tuple[datetime, datetime]
    stays: tuple[tuple[str, float, float], ...]

    @property
    def honest(self) -> bool:
        return self.must <= NOTES


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One person's trip; `story` is its kind, `fixes` are in order of arrival.

    The dossier knows nothing of other people: who asks compares the tracks of a scene.
    """

    story: str
    traveller: str
    letter: str
    client: str
    plan: Plan
    dossier: Dossier
    fixes: Fixes
    truth: Truth
    judged_at: datetime


@dataclass(slots=True)
class Move:
    """Setting out for another base at a time (epoch s), by road or on a flight that may be late."""

    at: float
    to: Base
    flight: Flight | None = None
    delay: float = 0


@dataclass(slots=True)
class Draft:
    """A trip in the making: honest first, then what a story changes about it.

    `moves` is what the traveller does; `off` when his phone is off; `fakes` when it is made to
    believe that it is at `fake_at`; `tablet`: another device of his lies at home and reports too;
    the rest is what the letter and the dossier say, `claim` None for the days truly travelled.
    """

    rng: np.random.Generator
    world: World
    starts_on: date
    days: int
    home: Base
    legs: list[PlannedLeg] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    flights: list[Flight] = field(default_factory=list)
    lawful: list[LawfulPlace] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    attendance: list[Attendance] = field(default_factory=list)
    claim: int | None = None
    report_days: int = 3
    must: frozenset[DeviationKind] = frozenset()
    may: frozenset[DeviationKind] = frozenset()
    interval: tuple[float, float] | None = None
    off: list[tuple[float, float]] = field(default_factory=list)
    fakes: list[Fake] = field(default_factory=list)
    fake_at: Point = (0.0, 0.0)
    tablet: bool = False

    @property
    def start(self) -> float:
        return local(self.starts_on, 0, self.home.zone)

    @property
    def end(self) -> float:
        return local(self.day(self.days), 0, self.home.zone)

    def day(self, number: int) -> date:
        return self.starts_on + number * DAY

    def time(self, number: int, low: float, high: float) -> float:
        """A moment of a day of the trip between two hours, home's clock, epoch s."""
        return local(self.day(number), self.rng.uniform(low, high), self.home.zone)

    def choose(self, low_km: float, high_km: float, *avoid: str) -> str:
        """A region of the province at such a distance by road, or the one that is nearest to it."""
        here = self.home.region
        far = {
            code: self.world.road_m(here, code) / 1_000
            for code in self.world.outlines
            if code[:2] == here[:2] and code != here and code not in avoid
        }
        fitting = [code for code, km in far.items() if low_km <= km <= high_km]
        return str(self.rng.choice(fitting or [min(far, key=lambda code: abs(far[code] - low_km))]))

    def plan_leg(self, base: Base, first: int, last: int) -> None:
        """A leg of the letter, two times in three with its lodging, as addresses are found."""
        lodging = None
        if first < last and self.rng.random() < 0.67:
            found = 1_000 if self.rng.random() < 0.15 else 150
            lon, lat = moved(base.bed, *self.rng.normal(0, found, 2))
            lodging = Position(lon=round(lon, 5), lat=round(lat, 5))
        days = self.day(first), self.day(last)
        self.legs.append(PlannedLeg(len(self.legs) + 1, base.region, base.zone, *days, lodging))

    def road_trip(self, code: str, *, first: int = 0, last: int | None = None) -> Base:
        """There on the first day and back on the last, honestly."""
        there, last = self.world.base(self.rng, code), self.days - 1 if last is None else last
        self.plan_leg(there, 0, self.days - 1)
        long = self.world.road_m(self.home.region, code) > 150_000
        back = (6, 9) if long else (14.5, 17) if first == last else (9, 16)
        self.moves = [
            Move(self.time(first, 5.5, 9 if long or first == last else 13), there),
            Move(self.time(last, *back), self.home),
        ]
        return there

    def air_trip(self, code: str, *, out: tuple[float, float] = (7.5, 15)) -> Base:
        """There, on a flight that leaves between two hours, and back by air."""
        there = self.world.base(self.rng, code)
        self.plan_leg(there, 0, self.days - 1)
        for number, here, to, hours in (
            (0, self.home, there, out),
            (self.days - 1, there, self.home, (9, 16)),
        ):
            origin, destination = AIRPORTS[here.region], AIRPORTS[to.region]
            departs = self.time(number, *hours) // 300 * 300
            lasts = (1_200 + distance(origin, destination) / 215) // 300 * 300
            flight = Flight(
                f"XX {self.rng.integers(100, 999)}",
                Position(lon=origin[0], lat=origin[1]),
                Position(lon=destination[0], lat=destination[1]),
                moment(departs),
                moment(departs + lasts),
            )
            self.flights.append(flight)
            early = distance(here.bed, origin) / 9 + self.rng.uniform(3_600, 7_200)
            self.moves.append(Move(departs - early, to, flight))
        return there

    def path(self) -> Path:
        """The traveller's true movement, from the first midnight to the last."""
        journey, here = Journey(self.rng, self.start, self.home.bed), self.home
        for move in self.moves:
            live(journey, here, move.at, duty=here is not self.home)
            if move.flight:
                departs = move.flight.departs_at.timestamp() + move.delay
                journey.go(AIRPORTS[here.region])
                journey.fly(AIRPORTS[move.to.region], departs)
                journey.stay(journey.now + self.rng.uniform(600, 2_400))
                journey.go(move.to.bed)
            else:
                drive(journey, here.region, move.to)
            here = move.to
        live(journey, here, self.end, duty=here is not self.home)
        return journey.path()

    def back(self, path: Path) -> float:
        """When the traveller is at home again, epoch s."""
        bed, after = self.home.bed, path.time > self.moves[-1].at
        there = np.hypot(path.lon - bed[0], path.lat - bed[1]) < 5e-4
        return float(np.append(path.time[after & there], self.end)[0])

    def travelled(self, path: Path) -> int:
        """Days from setting out to being back."""
        ends = [
            datetime.fromtimestamp(t, ZoneInfo(self.home.zone)).date()
            for t in (self.moves[0].at, min(self.back(path), self.end - 1))
        ]
        return (ends[1] - ends[0]).days + 1

    def seen(
        self, path: Path, *, client: str | None = None
    ) -> tuple[str, Fixes, tuple[Silence, ...]]:
        """What a phone on this path tells, and which client it has."""
        device = phone(self.rng, client)
        if self.fakes:
            path = aside(path, [(f.since, f.until) for f in self.fakes], self.fake_at, seconds=1)
        fixes, silences = observe(
            self.rng, device, path, fakes=tuple(self.fakes), off=tuple(self.off)
        )
        if self.tablet:
            (lon, lat), ends = self.home.bed, np.array([self.start, self.end])
            lying = Path(ends, np.full(2, lon), np.full(2, lat))
            fixes = joined(fixes, observe(self.rng, phone(self.rng), lying)[0])
        return device.client, fixes, silences

    def scenario(
        self,
        story: str,
        path: Path,
        seen: tuple[str, Fixes, tuple[Silence, ...]],
        *,
        traveller: str = "A",
        letter: str = "1",
    ) -> Scenario:
        """The trip, once it is known where its traveller was and what his phone told."""
        client, fixes, silences = seen
        ends_on, (since, until) = self.day(self.days - 1), self.interval or (self.start, self.end)
        claimed = self.claim
        if claimed is None:
            claimed = self.travelled(path) if self.moves else self.days
        return Scenario(
            story=story,
            traveller=traveller,
            letter=letter,
            client=client,
            plan=Plan(
                home=self.home.region,
                home_zone=self.home.zone,
                starts_on=self.starts_on,
                ends_on=ends_on,
                legs=tuple(self.legs),
                lawful_places=tuple(self.lawful),
                flights=tuple(self.flights),
            ),
            dossier=Dossier(
                claim=Claim(claimed, ALLOWANCE),
                reported_on=ends_on + self.report_days * DAY,
                assignments=tuple(self.assignments),
                attendance=tuple(self.attendance),
                silences=silences,
            ),
            fixes=fixes,
            truth=Truth(
                must=self.must,
                may=self.may,
                interval=(moment(since), moment(until)),
                stays=tuple(regions_along(self.world, path)),
            ),
            judged_at=moment(self.end) + 60 * DAY,
        )


def draft(rng: np.random.Generator, world: World) -> Draft:
    """An empty letter of two to four days for somebody of a regency, half of them of Samarinda."""
    world = world.off_the_map(rng, 1_500)
    codes = list(world.outlines)
    seat = "64.72" if "64.72" in codes and rng.random() < 0.5 else str(rng.choice(codes))
    if seat[:2] != codes[0][:2]:
        seat = codes[0]
    starts_on = date(2026, 1, 5) + int(rng.integers(0, 700)) * DAY
    return Draft(rng, world, starts_on, int(rng.integers(2, 5)), world.base(rng, seat))


def aside(path: Path, spans: Sequence[tuple[float, float]], at: Point, *, seconds: float) -> Path:
    """The path with times spent at another place instead, got to and left in so many seconds."""
    edges = np.array([(a, a + seconds, b - seconds, b) for a, b in spans]).ravel()
    lon, lat = path.at(edges)
    inner = np.tile([False, True, True, False], len(spans))
    lon[inner], lat[inner] = at
    kept = ~np.any([(path.time >= a) & (path.time <= b) for a, b in spans], axis=0)
    time = np.concatenate((path.time[kept], edges))
    order = np.argsort(time, kind="stable")
    lon, lat = np.append(path.lon[kept], lon)[order], np.append(path.lat[kept], lat)[order]
    return Path(time[order], lon, lat, path.flights)
