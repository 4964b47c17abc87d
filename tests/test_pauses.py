"""Pauses: whose word they are, how long they last, and the gap that a verdict shows for them."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from asking import LOCK_TRIP, ask, codes, held, nothing_changes, nowhere, settled, sql, threads
from conftest import BALIKPAPAN, fixes_at, plan, record, today, verdict

from infra.front_end import Refused
from tenants import access, catalogue, pauses
from tenants.models import Member
from tenants.problems import InvalidInput

TIMELINE = """
query ($trip: UUID!) {
  trip(id: $trip) { timeline { unknown { startedAt endedAt reason } } deviations { message } }
}"""
PAUSES = "query ($trip: UUID!) { pauses(tripId: $trip) { startedAt endsAt reason } }"
DAY = timedelta(hours=24)


@pytest.fixture(scope="module")
def colleague(people):
    return people.fresh().front_end


@pytest.fixture
def away(issue, someone, operator):
    """Somebody on a trip of today, and the trip; called off when the test is over."""
    trip = issue(someone, plan(starts=-1))["id"]
    assert ask(someone.front_end, "startTrip", id=trip)["state"] == "ACTIVE"
    yield someone, trip
    assert ask(operator, "cancelTrip", id=trip, reason="Sudah diuji")["state"] == "CANCELLED"


def pause(who, trip, reason="Urusan keluarga", **given):
    return ask(who, "pauseTracking", tripId=trip, reason=reason, **given)


def at(text):
    return datetime.fromisoformat(text)


def arrived(trip):
    (row,) = sql("SELECT arrived FROM trip_progress WHERE trip_id = CAST(:id AS uuid)", id=trip)
    return row.arrived


def test_from_pause_to_resume(away):
    who, trip = away
    before = arrived(trip)
    paused = pause(who.front_end, trip)
    assert paused["reason"] == "Urusan keluarga"
    assert at(paused["endsAt"]) == at(paused["startedAt"]) + DAY
    assert arrived(trip) == before + 1
    settled(trip)
    with nothing_changes():
        refused = pause(who.front_end, trip)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "tripId")
    resumed = ask(who.front_end, "resumeTracking", tripId=trip)
    assert resumed["id"] == paused["id"]
    assert at(paused["startedAt"]) < at(resumed["endsAt"]) < datetime.now(UTC)
    assert arrived(trip) == before + 2
    settled(trip)
    with nothing_changes():
        refused = ask(who.front_end, "resumeTracking", tripId=trip)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "tripId")
    assert pause(who.front_end, trip)["id"] != paused["id"]


def test_until_a_time_within_a_day(away):
    who, trip = away
    now = datetime.now(UTC)
    with nothing_changes():
        for until in (now - timedelta(seconds=1), now + DAY + timedelta(minutes=1)):
            refused = pause(who.front_end, trip, until=until.isoformat())
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "until")
    until = now + timedelta(hours=2)
    assert at(pause(who.front_end, trip, until=until.isoformat())["endsAt"]) == until
    with nothing_changes():
        assert pause(who.front_end, trip)["field"] == "tripId"
    assert at(ask(who.front_end, "resumeTracking", tripId=trip)["endsAt"]) < until


def test_only_on_an_active_trip_of_ones_own(people, issue, away, colleague):
    who, trip = away
    to_come = issue(who, plan(starts=40))["id"]
    settled(trip)
    with nothing_changes():
        for mutation, given in (("pauseTracking", {"reason": "Coba"}), ("resumeTracking", {})):
            for officer in ("operator", "kepala", "inspektur", "admin"):
                refused = ask(people.as_(officer), mutation, tripId=trip, **given)
                assert (refused["code"], refused["allowed"]) == ("NOT_ALLOWED", ["TRAVELLER"])
            for viewer, key in (
                (colleague, trip),
                (who.front_end, nowhere()),
                (people.as_("admin", "balikpapan"), trip),
            ):
                assert ask(viewer, mutation, tripId=key, **given)["code"] == "NOT_FOUND"
            refused = ask(who.front_end, mutation, tripId=to_come, **given)
            assert (refused["code"], refused["was"]) == ("WRONG_STATE", "ISSUED")


def test_who_sees_them(people, away, colleague):
    who, trip = away
    assert pause(who.front_end, trip)["id"]
    for viewer in (who.front_end, *map(people.as_, ("operator", "inspektur", "admin"))):
        (shown,) = viewer.ask(PAUSES, trip=trip)["pauses"]
        assert shown["reason"] == "Urusan keluarga"
    with pytest.raises(Refused, match="NOT_FOUND"):
        colleague.ask(PAUSES, trip=trip)


def test_of_two_at_once_one_is_kept(away):
    who, trip = away
    settled(trip)
    with threads(2) as submit:
        with held(LOCK_TRIP, id=trip) as waiting:
            # A front end is not for two threads at once.
            racing = [submit(pause, who.front_end, trip), submit(by_domain, who.id, trip)]
            waiting(2)
        answers = [each.result() for each in racing]
    assert codes(*answers) == ["INVALID_INPUT", "Pause"]


def by_domain(member, trip, **given):
    """Pause by the domain alone, at a time that need not be now."""
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        viewer = access.viewer_of(session.get_one(Member, UUID(member)))
        given = {"reason": "Istirahat", "now": datetime.now(UTC)} | given
        try:
            made = pauses.pause(session, viewer, UUID(trip), **given)
        except InvalidInput as refused:
            return {"__typename": type(refused).__name__, "code": refused.code}
        return {"__typename": "Pause", "id": made.id}


def test_one_left_open_ends_by_itself_and_makes_room(away):
    who, trip = away
    begun = datetime.now(UTC) - DAY - timedelta(hours=1)
    assert "id" in by_domain(who.id, trip, now=begun)
    refused = ask(who.front_end, "resumeTracking", tripId=trip)
    assert refused["field"] == "tripId", "it is over"
    again = by_domain(who.id, trip, now=begun + DAY - timedelta(seconds=1))
    assert again["code"] == "INVALID_INPUT"
    newest = pause(who.front_end, trip)
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        found = pauses.paused(session, [UUID(trip), UUID(nowhere())])
    start = at(newest["startedAt"])
    assert found == {UUID(trip): [(begun, begun + DAY), (start, start + DAY)]}


def test_the_verdict_shows_the_gap_and_why(people, issue, someone):
    trip = issue(someone, plan())
    first = date.fromisoformat(trip["startsOn"])
    midnight = midnight_of(first)
    # She was at one place before and after: without the pause that counts as standing still.
    fixes = [*fixes_at(BALIKPAPAN, first, 5, 10), *fixes_at(BALIKPAPAN, first, 16, 22)]
    assert record(someone.front_end, trip["id"], fixes)["accepted"] == len(fixes)
    begun, until = midnight + timedelta(hours=10), midnight + timedelta(hours=16)
    assert "id" in by_domain(someone.id, trip["id"], now=begun, until=until)
    inspector = people.as_("inspektur")
    verdict(inspector, trip["id"])
    shown = inspector.ask(TIMELINE, trip=trip["id"])["trip"]
    reasons = {
        (at(gap["startedAt"]), at(gap["endedAt"])): gap["reason"]
        for gap in shown["timeline"][0]["unknown"]
    }
    assert reasons[begun, until] == "PAUSED"
    assert list(reasons.values()).count("PAUSED") == 1
    (said,) = [found["message"] for found in shown["deviations"] if "dijeda" in found["message"]]
    assert "6 jam dijeda" in said


def midnight_of(day):
    return datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=8)


def test_a_phone_cannot_say_that_it_was_paused(issue, someone, phone):
    trip = issue(someone, plan(starts=-40))["id"]
    first = midnight_of(today() - timedelta(days=40))
    silence = {
        "startedAt": first.isoformat(),
        "endedAt": (first + timedelta(hours=5)).isoformat(),
        "reason": "PAUSED",
    }
    given = {"tripId": trip, "fixes": [], "device": "ponsel", "silences": [silence]}
    with nothing_changes():
        refused = ask(phone, "recordTrack", **given)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "silences.0")
