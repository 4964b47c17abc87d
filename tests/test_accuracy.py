"""Verdicts on simulated trips keep what the product promises of them.

`infra/bench accuracy` measures the same on more trips, and names the cases.
"""

import json

import pytest

from infra.benchmarks.accuracy import Accuracy, measure
from workers.simulator import STORIES

FALSE_ACCUSATIONS = 0.5
MINUTES = 15
RECALL = {
    "never left, by any rule": 0.97,
    "wrong region": 0.98,
    "short stay": 0.95,
    "spoofing": 0.7,
    "spoofing, fixes within 15 min": 0.9,
    "copies": 0.9,
}
TOLD = {"spoofing": 0.9}
TWO_DEVICES = "tablet_at_home"
"""A track does not say which of a traveller's devices each fix is of."""


@pytest.fixture(scope="module")
def found() -> Accuracy:
    return measure(trips=800, seed=3)


def test_the_honest_are_not_accused(found: Accuracy):
    groups = [group for story, group in found.stories.items() if story != TWO_DEVICES]
    accused = sum(group.accused.total() for group in groups)
    days = sum(group.honest_days for group in groups)
    assert days > 1_000
    assert 100 * accused / days <= FALSE_ACCUSATIONS, [c for c in found.cases if c["false"]]


@pytest.mark.parametrize("bar", RECALL)
def test_cheats_are_found_where_the_track_says_enough(found: Accuracy, bar: str):
    assert found.bars[bar].so >= 5
    recall = found.bars[bar].recall
    assert recall is not None
    assert recall >= RECALL[bar]


@pytest.mark.parametrize("bar", TOLD)
def test_what_does_not_suffice_to_accuse_is_noted(found: Accuracy, bar: str):
    told = found.bars[bar].told
    assert told is not None
    assert told >= TOLD[bar]


def test_notes_are_rare_on_honest_trips(found: Accuracy):
    assert sum(group.honest for group in found.stories.values()) > 300
    assert sum(group.suspected for group in found.stories.values()) <= 2


def test_arrivals_and_departures_are_told_in_time(found: Accuracy):
    told = found.everything.told()
    assert told["stays_found"] > 0.9 * told["stays"]
    assert told["arrival_minutes"]["median"] <= MINUTES
    assert told["departure_minutes"]["median"] <= MINUTES


def test_most_honest_trips_are_verifiable(found: Accuracy):
    told = found.everything.told()
    assert told["honest_unverifiable"] < 0.3


def test_the_report_names_every_story_and_every_rule(
    found: Accuracy, capsys: pytest.CaptureFixture[str]
):
    assert set(found.stories) == set(STORIES)
    found.print(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert set(told["rules"]) == set(found.rules)
    assert all({"scene", "seed", "story"} <= case.keys() for case in told["cases"])
    found.print(as_json=False)
    assert f"{told['false_accusations_per_100_honest_days']:.2f}" in capsys.readouterr().out
