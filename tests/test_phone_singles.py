"""One fix alone takes a shorter way than many together: to the same fixes, by the same rules."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_phone_bad_input import FORMATS, NOW, SECONDS, batch, objects, sound, values

from graphql_api.phones import gpslogger, gpx
from graphql_api.phones.reading import Columns, checked, fields
from tenants.fixes import Fixes

# What decides: at a bound, just beyond it, written otherwise, nothing at all.
FAR = datetime(2026, 11, 25, 3, 10, tzinfo=UTC).timestamp()
NUMBERS = [
    0,
    -0.0,
    "0",
    1,
    100,
    100.0001,
    -1,
    90,
    "-90,0",
    90.0001,
    180,
    "180",
    -180.0001,
    6_371_000,
]
TIMES = [SECONDS, SECONDS * 1000, str(SECONDS), FAR, FAR + 1e-3, 946_684_800, 946_684_799.9, 1e11]
said = values | st.sampled_from([*NUMBERS, *TIMES]) | st.floats(-200, 200)
members = st.fixed_dictionaries({}, optional=dict.fromkeys(range(2, 8), said))


def rows(fixes):
    return [
        tuple(getattr(fixes, name)[at].tobytes() for name in Fixes.__slots__)
        for at in range(len(fixes))
    ]


def same(together, *apart):
    """One upload has the fixes of several, to the bit, and what is unusable in them."""
    assert sorted(rows(together.fixes)) == sorted(row for each in apart for row in rows(each.fixes))
    assert {getattr(together.fixes, name).dtype.str for name in Fixes.__slots__} == {"<f8", "|b1"}
    parts = [part for each in apart for part in each.unusable]
    assert sorted(map(repr, together.unusable)) == sorted(map(repr, parts))


@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None, max_examples=150)
@given(st.lists(members, min_size=2, max_size=3), st.lists(objects, max_size=1))
def test_read_together_or_apart(form, given, more):
    held = [
        FORMATS[form][1]({FORMATS[form][field]: value for field, value in each.items()})
        for each in given
    ] + more
    same(batch(form, held), *(batch(form, [each]) for each in held))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(said | st.sampled_from(["false", "True", 2]), min_size=7, max_size=7),
    st.booleans(),
    st.sampled_from([(1, 1), (3.6, 100)]),
    st.sampled_from([(), ("mock",), ("speed", "battery")]),
)
def test_columns_of_one_and_of_two(row, placed, units, missing):
    row[:3] = (SECONDS, 117.4, 0.1) if placed else row[:3]

    def upload(number):
        columns = {
            name: None if name in missing else [value] * number
            for name, value in zip(Fixes.__slots__, row, strict=True)
        }
        raw = Columns(**columns, metre_a_second=units[0], full=units[1])
        return sound(checked([{}] * number, raw, now=NOW))

    same(upload(2), upload(1), upload(1))


def test_a_good_one_of_each_format():
    for form, (_, one, *_) in FORMATS.items():
        assert len(batch(form, [one({})]).fixes) == 1
    query = {"lat": "0,1", "lon": "117.4", "time": str(SECONDS), "spd": "2", "batt": "50"}
    upload = gpslogger.read(b"acc=4", query, now=NOW)
    assert [column[0] for column in map(upload.fixes.__getattribute__, Fixes.__slots__)] == [
        *(SECONDS, 117.4, 0.1, 4, 2, False, 0.5)
    ]


@pytest.mark.parametrize(("lon", "time"), [("117.4", "2026-11-25T02:50:00Z"), ("181", "x")])
def test_a_file_of_one_point_and_of_two(lon, time):
    point = f'<trkpt lat="0.1" lon="{lon}"><time>{time}</time></trkpt>'
    one, two = (
        gpx.read(f"<gpx><trk><trkseg>{point * n}</trkseg></trk></gpx>".encode(), {}, now=NOW)
        for n in (1, 2)
    )
    assert rows(two.fixes) == rows(one.fixes) * 2
    assert [part.reason for part in two.unusable] == [part.reason for part in one.unusable] * 2


FORM = st.lists(
    st.sampled_from([b"&", b"=", b"+", b"%", b"%2", b"%2B", b"%ff", b"%C3%A9", b"\xc3\xa9", b"a"])
    | st.binary(max_size=3)
).map(b"".join)


@settings(deadline=None, max_examples=500)
@given(FORM)
def test_fields_are_those_of_the_standard_library(body):
    assert fields(body) == dict(parse_qsl(body.decode(errors="replace")))
