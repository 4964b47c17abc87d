"""What real phones do, which must accuse nobody: gaps, jumps, borders, silence."""

import numpy as np
import pytest

from tests.tracks import (
    CITY,
    HOME,
    HONEST,
    HOTEL,
    IDLE,
    ISLE,
    NEXT,
    OFFICE,
    SQUARES,
    VILLAGE,
    accusations,
    at,
    claim,
    conforms,
    moved,
    only_kind,
    silence,
    states,
    trip,
    unverifiable,
    verdict,
    walk,
)
from workers.case import DayState, DeviationKind, Fixes, Gap
from workers.judge import begin, fold
from workers.ruleset import Ruleset


def test_no_fixes_are_no_accusation():
    judged = verdict(trip(CITY), silence(), claim(3))
    assert unverifiable(judged)
    assert (judged.coverage, judged.observed_days, judged.unknown_days) == (0.0, 0, 3)
    assert judged.gaps == (Gap(at(0), at(72)),)


@pytest.mark.parametrize("hour", [-10, 0, 0.5, 12])
def test_before_the_first_fix_nothing_is_known(hour: float):
    judged = verdict(trip(CITY), silence(), hour=hour)
    assert unverifiable(judged)
    assert judged.coverage == 0
    assert judged.gaps == ((Gap(at(0), at(hour)),) if hour > 0 else ())
    assert not judged.final


def test_one_fix():
    judged = verdict(trip(CITY), walk((10, HOTEL), (10, HOTEL)), claim(3))
    assert unverifiable(judged)
    assert judged.stays == ()


def test_fixes_outside_the_window_are_not_looked_at():
    after = walk((-30, VILLAGE), (-1, VILLAGE), (-0.5, OFFICE), (8, OFFICE), (10, HOTEL))
    late = walk((10, HOTEL), (70, HOTEL), (73, VILLAGE), (100, VILLAGE))
    assert conforms(verdict(trip(CITY), after, hour=9.9))
    assert conforms(verdict(trip(CITY), late))


def test_the_future_is_not_looked_at():
    astray = walk((0, OFFICE), (8, OFFICE), (11, VILLAGE), (72, VILLAGE))
    assert conforms(verdict(trip(CITY), astray, hour=9))


def test_a_dead_battery_is_no_accusation():
    judged = verdict(trip(CITY), walk((0, OFFICE), (6, OFFICE)), claim(3))
    assert unverifiable(judged)
    assert states(judged) == [DayState.UNKNOWN] * 3
    assert judged.gaps == (Gap(at(6), at(72)),)


def test_a_battery_dead_for_good_hides_leaving_that_night():
    judged = verdict(trip(CITY), walk((0, OFFICE), (45, OFFICE)), claim(3))
    assert states(judged) == [DayState.HOME, DayState.UNKNOWN, DayState.UNKNOWN]
    assert states(verdict(trip(CITY), walk((0, OFFICE), (69, OFFICE)))) == [DayState.HOME] * 3


def test_a_battery_dead_from_morning_to_evening_hides_a_day_trip():
    judged = verdict(
        trip(CITY, days=1), walk((0, OFFICE), (24, OFFICE), silent=[(8, 17)]), claim(1)
    )
    assert judged.coverage == 1.0  # for all we know it lay at home
    assert states(judged) == [DayState.UNKNOWN]
    assert unverifiable(judged)


def test_a_silence_that_begins_away_hides_the_way_home():
    night = walk(
        *((0, OFFICE), (8, OFFICE), (10, HOTEL), (46, HOTEL), (50, OFFICE), (72, OFFICE)),
        silent=[(47, 54)],
    )
    assert states(verdict(trip(CITY), night))[2] is DayState.UNKNOWN
    heard = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (44, HOTEL), (46, OFFICE), (72, OFFICE))
    assert states(verdict(trip(CITY), heard))[2] is DayState.HOME


def test_low_coverage_is_unverifiable_though_the_destination_was_seen():
    judged = verdict(trip(CITY), walk((8, OFFICE), (10, HOTEL), (20, HOTEL)))
    assert unverifiable(judged)
    assert judged.coverage == pytest.approx(12 / 72)


def test_low_coverage_is_early_days_while_the_trip_lasts():
    assert conforms(verdict(trip(CITY), walk((8, OFFICE), (10, HOTEL), (12, HOTEL)), hour=12))


def test_without_the_destination_nothing_conforms():
    near = walk((0, OFFICE), (8, OFFICE), (12, (117.6, -0.25)), (16, OFFICE), (72, OFFICE))
    assert unverifiable(verdict(trip(CITY), near))


def test_a_destination_without_outline_can_be_neither_wrong_nor_seen():
    java = (108.0, -6.0)
    there = walk((0, OFFICE), (8, OFFICE), (14, java), (60, java), (66, OFFICE), (72, OFFICE))
    judged = verdict(trip(ISLE), there, claim(3))
    assert unverifiable(judged)
    assert judged.observed_days == 3


def test_one_or_two_fixes_are_no_presence():
    def stray(fixes: Fixes) -> None:
        fixes.lat[[30, 31]] = -0.75

    hourly = walk((0, OFFICE), (72, OFFICE), every=3_600)
    assert states(verdict(trip(CITY), moved(hourly, stray))) == [DayState.HOME] * 3


def test_minutes_are_no_presence():
    def stray(fixes: Fixes) -> None:
        fixes.lat[2_000:2_010] = -0.75

    often = walk((0, OFFICE), (72, OFFICE), every=60)
    assert states(verdict(trip(CITY), moved(often, stray))) == [DayState.HOME] * 3


def test_traccar_is_silent_all_night_where_it_stands():
    nights = walk(
        *((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE)),
        silent=[(18, 31.5), (42, 55)],
    )
    judged = verdict(trip(CITY), nights)
    assert conforms(judged)
    assert judged.coverage == 1.0
    assert judged.gaps == ()


def test_silence_on_the_move_is_a_gap():
    moving = walk(
        *((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE)),
        silent=[(7, 12)],
    )
    judged = verdict(trip(CITY), moving)
    assert judged.gaps == (Gap(at(7), at(12)),)
    assert judged.coverage == pytest.approx(67 / 72)
    assert [(s.region, s.started_at, s.ended_at) for s in judged.stays][:1] == [
        (HOME, at(0), at(7))
    ]


def test_silence_between_two_sightings_is_no_stay():
    def at_hour(hour: float, lat: float) -> list[tuple[float, tuple[float, float]]]:
        return [(hour, (116.75, lat)), (hour + 1, (116.75, lat))]

    twice = walk(
        (0, OFFICE), (8, OFFICE), *at_hour(11, -0.75), *at_hour(20, -0.8), silent=[(12, 20)]
    )
    judged = verdict(trip(CITY), twice)
    assert accusations(judged) == []
    assert [stay.region for stay in judged.stays][-2:] == [NEXT, NEXT]


def test_a_jump_to_the_wrong_region_and_back_is_nothing():
    def jump(fixes: Fixes) -> None:
        for i in (200, 300, 301, 302, 400):
            fixes.lon[i], fixes.lat[i] = 116.6, -0.6  # 72 km in 5 minutes: 860 km/h

    judged = verdict(trip(CITY), moved(HONEST, jump), claim(3))
    assert conforms(judged)
    assert [stay.region for stay in judged.stays] == [HOME, CITY, HOME]
    assert only_kind(verdict(trip(CITY), moved(IDLE, jump))) is DeviationKind.NEVER_LEFT


def test_jumps_are_taken_out_before_presence_is_looked_for():
    def jump(fixes: Fixes) -> None:
        fixes.lon[100::10] = 116.6

    clean = verdict(trip(CITY), moved(IDLE, jump))
    (stay,) = clean.stays
    assert stay.fixes == len(IDLE.time) - 1 - len(IDLE.time[100:-1:10])


def test_a_flight_is_no_jump():
    flight = walk((0, OFFICE), (8, OFFICE), (9, (124.0, -0.25)), (12, (124.0, -0.25)))
    assert kept(flight) == len(flight.time)


def test_two_phones_taking_turns_lose_no_fix():
    def turns(fixes: Fixes) -> None:
        fixes.lon[::2], fixes.lat[::2] = VILLAGE

    assert kept(moved(IDLE, turns)) == len(IDLE.time) - 1  # the last is after the window


def kept(fixes: Fixes) -> int:
    """How many fixes are in the spells, outliers left out."""
    state = fold(begin(trip(CITY), Ruleset(version=1), SQUARES), fixes)
    return int(state.spells["fixes"].sum())


def test_two_phones_taking_turns_prove_nothing():
    def turns(fixes: Fixes) -> None:
        fixes.lon[::2], fixes.lat[::2] = VILLAGE

    assert unverifiable(verdict(trip(CITY), moved(IDLE, turns), claim(3)))


def test_157_identical_fixes_are_innocent():
    def frozen(fixes: Fixes) -> None:
        rng = np.random.default_rng(0)
        fixes.lon[:] += rng.normal(0, 1e-4, len(fixes.lon))
        fixes.lon[200:357] = fixes.lon[200]

    assert conforms(verdict(trip(CITY), moved(HONEST, frozen), claim(3)))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("accuracy", "region"), [(19, HOME), (20, CITY), (21, CITY)])
def test_of_fixes_at_one_time_the_most_accurate_then_the_southern_counts(
    first: int, accuracy: float, region: str
):
    two = [walk((0, OFFICE), (72, OFFICE), accuracy=accuracy), walk((0, HOTEL), (72, HOTEL))]
    one, other = two[first], two[1 - first]
    names = ("time", "lon", "lat", "accuracy", "mock", "battery", "chunk")
    both = [np.concatenate((getattr(one, name), getattr(other, name))) for name in names]
    judged = verdict(trip(CITY), Fixes(*both, one.digests))
    assert [stay.region for stay in judged.stays] == [region]
