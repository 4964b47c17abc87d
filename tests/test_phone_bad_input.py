"""Whatever a phone or somebody else sends: no error, and no fix that is none."""

from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_api.phones import gpslogger, gpx, overland, owntracks, traccar
from graphql_api.phones.reading import MOST_MEMBERS, MOST_SAID, Reason, name
from tenants.fixes import check
from tenants.intake import Unusable

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SECONDS = NOW.timestamp() - 600
ISO = "2026-11-25T02:50:00Z"
READERS = [gpslogger, gpx, overland, owntracks, traccar]


def owntracks_one(values):
    return {"_type": "location", "tst": SECONDS, "lat": 0.1, "lon": 117.4, "acc": 5} | values


def traccar_one(values):
    return {"id": "x", "timestamp": SECONDS, "lat": 0.1, "lon": 117.4, "accuracy": 5} | values


def nested_one(values):
    coords = {"latitude": 0.1, "longitude": 117.4, "accuracy": 5}
    battery = {"level": values.pop("level", 1)}
    moved = {key: values.pop(key) for key in values.keys() & {*coords, "speed"}}
    location = {"timestamp": ISO, "coords": coords | moved, "battery": battery} | values
    return {"location": location, "device_id": "x"}


def overland_one(values):
    place = [values.pop("lon", 117.4), values.pop("lat", 0.1)]
    properties = {"timestamp": ISO, "horizontal_accuracy": 5} | values
    return {"geometry": {"type": "Point", "coordinates": place}, "properties": properties}


FORMATS = {
    "owntracks": (owntracks, owntracks_one, "tst", "lon", "lat", "acc", "vel", "batt"),
    "traccar": (traccar, traccar_one, "timestamp", "lon", "lat", "accuracy", "speed", "batt"),
    "traccar 9": (
        traccar,
        nested_one,
        *("timestamp", "longitude", "latitude", "accuracy", "speed", "level"),
    ),
    "overland": (
        overland,
        overland_one,
        *("timestamp", "lon", "lat", "horizontal_accuracy", "speed", "battery_level"),
    ),
}


def batch(form, members):
    reader = FORMATS[form][0]
    held = {"locations": members} if reader is overland else members
    return sound(reader.read(orjson.dumps(held), {}, now=NOW))


def sound(upload):
    """The upload, whose fixes can be recorded and whose rest can be kept."""
    for part in list(upload.fixes.parts()):
        check(part, now=NOW)
    for each in upload.unusable:
        assert isinstance(each.reason, Reason)
        for kept in (each.said, each.without_position().said):
            text = orjson.dumps(kept)
            assert len(text) <= MOST_SAID
            assert rb"\u0000" not in text
    return upload


@pytest.fixture(params=FORMATS)
def form(request):
    return request.param


class TestOneBadMember:
    def read(self, form, field, value):
        """What a good, a bad and a good member become; `field` is its place in FORMATS."""
        one = FORMATS[form][1]
        upload = batch(form, [one({}), one({FORMATS[form][field]: value}), one({})])
        return upload, [each.reason for each in upload.unusable]

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, Reason.NO_TIME),
            ("", Reason.NO_TIME),
            ("kemarin", Reason.NO_TIME),
            (True, Reason.NO_TIME),
            ([ISO], Reason.NO_TIME),
            ({}, Reason.NO_TIME),
            ("2026-11-25T02:50:00", Reason.NO_TIME),
            ("nan", Reason.NO_TIME),
            ("1e400", Reason.BAD_TIME),
            (0, Reason.BAD_TIME),
            (-1e300, Reason.BAD_TIME),
            (2**63, Reason.BAD_TIME),
            ("1999-12-31T23:59:59Z", Reason.BAD_TIME),
            ((NOW + timedelta(minutes=11)).isoformat(), Reason.BAD_TIME),
        ],
    )
    def test_time(self, form, value, reason):
        upload, reasons = self.read(form, 2, value)
        assert (len(upload.fixes), reasons) == (2, [reason])
        assert upload.unusable[0].time is None

    def test_a_clock_a_little_ahead_is_taken(self, form):
        upload, _ = self.read(form, 2, (NOW + timedelta(minutes=9)).isoformat())
        assert len(upload.fixes) == 3

    @pytest.mark.parametrize("field", [3, 4])
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("x", Reason.NO_POSITION),
            ("", Reason.NO_POSITION),
            ([1], Reason.NO_POSITION),
            ([[]], Reason.NO_POSITION),
            ({"a": 1}, Reason.NO_POSITION),
            ("nan", Reason.NO_POSITION),
            ("inf", Reason.BAD_POSITION),
            ("1e400", Reason.BAD_POSITION),
            (181, Reason.BAD_POSITION),
            (-1e308, Reason.BAD_POSITION),
            (2**64 - 1, Reason.BAD_POSITION),
        ],
    )
    def test_position(self, form, field, value, reason):
        upload, reasons = self.read(form, field, value)
        assert (len(upload.fixes), reasons) == (2, [reason])
        assert upload.unusable[0].time == SECONDS

    @pytest.mark.parametrize("field", [5, 6, 7])
    @pytest.mark.parametrize(
        "value", [-1, -0.1, 1e9, "x", "", [5], {}, "nan", "1e400", -1e308, 2**63, None, "1.2.3"]
    )
    def test_what_else_it_says_is_unknown(self, form, field, value):
        upload, reasons = self.read(form, field, value)
        assert (len(upload.fixes), reasons) == (3, [])
        column = (None, None, None, None, None, "accuracy", "speed", "battery")[field]
        assert np.isnan(getattr(upload.fixes, column)[1])

    @pytest.mark.parametrize("member", [None, 5, "x", [], [1], "\0", {}])
    def test_a_member_of_another_kind(self, form, member):
        one = FORMATS[form][1]
        upload = batch(form, [one({}), member, one({})])
        assert len(upload.fixes) == 2
        assert len(upload.unusable) == 1

    def test_a_position_of_zeros_is_none(self, form):
        _, _, _, lon, lat, *_ = FORMATS[form]
        one = FORMATS[form][1]
        upload = batch(form, [one({lon: 0, lat: 0.0}), one({lat: 0})])
        assert len(upload.fixes) == 1
        assert [each.reason for each in upload.unusable] == [Reason.NO_POSITION]


class TestBatches:
    def test_a_thousand_in_their_order(self, form):
        _, one, time, lon, *_ = FORMATS[form]
        members = [one({time: SECONDS - at, lon: 100 + at / 1000}) for at in range(1000)]
        fixes = batch(form, members).fixes
        assert np.array_equal(fixes.time, SECONDS - np.arange(1000))
        assert np.allclose(fixes.lon, 100 + np.arange(1000) / 1000, rtol=0, atol=1e-12)
        for at in (0, 500, 999):
            members[at] = one({time: None})
        upload = batch(form, members)
        assert (len(upload.fixes), len(upload.unusable)) == (997, 3)

    def test_more_than_any_phone_sends(self, form):
        one = FORMATS[form][1]
        upload = batch(form, [one({})] * (MOST_MEMBERS + 1))
        assert len(upload.fixes) == 0
        assert [each.reason for each in upload.unusable] == [Reason.TOO_LARGE]
        parts = list(batch(form, [one({})] * MOST_MEMBERS).fixes.parts())
        assert len(parts) == MOST_MEMBERS / 1000

    def test_a_list_within_does_not_get_round_that(self):
        members = [{"location": [{}] * (MOST_MEMBERS + 1)}]
        assert batch("traccar", members).unusable[0].reason is Reason.TOO_LARGE


class TestWhatIsKept:
    def test_no_credential(self):
        said = batch("traccar", [traccar_one({"lon": 200, "token": "rahasia"})]).unusable[0].said
        assert said.keys() == {"timestamp", "lat", "lon", "accuracy"}
        for body in (b'[{"id":"rahasia"', b"id=rahasia&" + b"&".join([b"a=1"] * 99)):
            (kept,) = sound(traccar.read(body, {}, now=NOW)).unusable
            assert kept.said == {"bytes": len(body)}

    def test_no_place_where_there_must_be_none(self, form):
        one, time = FORMATS[form][1:3]
        for member in (one({time: 0, "SSID": "Dinas PU"}), {"_type": "location", "x": [[117.4]]}):
            (kept,) = batch(form, [member]).unusable
            text = str(kept.without_position().said)
            assert not any(word in text for word in ("117.4", "0.1", "Dinas"))
        assert Unusable(Reason.NO_FIX).without_position().said is None

    def test_no_more_than_a_little(self, form):
        _, one, time, *_ = FORMATS[form]
        (kept,) = batch(form, [one({time: None, "note": "x" * 5000})]).unusable
        assert kept.said.keys() == {"bytes"}

    @pytest.mark.parametrize("text", ["a\0b", "\\u0000", "🛵", "\u202e", '"\\\\u0000'])
    def test_any_text(self, form, text):
        _, one, time, *_ = FORMATS[form]
        (kept,) = batch(form, [one({time: text, text: text})]).unusable
        assert kept.said is not None

    @pytest.mark.parametrize("what", [None, 1.5, True, "", "x" * 257, "a\nb", "\ud800", [], b"x"])
    def test_what_can_be_no_name(self, what):
        assert name(what) is None


NESTED = [opening * 10_000 for opening in (b"[", b'{"a":', b'[{"location":')]
HOSTILE = [
    *NESTED,
    *(body + b"1" for body in NESTED),
    b"[" * 900 + b"]" * 900,
    b'{"_type":"location","lat":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"locations":' + b"[" * 500 + b"]" * 500 + b"}",
    b'{"_type":"location","lat":NaN,"lon":Infinity,"tst":1e400}',
    b'{"_type":"location","lat":1e400}',
    b'{"_type":"location","tst":' + b"9" * 5000 + b"}",
    b'{"_type":"location","_type":"location","lat":1,"lat":"x"}',
    b'{"_type":"\\ud800"}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"{",
    b"null",
    b"0",
    b'"x"',
    b"&".join([b"a=1"] * 10_000),
    b"lat=%ff%00&lon=%&timestamp=%0&time=%00",
    b"lat=" + b"9" * 1_000_000 + b"&lon=1&timestamp=1&time=1",
    b"<gpx" + b"><trkseg>" * 5000,
    b"<gpx><trk><trkseg>" + b'<trkpt lat="x" lon="&#0;"/>' * 10,
    b'<?xml version="1.0" encoding="no-such"?><gpx/>',
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies(reader, body):
    upload = sound(reader.read(body, {}, now=NOW))
    assert len(upload.fixes) == 0


def test_duplicate_keys_count_once():
    body = orjson.dumps(owntracks_one({})).replace(b'"lat":0.1', b'"lat":99,"lat":0.1')
    assert len(owntracks.read(body, {}, now=NOW).fixes) == 1


values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from([ISO, SECONDS, SECONDS * 1000, 0.1, 117.4, "0,1", "1e400", "-1", "nan"]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text("ab_", max_size=3), inside)
    ),
    max_leaves=3,
)
KEYS = (
    st.sampled_from(
        [
            "_type",
            "geometry",
            "coordinates",
            "properties",
            "action",
            "type",
            "id",
            "device_id",
            "data",
        ]
    )
    | st.sampled_from(
        ["lat", "lon", "tst", "timestamp", "time", "acc", "accuracy", "vel", "spd", "speed"]
    )
    | st.sampled_from(
        ["batt", "battery", "level", "mock", "valid", "location", "coords", "latitude", "longitude"]
    )
)
inner = st.dictionaries(KEYS, values, max_size=4)
objects = st.dictionaries(KEYS, values | inner, max_size=5)


@settings(deadline=None, max_examples=100)
@given(
    st.binary() | values.map(orjson.dumps) | st.lists(objects, max_size=3).map(orjson.dumps),
    objects,
)
def test_any_body(body, more):
    held = [
        body,
        orjson.dumps({"locations": [more, overland_one(dict(more))]}),
        orjson.dumps([more | {"_type": "location"}, owntracks_one(more)]),
        orjson.dumps([more, traccar_one(more), {"location": more}, nested_one(dict(more))]),
    ]
    for reader in READERS:
        for each in held:
            sound(reader.read(each, {}, now=NOW))


texts = st.text(max_size=20) | st.sampled_from(["0.1", "117.4", ISO, str(SECONDS), "true"])


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(KEYS, texts), st.binary(max_size=60))
def test_any_query(query, body):
    for reader in READERS:
        sound(reader.read(body, query, now=NOW))
        sound(reader.read(b"", query, now=NOW))
