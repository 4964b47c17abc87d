"""A copy is found however it was shifted; two honest phones in one car are two."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracks import HOTEL, MIDNIGHT, OFFICE, VILLAGE, WITA, moved, silence, walk
from workers.case import Fixes, Likeness, Pair
from workers.likeness import FEW, FEWEST, GRIDS, cells, likeness, pair, prints

DAY = 86_400
METRE = 1 / 111_195


def road(*, every: float = 30, hours: float = 4, phase: float = 0) -> Fixes:
    """The same winding drive at changing speed, as heard at its own times, without noise."""
    rng = np.random.default_rng(5)
    seconds = int(hours * 3600)
    pace = 14 + 8 * np.sin(np.cumsum(rng.normal(0, 0.02, seconds)))
    course = np.cumsum(rng.normal(0, 0.01, seconds))
    lon = OFFICE[0] + np.cumsum(pace * np.sin(course)) * METRE
    lat = OFFICE[1] + np.cumsum(pace * np.cos(course)) * METRE
    drive = walk((0, OFFICE), ((seconds - 1) / 3600, OFFICE), every=every)
    at = np.minimum(drive.time - MIDNIGHT.timestamp() + phase, seconds - 1)
    return replace(
        drive,
        time=MIDNIGHT.timestamp() + at,
        lon=np.interp(at, np.arange(seconds), lon),
        lat=np.interp(at, np.arange(seconds), lat),
    )


def heard(fixes: Fixes, seed: int, *, metres: float = 3, last: float = 60) -> Fixes:
    """As one phone hears it: an error of its own that lasts for some seconds."""
    rng = np.random.default_rng(seed)
    kept = np.exp(-np.diff(fixes.time, prepend=fixes.time[:1]) / last)

    def shake(copy: Fixes) -> None:
        for degrees in (copy.lon, copy.lat):
            noise = rng.normal(0, metres * METRE, len(kept)) * np.sqrt(1 - kept**2)
            noise[:1] = rng.normal(0, metres * METRE, min(1, len(kept)))
            for i in range(1, len(kept)):
                noise[i] += kept[i] * noise[i - 1]
            degrees[:] += noise

    return moved(fixes, shake)


MINE = heard(road(), 1)


def shifted(fixes: Fixes, *, lon: float = 0, lat: float = 0, time: float = 0, decimals: int = 7):
    return replace(
        fixes,
        time=fixes.time + time,
        lon=np.round(fixes.lon + lon, decimals),
        lat=np.round(fixes.lat + lat, decimals),
    )


def alike(mine: Fixes, theirs: Fixes) -> Likeness | None:
    return likeness(mine, theirs, letter="094/12", first=False)


def share(mine: Fixes, theirs: Fixes) -> float:
    found = alike(mine, theirs)
    return found.shared if found else 0.0


def common(one: np.ndarray, other: np.ndarray) -> float:
    return len(np.intersect1d(one, other)) / max(1, len(one))


def test_a_drive_has_hundreds_of_fingerprints():
    assert 100 <= len(prints(MINE)) <= FEW
    assert prints(MINE).dtype == np.int64


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-1, 1),
    st.floats(-0.5, 0.5),
    st.integers(-400 * DAY, 400 * DAY),
    st.sampled_from([(12, 0.97), (7, 0.8), (6, 0.4)]),
)
def test_a_copy_shifted_in_time_and_space_shares_most(lon, lat, time, rounding):
    decimals, least = rounding
    copy = shifted(MINE, lon=lon, lat=lat, time=time, decimals=decimals)
    found = alike(copy, MINE)
    assert found is not None
    assert found.shared >= least
    assert found.shift_seconds == time
    assert common(prints(copy), prints(MINE)) >= least - 0.15


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_fingerprints_depend_on_the_set_of_fixes_alone(seed, parts):
    rng = np.random.default_rng(seed)
    n = len(MINE.time)
    order = rng.permutation(np.append(np.arange(n), rng.integers(0, n, 50)))
    names = ("time", "lon", "lat", "accuracy", "mock", "battery")
    mixed = Fixes(
        *(getattr(MINE, name)[order] for name in names),
        rng.integers(0, parts, len(order)).astype(np.int32),
        tuple(b"%d" % i for i in range(parts)),
    )
    np.testing.assert_array_equal(prints(mixed), prints(MINE))
    np.testing.assert_array_equal(cells(mixed), cells(MINE))


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 0.7), st.floats(0.2, 0.3))
def test_a_part_is_found_in_the_whole(start, length):
    n = len(MINE.time)
    part = MINE.only((np.arange(n) >= start * n) & (np.arange(n) <= (start + length) * n))
    assert share(part, MINE) == 1.0
    assert length - 0.1 < share(MINE, part) < length + 0.1
    assert len(np.intersect1d(prints(part), prints(MINE))) >= 3 * FEWEST


def test_a_long_track_is_thinned_by_value_so_that_its_parts_are_still_in_it():
    long = heard(road(every=5, hours=8), 1)
    part = long.only(np.arange(len(long.time)) < 1000)
    assert len(prints(long)) == FEW
    assert np.isin(prints(long), prints(part)).sum() >= 0.1 * len(prints(long))
    assert share(part, long) == 1.0


def test_a_day_is_found_in_a_month():
    month = heard(road(hours=30 * 24), 1)
    day = month.only(
        (month.time > month.time[0] + 9 * DAY) & (month.time < month.time[0] + 10 * DAY)
    )
    assert len(np.intersect1d(prints(day), prints(month))) >= 4 * FEWEST


@pytest.mark.parametrize("every", [1, 5, 30, 300])
@pytest.mark.parametrize("phase", [0, 11])
def test_two_phones_in_one_car_share_nothing(every, phase):
    one = heard(road(every=every), 1)
    other = heard(road(every=every, phase=phase), 2)
    assert len(prints(one)) > 10
    assert alike(one, other) is None
    assert common(prints(one), prints(other)) == 0


def test_even_the_best_phones_in_one_car_share_less_than_a_copy():
    one, other = (heard(road(every=1), seed, metres=0.3, last=300) for seed in (1, 2))
    assert share(one, other) < 0.15


def test_resting_phones_have_no_movement_to_copy():
    at_rest = heard(walk((0, HOTEL), (72, HOTEL)), 1, metres=5)
    assert len(prints(at_rest)) == 0
    assert alike(at_rest, at_rest) is None


@pytest.mark.parametrize("masts", [2, 3])
def test_two_phones_that_hear_the_same_masts_in_turn_are_not_alike(masts):
    rest = walk((0, HOTEL), (24, HOTEL))
    which = np.arange(len(rest.time)) % masts
    to_and_fro = replace(rest, lon=rest.lon + 0.03 * which)
    assert len(prints(to_and_fro)) == 0


def test_a_road_drawn_with_a_ruler_is_no_copy():
    drawn = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE))
    assert alike(drawn, drawn) is None


@pytest.mark.parametrize("fixes", [silence(), MINE.only(np.arange(len(MINE.time)) == 3)])
def test_nothing_and_one_fix_are_like_nothing(fixes):
    assert len(prints(fixes)) == 0
    assert alike(fixes, MINE) is None
    assert alike(MINE, fixes) is None
    assert len(cells(silence())) == 0
    assert pair(silence(), MINE, letter="Rina", zone=WITA) is None


def test_broken_fixes_are_left_out():
    broken = moved(MINE, lambda copy: np.copyto(copy.lon[5:6], np.nan))
    assert share(broken, MINE) > 0.95


TRIP = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE))


def beside(one: Fixes, other: Fixes) -> Pair:
    found = pair(one, other, letter="Rina", zone=WITA)
    assert found is not None
    return found


def test_phones_in_one_bag_share_most_cells_and_colleagues_in_another_hotel_few():
    one, other = heard(TRIP, 1, metres=20), heard(TRIP, 2, metres=20)
    assert common(cells(one), cells(other)) > 0.7
    elsewhere = walk((0, OFFICE), (8, OFFICE), (10, VILLAGE), (58, VILLAGE), (60, OFFICE))
    assert common(cells(one), cells(elsewhere)) < 0.4
    later = replace(one, time=one.time + 7 * DAY)
    assert common(cells(one), cells(later)) == 0


@settings(deadline=None, max_examples=60)
@given(st.floats(110, 120), st.floats(-8, 4), st.floats(-60, 60), st.floats(-60, 60))
def test_neighbours_share_a_cell_wherever_the_grid_divides_them(lon, lat, east, north):
    one = walk((0, (lon, lat)), (24, (lon, lat)))
    place = (lon + east * METRE, lat + north * METRE)
    other = walk((0, place), (24, place))
    assert common(cells(one), cells(other)) >= 1 / GRIDS - 0.01


def test_the_cells_of_a_part_are_among_those_of_the_whole():
    long = heard(walk((0, HOTEL), (720, HOTEL)), 1, metres=20)
    other = heard(walk((0, HOTEL), (720, HOTEL)), 2, metres=20)
    assert len(cells(long)) <= 30 * 48 * GRIDS / 2
    assert common(cells(long), cells(other)) > 0.5
    last = long.only(long.time > long.time[-1] - 5 * DAY)
    assert common(cells(last), cells(long)) == 1.0


def test_phones_in_one_bag_are_a_pair_though_they_hear_at_other_moments():
    stops = ((0.04, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE))
    found = beside(heard(TRIP, 1, metres=20), heard(walk(*stops), 2, metres=20))
    assert found.seconds > 70 * 3600
    # The trip is from midnight to midnight: the end of one night, two whole, the start of one.
    assert found.nights == 4
    assert found.apart_m < 150


def test_one_outlier_parts_no_pair_but_an_afternoon_does():
    astray = moved(TRIP, lambda copy: np.copyto(copy.lon[300:303], 118.0))
    assert beside(TRIP, astray).apart_m < 50
    short = np.arange(len(TRIP.time)) < 50
    alone = moved(TRIP, lambda copy: np.copyto(copy.lon[20:21], 118.0))
    assert beside(TRIP.only(short), alone.only(short)).apart_m < 50
    afternoon = moved(TRIP, lambda copy: np.add(copy.lat[450:560], 0.01, copy.lat[450:560]))
    assert beside(TRIP, afternoon).apart_m == pytest.approx(1112, rel=0.01)


def test_a_second_car_on_the_same_road_is_apart():
    behind = replace(TRIP, time=TRIP.time + 300)
    on_the_road = (TRIP.time > MIDNIGHT.timestamp() + 8.1 * 3600) & (
        TRIP.time < MIDNIGHT.timestamp() + 9.9 * 3600
    )
    assert beside(TRIP.only(on_the_road), behind.only(on_the_road)).apart_m > 2000


def test_only_nights_heard_by_both_count():
    by_day = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (72, HOTEL), silent=[(22, 30), (46, 54)])
    found = beside(TRIP, by_day)
    assert found.nights == 2
    assert found.seconds == pytest.approx((72 - 16) * 3600, rel=0.02)
    assert (
        pair(walk((0, HOTEL), (5, HOTEL)), walk((6, HOTEL), (9, HOTEL)), letter="", zone=WITA)
        is None
    )
