"""Trips changed, travelled and judged; what is refused leaves nothing behind."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from asking import (
    LOCK_TRIP,
    ask,
    held,
    nothing_changes,
    settled,
    sql,
    threads,
    trip_of,
)
from conftest import SAMARINDA, ZONE, fixes_at, plan, record, today, verdict
from test_trips import day, moved, weeks


class TestChanging:
    def test_what_the_plan_was_is_kept(self, people, issue, someone, operator):
        planned = weeks(days=4, region="64.71", transit=["64.02"])
        trip = issue(someone, planned)
        new = moved(planned, 1, 2) | {"transit": []}
        new["legs"][0]["region"] = "64.74"
        revised = ask(operator, "reviseTrip", id=trip["id"], plan=new, reason="Undangan pindah")
        assert (revised["revision"], revised["state"]) == (2, "ISSUED")
        assert (revised["startsOn"], revised["endsOn"]) == (new["startsOn"], new["endsOn"])
        assert [leg["regionCode"] for leg in revised["legs"]] == ["64.74"]
        longer = ask(
            operator,
            "extendTrip",
            id=trip["id"],
            endsOn=day(new["endsOn"], 3),
            reason="Belum rampung",
        )
        assert (longer["revision"], longer["endsOn"]) == (3, day(new["endsOn"], 3))
        assert longer["legs"][0]["departOn"] == day(new["endsOn"], 3)
        off = ask(operator, "cancelTrip", id=trip["id"], reason="Acara batal")
        assert (off["revision"], off["state"]) == (4, "CANCELLED")

        kept = sql(
            "SELECT revision, change, reason, changed_by_id::text AS changed_by, plan"
            " FROM trip_revision WHERE trip_id = CAST(:id AS uuid) ORDER BY revision",
            id=trip["id"],
        )
        assert [(row.revision, row.change, row.reason) for row in kept] == [
            (1, "REVISED", "Undangan pindah"),
            (2, "EXTENDED", "Belum rampung"),
            (3, "CANCELLED", "Acara batal"),
        ]
        assert {row.changed_by for row in kept} == {people.id_of("Rina Operator")}
        plans = [row.plan for row in kept]
        assert [old["ends_on"] for old in plans] == [
            planned["endsOn"],
            new["endsOn"],
            day(new["endsOn"], 3),
        ]
        assert plans[0]["transit"] == ["64.02"]
        assert [old["legs"][0]["region_code"] for old in plans] == ["64.71", "64.74", "64.74"]
        assert [old["legs"][0]["depart_on"] for old in plans] == [old["ends_on"] for old in plans]

    @pytest.mark.parametrize("order", [("reviseTrip", "extendTrip"), ("extendTrip", "reviseTrip")])
    def test_of_two_changes_at_once_the_second_builds_on_the_first(
        self, people, issue, someone, order
    ):
        planned = weeks(days=2)
        trip = issue(someone, planned)
        new = moved(planned, 1, 2)
        new["legs"][0]["region"] = "64.74"
        given = {"reviseTrip": {"plan": new}, "extendTrip": {"endsOn": day(planned["startsOn"], 5)}}
        settled(trip["id"])
        with threads(2) as submit:
            racing = []
            with held(LOCK_TRIP, id=trip["id"]) as waiting:
                for who, change in zip(("operator", "admin"), order, strict=True):
                    racing.append(
                        submit(
                            ask,
                            people.as_(who),
                            change,
                            id=trip["id"],
                            reason="Serentak",
                            **given[change],
                        )
                    )
                    waiting(len(racing))
            first, second = (each.result() for each in racing)
        assert [first["revision"], second["revision"]] == [2, 3]
        (between,) = sql(
            "SELECT change, plan FROM trip_revision"
            " WHERE trip_id = CAST(:id AS uuid) AND revision = 2",
            id=trip["id"],
        )
        kept = between.plan
        assert (kept["starts_on"], kept["ends_on"]) == (first["startsOn"], first["endsOn"])
        assert kept["legs"][0]["region_code"] == first["legs"][0]["regionCode"]
        after = trip_of(people.as_("operator"), trip["id"])
        assert after["legs"][-1]["departOn"] == after["endsOn"]
        assert after["legs"][0]["arriveOn"] == after["startsOn"]

    def test_a_change_cannot_make_an_overlap(self, issue, someone, operator):
        planned = weeks(days=3)
        trip, next_trip = issue(someone, planned), issue(someone, moved(planned, 5))
        with nothing_changes():
            for mutation, given in (
                ("reviseTrip", {"plan": moved(planned, 3)}),
                ("extendTrip", {"endsOn": day(planned["endsOn"], 3)}),
            ):
                refused = ask(operator, mutation, id=trip["id"], reason="Coba", **given)
                assert refused["code"] == "OVERLAPPING_TRIP"
                assert refused["tripId"] == next_trip["id"]
        # Its own former days are free to it.
        assert (
            ask(operator, "reviseTrip", id=trip["id"], plan=moved(planned, 2), reason="Geser")[
                "revision"
            ]
            == 2
        )

    @pytest.mark.parametrize("later", [0, -1, -3, 400, 3_000_000])
    def test_an_end_that_is_no_extension(self, issue, someone, operator, later):
        trip = issue(someone, weeks(days=3))
        ends_on = "9999-12-31" if later == 3_000_000 else day(trip["endsOn"], later)
        with nothing_changes():
            refused = ask(operator, "extendTrip", id=trip["id"], endsOn=ends_on, reason="Coba")
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "endsOn")

    def test_cancelling_frees_the_days(self, issue, someone, operator):
        planned = weeks()
        trip = issue(someone, planned)
        ask(operator, "cancelTrip", id=trip["id"], reason="Batal")
        assert issue(someone, planned)["__typename"] == "Trip"

    def test_who_may_change(self, people, issue, someone):
        trip = issue(someone, weeks())
        colleague = people.fresh()
        phones = [someone.front_end, colleague.front_end]
        with nothing_changes():
            for who in phones:
                for mutation, given in (
                    ("reviseTrip", {"plan": weeks(), "reason": "Coba"}),
                    ("extendTrip", {"endsOn": day(trip["endsOn"], 1), "reason": "Coba"}),
                    ("cancelTrip", {"reason": "Coba"}),
                ):
                    refused = ask(who, mutation, id=trip["id"], **given)
                    assert refused["code"] == "NOT_ALLOWED", mutation
            for mutation, given in (
                ("startTrip", {}),
                ("finishTrip", {}),
                ("claimTrip", {"days": 1}),
            ):
                refused = ask(phones[1], mutation, id=trip["id"], **given)
                assert refused["code"] == "NOT_FOUND", mutation
                for officer in ("inspektur", "kepala"):
                    refused = ask(people.as_(officer), mutation, id=trip["id"], **given)
                    assert refused["code"] == "NOT_ALLOWED", mutation


@pytest.fixture(scope="module")
def trips(people, issue) -> Iterator[dict[str, dict]]:
    """A trip in each state."""
    traveller, operator = people.fresh(), people.as_("operator")
    planned = {
        state: moved(plan(days=2), -40 - 10 * place)
        for place, state in enumerate(("ISSUED", "ACTIVE", "FINISHED", "CANCELLED"))
    }
    trips = {state: issue(traveller, each) for state, each in planned.items()}
    for state in ("ACTIVE", "FINISHED"):
        assert ask(operator, "startTrip", id=trips[state]["id"])["state"] == "ACTIVE"
    finished = ask(operator, "finishTrip", id=trips["FINISHED"]["id"], finishedAt=None)
    assert finished["state"] == "FINISHED"
    ask(operator, "cancelTrip", id=trips["CANCELLED"]["id"], reason="Batal")
    return trips


class TestTravelling:
    @pytest.mark.parametrize(
        ("mutation", "not_in"),
        [
            ("reviseTrip", "FINISHED CANCELLED"),
            ("extendTrip", "FINISHED CANCELLED"),
            ("cancelTrip", "FINISHED CANCELLED"),
            ("startTrip", "ACTIVE FINISHED CANCELLED"),
            ("finishTrip", "ISSUED FINISHED CANCELLED"),
            ("claimTrip", "ISSUED ACTIVE CANCELLED"),
        ],
    )
    def test_what_a_state_does_not_allow(self, operator, trips, mutation, not_in):
        given = {
            "reviseTrip": {"plan": weeks(), "reason": "Coba"},
            "extendTrip": {"endsOn": today().isoformat(), "reason": "Coba"},
            "cancelTrip": {"reason": "Coba"},
            "finishTrip": {"finishedAt": None},
            "claimTrip": {"days": 1},
        }.get(mutation, {})
        for state in not_in.split():
            with nothing_changes():
                refused = ask(operator, mutation, id=trips[state]["id"], **given)
            assert (refused["code"], refused["was"]) == ("WRONG_STATE", state)
            assert state in refused["message"]

    def test_not_before_the_first_day(self, issue, someone):
        trip = issue(someone, plan(starts=2))
        with nothing_changes():
            refused = ask(someone.front_end, "startTrip", id=trip["id"])
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "startsOn")

    def test_from_departure_to_claim(self, people, issue):
        traveller = people.fresh()
        phone, planned = traveller.front_end, plan(starts=-6, days=5)
        trip = issue(traveller, planned)
        started = ask(phone, "startTrip", id=trip["id"])
        assert started["state"] == "ACTIVE"
        age = datetime.now(ZONE) - datetime.fromisoformat(started["startedAt"])
        assert abs(age) < timedelta(seconds=30)

        midnight = datetime.fromisoformat(f"{planned['startsOn']}T00:00:00+08:00")
        with nothing_changes():
            for at in (
                midnight - timedelta(seconds=1),
                datetime.now(ZONE) + timedelta(minutes=1),
                datetime.fromisoformat("0001-01-02T00:00:00+00:00"),
            ):
                refused = ask(phone, "finishTrip", id=trip["id"], finishedAt=at.isoformat())
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "finishedAt")
        back = midnight + timedelta(days=2, hours=10)
        finished = ask(phone, "finishTrip", id=trip["id"], finishedAt=back.isoformat())
        assert finished["state"] == "FINISHED"
        assert datetime.fromisoformat(finished["finishedAt"]) == back
        assert finished["endsOn"] == planned["endsOn"], "the letter stays what it was"

        # The day of return is still this trip's, the days after it are free.
        refused = issue(traveller, moved(planned, 2, 1))
        assert (refused["code"], refused["endsOn"]) == (
            "OVERLAPPING_TRIP",
            day(planned["startsOn"], 2),
        )
        assert issue(traveller, moved(planned, 3, 1))["__typename"] == "Trip"

        with nothing_changes():
            for days in (-1, 367):
                refused = ask(phone, "claimTrip", id=trip["id"], days=days)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "days")
        for days in (3, 0, 5):
            assert ask(phone, "claimTrip", id=trip["id"], days=days)["claimedDays"] == days

    def test_without_a_time_it_ends_now_and_no_later_than_planned(self, issue, someone):
        planned = weeks()
        trip = issue(someone, planned)
        ask(someone.front_end, "startTrip", id=trip["id"])
        finished = ask(someone.front_end, "finishTrip", id=trip["id"])
        end = datetime.fromisoformat(f"{day(planned['endsOn'], 1)}T00:00:00+08:00")
        assert datetime.fromisoformat(finished["finishedAt"]) == end
        assert issue(someone, moved(planned, 3))["__typename"] == "Trip"


class TestOnceADeviationStands:
    def test_the_plan_is_closed(self, people, issue, operator):
        traveller = people.fresh()
        planned = plan(starts=-4, days=2)
        trip = issue(traveller, planned)
        home = fixes_at(SAMARINDA, date.fromisoformat(planned["startsOn"]), 0, 47.9)
        assert record(traveller.front_end, trip["id"], home)["accepted"] == len(home)
        settled(trip["id"])
        found = verdict(operator, trip["id"])
        assert [each["kind"] for each in found["deviations"]] == ["NEVER_LEFT"]

        there = moved(planned, 0)
        there["legs"][0]["region"] = "64.72"
        for mutation, given in (
            ("reviseTrip", {"plan": there}),
            ("extendTrip", {"endsOn": today().isoformat()}),
            ("cancelTrip", {}),
        ):
            with nothing_changes():
                refused = ask(
                    operator, mutation, id=trip["id"], reason="Memang di sini saja", **given
                )
            assert (refused["code"], refused["deviations"]) == ("PLAN_IS_JUDGED", 1)
        # The way on is not closed.
        phone = traveller.front_end
        assert ask(phone, "finishTrip", id=trip["id"])["state"] == "FINISHED"
        assert ask(phone, "claimTrip", id=trip["id"], days=2)["claimedDays"] == 2
