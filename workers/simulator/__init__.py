"""Official trips, honest and not, made up whole: letter, dossier, track, and the truth of them.

What people and phones do was taken from auditors' and phone owners' reports, not from what the
rules look for.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from workers.simulator.cheats import CHEATS
from workers.simulator.groups import GROUPS_CHEATING, GROUPS_HONEST, Group, Scene
from workers.simulator.lawful import HONEST, Story
from workers.simulator.people import AIRPORTS, Outlines, World, kaltim
from workers.simulator.phones import CLIENTS
from workers.simulator.trips import Scenario, Truth, draft

__all__ = [
    "CLIENTS",
    "STORIES",
    "Outlines",
    "Scenario",
    "Scene",
    "Truth",
    "World",
    "kaltim",
    "scene",
]


def scene(world: World, seed: int, number: int) -> Scene:
    """The trips of one number, the same for the same arguments.

    Even numbers are honest, odd ones are not; within either the stories come by turns, rare ones
    not at each, on a map without the airports of Kalimantan Timur and Jakarta those by road.
    """
    rng, stories = np.random.default_rng((seed, number)), _STORIES[number % 2]
    flying = AIRPORTS.keys() <= world.outlines.keys()
    names = [name for name in stories if flying or name not in _FLYING]
    turn, place = divmod(number // 2, len(names))
    name = names[place if turn % _RARE.get(names[place], 1) == 0 else 0]
    return stories[name](rng, world, name)


def _alone(story: Story) -> Group:
    def told(rng: np.random.Generator, world: World, name: str) -> Scene:
        trip = draft(rng, world)
        story(trip)
        path = trip.path()
        return (trip.scenario(name, path, trip.seen(path)),)

    return told


def _by_name(alone: tuple[Story, ...], groups: tuple[Group, ...]) -> Mapping[str, Group]:
    return {story.__name__: _alone(story) for story in alone} | {
        group.__name__: group for group in groups
    }


_STORIES: Final = (_by_name(HONEST, GROUPS_HONEST), _by_name(CHEATS, GROUPS_CHEATING))
_RARE: Final = {"tablet_at_home": 8}
_FLYING: Final = {
    *("by_air", "to_jakarta", "delayed_flight", "through_balikpapan"),
    *("drove_instead", "flight_not_taken"),
}
STORIES: Final = tuple(name for stories in _STORIES for name in stories)
