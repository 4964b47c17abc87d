"""What people do on official trips, lawfully: none of it may be held against them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from workers.case import DeviationKind, LawfulPlace
from workers.simulator.people import AIRPORTS, JAKARTA, Base, distance, moved
from workers.simulator.trips import DAY, Draft, Move

Kind = DeviationKind
Story = Callable[[Draft], None]


def neighbour(trip: Draft) -> None:
    """To a neighbouring region by car."""
    trip.road_trip(trip.choose(15, 150))


def far_by_road(trip: Draft) -> None:
    """Far away by car, with nights on the way."""
    trip.days = int(trip.rng.integers(5, 8))
    there = trip.world.base(trip.rng, trip.choose(200, 500))
    trip.plan_leg(there, 1, trip.days - 2)
    trip.moves = [
        Move(trip.time(0, 9, 14), there),
        Move(trip.time(trip.days - 2, 9, 14), trip.home),
    ]


def by_air(trip: Draft) -> None:
    """By air within the province."""
    lives_by_an_airport(trip)
    trip.days += 1
    near = {code for code in AIRPORTS if trip.world.road_m(trip.home.region, code) < 150_000}
    trip.air_trip(trip.choose(200, 500, *(trip.world.outlines.keys() - AIRPORTS.keys() | near)))


def to_jakarta(trip: Draft) -> None:
    """By air to another province and zone, where the airport lies in a region of its own."""
    lives_by_an_airport(trip)
    trip.days += 1
    trip.air_trip(JAKARTA[0])


def delayed_flight(trip: Draft) -> None:
    """A flight leaves hours late, known beforehand or waited for at the airport."""
    by_air(trip) if trip.rng.random() < 0.5 else to_jakarta(trip)
    late = trip.moves[trip.rng.integers(0, 2)]
    late.delay = trip.rng.uniform(1, 6) * 3_600
    late.at += late.delay * trip.rng.integers(0, 2)


def one_day(trip: Draft) -> None:
    """There and back on one day."""
    trip.days = 1
    trip.road_trip(trip.choose(15, 110))


def several_legs(trip: Draft) -> None:
    """Two destinations, one after the other."""
    trip.days = int(trip.rng.integers(4, 6))
    one = trip.world.base(trip.rng, trip.choose(15, 200))
    other = trip.world.base(trip.rng, trip.choose(15, 300, one.region))
    change, last = int(trip.rng.integers(1, trip.days - 2)), trip.days - 1
    trip.plan_leg(one, 0, change)
    trip.plan_leg(other, change, last)
    trip.moves = [
        Move(trip.time(0, 5.5, 10), one),
        Move(trip.time(change, 8, 14), other),
        Move(trip.time(last, 6, 9), trip.home),
    ]


def early_return(trip: Draft) -> None:
    """Home a day or more early because the work was done, and claimed so."""
    trip.days = int(trip.rng.integers(3, 6))
    last = int(trip.rng.integers(0, trip.days - 1))
    trip.road_trip(trip.choose(15, 150), last=last)


def late_start(trip: Draft) -> None:
    """Set out a day late, and claimed so."""
    trip.days = int(trip.rng.integers(3, 6))
    trip.road_trip(trip.choose(15, 150), first=1)


def weekend_elsewhere(trip: Draft) -> None:
    """The weekend after the work with the family in another region, a lawful place."""
    trip.starts_on += timedelta(days=(2 - trip.starts_on.weekday()) % 7)
    trip.days, trip.claim = 5, 3
    there = trip.world.base(trip.rng, trip.choose(15, 200))
    family = trip.world.base(trip.rng, trip.choose(15, 150, there.region))
    trip.plan_leg(there, 0, 2)
    trip.lawful = [LawfulPlace(family.region, trip.day(2), trip.day(4))]
    trip.moves = [
        Move(trip.time(0, 5.5, 10), there),
        Move(trip.time(2, 13, 16), family),
        Move(trip.time(4, 6, 12), trip.home),
    ]


def daily(trip: Draft) -> None:
    """To a neighbour every morning and home every night."""
    code = trip.choose(15, 60)
    if trip.world.road_m(trip.home.region, code) > 90_000 and "64.72" in trip.world.outlines:
        trip.home = trip.world.base(trip.rng, "64.72")
        code = trip.choose(15, 60)
    there = trip.road_trip(code)
    trip.legs = [replace(leg, lodging=None) for leg in trip.legs]
    trip.moves = [
        move
        for number in range(trip.days)
        for move in (
            Move(trip.time(number, 6, 9), there),
            Move(trip.time(number, 14.5, 17), trip.home),
        )
    ]


def other_hotel(trip: Draft) -> None:
    """The hotel was full: another one nearby, from the first or the second night."""
    trip.days += 1
    there = trip.road_trip(trip.choose(15, 150))
    other = replace(there, bed=trip.world.near(trip.rng, there.region, there.bed, 700))
    trip.moves.insert(1, Move(trip.time(int(trip.rng.integers(0, 2)), 16, 20), other))
    trip.moves.sort(key=lambda move: move.at)


def border(trip: Draft) -> None:
    """Lives, works, eats or goes out within 5 km of the border of home, on either side."""
    lives_at_the_border(trip)
    trip.road_trip(trip.choose(15, 150))


def excursion(trip: Draft) -> None:
    """An afternoon in a region near the destination, and back for the night."""
    trip.days += 2
    there, towns = trip.road_trip(trip.choose(15, 200)), trip.world.towns
    far = {code: distance(towns[there.region], town) for code, town in towns.items()}
    del far[there.region]
    near = min(far, key=lambda code: far[code])
    if far[near] < 60_000:
        left = trip.time(1, 12, 13)
        back = left + far[near] / 8 + trip.rng.uniform(1, 3) * 3_600
        visited = trip.world.base(trip.rng, near)
        trip.moves[1:1] = [Move(left, visited), Move(back, there)]


def through_balikpapan(trip: Draft) -> None:
    """From Samarinda by car to Balikpapan the evening before, by air to Jakarta, and so back."""
    trip.home, trip.days = trip.world.base(trip.rng, "64.72"), trip.days + 2
    start, last, hotel = trip.home, trip.days - 1, trip.world.base(trip.rng, "64.71")
    trip.home = replace(hotel, bed=AIRPORTS["64.71"])
    there = trip.air_trip(JAKARTA[0], out=(6.5, 10))
    out, back = trip.moves
    flights = [
        replace(flight, departs_at=flight.departs_at + days, arrives_at=flight.arrives_at + days)
        for flight, days in zip(trip.flights, (DAY, 0 * DAY), strict=True)
    ]
    trip.home, trip.flights = start, flights
    trip.legs = [replace(leg, arrive_on=trip.day(1)) for leg in trip.legs]
    trip.moves = [
        Move(trip.time(0, 14, 19), hotel),
        Move(out.at + 86_400, there, flights[0]),
        Move(back.at, replace(hotel, bed=AIRPORTS["64.71"]), flights[1]),
        Move(trip.time(last, 9, 10), start),
    ]


def tablet_at_home(trip: Draft) -> None:
    """Another device of the traveller's stays at home and reports under his name."""
    trip.road_trip(trip.choose(70, 300))
    trip.tablet = True


def late_report(trip: Draft) -> None:
    """Reports weeks late, else honest."""
    neighbour(trip)
    trip.report_days = int(trip.rng.integers(20, 50))
    trip.must = frozenset({Kind.REPORT_LATE})
    trip.interval = (trip.start, trip.end + 60 * 86_400)


def phone_off(trip: Draft) -> None:
    """Honest, but the phone is off most of the time."""
    neighbour(trip)
    trip.off = [(trip.start + trip.rng.uniform(0, 0.2) * (trip.end - trip.start), trip.end)]
    trip.must = frozenset({Kind.LOW_COVERAGE})


HONEST: Final[tuple[Story, ...]] = (
    *(neighbour, far_by_road, by_air, to_jakarta, delayed_flight, one_day, several_legs),
    *(early_return, late_start, weekend_elsewhere, daily, other_hotel, border),
    *(excursion, through_balikpapan, tablet_at_home, late_report, phone_off),
)


def lives_by_an_airport(trip: Draft) -> None:
    if trip.home.region not in AIRPORTS:
        trip.home = trip.world.base(trip.rng, "64.72")


def lives_at_the_border(trip: Draft) -> None:
    home = trip.home
    # People live and work around one place, not across the whole border.
    near = trip.world.on_the_border(trip.rng, home.region)
    places = (
        moved(near, *trip.rng.normal(0, 700, 2)) if trip.rng.random() < 0.6 else place
        for place in (home.bed, home.desk, home.lunch, home.evening)
    )
    trip.home = Base(home.region, home.zone, *places)
