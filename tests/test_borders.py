"""Doubt at borders: accuracy, tolerance, flapping, overlaps, shores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from tests.tracks import (
    BIG,
    CITY,
    HOME,
    HONEST,
    IDLE,
    ISLE,
    NEXT,
    OFFICE,
    SQUARES,
    VILLAGE,
    at,
    claim,
    conforms,
    moved,
    only_kind,
    states,
    trip,
    unverifiable,
    verdict,
    walk,
)
from workers.case import DayState, DeviationKind, Fixes
from workers.track import RegionIndex


def test_off_the_shore_of_home_is_home_unless_the_trip_goes_beyond_the_map():
    shore = walk((0, (117.25, 0.005)), (72, (117.25, 0.005)))
    assert only_kind(verdict(trip(CITY), shore)) is DeviationKind.NEVER_LEFT
    assert unverifiable(verdict(trip(ISLE), shore))


def test_a_presence_perhaps_beyond_the_border_leaves_the_day_open():
    border = (117.25, -0.495)
    walked = walk((0, OFFICE), (8, OFFICE), (9, border), (12, border), (13, OFFICE), (72, OFFICE))
    judged = verdict(trip(CITY), walked, claim(3))
    assert states(judged) == [DayState.UNKNOWN, DayState.HOME, DayState.HOME]
    assert only_kind(judged) is DeviationKind.SHORT_STAY


def test_an_inaccurate_fix_says_nothing():
    lost = walk((0, OFFICE), (8, OFFICE), (11, VILLAGE), (58, VILLAGE), accuracy=17_000)
    judged = verdict(trip(CITY), lost)
    assert unverifiable(judged)
    assert judged.stays == ()


def test_accuracy_reaches_over_the_border():
    # 3 km inside the wrong region: excused by an accuracy of 2.5 km and the tolerance of 1 km.
    edge = (116.973, -0.75)
    stops = ((0, OFFICE), (8, OFFICE), (11, edge), (58, edge), (61, OFFICE), (72, OFFICE))
    assert conforms(verdict(trip(CITY), walk(*stops, accuracy=2_500)))
    assert only_kind(verdict(trip(CITY), walk(*stops))) is DeviationKind.WRONG_REGION


def test_no_accuracy_is_believed_below_the_floor():
    edge = (116.9895, -0.75)  # 1.17 km inside the wrong region
    assert conforms(verdict(trip(CITY), walk((0, edge), (72, edge), accuracy=2)))


def test_in_doubt_a_stay_is_where_it_should_be():
    edge = (116.995, -0.75)
    assert [stay.region for stay in verdict(trip(CITY), walk((0, edge), (72, edge))).stays] == [
        CITY
    ]


@pytest.mark.parametrize("unknown", [np.nan, 0.0, -1.0])
def test_an_accuracy_not_told_is_assumed(unknown: float):
    edge = (116.983, -0.75)  # 1.9 km inside the wrong region, within 1 km + 1 km
    stops = ((0, OFFICE), (8, OFFICE), (11, edge), (58, edge), (61, OFFICE), (72, OFFICE))
    assert conforms(verdict(trip(CITY), walk(*stops, accuracy=unknown)))
    assert only_kind(verdict(trip(CITY), walk(*stops))) is DeviationKind.WRONG_REGION


def test_flapping_at_a_border_within_tolerance():
    def jitter(fixes: Fixes) -> None:
        rng = np.random.default_rng(0)
        fixes.lon[120:690] = 117.0 + rng.normal(0, 0.003, 570)

    judged = verdict(trip(CITY), moved(HONEST, jitter), claim(3))
    assert conforms(judged)
    assert [stay.region for stay in judged.stays] == [HOME, CITY, HOME]


def test_flapping_between_two_wrong_regions_is_one_wrong_region():
    regions = RegionIndex(
        [
            (HOME, "Kota Samarinda", box(117.0, -0.5, 117.5, 0.0)),
            (CITY, "Kota Balikpapan", box(118.0, -1.0, 118.5, -0.5)),
            (NEXT, "Kabupaten Paser", box(116.5, -1.0, 117.0, -0.5)),
            (BIG, "Kabupaten Kutai Kartanegara", box(117.0, -1.0, 117.5, -0.5)),
        ],
        1_000,
    )

    def jitter(fixes: Fixes) -> None:
        rng = np.random.default_rng(0)
        fixes.lon[132:700] = 117.0 + rng.normal(0, 0.002, 568)
        fixes.lat[132:700] = -0.75

    judged = verdict(trip(CITY), moved(IDLE, jitter), regions=regions)
    (deviation,) = (d for d in judged.deviations if d.kind is DeviationKind.WRONG_REGION)
    assert deviation.ended_at - deviation.started_at > (at(47) - at(0)) * 0.9


def test_home_near_the_border_is_never_certain():
    border = (117.25, -0.495)
    judged = verdict(trip(CITY), walk((0, border), (72, border)), claim(3))
    assert unverifiable(judged)
    assert judged.unknown_days == 3


def test_overlapping_outlines_hold_a_fix_in_both():
    regions = RegionIndex(
        [
            (HOME, "Kota Samarinda", box(117.0, -0.5, 117.5, 0.0)),
            (CITY, "Kota Balikpapan", box(117.0, -1.0, 117.5, -0.5)),
            (NEXT, "Kabupaten Paser", box(116.5, -1.0, 117.3, -0.5)),
        ],
        100,
    )
    assert conforms(verdict(trip(CITY), HONEST, regions=regions))
    assert conforms(verdict(trip(NEXT), HONEST, regions=regions))
    labels = regions.label(
        regions.project(lon=np.array([117.2]), lat=np.array([-0.7])), np.zeros(1)
    )
    assert [code for code, may in zip(labels.codes, labels.may[0], strict=True) if may] == [
        NEXT,
        CITY,
    ]
    assert labels.codes[labels.inside[0]] == NEXT


def test_labels_know_what_a_fix_may_lie_in():
    lon = np.array([117.25, 117.004, 117.25, 116.0, 116.497])
    lat = np.array([-0.25, -0.75, -0.502, -0.25, -0.75])
    labels = SQUARES.label(SQUARES.project(lon=lon, lat=lat), np.full(5, 250.0))
    assert [labels.codes[i] for i in labels.inside] == [HOME, CITY, CITY, None, None]
    may = [{c for c, m in zip(labels.codes, row, strict=True) if m} for row in labels.may]
    assert may == [{HOME}, {CITY, NEXT}, {HOME, CITY}, {None}, {None, NEXT}]
    assert SQUARES.names[NEXT] == "Kabupaten Paser"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32),
    st.floats(0, 3_000),
    st.sampled_from([(117.0, -0.5), (117.25, 0.0), (117.5, -0.25), (117.31, -0.47), (118, 1)]),
)
def test_many_positions_are_labelled_as_each_alone(seed, tolerance, place):
    """Round a corner of three regions with a hole between them, a shore, a border, far off."""
    regions = RegionIndex(
        [
            (HOME, "Kota Samarinda", box(117.0, -0.5, 117.5, 0.0)),
            (CITY, "Kota Balikpapan", box(117.0, -1.0, 117.49, -0.502)),
            (NEXT, "Kabupaten Paser", box(116.5, -1.0, 117.002, 0.3)),
        ],
        tolerance,
    )
    rng = np.random.default_rng(seed)
    clusters = rng.normal(0, 0.02, (4, 2)) + place
    lon, lat = (clusters[rng.integers(0, 4, 150)] + rng.normal(0, 4e-4, (150, 2))).T
    at, reach = regions.project(lon=lon, lat=lat), rng.uniform(5, 400, 150)
    together = regions.label(at, reach)
    for i in range(150):
        alone = regions.label(at[i : i + 1], reach[i : i + 1])
        assert together.codes[together.inside[i]] == alone.codes[alone.inside[0]]
        assert _may(together, i) == _may(alone, 0)


def _may(labels, i):
    return {code for code, may in zip(labels.codes, labels.may[i], strict=True) if may}
