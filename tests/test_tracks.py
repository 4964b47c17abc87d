"""Tracks from the phone into the evidence and back; outside an assignment nobody is tracked."""

import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asking import (
    LOCK_TRIP,
    ask,
    decoded,
    held,
    nothing_changes,
    nowhere,
    settled,
    sql,
    threads,
)
from conftest import SAMARINDA, plan, record
from uploads import TRACK, fix, fixes, midnight, receipt, seconds, stored, track

from infra.front_end import Refused


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
        elsewhere = 116.7412589
        before = fix(midnight(trip["startsOn"]) - timedelta(hours=1), lon=elsewhere)
        record(phone, trip["id"], [before, *fixes(trip, 2)])
        with nothing_changes():
            assert record(phone, trip["id"], [before]) == receipt(0, 0, 1)
        binary = struct.pack("<d", elsewhere).hex()
        tables = sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND has_table_privilege(oid, 'SELECT')"
        )
        assert len(tables) > 15
        for (table,) in tables:
            found = sql(
                f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE :binary'  # noqa: S608
                " OR t::text LIKE '%116.74125%'",
                binary=f"%{binary}%",
            )
            assert found[0][0] == 0, table
        for process in world.processes.values():
            assert "116.74125" not in process.log.read_text(errors="replace")

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
