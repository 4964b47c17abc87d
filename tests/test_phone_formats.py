"""What each application sends becomes the same fixes, in the same units."""

import base64
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest
from nacl.secret import SecretBox

from graphql_api.phones import gpslogger, gpx, overland, owntracks, traccar
from graphql_api.phones.reading import Reason
from tenants.fixes import check

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
TIME = "2026-11-25T09:30:00+08:00"
SECONDS = datetime.fromisoformat(TIME).timestamp()
UNKNOWN = float("nan")


def row(upload):
    """The only fix of an upload: time, lon, lat, accuracy, speed, mock, battery."""
    assert upload.unusable == ()
    assert len(upload.fixes) == 1
    check(upload.fixes, now=NOW)
    return tuple(getattr(upload.fixes, name)[0] for name in upload.fixes.__slots__)


def fix(*, accuracy=UNKNOWN, speed=UNKNOWN, mock=False, battery=UNKNOWN):
    return pytest.approx((SECONDS, 116.83, -1.27, accuracy, speed, mock, battery), nan_ok=True)


def reasons(upload):
    return [each.reason for each in upload.unusable]


class TestOwnTracks:
    LOCATION = {
        "_type": "location",
        "_id": "5f0e61d2",
        "topic": "owntracks/budi/hp1",
        "tid": "H1",
        "lat": -1.27,
        "lon": 116.83,
        "acc": 9,
        "vac": 4,
        "alt": 31,
        "vel": 54,
        "cog": 265,
        "tst": int(SECONDS),
        "created_at": int(SECONDS) + 2,
        "t": "m",
        "m": 2,
        "conn": "w",
        "batt": 37,
        "bs": 2,
        "source": "gps",
        "SSID": "Dinas PU",
        "inregions": ["Kantor"],
    }

    def read(self, message, **passphrase):
        return owntracks.read(orjson.dumps(message), {}, now=NOW, **passphrase)

    def test_a_location(self):
        assert row(self.read(self.LOCATION)) == fix(accuracy=9, speed=15, battery=0.37)

    def test_what_is_not_said_is_unknown(self):
        least = {key: self.LOCATION[key] for key in ("_type", "lat", "lon", "tst")}
        assert row(self.read(least)) == fix()

    def test_minus_one_is_unknown_and_an_accuracy_of_zero_is_kept(self):
        assert row(self.read(self.LOCATION | {"vel": -1, "batt": -1, "acc": 0})) == fix(accuracy=0)

    @pytest.mark.parametrize("body", [b"", b" \n", b"[]"])
    def test_a_request_of_nothing(self, body):
        upload = owntracks.read(body, {}, now=NOW)
        assert (len(upload.fixes), upload.unusable) == (0, ())

    @pytest.mark.parametrize(
        "kind",
        ["transition", "waypoint", "waypoints", "status", "lwt", "card", "cmd", "steps", "request"],
    )
    def test_other_messages_are_no_fix_and_no_fault(self, kind):
        upload = self.read({"_type": kind, "tst": int(SECONDS), "lat": -1.27, "lon": 116.83})
        assert reasons(upload) == [Reason.NO_FIX]
        assert upload.unusable[0].said == {"_type": kind}

    def test_an_array_of_messages(self):
        later = self.LOCATION | {"tst": int(SECONDS) + 60}
        upload = self.read([self.LOCATION, {"_type": "lwt"}, "x", {"lat": 1}, later])
        assert upload.fixes.time.tolist() == [SECONDS, SECONDS + 60]
        assert reasons(upload) == [Reason.NO_FIX, Reason.BAD_VALUE, Reason.BAD_VALUE]

    def sealed(self, message, key=b"sungai mahakam"):
        box = SecretBox(key.ljust(32, b"\0"))
        data = base64.b64encode(box.encrypt(orjson.dumps(message))).decode()
        return {"_type": "encrypted", "data": data}

    def test_an_encrypted_location(self):
        upload = self.read(self.sealed(self.LOCATION), passphrase="sungai mahakam")
        assert row(upload) == fix(accuracy=9, speed=15, battery=0.37)

    def test_encrypted_messages_of_other_types(self):
        upload = self.read(self.sealed({"_type": "lwt"}), passphrase="sungai mahakam")
        assert reasons(upload) == [Reason.NO_FIX]
        twice = self.sealed(self.sealed(self.LOCATION))
        assert reasons(self.read(twice, passphrase="sungai mahakam")) == [Reason.ENCRYPTED]
        assert reasons(self.read(self.sealed([1]), passphrase="sungai mahakam")) == [
            Reason.BAD_VALUE
        ]

    @pytest.mark.parametrize("passphrase", [None, "", "sungai kapuas", "x" * 40, "\ud800"])
    def test_without_the_right_passphrase_what_is_sealed_is_kept(self, passphrase):
        sealed = self.sealed(self.LOCATION)
        upload = self.read([sealed, self.LOCATION], passphrase=passphrase)
        assert len(upload.fixes) == 1
        assert reasons(upload) == [Reason.ENCRYPTED]
        assert upload.unusable[0].said == sealed

    @pytest.mark.parametrize("data", [None, 5, "", "AAAA", "not base64!", "é", "A" * 200])
    def test_what_is_not_sealed_does_not_open(self, data):
        assert owntracks.decrypt(data, "sungai mahakam") is None
        upload = self.read({"_type": "encrypted", "data": data}, passphrase="sungai mahakam")
        assert reasons(upload) == [Reason.ENCRYPTED]

    def test_a_passphrase_of_32_bytes_is_the_key(self):
        sealed = self.sealed(self.LOCATION, b"k" * 32)
        for passphrase in ("k" * 32, "k" * 40):
            assert owntracks.decrypt(sealed["data"], passphrase) == orjson.dumps(self.LOCATION)

    def test_base64_in_lines(self):
        data = self.sealed(self.LOCATION)["data"]
        lines = "\n".join(data[start : start + 76] for start in range(0, len(data), 76))
        assert owntracks.decrypt(lines, "sungai mahakam") == orjson.dumps(self.LOCATION)

    def test_it_can_be_asked_for_its_location(self):
        assert orjson.loads(owntracks.answer()) == []
        assert orjson.loads(owntracks.answer(report_location=True)) == [
            {"_type": "cmd", "action": "reportLocation"}
        ]


class TestTraccar:
    FLAT = {
        "id": "73550912",
        "timestamp": str(int(SECONDS)),
        "lat": "-1.27",
        "lon": "116.83",
        "speed": "10.0",
        "bearing": "12.5",
        "altitude": "40.2",
        "accuracy": "6.5",
        "batt": "64.0",
    }
    NESTED = {
        "location": {
            "timestamp": "2026-11-25T01:30:00.000Z",
            "coords": {"latitude": -1.27, "longitude": 116.83, "accuracy": 6.5, "speed": 2.5},
            "is_moving": False,
            "event": "heartbeat",
            "battery": {"level": 0.64, "is_charging": True},
            "extras": {},
        },
        "device_id": "73550912",
    }
    SAID = {"accuracy": 6.5, "speed": 10 * 1852 / 3600, "battery": 0.64}

    def read(self, document):
        return traccar.read(orjson.dumps(document), {}, now=NOW)

    def test_a_query(self):
        assert row(traccar.read(b"", self.FLAT, now=NOW)) == fix(**self.SAID)
        mock = self.FLAT | {"mock": "true"}
        assert row(traccar.read(b"", mock, now=NOW)) == fix(**self.SAID, mock=True)

    def test_a_form(self):
        body = (
            f"id=73550912&lat=-1.27&lon=116.83&timestamp={int(SECONDS)}&accuracy=6.5&altitude=3.0"
            "&speed=10.0&bearing=1.0&batt=64&charge=true&battery_health=good&bidang=Bina+Marga"
        )
        assert row(traccar.read(body.encode(), {}, now=NOW)) == fix(**self.SAID)

    def test_flat_json(self):
        numbers = {key: float(value) for key, value in self.FLAT.items() if key != "id"}
        for document in (numbers, [numbers], self.FLAT, [self.FLAT]):
            assert row(self.read(document)) == fix(**self.SAID)

    def test_nested_json(self):
        nested = {"accuracy": 6.5, "speed": 2.5, "battery": 0.64}
        assert row(self.read(self.NESTED)) == fix(**nested)
        location = self.NESTED["location"]
        assert row(self.read({"location": [location]})) == fix(**nested)
        mock = {"location": location | {"mock": True}}
        assert row(self.read(mock)) == fix(**nested, mock=True)
        still = location["coords"] | {"speed": -1}
        unknown = {"location": location | {"coords": still, "battery": {"level": -1}}}
        assert row(self.read(unknown)) == fix(accuracy=6.5)

    def test_flat_and_nested_ones_together(self):
        assert len(self.read([self.FLAT, self.NESTED, self.FLAT]).fixes) == 3

    @pytest.mark.parametrize(
        "time", [int(SECONDS), int(SECONDS) * 1000, str(int(SECONDS)), TIME, f"{int(SECONDS)}000"]
    )
    def test_seconds_milliseconds_and_iso_8601(self, time):
        assert row(self.read(self.FLAT | {"timestamp": time})) == fix(**self.SAID)

    def test_a_position_in_one_field(self):
        place = {key: value for key, value in self.FLAT.items() if key not in ("lat", "lon")}
        place["location"] = "-1.27,116.83"
        assert row(traccar.read(b"", place, now=NOW)) == fix(**self.SAID)
        upload = traccar.read(b"", place | {"location": "-1.27"}, now=NOW)
        assert reasons(upload) == [Reason.NO_POSITION]

    def test_decimal_commas_of_an_indonesian_phone(self):
        commas = {key: value.replace(".", ",") for key, value in self.FLAT.items()}
        assert row(traccar.read(b"", commas, now=NOW)) == fix(**self.SAID)

    def test_a_heartbeat_is_no_fix(self):
        beat = {"id": "73550912", "timestamp": str(int(SECONDS)), "batt": "64"}
        nowhere = self.NESTED["location"] | {"coords": None}
        for upload in (
            traccar.read(b"", beat, now=NOW),
            self.read(beat),
            self.read({"location": nowhere, "device_id": "73550912"}),
        ):
            assert reasons(upload) == [Reason.NO_FIX]
            assert "73550912" not in str(upload.unusable), "the id is a credential"

    @pytest.mark.parametrize(("valid", "kept"), [("true", 1), ("1", 1), ("false", 0), ("0", 0)])
    def test_what_the_receiver_calls_invalid(self, valid, kept):
        upload = traccar.read(b"", self.FLAT | {"valid": valid}, now=NOW)
        assert len(upload.fixes) == kept
        assert reasons(upload) == [Reason.NOT_VALID] * (1 - kept)

    @pytest.mark.parametrize("key", ["id", "deviceid", "device_id"])
    def test_who_it_says_it_is(self, key):
        def device(body, query):
            return traccar.read(body, query, now=NOW).device

        mine = "73550912"
        assert device(b"", {key: mine}) == mine
        assert device(f"{key}={mine}&lat=1".encode(), {}) == mine
        for named in ({key: mine}, [{key: int(mine)}, {key: mine}, {}]):
            assert device(orjson.dumps(named), {}) == mine
        assert device(orjson.dumps([{key: "1"}, {key: "2"}]), {key: "1"}) is None
        assert device(orjson.dumps({key: mine, "location": [{"coords": {}}]}), {}) == mine
        assert device(b"[{", {key: mine}) == mine
        assert device(b"", {}) is None


class TestOverland:
    def feature(self, **properties):
        return {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [116.83, -1.27]},
            "properties": {
                "timestamp": "2026-11-25T09:30:00+0800",
                "altitude": 12,
                "speed": 3,
                "course": -1,
                "horizontal_accuracy": 8,
                "vertical_accuracy": 5,
                "motion": ["driving"],
                "battery_state": "unplugged",
                "battery_level": 0.81,
                "wifi": "Dinas PU",
                "device_id": "ponsel-7",
                **properties,
            },
        }

    def read(self, *features):
        document = {"locations": features, "current": {}, "trip": {}}
        return overland.read(orjson.dumps(document), {}, now=NOW)

    def test_a_feature(self):
        assert row(self.read(self.feature())) == fix(accuracy=8, speed=3, battery=0.81)
        unknown = self.feature(speed=-1, horizontal_accuracy=-1, battery_level=-1)
        assert row(self.read(unknown)) == fix()

    def test_features_that_tell_of_something_else(self):
        """They bear the time of their writing and the position of another."""
        visit = self.feature(action="visit", arrival_date=TIME, departure_date=None)
        stopped = {"type": "Feature", "properties": {"timestamp": TIME, "action": "will_terminate"}}
        upload = self.read(visit, self.feature(), stopped, self.feature(type="trip"))
        assert len(upload.fixes) == 1
        assert reasons(upload) == [Reason.NO_FIX] * 3

    def test_a_bad_member_costs_none_of_the_others(self):
        nowhere = self.feature() | {"geometry": {"type": "Point", "coordinates": [116.83]}}
        upload = self.read(self.feature(), nowhere, self.feature(timestamp=None), 5, self.feature())
        assert len(upload.fixes) == 2
        assert reasons(upload) == [Reason.NO_POSITION, Reason.NO_TIME, Reason.BAD_VALUE]
        assert upload.unusable[0].time == SECONDS
        assert upload.unusable[0].said["properties"]["horizontal_accuracy"] == 8

    def test_the_answer_it_needs(self):
        assert overland.answer() == b'{"result":"ok"}'


class TestGPSLogger:
    FIELDS = "lat=-1.27&lon=116.83&acc=7.5&spd=1.5&time={}&batt=48.0&sat=9&prov=gps&desc="
    SAID = {"accuracy": 7.5, "speed": 1.5, "battery": 0.48}

    @pytest.mark.parametrize("time", [int(SECONDS), "2026-11-25T01:30:00.000Z"])
    def test_a_line_of_its_log(self, time):
        body = self.FIELDS.format(time)
        query = dict(pair.split("=") for pair in body.split("&"))
        assert row(gpslogger.read(b"", query, now=NOW)) == fix(**self.SAID)
        assert row(gpslogger.read(body.encode(), {}, now=NOW)) == fix(**self.SAID)

    def test_placeholders_that_it_left_unfilled(self):
        body = f"lat=-1.27&lon=116.83&acc=%25ACC&spd=&time={int(SECONDS)}&batt="
        assert row(gpslogger.read(body.encode(), {}, now=NOW)) == fix()
        assert reasons(gpslogger.read(b"", {}, now=NOW)) == [Reason.NO_FIX]


class TestGPX:
    POINT = (
        '<trkpt lat="-1.27" lon="116.83"><ele>5</ele><time>{}</time>'
        "<extensions><acc>0</acc></extensions></trkpt>"
    )

    def read(self, *points, end="</trkseg></trk></gpx>"):
        body = '<?xml version="1.0"?><gpx version="1.1"><trk><trkseg>' + "".join(points) + end
        return gpx.read(body.encode(), {}, now=NOW)

    def test_a_track(self):
        assert row(self.read(self.POINT.format(TIME))) == fix(accuracy=0)
        hdop = f'<trkpt lat="-1.27" lon="116.83"><time>{TIME}</time><hdop>2</hdop></trkpt>'
        assert row(self.read(hdop)) == fix(accuracy=10)

    def test_points_that_are_no_fix(self):
        place = '<trkpt lat="-1.27" lon="116.83"></trkpt>'
        upload = self.read(place, self.POINT.format(TIME), self.POINT.format("kemarin"))
        assert len(upload.fixes) == 1
        assert reasons(upload) == [Reason.NO_TIME] * 2

    def test_of_a_broken_file_what_came_before(self):
        upload = self.read(self.POINT.format(TIME), end="<trkpt")
        assert len(upload.fixes) == 1
        assert reasons(upload) == [Reason.BAD_VALUE]
        assert "broken XML" in upload.unusable[0].said["error"]

    def test_entities_are_not_expanded(self):
        body = b'<!DOCTYPE gpx [<!ENTITY a "aaaa">]><gpx><trk>&a;</trk></gpx>'
        assert reasons(gpx.read(body, {}, now=NOW)) == [Reason.BAD_VALUE]

    def test_files_that_are_too_large(self, monkeypatch):
        body = bytes(gpx.MOST_BYTES + 1)
        assert reasons(gpx.read(body, {}, now=NOW)) == [Reason.TOO_LARGE]
        monkeypatch.setattr(gpx, "MOST_POINTS", 2)
        upload = self.read(*[self.POINT.format(TIME)] * 3)
        assert reasons(upload) == [Reason.TOO_LARGE]

    def test_a_long_track_is_given_in_parts(self):
        count = 2_500
        times = np.arange(SECONDS - count, SECONDS)
        upload = self.read(*[self.POINT.format(int(time)) for time in times])
        assert [len(part) for part in upload.fixes.parts()] == [1000, 1000, 500]
        assert np.array_equal(np.concatenate([part.time for part in upload.fixes.parts()]), times)
        for part in upload.fixes.parts():
            check(part, now=NOW)
