"""Stories of several people: colleagues, absentees, copied tracks, phones that others carry."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from workers.case import DeviationKind
from workers.simulator.cheats import FAKED, NOT_THERE
from workers.simulator.lawful import neighbour
from workers.simulator.people import Path, World
from workers.simulator.trips import DAY, Draft, Scenario, aside, draft

Scene = tuple[Scenario, ...]
"""Trips whose tracks have to do with one another."""
Group = Callable[[np.random.Generator, World, str], Scene]


def colleagues(rng: np.random.Generator, world: World, story: str) -> Scene:
    """One letter, one car, one hotel; an hour or three apart every day, each his own phone."""
    trip, path = _trip(rng, world)
    return tuple(
        trip.scenario(story, own, trip.seen(own), traveller=friend)
        for friend in "ABC"[: rng.integers(2, 4)]
        for own in (_apart(trip, path),)
    )


def absentees(rng: np.random.Generator, world: World, story: str) -> Scene:
    """The same, and one or two more of the letter stayed at home."""
    trip, path = _trip(rng, world)
    found = [trip.scenario(story, path, trip.seen(path))]
    for friend in "BC"[: rng.integers(1, 3)]:
        idle = replace(
            trip,
            home=world.base(rng, trip.home.region),
            moves=[],
            must=frozenset({DeviationKind.NEVER_LEFT, DeviationKind.GROUP_HEADCOUNT}),
            may=NOT_THERE,
        )
        own = idle.path()
        found.append(idle.scenario(story, own, idle.seen(own), traveller=friend))
    return tuple(found)


def copied(rng: np.random.Generator, world: World, story: str) -> Scene:
    """Somebody hands in another's track: all or part of it, on other days, a little aside."""
    trip, path = _trip(rng, world)
    client, fixes, silences = trip.seen(path)
    days = int(rng.choice([0, 0, 1, 7, 30]))
    copy = replace(
        trip,
        starts_on=trip.starts_on + days * DAY,
        legs=[
            replace(leg, arrive_on=leg.arrive_on + days * DAY, depart_on=leg.depart_on + days * DAY)
            for leg in trip.legs
        ],
        moves=[],
        must=frozenset({DeviationKind.COPIED_TRACK}),
        may=FAKED | NOT_THERE,
    )
    low, high = rng.uniform(0, 0.3), rng.uniform(0.6, 1)
    share = (fixes.time - copy.start + days * 86_400) / (copy.end - copy.start)
    part = (share >= low) & (share <= high) if rng.random() < 0.4 else np.ones_like(fixes.mock)
    east, north = rng.normal(0, 0.003, 2) * rng.integers(0, 2)
    handed_in = replace(
        fixes,
        time=fixes.time + days * 86_400,
        lon=np.round(fixes.lon + east, 6),
        lat=np.round(fixes.lat + north, 6),
    ).only(part)
    return (
        trip.scenario(story, path, (client, fixes, silences)),
        copy.scenario(story, copy.path(), (client, handed_in, ()), traveller="B", letter="2"),
    )


def carried(rng: np.random.Generator, world: World, story: str) -> Scene:
    """One goes and takes along the phone of another, who stays at home."""
    trip, path = _trip(rng, world)
    trip.must, trip.may = frozenset({DeviationKind.CARRIED_PHONE}), NOT_THERE
    return (
        trip.scenario(story, path, trip.seen(path)),
        trip.scenario(story, replace(trip, moves=[]).path(), trip.seen(path), traveller="B"),
    )


def carried_on_the_way(rng: np.random.Generator, world: World, story: str) -> Scene:
    """The same, handed over in the morning of the departure, and back after the return."""
    trip, path = _trip(rng, world)
    trip.must, trip.may = frozenset({DeviationKind.CARRIED_PHONE}), NOT_THERE
    shown = _own_home(trip, path)
    return (
        trip.scenario(story, path, trip.seen(path)),
        trip.scenario(story, replace(trip, moves=[]).path(), trip.seen(shown), traveller="B"),
    )


def _trip(rng: np.random.Generator, world: World) -> tuple[Draft, Path]:
    trip = draft(rng, world)
    trip.days += 1
    neighbour(trip)
    return trip, trip.path()


def _own_home(trip: Draft, path: Path) -> Path:
    """The way of somebody else of the same car: his own home before and after."""
    spans, back = [(trip.start, trip.moves[0].at)], trip.back(path)
    if trip.end - back > 3_600:
        spans.append((back, trip.end))
    home = trip.world.near(trip.rng, trip.home.region, trip.home.bed, 2_500)
    return aside(path, spans, home, seconds=900)


def _apart(trip: Draft, path: Path) -> Path:
    """The same, who also goes his own way for an hour or three of every day."""
    there, spans = trip.moves[0].to, []
    for number in range(trip.days):
        since = trip.time(number, 11, 20)
        until = since + trip.rng.uniform(1, 3) * 3_600
        if trip.moves[0].at + 6 * 3_600 < since and until < trip.moves[-1].at:
            spans.append((since, until))
    own = _own_home(trip, path)
    place = trip.world.near(trip.rng, there.region, there.desk, 2_000)
    return aside(own, spans, place, seconds=600) if spans else own


GROUPS_HONEST: tuple[Group, ...] = (colleagues,)
GROUPS_CHEATING: tuple[Group, ...] = (absentees, copied, carried, carried_on_the_way)
