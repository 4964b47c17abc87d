"""A track as one value: the encoded polyline decodes again, GeoJSON leaves silences open."""

import json
from itertools import pairwise

import numpy as np
import pytest
from asking import decoded
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.polyline import SILENCE_SECONDS, encode, feature
from tenants.fixes import Fixes

NAN = float("nan")
POSITIONS = st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=60)


def line(*positions: tuple[float, float]) -> str:
    lon, lat = np.array(positions, dtype=np.float64).reshape(-1, 2).T
    return encode(lon=lon, lat=lat)


def fixes(*rows: tuple[float, float, float, float]) -> Fixes:
    """Of (seconds, lon, lat, accuracy)."""
    time, lon, lat, accuracy = np.array(rows, dtype=np.float64).T
    unknown = np.full(len(rows), NAN)
    return Fixes(time, lon, lat, accuracy, unknown, np.zeros(len(rows), dtype=bool), unknown)


def test_the_published_example():
    published = line((-120.2, 38.5), (-120.95, 40.7), (-126.453, 43.252))
    assert published == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"
    assert line((-179.9832104, 0.0)) == "?`~oia@"


def test_no_position_and_one():
    assert line() == ""
    assert line((0.0, 0.0)) == "??"
    assert decoded(line((117.148, -0.495))) == [(117.148, -0.495)]


@given(POSITIONS)
def test_it_decodes_to_what_was_encoded(positions):
    found = decoded(line(*positions))
    assert len(found) == len(positions)
    # Rounding each position, never the steps: errors do not add up along the line.
    assert np.abs(np.array(found) - np.array(positions)).max() <= 0.5e-5 + 1e-12


@pytest.mark.parametrize(
    "corner", [(180, 90), (-180, -90), (180, -90), (-180, 90), (0, 0), (-1e-5, 1e-5), (-4e-6, 0)]
)
def test_the_longest_steps_and_the_shortest(corner):
    positions = [corner, (-corner[0], -corner[1]), corner, corner]
    assert decoded(line(*positions)) == [
        (pytest.approx(lon, abs=5e-6), pytest.approx(lat, abs=5e-6)) for lon, lat in positions
    ]


def test_a_line_is_cut_where_the_phone_was_silent():
    hour = SILENCE_SECONDS
    shown = feature(
        fixes(
            (0, 117.1, -0.5, 12),
            (hour, 117.2, -0.6, NAN),
            (2 * hour + 1, 117.3, -0.7, 8),
            (2 * hour + 2, 117.4, -0.8, 9.26),
        )
    )
    assert shown["type"] == "Feature"
    assert shown["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [[[117.1, -0.5], [117.2, -0.6]], [[117.3, -0.7], [117.4, -0.8]]],
    }
    assert shown["properties"] == {
        "times": [[0, hour], [2 * hour + 1, 2 * hour + 2]],
        "accuracies": [[12, None], [8, 9.3]],
    }
    # NaN is no JSON.
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_a_lonely_fix_is_a_line_of_two_equal_positions():
    hour = SILENCE_SECONDS
    shown = feature(
        fixes((0, 1, 1, 5), (hour * 3, 2, 2, NAN), (hour * 6, 3, 3, 7), (hour * 6 + 9, 4, 4, 8))
    )
    assert shown["geometry"]["coordinates"] == [
        [[1, 1], [1, 1]],
        [[2, 2], [2, 2]],
        [[3, 3], [4, 4]],
    ]


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 1e4)),
        min_size=1,
        max_size=30,
    )
)
def test_times_and_accuracies_run_beside_the_coordinates(rows):
    shown = feature(fixes(*sorted(rows)))
    lines = shown["geometry"]["coordinates"]
    times, accuracies = shown["properties"]["times"], shown["properties"]["accuracies"]
    assert all(len(part) >= 2 for part in lines), "RFC 7946, 3.1.4"
    assert [len(part) for part in lines] == [len(part) for part in times]
    assert [len(part) for part in lines] == [len(part) for part in accuracies]
    for part in times:
        assert max(np.diff(part)) <= SILENCE_SECONDS
    for before, after in pairwise(times):
        assert after[0] - before[-1] > SILENCE_SECONDS
    assert len({time for part in times for time in part}) == len({row[0] for row in rows})
