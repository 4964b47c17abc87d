"""Trips from letter to claim, through the API alone; what is refused leaves nothing behind."""

from datetime import date, timedelta
from itertools import count

import pytest
from asking import (
    LOCK_MEMBER,
    ask,
    codes,
    contents,
    held,
    nothing_changes,
    nowhere,
    sql,
    threads,
    trip_of,
)
from conftest import plan

from infra.world import HEAD_OF_OFFICE

_far = count(1)


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
            "reportedOn": None,
            "flights": [],
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
            refused = send(head, head)
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "signedById")
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
