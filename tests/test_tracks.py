"""Tracks from the phone into the evidence and back; outside an assignment nobody is tracked."""

import hashlib
import struct
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import httpx
import numpy as np
import pytest
from asking import (
    LOCK_TRIP,
    ask,
    decoded,
    document,
    held,
    nothing_changes,
    nowhere,
    settled,
    sql,
    threads,
)
from conftest import BALIKPAPAN, SAMARINDA, ZONE, plan, record

from infra.front_end import Refused

FAR_AWAY = (116.1234567, -0.7654321)
TRACK = """
query ($trip: UUID!) {
  trip(id: $trip) { state startedAt
    track { fixCount startedAt endedAt geojson polyline } }
}"""


@pytest.fixture(scope="module")
def someone(people):
    return people.fresh()


@pytest.fixture
def phone(someone):
    return someone.front_end


@pytest.fixture
def trip(issue, someone, operator):
    """A trip of three days, past, ready to be recorded; called off when the test is over."""
    issued = issue(someone)
    assert issued["__typename"] == "Trip", issued
    yield issued
    ask(operator, "cancelTrip", id=issued["id"], reason="Sudah diuji")


@pytest.fixture
def operator(people):
    return people.as_("operator")


def midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), ZONE)


def fixes(trip: dict, number: int, place=BALIKPAPAN, **fields) -> list[dict]:
    """So many fixes from eight o'clock of the first day, a minute apart."""
    eight = midnight(trip["startsOn"]) + timedelta(hours=8)
    return [
        {
            "time": (eight + timedelta(minutes=minute)).isoformat(),
            "lon": place[0] + minute % 7 * 1e-5,
            "lat": place[1] + minute % 5 * 1e-5,
            "accuracy": 12.5,
        }
        | fields
        for minute in range(number)
    ]


def fix(at: datetime | str, **fields) -> dict:
    shown = at if isinstance(at, str) else at.isoformat()
    return {"time": shown, "lon": FAR_AWAY[0], "lat": FAR_AWAY[1]} | fields


def seconds(each: dict) -> float:
    return datetime.fromisoformat(each["time"]).timestamp()


def track(viewer, trip: dict) -> dict | None:
    return viewer.ask(TRACK, trip=trip["id"])["trip"]["track"]


def stored(trip: dict) -> list:
    return sql(
        "SELECT device, digest, link, arrival, accuracy, speed, started_at, ended_at,"
        " ST_AsEWKB(path, 'NDR') AS path FROM track_chunk"
        " WHERE trip_id = CAST(:id AS uuid) ORDER BY arrival",
        id=trip["id"],
    )


def receipt(accepted: int, duplicates: int = 0, outside: int = 0) -> dict:
    return {
        "__typename": "TrackReceipt",
        "accepted": accepted,
        "duplicates": duplicates,
        "outsideWindow": outside,
    }


class TestUploads:
    @pytest.mark.parametrize("number", [1, 2, 1000])
    def test_a_track_comes_back_as_it_was_sent(self, phone, trip, number):
        sent = fixes(trip, number)
        assert record(phone, trip["id"], sent[::-1]) == receipt(number)
        found = phone.ask(TRACK, trip=trip["id"])["trip"]
        shown = found["track"]
        assert found["state"] == "ACTIVE", "the first fix starts the trip"
        age = datetime.now(UTC) - datetime.fromisoformat(found["startedAt"])
        assert abs(age) < timedelta(seconds=30)
        assert shown["fixCount"] == number
        assert datetime.fromisoformat(shown["startedAt"]).timestamp() == seconds(sent[0])
        assert datetime.fromisoformat(shown["endedAt"]).timestamp() == seconds(sent[-1])
        positions = [[each["lon"], each["lat"]] for each in sent]
        (line,) = shown["geojson"]["geometry"]["coordinates"]
        assert np.allclose(line[:number], positions, rtol=0, atol=5e-7)
        assert shown["geojson"]["properties"]["times"][0][:number] == [*map(seconds, sent)]
        assert np.allclose(decoded(shown["polyline"]), positions, rtol=0, atol=5.1e-6)

    @pytest.mark.parametrize("number", [1001, 5000])
    def test_more_than_1000_are_too_many(self, phone, trip, number):
        with nothing_changes():
            refused = record(phone, trip["id"], fixes(trip, number))
        assert refused["code"] == "TOO_MANY_FIXES"
        assert (refused["limit"], refused["given"]) == (1000, number)

    def test_20000_are_too_long_a_request(self, phone, trip):
        with nothing_changes(), pytest.raises(Refused, match="BODY_TOO_LARGE"):
            record(phone, trip["id"], fixes(trip, 20_000))

    def test_none_at_all(self, phone, trip):
        with nothing_changes():
            assert record(phone, trip["id"], []) == receipt(0)

    def test_the_same_upload_again_changes_nothing(self, phone, trip):
        sent = fixes(trip, 20)
        assert record(phone, trip["id"], sent) == receipt(20)
        before = track(phone, trip)
        with nothing_changes():
            for again in (sent, sent[::-1], sent + sent[:5]):
                assert record(phone, trip["id"], again) == receipt(0, len(again))
        assert track(phone, trip) == before

    def test_the_same_upload_twice_at_once(self, world, someone, trip):
        sent = fixes(trip, 20)
        settled(trip["id"])
        with (
            world.sign_in("samarinda", someone.username) as one,
            world.sign_in("samarinda", someone.username) as other,
            threads(2) as submit,
        ):
            with held(LOCK_TRIP, id=trip["id"]) as waiting:
                racing = [submit(record, each, trip["id"], sent) for each in (one, other)]
                waiting(2)
            assert sorted(each.result()["accepted"] for each in racing) == [0, 20]
        assert len(stored(trip)) == 1

    def test_repetitions_inside_an_upload(self, phone, trip):
        sent = fixes(trip, 10)
        assert record(phone, trip["id"], sent + sent[3:7]) == receipt(10, 4)
        assert track(phone, trip)["fixCount"] == 10

    def test_uploads_that_overlap(self, phone, trip):
        sent = fixes(trip, 30)
        for part in (sent[10:30], sent[:20], sent[5:15]):
            shown = record(phone, trip["id"], part)
            assert shown["accepted"] + shown["duplicates"] == len(part)
        shown = record(phone, trip["id"], sent[:5], device="tablet")
        assert shown["accepted"] + shown["duplicates"] == 5
        shown = track(phone, trip)
        assert shown["fixCount"] == 30
        assert shown["geojson"]["properties"]["times"] == [[*map(seconds, sent)]]

    def test_two_places_at_one_time_are_both_kept(self, phone, trip):
        sent = fixes(trip, 3)
        other = fixes(trip, 3, SAMARINDA)
        record(phone, trip["id"], sent)
        assert record(phone, trip["id"], other, device="tablet") == receipt(3)
        shown = track(phone, trip)
        assert shown["fixCount"] == 6
        (times,) = shown["geojson"]["properties"]["times"]
        assert times == sorted([*map(seconds, sent), *map(seconds, other)])

    def test_silences_are_gaps_and_unknown_accuracy_is_null(self, phone, trip):
        start = midnight(trip["startsOn"])
        hours = (1, 2, 3.5, 4, 20)
        sent = [
            {
                "time": (start + timedelta(hours=hour)).isoformat(),
                "lon": 117.1 + hour / 100,
                "lat": -0.5,
                "accuracy": None if hour == 2 else 10 + hour,
                "speed": 1.25,
            }
            for hour in hours
        ]
        assert record(phone, trip["id"], sent) == receipt(5)
        shown = track(phone, trip)["geojson"]
        assert shown["geometry"]["type"] == "MultiLineString"
        assert shown["geometry"]["coordinates"] == [
            [[117.11, -0.5], [117.12, -0.5]],
            [[117.135, -0.5], [117.14, -0.5]],
            [[117.3, -0.5], [117.3, -0.5]],
        ]
        at = [seconds(each) for each in sent]
        assert [part[:2] for part in shown["properties"]["times"]][:2] == [at[:2], at[2:4]]
        assert shown["properties"]["accuracies"][:2] == [[11, None], [13.5, 14]]
        assert shown["properties"]["times"][2][0] == at[4]


class TestTheWindow:
    def test_to_the_second(self, someone, phone, issue):
        trip = issue(someone, plan(starts=-20, days=2))
        start, end = midnight(trip["startsOn"]), midnight(trip["endsOn"]) + timedelta(days=1)
        second = timedelta(seconds=1)
        outside = [fix(start - second), fix(end + second), fix(start - timedelta(days=300))]
        with nothing_changes():
            assert record(phone, trip["id"], outside) == receipt(0, 0, 3)
        assert phone.ask(TRACK, trip=trip["id"])["trip"]["state"] == "ISSUED"
        inside = [fix(start, lon=117.0), fix(end - second, lon=117.0)]
        assert record(phone, trip["id"], outside + inside) == receipt(2, 0, 3)
        assert track(phone, trip)["fixCount"] == 2

    def test_what_is_outside_is_nowhere(self, world, phone, trip):
        before = midnight(trip["startsOn"]) - timedelta(hours=1)
        record(phone, trip["id"], [fix(before), *fixes(trip, 2)])
        with nothing_changes():
            assert record(phone, trip["id"], [fix(before)]) == receipt(0, 0, 1)
        binary = struct.pack("<d", FAR_AWAY[0]).hex()
        tables = sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND has_table_privilege(oid, 'SELECT')"
        )
        assert len(tables) > 15
        for (table,) in tables:
            found = sql(
                f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE :binary'  # noqa: S608
                " OR t::text LIKE '%116.12345%'",
                binary=f"%{binary}%",
            )
            assert found[0][0] == 0, table
        for process in world.processes.values():
            assert "116.12345" not in process.log.read_text(errors="replace")

    def test_the_search_finds_what_is_inside(self, phone, trip):
        """The test above proves nothing if it could not find a position that is there."""
        record(phone, trip["id"], [fix(midnight(trip["startsOn"]), lon=117.7654321)])
        binary = struct.pack("<d", 117.7654321).hex()
        found = sql(
            "SELECT count(*) FROM track_chunk t WHERE t::text ILIKE :binary", binary=f"%{binary}%"
        )
        assert found[0][0] == 1

    def test_after_the_return(self, people, issue):
        traveller = people.fresh()
        phone, trip = traveller.front_end, issue(traveller)
        record(phone, trip["id"], fixes(trip, 5))
        back = midnight(trip["startsOn"]) + timedelta(hours=9)
        finished = ask(phone, "finishTrip", id=trip["id"], finishedAt=back.isoformat())
        assert finished["state"] == "FINISHED"
        late = [fix(back + timedelta(seconds=1)), fix(back + timedelta(hours=5))]
        with nothing_changes():
            assert record(phone, trip["id"], late) == receipt(0, 0, 2)
        # What the phone held back while there was no network still counts.
        early = [fix(back - timedelta(minutes=5), lon=117.0)]
        assert record(phone, trip["id"], early + late) == receipt(1, 0, 2)
        assert track(phone, trip)["fixCount"] == 6

    @pytest.fixture
    def returned(self, people, issue):
        """A traveller back after half of what her phone had sent already; when, and all of it."""
        traveller = people.fresh()
        trip = issue(traveller)
        sent = fixes(trip, 60)
        record(traveller.front_end, trip["id"], sent)
        back = sent[29]["time"]
        assert ask(traveller.front_end, "finishTrip", id=trip["id"], finishedAt=back)["state"]
        return traveller.front_end, trip, back, sent

    def test_the_same_upload_after_the_return_changes_nothing(self, returned):
        phone, trip, _, sent = returned
        with nothing_changes():
            assert record(phone, trip["id"], sent) == receipt(0, 30, 30)

    def test_nobody_is_shown_what_came_after_the_return(self, people, returned):
        phone, trip, back, _ = returned
        for viewer in (phone, people.as_("kepala"), people.as_("inspektur")):
            shown = track(viewer, trip)
            assert datetime.fromisoformat(shown["endedAt"]) == datetime.fromisoformat(back)
            assert shown["fixCount"] == 30

    def test_called_off(self, phone, trip, operator):
        ask(operator, "cancelTrip", id=trip["id"], reason="Batal")
        with nothing_changes():
            refused = record(phone, trip["id"], fixes(trip, 3))
        assert refused["code"] == "WRONG_STATE"
        assert track(phone, trip) is None

    @pytest.mark.parametrize("change", ["cancelTrip", "finishTrip"])
    def test_the_trip_ends_while_an_upload_waits(self, someone, issue, phone, operator, change):
        trip = issue(someone, plan(starts=-60))
        if change == "finishTrip":
            ask(phone, "startTrip", id=trip["id"])
        nine = midnight(trip["startsOn"]) + timedelta(hours=9)
        late = [fix(nine + timedelta(minutes=minute)) for minute in (1, 2, 3)]
        given = {"cancelTrip": {"reason": "Batal"}, "finishTrip": {"finishedAt": nine.isoformat()}}
        settled(trip["id"])
        with threads(2) as submit:
            with held(LOCK_TRIP, id=trip["id"]) as waiting:
                ending = submit(ask, operator, change, id=trip["id"], **given[change])
                waiting(1)
                upload = submit(record, phone, trip["id"], late)
                waiting(2)
            ended, answer = ending.result(), upload.result()
        assert phone.ask(TRACK, trip=trip["id"])["trip"]["state"] == ended["state"]
        assert stored(trip) == [], "what was recorded after the end is kept"
        if change == "cancelTrip":
            assert answer["code"] == "WRONG_STATE"
        else:
            assert answer == receipt(0, 0, 3)
            ask(operator, "cancelTrip", id=trip["id"], reason="Sudah diuji")


class TestWhoseTrip:
    def test_only_the_travellers_own(self, people, phone, trip, issue):
        colleague = people.fresh()
        abroad = people.fresh("balikpapan")
        theirs = issue(abroad, plan(region="64.72"))["id"]
        sent = fixes(trip, 2)
        with nothing_changes(), nothing_changes("balikpapan"):
            for who in (colleague.front_end, *map(people.as_, ("operator", "kepala", "admin"))):
                assert record(who, trip["id"], sent)["code"] == "NOT_FOUND"
            assert record(abroad.front_end, trip["id"], sent)["code"] == "NOT_FOUND"
            assert record(phone, theirs, sent)["code"] == "NOT_FOUND"
            assert record(phone, nowhere(), sent)["code"] == "NOT_FOUND"

    def test_who_sees_a_track(self, people, phone, trip):
        record(phone, trip["id"], fixes(trip, 4))
        for who in (phone, people.as_("inspektur"), people.as_("kepala")):
            assert track(who, trip)["fixCount"] == 4
        for who in (people.as_("operator"), people.as_("admin")):
            assert track(who, trip) is None
        colleague = people.fresh().front_end
        assert colleague.ask(TRACK, trip=trip["id"])["trip"] is None
        for role in ("inspektur", "kepala"):
            elsewhere = people.as_(role, "balikpapan")
            assert elsewhere.ask(TRACK, trip=trip["id"])["trip"] is None

    def test_no_track_yet(self, phone, trip):
        assert track(phone, trip) is None


BAD_FIXES = {
    "east of 180": {"lon": 180.0001},
    "west of 180": {"lon": -180.0001},
    "north of the pole": {"lat": 90.0001},
    "south of the pole": {"lat": -90.0001},
    "1e308": {"lon": 1e308},
    "negative accuracy": {"accuracy": -1},
    "accuracy beyond the earth": {"accuracy": 6_371_001},
    "accuracy 1e308": {"accuracy": 1e308},
    "negative speed": {"speed": -0.1},
    "speed 1e308": {"speed": 1e308},
    "year 1": {"time": "0001-01-01T00:00:00Z"},
    "1970": {"time": "1970-01-01T00:00:00Z"},
    "year 9999": {"time": "9999-12-31T23:59:59Z"},
    "in a year": {"time": "+8760"},
    "in a day": {"time": "+24"},
    "in 11 minutes": {"time": "+0.183333"},
}


@pytest.mark.parametrize("wrong", BAD_FIXES.values(), ids=BAD_FIXES)
def test_what_can_be_no_fix(phone, trip, wrong):
    if wrong.get("time", "").startswith("+"):
        ahead = datetime.now(UTC) + timedelta(hours=float(wrong["time"]))
        wrong = {"time": ahead.isoformat()}
    sent = fixes(trip, 9)
    sent[4] |= wrong
    with nothing_changes():
        refused = record(phone, trip["id"], sent)
    assert (refused["code"], refused["index"]) == ("INVALID_FIX", 4)
    assert "5" in refused["message"]
    # The position stays with her who sent it.
    assert "116.8" not in str(refused)


def test_a_clock_somewhat_ahead_is_forgiven(people, issue):
    traveller = people.fresh()
    trip = issue(traveller, plan(starts=0, days=2))
    ahead = datetime.now(UTC) + timedelta(minutes=9)
    assert record(traveller.front_end, trip["id"], [fix(ahead)]) == receipt(1)


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("lon: 1e999, lat: 0", "INVALID_FIX"),
        ("lon: 0, lat: -1e999", "INVALID_FIX"),
        ("lon: 0, lat: 0, accuracy: 1e999", "INVALID_FIX"),
        ("lon: 0, lat: 0, speed: 1e999", "INVALID_FIX"),
        ("lon: NaN, lat: 0", "GRAPHQL_VALIDATION_FAILED"),
        ("lon: Infinity, lat: 0", "GRAPHQL_VALIDATION_FAILED"),
        ('lon: "NaN", lat: 0', "GRAPHQL_VALIDATION_FAILED"),
        ('lon: "POINT(117 0)", lat: 0', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_numbers_that_json_does_not_have(world, phone, trip, literal, code):
    at = midnight(trip["startsOn"]).isoformat()
    query = (
        f'mutation {{ recordTrack(tripId: "{trip["id"]}", fixes: [{{time: "{at}", {literal}}}])'
        " { __typename ... on Problem { code } } }"
    )
    with nothing_changes():
        answer = httpx.post(
            f"{world.base_url}/samarinda/graphql",
            json={"query": query},
            headers={"Authorization": f"Bearer {phone.token}"},
            trust_env=False,
        ).json()
    found = (
        answer["errors"][0]["extensions"] if "errors" in answer else answer["data"]["recordTrack"]
    )
    assert found["code"] == code


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_json_has_no_such_number(world, phone, trip, number):
    body = (
        f'{{"query": "{document("recordTrack")}", "variables": {{"tripId": "{trip["id"]}",'
        f' "device": "x", "fixes": [{{"time": "2026-01-01T00:00:00Z", "lon": {number},'
        ' "lat": 0}]}}'
    ).replace("\n", " ")
    with nothing_changes():
        answer = httpx.post(
            f"{world.base_url}/samarinda/graphql",
            content=body,
            headers={
                "Authorization": f"Bearer {phone.token}",
                "Content-Type": "application/json",
            },
            trust_env=False,
        )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("device", ["", "x" * 65, "ponsel\x00"], ids=["none", "long", "NUL"])
def test_a_device_without_a_name(phone, trip, device):
    with nothing_changes():
        refused = record(phone, trip["id"], fixes(trip, 1), device=device)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "device")


def test_the_chain_can_be_computed_again(phone, trip):
    """Whoever has the rows can prove that none was changed, taken out or put in between."""
    start = midnight(trip["startsOn"])
    odd = [
        fix(start + timedelta(hours=9), lon=-0.0, lat=-0.0, accuracy=12.3, speed=0.1),
        fix(start + timedelta(hours=9, microseconds=250), accuracy=1e-9),
    ]
    record(phone, trip["id"], fixes(trip, 30))
    record(phone, trip["id"], odd, device="ponsel 📱")
    record(phone, trip["id"], fixes(trip, 1, SAMARINDA, accuracy=None))
    rows = stored(trip)
    assert [len(row.accuracy) for row in rows] == [30, 2, 1]
    link = b""
    for row in rows:
        # EWKB: byte order, type, SRID, for a line the number of points; then lon, lat, seconds.
        path = bytes(row.path)
        points = np.frombuffer(path[9 if len(row.accuracy) == 1 else 13 :], "<f8").reshape(-1, 3)
        single = [
            np.asarray(column, dtype=np.float32).astype(float)
            for column in (row.accuracy, row.speed)
        ]
        digest = hashlib.sha256(UUID(trip["id"]).bytes)
        device = row.device.encode()
        digest.update(len(device).to_bytes(2, "little") + device)
        for (lon, lat, at), accuracy, speed in zip(points, *single, strict=True):
            digest.update(struct.pack("<5d", at, lon + 0.0, lat + 0.0, accuracy, speed))
        assert bytes(row.digest) == digest.digest()
        link = hashlib.sha256(link + digest.digest()).digest()
        assert bytes(row.link) == link
        assert row.started_at.timestamp() == pytest.approx(points[0][2], abs=1e-6)
        assert row.ended_at.timestamp() == pytest.approx(points[-1][2], abs=1e-6)
    ((head, arrived),) = sql(
        "SELECT chain_head, arrived FROM trip_progress WHERE trip_id = CAST(:id AS uuid)",
        id=trip["id"],
    )
    assert bytes(head) == link
    assert [row.arrival for row in rows] == [2, 3, 4]
    assert arrived == 4
