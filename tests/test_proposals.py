"""Proposals: what an operator asks for, who decides, and that until then there is no trip."""

from datetime import UTC, datetime
from itertools import count

import pytest
from asking import (
    TABLES,
    ask,
    codes,
    contents,
    enter,
    held,
    nothing_changes,
    nowhere,
    sql,
    threads,
    trip_of,
)
from conftest import BALIKPAPAN, Someone, plan, record, today
from test_track_endpoint import paired, stored  # noqa: F401
from test_trips import weeks

from infra.front_end import Refused
from infra.world import HEAD_OF_OFFICE

# ruff: noqa: F811

_numbers = count(1)
FULL = {
    "transit": ["64.02"],
    "lawfulPlaces": [
        {"region": "64.74", "kind": "LEAVE", "fromOn": "2026-01-03", "untilOn": "2026-01-04"}
    ],
}


@pytest.fixture(scope="module")
def propose(people):
    def propose(traveller, planned=None, *, by: str = "operator", spd: str | None = None, **letter):
        full = {
            "number": f"USUL/{next(_numbers):04}",
            "dated": str(today()),
            "purpose": "Rapat",
            "signedById": people.id_of(HEAD_OF_OFFICE),
        } | letter
        return ask(
            people.as_(by) if isinstance(by, str) else by,
            "proposeTrip",
            letter=full,
            travellerId=traveller.id,
            plan=planned or weeks(),
            spdNumber=spd,
        )

    return propose


@pytest.fixture(scope="module")
def head(people):
    return people.as_("kepala")


def waiting(who) -> set[str]:
    query = "{ tripProposals(states: [WAITING], first: 100) { nodes { id } } }"
    return {node["id"] for node in who.ask(query)["tripProposals"]["nodes"]}


def test_what_was_proposed_is_what_is_issued(propose, someone, head):
    first = weeks(days=4) | FULL
    first["legs"][0] |= {"lodgingName": "Hotel Uji", "lodgingLon": 116.8, "lodgingLat": -1.26}
    day = first["startsOn"]
    first["flights"] = [
        {
            "number": "XX 1",
            "origin": "AAP",
            "destination": "BPN",
            "departsAt": f"{day}T01:00:00Z",
            "arrivesAt": f"{day}T02:00:00Z",
        }
    ]
    proposal = propose(someone, first, spd="SPD/7")
    assert (proposal["state"], proposal["issuedTripId"]) == ("WAITING", None)
    assert proposal["proposedByName"] == "Rina Operator"
    assert proposal["id"] in waiting(head)
    approved = ask(head, "approveProposal", id=proposal["id"])
    assert (approved["state"], approved["decidedByName"]) == ("APPROVED", HEAD_OF_OFFICE)
    trip = trip_of(head, approved["issuedTripId"])
    assert (trip["state"], trip["revision"]) == ("ISSUED", 1)
    assert (trip["letter"]["number"], trip["spdNumber"]) == (proposal["letterNumber"], "SPD/7")
    planned = proposal["plan"]
    assert planned["legs"][0]["lodgingName"] == "Hotel Uji"
    assert planned["flights"][0]["departsAt"] == f"{day}T01:00:00Z"
    assert {key: trip[key] for key in planned} == planned
    assert proposal["id"] not in waiting(head)
    query = "query ($id: UUID!) { tripProposal(id: $id) { state issuedTripId } }"
    assert head.ask(query, id=proposal["id"])["tripProposal"] == {
        "state": "APPROVED",
        "issuedTripId": trip["id"],
    }


def test_a_proposal_is_no_trip(propose, people, paired, head):
    """Nothing is tracked, judged, told to the destination or published by it."""
    who = people.fresh()
    phone = paired(who)
    before = contents("samarinda")
    proposal = propose(who, plan(starts=-1))
    assert proposal["state"] == "WAITING"
    after = contents("samarinda")
    changed = {table for table in TABLES if before[table] != after[table]}
    assert changed == {"trip_proposal"}
    fix = {"time": datetime.now(UTC).isoformat(), "lon": BALIKPAPAN[0], "lat": BALIKPAPAN[1]}
    assert record(who.front_end, proposal["id"], [fix])["code"] == "NOT_FOUND"
    assert phone.fixes([datetime.now(UTC)]).status_code == 200
    for viewer in (who.front_end, people.as_("inspektur"), head):
        assert (
            viewer.ask("query ($id: UUID!) { trip(id: $id) { id } }", id=proposal["id"])["trip"]
            is None
        )
        found = viewer.ask(
            "query ($who: UUID!) { trips(filter: {travellerId: $who}) { nodes { id } } }",
            who=who.id,
        )
        assert found["trips"]["nodes"] == []
    for viewer in (who.front_end, people.as_("inspektur")):
        assert waiting(viewer) == set()
    # From its approval on it is one, and what came before is no part of it.
    trip = {"id": ask(head, "approveProposal", id=proposal["id"])["issuedTripId"]}
    assert stored(who, trip) is None
    assert phone.fixes([datetime.now(UTC)]).status_code == 200
    assert len(stored(who, trip).fixes) == 1


def test_who_decides(propose, people, head):
    someone, colleague = people.fresh(), people.fresh()
    proposal = propose(someone)
    returning = {"id": proposal["id"], "reason": "Coba"}
    refused = []
    office = ask(people.as_("admin"), "addOffice", name="Badan Lain", kind="AGENCY")["id"]
    made_head(colleague, office)
    with nothing_changes():
        for who in ("operator", "admin", "inspektur"):
            refused.append(ask(people.as_(who), "approveProposal", id=proposal["id"]))
            refused.append(ask(people.as_(who), "returnProposal", **returning))
        refused.append(ask(someone.front_end, "approveProposal", id=proposal["id"]))
        assert set(codes(*refused)) == {"NOT_ALLOWED"}
        assert {each["allowed"][0] for each in refused} == {"HEAD_OF_OFFICE"}
        # A head of another office, whose letter it is not, sees none; nor is one absent.
        for key in (proposal["id"], nowhere()):
            assert ask(colleague.front_end, "approveProposal", id=key)["code"] == "NOT_FOUND"
        assert ask(head, "returnProposal", id=proposal["id"], reason=" ")["field"] == "reason"
    # Another head of that office may; the letter is still his who signs.
    made_head(colleague, office_of(HEAD_OF_OFFICE))
    approved = ask(colleague.front_end, "approveProposal", id=proposal["id"])
    assert approved["decidedByName"] == colleague.name
    trip = trip_of(head, approved["issuedTripId"])
    assert trip["letter"]["signedById"] == people.id_of(HEAD_OF_OFFICE)
    # Nobody approves what she is sent on herself.
    hers = propose(colleague)
    with nothing_changes():
        assert ask(colleague.front_end, "approveProposal", id=hers["id"])["field"] == "id"
        assert ask(head, "approveProposal", id=proposal["id"])["was"] == "APPROVED"
    # Who signs decides, whatever her office.
    made_head(colleague, office)
    signed = propose(someone, signedById=colleague.id)
    assert waiting(colleague.front_end) == {signed["id"], hers["id"]}
    assert ask(colleague.front_end, "approveProposal", id=signed["id"])["state"] == "APPROVED"


def office_of(name: str) -> str:
    return sql("SELECT office_id::text FROM member WHERE name = :name", name=name)[0][0]


def made_head(who: Someone, office: str) -> None:
    enter(
        "UPDATE member SET roles = '{HEAD_OF_OFFICE}', office_id = CAST(:office AS uuid)"
        " WHERE id = CAST(:id AS uuid)",
        office=office,
        id=who.id,
    )


def test_sent_back_for_a_reason(propose, someone, operator, head):
    proposal = propose(someone)
    back = ask(head, "returnProposal", id=proposal["id"], reason="Cukup satu hari")
    assert (back["state"], back["reason"]) == ("RETURNED", "Cukup satu hari")
    with nothing_changes():
        assert ask(head, "approveProposal", id=proposal["id"])["was"] == "RETURNED"
    again = propose(someone, number=proposal["letterNumber"])
    assert ask(head, "approveProposal", id=again["id"])["state"] == "APPROVED"
    query = """query ($after: String) { tripProposals(first: 1, after: $after) {
      nodes { id state } pageInfo { endCursor } } }"""
    seen, after = [], None
    for _ in range(2):
        page = operator.ask(query, after=after)["tripProposals"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert seen == [
        {"id": again["id"], "state": "APPROVED"},
        {"id": proposal["id"], "state": "RETURNED"},
    ]


def test_withdrawn_before_anybody_decided(propose, people, someone, operator, head):
    proposal = propose(someone)
    with nothing_changes():
        for who in (head, people.as_("inspektur"), someone.front_end):
            assert ask(who, "withdrawProposal", id=proposal["id"])["code"] == "NOT_ALLOWED"
        elsewhere = people.as_("operator", "balikpapan")
        for who, key in ((elsewhere, proposal["id"]), (operator, nowhere())):
            assert ask(who, "withdrawProposal", id=key)["code"] == "NOT_FOUND"
    withdrawn = ask(operator, "withdrawProposal", id=proposal["id"])
    assert (withdrawn["state"], withdrawn["decidedByName"]) == ("WITHDRAWN", "Rina Operator")
    assert proposal["id"] not in waiting(head)
    with nothing_changes():
        for who, what in ((head, "approveProposal"), (operator, "withdrawProposal")):
            assert ask(who, what, id=proposal["id"])["was"] == "WITHDRAWN"
    # Her own trip, which she could never have approved, too.
    hers = people.fresh()
    enter("UPDATE member SET roles = '{OPERATOR}' WHERE id = CAST(:id AS uuid)", id=hers.id)
    own = propose(hers, by=hers.front_end)
    assert ask(hers.front_end, "withdrawProposal", id=own["id"])["state"] == "WITHDRAWN"
    again = propose(someone, number=proposal["letterNumber"])
    assert ask(head, "approveProposal", id=again["id"])["state"] == "APPROVED"


def test_days_that_are_taken(propose, issue, people, someone, head):
    planned = weeks()
    one, other = propose(someone, planned), propose(someone, planned)
    taken = ask(head, "approveProposal", id=one["id"])
    with nothing_changes():
        refused = ask(head, "approveProposal", id=other["id"])
        assert refused["code"] == "OVERLAPPING_TRIP"
        assert refused["tripId"] == taken["issuedTripId"]
        assert propose(someone, planned)["code"] == "OVERLAPPING_TRIP"
    assert other["id"] in waiting(head)


def test_of_two_decisions_at_once_one_counts(propose, someone, head, people):
    proposal = propose(someone)
    other = people.fresh()
    made_head(other, office_of(HEAD_OF_OFFICE))
    lock = "SELECT 1 FROM trip_proposal WHERE id = CAST(:id AS uuid) FOR UPDATE"
    with threads(2) as submit, held(lock, id=proposal["id"]) as waiting:
        first = submit(ask, head, "approveProposal", id=proposal["id"])
        waiting(1)
        second = submit(
            ask, other.front_end, "returnProposal", id=proposal["id"], reason="Tidak perlu"
        )
        waiting(2)
    assert codes(first.result(), second.result()) == ["TripProposal", "WRONG_STATE"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan": {"legs": []}}, "INVALID_INPUT"),
        ({"plan": {"transit": ["99.99"]}}, "UNKNOWN_REGION"),
        ({"number": "\x00"}, "INVALID_INPUT"),
        ({"signedById": nowhere()}, "INVALID_INPUT"),
    ],
)
def test_what_could_not_be_issued_cannot_be_proposed(propose, someone, changes, code):
    planned = weeks() | changes.pop("plan", {})
    with nothing_changes():
        assert propose(someone, planned, **changes)["code"] == code


def test_who_may_propose(propose, people, someone):
    with nothing_changes():
        for who in ("kepala", "inspektur", someone.username):
            assert propose(someone, by=who)["code"] == "NOT_ALLOWED"


def test_what_was_decided_stays(propose, someone, head):
    proposal = propose(someone)
    ask(head, "returnProposal", id=proposal["id"], reason="Tidak perlu")
    for change in ("state = 'WAITING', decided_by_id = NULL", "purpose = 'Lain'"):
        with pytest.raises(Exception, match=r"stays so|permission denied"):
            enter(
                f"UPDATE trip_proposal SET {change} WHERE id = CAST(:id AS uuid)",  # noqa: S608
                id=proposal["id"],
            )


class TestEarlier:
    def test_lodgings_and_flights_of_the_regency(self, issue, someone, operator, phone):
        planned = weeks(region="64.07")
        planned["legs"][0] |= {
            "lodgingName": "Losmen 100%",
            "lodgingLon": 115.8,
            "lodgingLat": -0.3,
        }
        day = planned["startsOn"]
        flight = {
            "number": "ZZ 900",
            "origin": "AAP",
            "destination": "BPN",
            "departsAt": f"{day}T01:00:00Z",
            "arrivesAt": f"{day}T02:00:00Z",
        }
        issued = issue(someone, planned | {"flights": [flight]}, number="900.1/0041/ST/2026")
        assert issued["__typename"] == "Trip"
        query = """query ($region: String!, $search: String!) {
          lodgings(region: $region, search: $search) { name lon lat trips } }"""
        shown = {"name": "Losmen 100%", "lon": 115.8, "lat": -0.3, "trips": 1}
        found = operator.ask(query, region="64.07", search="00%")["lodgings"]
        assert found == [shown]
        assert operator.ask(query, region="64.07", search="_")["lodgings"] == []
        assert operator.ask(query, region="64.71", search="Losmen")["lodgings"] == []
        known = '{ knownFlights(search: "zz 9") { number origin destination departsAt arrivesAt } }'
        assert operator.ask(known)["knownFlights"] == [flight]
        latest = operator.ask("{ latestLetter { number } }")["latestLetter"]
        assert latest == {"number": "900.1/0041/ST/2026"}
        assert phone.ask("{ latestLetter { number } }")["latestLetter"] is None
        for asked in (known, '{ lodgings(region: "64.07") { name } }'):
            with pytest.raises(Refused, match="NOT_ALLOWED"):
                phone.ask(asked)

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ('{ lodgings(region: "\\u0000") { name } }', "UNKNOWN_REGION"),
            ('{ lodgings(region: "64.71", search: "\\u0000") { name } }', "INVALID_INPUT"),
            ('{ knownFlights(search: "\\u0000") { number } }', "INVALID_INPUT"),
        ],
    )
    def test_bad_input(self, operator, asked, code):
        with pytest.raises(Refused, match=code):
            operator.ask(asked)

    def test_airports(self, operator):
        query = "query ($search: String!) { airports(search: $search) { iata city zone } }"
        found = operator.ask(query, search="bpn")["airports"]
        assert found[0]["iata"] == "BPN"
        assert found[0]["zone"] == "Asia/Makassar"
        assert "CGK" in {each["iata"] for each in operator.ask(query, search="jakarta")["airports"]}
        assert len(operator.ask(query, search="")["airports"]) == 20
