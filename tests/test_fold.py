"""However a track arrives, it is read as the oracle reads it at once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import state_of
from tests.test_judge_properties import PLANS, journeys
from tests.tracks import (
    CITY,
    HOME,
    HOTEL,
    IDLE,
    OFFICE,
    SQUARES,
    VILLAGE,
    at,
    claim,
    moved,
    trip,
    walk,
)
from workers.case import Dossier, Fixes
from workers.fold import State
from workers.judge import begin, conclude, fold
from workers.ruleset import Ruleset

RULES = Ruleset(version=7)


def uploads(fixes: Fixes, parts: int, rng: np.random.Generator) -> list[Fixes]:
    """The fixes in as many uploads, shuffled, some sent twice, each with a digest of its own."""
    n = len(fixes.time)
    order = rng.permutation(np.concatenate((np.arange(n), rng.integers(0, max(n, 1), min(n, 20)))))
    names = ("time", "lon", "lat", "accuracy", "mock", "battery")
    return [
        Fixes(
            *(getattr(fixes, name)[part] for name in names),
            np.zeros(len(part), dtype=np.int32),
            (b"%d" % i,),
        )
        for i, part in enumerate(np.array_split(order, parts))
    ]


def together(parts: list[Fixes]) -> Fixes:
    names = ("time", "lon", "lat", "accuracy", "mock", "battery")
    chunk = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.time) for part in parts])
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Fixes(*columns, chunk, tuple(digest for part in parts for digest in part.digests))


def folded(plan, parts: list[Fixes]) -> State:
    state = begin(plan, RULES, SQUARES)
    for part in parts:
        state = fold(state, part)
    return state


@settings(deadline=None, max_examples=50)
@given(journeys(), PLANS, st.integers(0, 2**32), st.integers(1, 12), st.floats(-1, 80))
def test_any_order_and_splitting_of_uploads_ends_in_the_verdict_of_the_oracle(
    fixes, plan, seed, parts, hour
):
    rng = np.random.default_rng(seed)
    some = rng.random(len(fixes.time)) < rng.random() / 2
    fixes = replace(fixes, mock=some, battery=np.where(some, 0.04, np.nan).astype(np.float32))
    sent = uploads(fixes, parts, rng)
    dossier = Dossier(claim=claim(3))
    read = state_of(plan, RULES, SQUARES, together(sent))
    expected = conclude(read, dossier, as_of=at(hour))
    state = folded(plan, sent)
    assert conclude(state, dossier, as_of=at(hour)) == expected
    again = [sent[i] for i in rng.permutation(parts)]
    assert conclude(folded(plan, again), dossier, as_of=at(hour)) == expected


def minutely(*stops, seed=0, silent=()):
    rng = np.random.default_rng(seed)

    def jitter(fixes: Fixes) -> None:
        n = len(fixes.time)
        fixes.lon[:] += rng.normal(0, 3e-4, n)
        fixes.lat[:] += rng.normal(0, 3e-4, n)
        wild = rng.random(n) < 0.02
        fixes.lon[wild] += rng.normal(0, 0.2, wild.sum())
        fixes.accuracy[:] = rng.choice([4, 30, 400, 3_000, 9_000, np.nan], n)

    return moved(walk(*stops, every=60, silent=silent), jitter)


@pytest.mark.parametrize("seed", range(4))
def test_a_dense_noisy_track_is_read_as_the_oracle_reads_it(seed):
    stops = ((0, OFFICE), (8, OFFICE), (10, HOTEL), (19, HOTEL), (20, VILLAGE), (24, OFFICE))
    fixes = minutely(*stops, seed=seed, silent=[(4, 5.5), (13, 16)])
    rng = np.random.default_rng(seed)
    sent = uploads(fixes, 9, rng)
    plan = trip(CITY, days=1)
    one, other = folded(plan, sent), state_of(plan, RULES, SQUARES, together(sent))
    assert len(one.spells) > 20
    for name in one.spells.dtype.names:
        if name != "label":
            np.testing.assert_array_equal(one.spells[name], other.spells[name], name)
    assert labelled(one) == labelled(other)


def labelled(state: State):
    return [state.labels[number] for number in state.spells["label"]]


def test_what_was_folded_before_stays_as_it_was():
    plan = trip(CITY)
    state = folded(plan, [walk((0, OFFICE), (5, OFFICE))])
    before = (state.spells.tobytes(), state.sightings.tobytes(), state.digests)
    fold(state, walk((4, HOTEL), (30, HOTEL)))
    assert (state.spells.tobytes(), state.sightings.tobytes(), state.digests) == before


def test_a_late_upload_changes_the_hours_around_it_only():
    plan = trip(CITY)
    whole = walk((0, OFFICE), (72, OFFICE), silent=[(30, 33)])
    late = walk((30.2, OFFICE), (32.8, OFFICE))
    state = folded(plan, [whole])
    after = fold(state, late)
    assert len(after.sightings) == len(state.sightings) + len(late.time)
    elsewhere = [number for number in state.fixes if after.fixes[number] is state.fixes[number]]
    assert len(elsewhere) == len(state.fixes) - len(
        {int(t // 3600) for t in late.time} & set(state.fixes)
    )


def test_a_spell_is_held_where_it_may_be_until_it_has_settled_beyond():
    border = (117.25, -0.5)
    edge = walk(
        (0, OFFICE), (8, OFFICE), (9, border), (9.5, (117.25, -0.503)), (12, (117.25, -0.503))
    )
    stays = conclude(folded(trip(CITY), [edge]), Dossier(), as_of=at(12)).stays
    assert [stay.region for stay in stays] == [HOME, CITY]
    quick = walk((0, OFFICE), (8, OFFICE), (9, border), (9.3, (117.25, -0.503)), (10, OFFICE))
    stays = conclude(folded(trip(CITY), [quick]), Dossier(), as_of=at(12)).stays
    assert [stay.region for stay in stays] == [HOME]


def test_an_upload_outside_the_window_changes_nothing_but_the_digests():
    state = folded(trip(CITY), [IDLE])
    after = fold(state, walk((80, HOTEL), (90, HOTEL)))
    assert after.spells is state.spells
    assert len(after.digests) == len(state.digests) + len(walk((80, HOTEL), (90, HOTEL)).digests)
