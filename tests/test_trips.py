"""Trips from letter to claim, through the API alone; what is refused leaves nothing behind."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import count

import pytest
from asking import (
    LOCK_MEMBER,
    LOCK_TRIP,
    ask,
    codes,
    contents,
    held,
    nothing_changes,
    nowhere,
    settled,
    sql,
    threads,
    trip_of,
)
from conftest import SAMARINDA, ZONE, fixes_at, plan, record, today, verdict

from infra.world import HEAD_OF_OFFICE

_far = count(1)


@pytest.fixture(scope="module")
def someone(people):
    """A traveller whom the tests of this file send away, each in weeks of its own."""
    return people.fresh()


@pytest.fixture
def operator(people):
    return people.as_("operator")


@pytest.fixture(scope="module")
def second_head(people) -> str:
    invitation = {"name": "Endang Kepala", "roles": ["HEAD_OF_OFFICE"]}
    return ask(people.as_("admin"), "inviteMember", invitation=invitation)["id"]


def weeks(**changes) -> dict:
    """A plan in days that no other test of this file uses, before those of the conftest."""
    return plan(starts=-30 - 20 * next(_far), **changes)


def day(text: str, later: int = 0) -> str:
    return (date.fromisoformat(text) + timedelta(days=later)).isoformat()


def moved(planned: dict, by: int, days: int | None = None) -> dict:
    """The plan so many days later, its only destination with it, perhaps of another length."""
    starts = day(planned["startsOn"], by)
    ends = day(starts, days - 1) if days else day(planned["endsOn"], by)
    leg = planned["legs"][0] | {"arriveOn": starts, "departOn": ends}
    return planned | {"startsOn": starts, "endsOn": ends, "legs": [leg]}


def letter(people, number: str, **changes) -> dict:
    return {
        "number": number,
        "dated": "2026-01-05",
        "purpose": "Rapat",
        "signedById": people.id_of(HEAD_OF_OFFICE),
    } | changes


class TestIssuing:
    def test_everything_a_letter_says_is_kept(self, people, someone, operator):
        planned = weeks(days=5)
        first = planned["startsOn"]
        planned["legs"] = [
            {
                "region": "64.71",
                "arriveOn": first,
                "departOn": day(first, 2),
                "transport": "AIR",
                "flightNumber": "XX 7301",
                "lodgingName": "Hotel di Balikpapan",
                "lodgingLon": 116.845,
                "lodgingLat": -1.262,
            },
            # On the day she leaves one she may reach the next.
            {
                "region": "64.09",
                "arriveOn": day(first, 2),
                "departOn": day(first, 4),
                "transport": "SEA",
                "flightNumber": None,
                "lodgingName": None,
                "lodgingLon": None,
                "lodgingLat": None,
            },
        ]
        planned["transit"] = ["64.02", "64.09", "64.02"]
        planned["lawfulPlaces"] = [
            {
                "region": "64.74",
                "kind": "LEAVE",
                "fromOn": day(first, -3),
                "untilOn": day(first, -1),
            }
        ]
        given = letter(people, "ST/lengkap/2026")
        trip = ask(
            operator,
            "issueTrip",
            letter=given,
            travellerId=someone.id,
            plan=planned,
            spdNumber="SPD/7/2026",
        )
        shown = dict(trip)
        assert shown.pop("__typename") == "Trip"
        assert shown.pop("id")
        assert shown.pop("letter").items() >= given.items()
        expected = [
            {
                "position": position,
                "regionCode": leg["region"],
                "zone": "Asia/Makassar",
            }
            | {name: value for name, value in leg.items() if name != "region"}
            for position, leg in enumerate(planned["legs"], 1)
        ]
        assert shown == {
            "state": "ISSUED",
            "revision": 1,
            "startsOn": first,
            "endsOn": day(first, 4),
            "spdNumber": "SPD/7/2026",
            "transit": ["64.02", "64.09"],
            "startedAt": None,
            "finishedAt": None,
            "claimedDays": None,
            "traveller": {"id": someone.id, "name": someone.name},
            "legs": expected,
            "lawfulPlaces": [
                {
                    "regionCode": "64.74",
                    "kind": "LEAVE",
                    "fromOn": day(first, -3),
                    "untilOn": day(first, -1),
                }
            ],
        }
        trip.pop("__typename")
        for viewer in (operator, someone.front_end, *map(people.as_, ("kepala", "inspektur"))):
            assert trip_of(viewer, trip["id"]) == trip

    def test_one_letter_sends_several(self, people, someone, operator, second_head):
        other = people.fresh()
        first, second = weeks(), weeks()
        given = letter(people, "ST/rombongan")

        def send(who, planned, **changes):
            return ask(
                operator, "issueTrip", letter=given | changes, travellerId=who.id, plan=planned
            )

        trips = [send(someone, first), send(other, first), send(other, second)]
        assert {trip["letter"]["id"] for trip in trips} == {trips[0]["letter"]["id"]}
        with nothing_changes():
            for change in (
                {"purpose": "Rapat lain"},
                {"dated": "2026-01-06"},
                {"signedById": second_head},
            ):
                refused = send(someone, second, **change)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "number"), change
        # White space around them is no other content.
        spaced = send(someone, second, number=" ST/rombongan ", purpose="Rapat\n")
        assert spaced["letter"] == trips[0]["letter"]

    def test_who_may_send(self, people, someone):
        with nothing_changes():
            for who in (someone.front_end, people.as_("inspektur"), people.as_("kepala")):
                refused = ask(
                    who,
                    "issueTrip",
                    letter=letter(people, "ST/x"),
                    travellerId=someone.id,
                    plan=weeks(),
                )
                assert refused["code"] == "NOT_ALLOWED"
                assert refused["allowed"] == ["OPERATOR", "TENANT_ADMIN"]

    def test_a_head_of_office_signs_and_never_for_himself(
        self, people, someone, operator, second_head
    ):
        head = people.id_of(HEAD_OF_OFFICE)
        planned = weeks()

        def send(traveller, signer):
            return ask(
                operator,
                "issueTrip",
                letter=letter(people, "ST/kepala", signedById=signer),
                travellerId=traveller,
                plan=planned,
            )

        with nothing_changes():
            for signer in (people.id_of("Rina Operator"), someone.id, nowhere()):
                refused = send(someone.id, signer)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "signedById")
            assert send(head, head)["code"] == "NOT_ALLOWED"
            assert send(nowhere(), head)["code"] == "NOT_FOUND"
        assert send(head, second_head)["__typename"] == "Trip"


class TestOverlaps:
    @pytest.mark.parametrize(("by", "days"), [(0, 3), (-2, 3), (2, 3), (1, 1), (-5, 20)], ids=str)
    def test_nobody_is_in_two_places(self, issue, someone, by, days):
        planned = weeks(days=3)
        trip = issue(someone, planned)
        with nothing_changes():
            refused = issue(someone, moved(planned, by, days))
        assert refused["code"] == "OVERLAPPING_TRIP"
        assert refused["tripId"] == trip["id"]
        assert refused["letterNumber"] == trip["letter"]["number"]
        assert trip["letter"]["number"] in refused["message"]
        assert (refused["startsOn"], refused["endsOn"]) == (trip["startsOn"], trip["endsOn"])

    def test_trips_may_follow_one_another(self, issue, someone):
        planned = weeks(days=3)
        for by in (0, 3, -3):
            assert issue(someone, moved(planned, by))["__typename"] == "Trip"

    def test_of_two_operators_one_wins(self, people, someone):
        """Both find the days free before either writes."""
        planned = weeks()
        senders = [people.as_("operator"), people.as_("admin")]
        letters = [letter(people, f"ST/serentak/{number}") for number in range(2)]
        traveller = someone.id
        with threads(2) as submit:
            with held(LOCK_MEMBER, ids=[traveller]) as waiting:
                racing = [
                    submit(ask, who, "issueTrip", letter=each, travellerId=traveller, plan=planned)
                    for who, each in zip(senders, letters, strict=True)
                ]
                waiting(2)
            answers = [each.result() for each in racing]
        assert codes(*answers) == ["OVERLAPPING_TRIP", "Trip"]
        won, lost = sorted(answers, key=lambda answer: answer["__typename"], reverse=True)
        assert lost["tripId"] == won["id"]
        written = sql("SELECT number FROM assignment_letter WHERE number LIKE 'ST/serentak/%'")
        assert [tuple(row) for row in written] == [(won["letter"]["number"],)]

    def test_two_travellers_of_one_new_letter_at_once(self, people, someone):
        """The letter is new to both requests: it is written once, and both are sent by it."""
        other = people.fresh()
        planned = weeks()
        given = letter(people, "ST/serombongan")
        ids = [someone.id, other.id]
        with threads(2) as submit:
            with held(LOCK_MEMBER, ids=ids) as waiting:
                racing = [
                    submit(
                        ask,
                        people.as_(who),
                        "issueTrip",
                        letter=given,
                        travellerId=traveller,
                        plan=planned,
                    )
                    for who, traveller in zip(("operator", "admin"), ids, strict=True)
                ]
                waiting(2)
            answers = [each.result() for each in racing]
        assert codes(*answers) == ["Trip", "Trip"]
        assert len({answer["letter"]["id"] for answer in answers}) == 1


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
        trip = issue(someone, plan(starts=2 + next(_far)))
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


BAD_PLANS = {
    "no such region": (lambda p: p["legs"][0].update(region="99.99"), "UNKNOWN_REGION", "99.99"),
    "BPS's code": (lambda p: p["legs"][0].update(region="6471"), "UNKNOWN_REGION", "6471"),
    "no region": (lambda p: p["legs"][0].update(region=""), "UNKNOWN_REGION", ""),
    "transit nowhere": (lambda p: p.update(transit=["64.02", "x"]), "UNKNOWN_REGION", "x"),
    "lawful nowhere": (
        lambda p: p.update(
            lawfulPlaces=[
                {"region": "y", "kind": "LEAVE", "fromOn": "2026-01-01", "untilOn": "2026-01-01"}
            ]
        ),
        "UNKNOWN_REGION",
        "y",
    ),
    "lawful in reverse": (
        lambda p: p.update(
            lawfulPlaces=[
                {
                    "region": "64.02",
                    "kind": "LEAVE",
                    "fromOn": "2026-01-02",
                    "untilOn": "2026-01-01",
                }
            ]
        ),
        "INVALID_INPUT",
        "lawfulPlaces",
    ),
    "end before start": (
        lambda p: p.update(endsOn=day(p["startsOn"], -1)),
        "INVALID_INPUT",
        "endsOn",
    ),
    "more than a year": (
        lambda p: p.update(endsOn=day(p["startsOn"], 367)),
        "INVALID_INPUT",
        "endsOn",
    ),
    "year 1": (lambda p: p.update(moved(p, 0) | years(p, "0001-01-01")), "INVALID_INPUT", None),
    "year 9999": (lambda p: p.update(years(p, "9999-12-31")), "INVALID_INPUT", None),
    "no leg": (lambda p: p.update(legs=[]), "INVALID_INPUT", "legs"),
    "21 legs": (lambda p: p.update(legs=p["legs"] * 21), "INVALID_INPUT", "legs"),
    "leg before the trip": (
        lambda p: p["legs"][0].update(arriveOn=day(p["startsOn"], -1)),
        "INVALID_INPUT",
        "legs",
    ),
    "leg after the trip": (
        lambda p: p["legs"][0].update(departOn=day(p["endsOn"], 1)),
        "INVALID_INPUT",
        "legs",
    ),
    "leg in reverse": (
        lambda p: p["legs"][0].update(arriveOn=p["endsOn"], departOn=p["startsOn"]),
        "INVALID_INPUT",
        "legs",
    ),
    "legs out of order": (
        lambda p: p.update(legs=[p["legs"][0] | {"arriveOn": p["endsOn"]}, p["legs"][0]]),
        "INVALID_INPUT",
        "legs",
    ),
    "lodging without latitude": (
        lambda p: p["legs"][0].update(lodgingLon=117.1),
        "INVALID_INPUT",
        "lodging",
    ),
    "lodging off the earth": (
        lambda p: p["legs"][0].update(lodgingLon=1e308, lodgingLat=0),
        "INVALID_INPUT",
        "lodging",
    ),
    "a long flight number": (
        lambda p: p["legs"][0].update(flightNumber="X" * 13),
        "INVALID_INPUT",
        "flightNumber",
    ),
    "a long lodging": (
        lambda p: p["legs"][0].update(lodgingName="X" * 501),
        "INVALID_INPUT",
        "lodgingName",
    ),
}


def years(planned: dict, text: str) -> dict:
    leg = planned["legs"][0] | {"arriveOn": text, "departOn": text}
    return {"startsOn": text, "endsOn": text, "legs": [leg]}


@pytest.mark.parametrize(("spoil", "code", "names"), BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_plan_that_cannot_be(people, issue, someone, operator, spoil, code, names):
    good = plan(starts=500, days=3)
    planned = good | {"legs": [dict(leg) for leg in good["legs"]]}
    spoil(planned)
    before = contents("samarinda")
    refused = issue(someone, planned)
    assert refused.get("code") == code, refused
    shown = refused.get("region") if code == "UNKNOWN_REGION" else refused.get("field")
    assert names in (None, shown)
    trip = sql("SELECT id::text FROM trip WHERE state = 'ISSUED' ORDER BY created_at LIMIT 1")
    revised = ask(operator, "reviseTrip", id=trip[0].id, plan=planned, reason="Coba")
    assert revised.get("code") == code, revised
    assert contents("samarinda") == before
