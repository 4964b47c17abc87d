"""What people do instead of the trip they claim, as auditors report it."""

from dataclasses import replace
from typing import Final

import numpy as np

from workers.case import Assignment, Attendance, DeviationKind, Position
from workers.itinerary import moment
from workers.simulator.lawful import Story, by_air, lives_at_the_border, neighbour, to_jakarta
from workers.simulator.people import distance, moved
from workers.simulator.phones import Fake
from workers.simulator.trips import DAY, Draft, Move

Kind = DeviationKind

DAYS_MISSING: Final = frozenset({Kind.SHORT_STAY, Kind.LATE_START, Kind.EARLY_RETURN})
FAKED: Final = frozenset({Kind.MOCK_FLAG, Kind.IMPOSSIBLE_MOVEMENT, Kind.FROZEN_POSITION})
NOT_THERE: Final = DAYS_MISSING | {
    Kind.NEVER_LEFT,
    Kind.WRONG_REGION,
    Kind.LODGING_MISMATCH,
    Kind.FLIGHT_MISMATCH,
    Kind.GROUP_HEADCOUNT,
}
"""What not having been at the destination shows itself as, one way or another."""


def never_left(trip: Draft) -> None:
    """Ordinary life at home, on all days of the trip."""
    neighbour(trip) if trip.rng.random() < 0.6 else trip.road_trip(trip.choose(150, 500))
    _stays_at_home(trip)


def never_left_border(trip: Draft) -> None:
    """The same, of somebody who lives or works at the border."""
    lives_at_the_border(trip)
    never_left(trip)


def wrong_region(trip: Draft) -> None:
    """In another region all the time."""
    home, road, other = trip.home.region, trip.world.road_m, trip.choose(15, 250)
    passed = [
        code
        for code in trip.world.outlines
        if road(home, code) + road(code, other) < 1.05 * road(home, other)
    ]
    trip.road_trip(trip.choose(15, 300, *passed))
    trip.moves[0].to = trip.world.base(trip.rng, other)
    trip.must, trip.may = frozenset({Kind.WRONG_REGION}), NOT_THERE
    trip.interval = (trip.moves[0].at, trip.moves[1].at)


def wrong_region_later(trip: Draft) -> None:
    """A night at the destination, then two elsewhere."""
    trip.days = 4
    there = trip.road_trip(trip.choose(15, 200))
    other = trip.world.base(trip.rng, trip.choose(15, 250, there.region))
    trip.moves.insert(1, Move(trip.time(1, 9, 14), other))
    trip.must, trip.may = frozenset({Kind.WRONG_REGION}), NOT_THERE
    trip.interval = (trip.moves[1].at, trip.moves[2].at)


def left_late(trip: Draft) -> None:
    """Claims four days, sets out on the third."""
    trip.days = 4
    trip.road_trip(trip.choose(15, 150), first=2)
    trip.claim = trip.days
    trip.must, trip.may = frozenset({Kind.LATE_START, Kind.SHORT_STAY}), NOT_THERE
    trip.interval = (trip.start, trip.moves[0].at)


def back_early(trip: Draft) -> None:
    """Claims four days, is back on the second."""
    trip.days = 4
    trip.road_trip(trip.choose(15, 150), last=1)
    trip.claim = trip.days
    trip.must, trip.may = frozenset({Kind.EARLY_RETURN, Kind.SHORT_STAY}), NOT_THERE
    trip.interval = (trip.moves[1].at, trip.end)


def one_day_of_three(trip: Draft) -> None:
    """Claims three days, is away on one of them."""
    trip.claim = trip.days = 3
    away = int(trip.rng.integers(0, 3))
    trip.road_trip(trip.choose(15, 110), first=away, last=away)
    trip.must, trip.may = frozenset({Kind.SHORT_STAY}), NOT_THERE


def overlap(trip: Draft) -> None:
    """Honest, but the same days are also claimed with another office."""
    trip.days += 1
    neighbour(trip)
    first = int(trip.rng.integers(-1, trip.days - 1))
    days = trip.day(first), trip.day(first + 2)
    trip.assignments = [Assignment("2", "Dinas Lain", *days)]
    trip.must = frozenset({Kind.OVERLAP})


def lodging_elsewhere(trip: Draft) -> None:
    """Sleeps at a friend's, far from the hotel that is paid for."""
    trip.days += 1
    there = trip.road_trip(trip.choose(15, 300, "64.71", "64.72", "64.74"))
    hotel = there.bed
    for _ in range(100):
        angle = trip.rng.uniform(0, 2 * np.pi)
        metres = trip.rng.uniform(10_000, 20_000)
        bed = moved(hotel, metres * np.cos(angle), metres * np.sin(angle))
        if trip.world.holds(there.region, bed):
            break
    trip.moves[0].to = replace(there, bed=bed, evening=moved(bed, 500, 0))
    lodging = Position(lon=hotel[0], lat=hotel[1])
    trip.legs = [replace(leg, lodging=lodging) for leg in trip.legs]
    trip.must = frozenset({Kind.LODGING_MISMATCH})
    trip.may = frozenset({Kind.WRONG_REGION})


def drove_instead(trip: Draft) -> None:
    """Claims the flights, goes by car."""
    by_air(trip)
    trip.days += 1
    trip.legs = [replace(leg, depart_on=leg.depart_on + DAY) for leg in trip.legs]
    trip.moves = [
        Move(trip.time(0, 5.5, 7), trip.moves[0].to),
        Move(trip.time(trip.days - 2, 5.5, 7), trip.home),
    ]
    trip.must = frozenset({Kind.FLIGHT_MISMATCH})


def flight_not_taken(trip: Draft) -> None:
    """Claims the flights and stays at home."""
    by_air(trip) if trip.rng.random() < 0.5 else to_jakarta(trip)
    _stays_at_home(trip)


def attendance(trip: Draft) -> None:
    """Clocked in at the office on a day of the trip, by himself or by a friend."""
    trip.days += 1
    neighbour(trip)
    since = trip.time(1, 7, 8)
    clocked = Attendance(moment(since), moment(since + trip.rng.uniform(7, 9) * 3_600))
    trip.attendance = [clocked]
    trip.must = frozenset({Kind.ATTENDANCE_CONFLICT})


def mock_marked(trip: Draft) -> None:
    """Fakes the position with a client that says so."""
    _fakes(trip, frozenset({Kind.MOCK_FLAG}), jitter=trip.rng.uniform(0, 8), marked=True)


def fake_jumps(trip: Draft) -> None:
    """Fakes the position at times, a few metres to and fro, at home in between."""
    times = int(trip.rng.integers(2, 6))
    _fakes(trip, frozenset({Kind.IMPOSSIBLE_MOVEMENT}), jitter=trip.rng.uniform(0, 8), times=times)


def fake_frozen(trip: Draft) -> None:
    """Fakes one exact position for more than a day."""
    _fakes(trip, frozenset({Kind.FROZEN_POSITION}), jitter=0)


def fake_hidden(trip: Draft) -> None:
    """The same, and the phone is off as long as the drive would take."""
    _fakes(trip, frozenset({Kind.FROZEN_POSITION}), jitter=0)
    (fake,) = trip.fakes
    drive = distance(trip.home.bed, trip.fake_at) / 12
    trip.off = [
        (fake.since - drive, fake.since + 60),
        (fake.until - 60, fake.until + drive),
    ]


def fake_shaking(trip: Draft) -> None:
    """Fakes a position that shakes by some metres, all the time."""
    jitter = trip.rng.uniform(1, 8)
    _fakes(trip, frozenset({Kind.IMPOSSIBLE_MOVEMENT}), jitter=jitter)


CHEATS: Final[tuple[Story, ...]] = (
    *(never_left, never_left_border, wrong_region, wrong_region_later),
    *(left_late, back_early, one_day_of_three, overlap, lodging_elsewhere),
    *(drove_instead, flight_not_taken, attendance, mock_marked),
    *(fake_jumps, fake_frozen, fake_hidden, fake_shaking),
)


def _stays_at_home(trip: Draft) -> None:
    trip.moves = []
    trip.must, trip.may = frozenset({Kind.NEVER_LEFT}), NOT_THERE


def _fakes(
    trip: Draft,
    must: frozenset[DeviationKind],
    *,
    jitter: float,
    times: int = 1,
    marked: bool = False,
) -> None:
    """At home, with the phone made to believe it is at the destination, one or more times."""
    trip.days = int(trip.rng.integers(3, 5))
    there = trip.road_trip(trip.choose(70, 300))
    since, until = (move.at for move in trip.moves)
    trip.moves, trip.fake_at = [], there.desk
    edges = np.linspace(since, until, 2 * times)
    trip.fakes = [
        Fake(float(edges[2 * i]), float(edges[2 * i + 1]), jitter, marked) for i in range(times)
    ]
    trip.must, trip.may = must, FAKED | NOT_THERE
