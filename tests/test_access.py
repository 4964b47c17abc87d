"""Who sees and does what: what is forbidden looks as if it were not there."""

from dataclasses import dataclass
from datetime import date

import pytest
from asking import ask, enter, nothing_changes, nowhere, settled, trip_of
from conftest import SAMARINDA, Someone, fixes_at, plan, record, verdict

from infra.world import HEAD_OF_OFFICE

DEVIATION = """
query ($id: UUID!) {
  deviation(id: $id) {
    id state kind replies { memberId body } rulings { memberId upheld reason }
    trip { id traveller { name } } }
}"""
MINE = """
{
  trips(first: 100) { nodes { id } pageInfo { hasNextPage } }
  deviations(first: 100) { nodes { id trip { id } } pageInfo { hasNextPage } }
  members(first: 100) { nodes { id name } pageInfo { hasNextPage } }
}"""


@dataclass(frozen=True)
class Case:
    """Somebody who stayed at home, and the deviation found."""

    who: Someone
    trip: dict
    deviation: str


@pytest.fixture(scope="module")
def stayed_home(people, issue):
    def stay(starts: int = -4, who: Someone | None = None) -> Case:
        who = who or people.fresh()
        trip = issue(who, plan(starts=starts, days=2))
        home = fixes_at(SAMARINDA, date.fromisoformat(trip["startsOn"]), 0, 47, every_minutes=30)
        assert record(who.front_end, trip["id"], home)["accepted"] == len(home)
        settled(trip["id"])
        (found,) = verdict(who.front_end, trip["id"])["deviations"]
        assert (found["kind"], found["state"]) == ("NEVER_LEFT", "OPEN")
        return Case(who, trip, found["id"])

    return stay


@pytest.fixture(scope="module")
def case(stayed_home):
    return stayed_home()


@pytest.fixture(scope="module")
def colleague(people, issue):
    """Somebody of the same office, with a trip of her own."""
    who = people.fresh()
    issue(who, plan(starts=2))
    return who


def deviation_of(viewer, case: Case) -> dict | None:
    return viewer.ask(DEVIATION, id=case.deviation)["deviation"]


def visible(viewer, field: str) -> set[str]:
    return {node["id"] for node in viewer.ask(MINE)[field]["nodes"]}


@pytest.mark.usefixtures("case")
class TestColleagues:
    def test_what_is_hers_is_not_there(self, case, colleague):
        viewer = colleague.front_end
        assert trip_of(viewer, case.trip["id"]) is None
        assert deviation_of(viewer, case) is None
        absent = viewer.ask(
            "query ($id: UUID!) { trip(id: $id) { id } deviation(id: $id) { id } }", id=nowhere()
        )
        assert absent == {"trip": None, "deviation": None}

    def test_pages_and_what_they_tell_are_of_visible_rows(self, colleague):
        seen = colleague.front_end.ask(MINE)
        assert [node["name"] for node in seen["members"]["nodes"]] == [colleague.name]
        assert len(seen["trips"]["nodes"]) == 1
        assert seen["deviations"]["nodes"] == []
        for connection in seen.values():
            assert connection["pageInfo"] == {"hasNextPage": False}
        first = colleague.front_end.ask(
            "{ trips(first: 1) { nodes { id } pageInfo { hasNextPage } }"
            "  members(first: 1) { nodes { id } pageInfo { hasNextPage } } }"
        )
        for connection in first.values():
            assert len(connection["nodes"]) == 1
            assert connection["pageInfo"] == {"hasNextPage": False}, "tells of a hidden row"

    def test_filters_reach_no_further(self, case, colleague):
        found = colleague.front_end.ask(
            "query ($who: UUID!, $trip: UUID!, $name: String!) {"
            "  trips(filter: {travellerId: $who}) { nodes { id } }"
            "  deviations(filter: {tripId: $trip}) { nodes { id } }"
            "  members(search: $name) { nodes { id } } }",
            who=case.who.id,
            trip=case.trip["id"],
            name=case.who.name,
        )
        assert found == {
            "trips": {"nodes": []},
            "deviations": {"nodes": []},
            "members": {"nodes": []},
        }

    def test_a_cursor_of_hers_shows_nothing(self, case, colleague):
        """A cursor says where to go on, and gives no right to what is there."""
        query = (
            "query ($after: String) { deviations(after: $after) { nodes { id } edges { cursor } } }"
        )
        hers = case.who.front_end.ask(query)["deviations"]
        assert [node["id"] for node in hers["nodes"]] == [case.deviation]
        found = colleague.front_end.ask(query, after=hers["edges"][0]["cursor"])
        assert found["deviations"]["nodes"] == []

    def test_she_sees_her_own(self, case):
        assert visible(case.who.front_end, "trips") == {case.trip["id"]}
        assert visible(case.who.front_end, "deviations") == {case.deviation}

    @pytest.mark.parametrize("officer", ["operator", "kepala", "inspektur", "admin"])
    def test_officers_see_it(self, people, case, officer):
        viewer = people.as_(officer)
        assert trip_of(viewer, case.trip["id"])["traveller"]["name"] == case.who.name
        assert deviation_of(viewer, case)["trip"]["id"] == case.trip["id"]


class TestRegencies:
    @pytest.mark.parametrize("officer", ["operator", "kepala", "inspektur", "admin"])
    def test_nothing_of_one_is_in_the_other(self, people, case, officer):
        viewer = people.as_(officer, "balikpapan")
        assert trip_of(viewer, case.trip["id"]) is None
        assert deviation_of(viewer, case) is None
        shown = str(viewer.ask(MINE))
        for canary in (case.trip["id"], case.deviation, case.who.name):
            assert canary not in shown

    def test_nothing_is_changed_from_the_other(self, people, case):
        given = {"id": case.trip["id"]}
        with nothing_changes(), nothing_changes("balikpapan"):
            for officer, mutation, arguments in (
                ("operator", "cancelTrip", {"reason": "Coba"}),
                ("operator", "extendTrip", {"endsOn": "2026-12-31", "reason": "Coba"}),
                ("operator", "reviseTrip", {"plan": plan(), "reason": "Coba"}),
                ("operator", "startTrip", {}),
                ("operator", "finishTrip", {}),
                ("operator", "claimTrip", {"days": 1}),
                ("inspektur", "ruleOnDeviation", {"upheld": False, "reason": "Coba"}),
                ("inspektur", "replyToDeviation", {"body": "Coba"}),
            ):
                key = {"id": case.deviation} if "Deviation" in mutation else given
                refused = ask(people.as_(officer, "balikpapan"), mutation, **key | arguments)
                assert refused["code"] == "NOT_FOUND", mutation

    def test_a_traveller_of_the_other_is_not_sent(self, people):
        abroad = people.fresh("balikpapan").id
        head = people.id_of(HEAD_OF_OFFICE)
        theirs = people.id_of(HEAD_OF_OFFICE, "balikpapan")
        letter = {"number": "ST/seberang", "dated": "2026-01-01", "purpose": "Coba"}
        with nothing_changes():
            for traveller, signer, code in (
                (abroad, head, "NOT_FOUND"),
                (head, theirs, "INVALID_INPUT"),
            ):
                refused = ask(
                    people.as_("operator"),
                    "issueTrip",
                    letter=letter | {"signedById": signer},
                    travellerId=traveller,
                    plan=plan(),
                )
                assert refused["code"] == code


class TestOffices:
    """Secretariat (the officers' own) - section below it; another department beside it."""

    @pytest.fixture(scope="class")
    @classmethod
    def offices(cls, people):
        admin = people.as_("admin")
        (own,) = [
            office["id"]
            for office in admin.ask("{ offices { id name } }")["offices"]
            if office["name"] == "Sekretariat Daerah Kota Samarinda"
        ]

        def add(name, parent=None):
            return ask(admin, "addOffice", name=name, kind="AGENCY", parentId=parent)["id"]

        below = add("Bagian Umum", own)
        return {
            "own": own,
            "below": below,
            "deeper": add("Subbagian Rumah Tangga", below),
            "beside": add("Badan Kepegawaian"),
        }

    @pytest.fixture(scope="class")
    @classmethod
    def sent(cls, people, issue, offices):
        """A trip of somebody in each office, sent by the tenant's admin."""
        trips = {}
        for place in ("below", "deeper", "beside"):
            invitation = {
                "name": f"Pegawai {place}",
                "roles": ["TRAVELLER"],
                "officeId": offices[place],
            }
            made = ask(people.as_("admin"), "inviteMember", invitation=invitation)
            who = Someone(people, "samarinda", "", made["name"])
            trips[place] = issue(who, by="admin")["id"]
        return trips

    @pytest.mark.parametrize("officer", ["operator", "kepala"])
    def test_an_officer_sees_her_own_office_and_those_below(self, people, sent, officer):
        viewer = people.as_(officer)
        assert trip_of(viewer, sent["below"])
        assert trip_of(viewer, sent["deeper"])
        assert trip_of(viewer, sent["beside"]) is None
        query = 'query { members(search: "Pegawai ") { nodes { name } } }'
        found = [node["name"] for node in viewer.ask(query)["members"]["nodes"]]
        assert found == ["Pegawai below", "Pegawai deeper"]

    @pytest.mark.parametrize("officer", ["inspektur", "admin"])
    def test_who_serves_the_whole_regency_sees_all(self, people, sent, officer):
        for trip in sent.values():
            assert trip_of(people.as_(officer), trip)

    def test_she_sends_and_changes_there_only(self, people, issue, sent):
        operator = people.as_("operator")
        with nothing_changes():
            beside = Someone(people, "samarinda", "", "Pegawai beside")
            assert issue(beside, plan(starts=-100))["code"] == "NOT_FOUND"
            for mutation, given in (
                ("cancelTrip", {"reason": "Coba"}),
                ("startTrip", {}),
                ("claimTrip", {"days": 1}),
            ):
                refused = ask(operator, mutation, id=sent["beside"], **given)
                assert refused["code"] == "NOT_FOUND"
        deeper = Someone(people, "samarinda", "", "Pegawai deeper")
        assert issue(deeper, plan(starts=-100))["__typename"] == "Trip"
        assert ask(operator, "cancelTrip", id=sent["deeper"], reason="Batal")["state"]

    def test_from_below_nobody_sees_what_is_above(self, people, offices, sent, case):
        below = people.fresh()
        enter(
            "UPDATE member SET roles = '{OPERATOR}', office_id = CAST(:office AS uuid)"
            " WHERE id = CAST(:id AS uuid)",
            office=offices["below"],
            id=below.id,
        )
        viewer = below.front_end
        assert trip_of(viewer, sent["below"])
        assert trip_of(viewer, sent["deeper"])
        assert trip_of(viewer, case.trip["id"]) is None
        assert deviation_of(viewer, case) is None
        assert visible(viewer, "trips") >= {sent["below"], sent["deeper"]}
        assert {sent["beside"], case.trip["id"]} & visible(viewer, "trips") == set()

    def test_without_an_office_one_sees_oneself(self, people):
        lonely = people.fresh()
        enter(
            "UPDATE member SET roles = '{OPERATOR,HEAD_OF_OFFICE,TREASURER}', office_id = NULL"
            " WHERE id = CAST(:id AS uuid)",
            id=lonely.id,
        )
        assert visible(lonely.front_end, "members") == {lonely.id}
        assert visible(lonely.front_end, "trips") == set()


class TestRepliesAndRulings:
    def test_only_the_traveller_replies(self, people, case, colleague):
        with nothing_changes():
            for officer in ("operator", "kepala", "inspektur", "admin"):
                refused = ask(
                    people.as_(officer), "replyToDeviation", id=case.deviation, body="Coba"
                )
                assert refused["code"] == "NOT_ALLOWED", officer
            refused = ask(colleague.front_end, "replyToDeviation", id=case.deviation, body="Coba")
            assert refused["code"] == "NOT_FOUND"

    def test_only_an_inspector_rules(self, people, case, colleague):
        phones = [case.who.front_end, colleague.front_end]
        with nothing_changes():
            for who in (*phones, *map(people.as_, ("operator", "kepala", "admin"))):
                refused = ask(
                    who, "ruleOnDeviation", id=case.deviation, upheld=False, reason="Coba"
                )
                assert (refused["code"], refused["allowed"]) == ("NOT_ALLOWED", ["INSPECTOR"])

    @pytest.mark.parametrize("text", ["", " \n", "x" * 4001, "sebab\x00"], ids=len)
    def test_words_that_cannot_be(self, people, case, text):
        with nothing_changes():
            for who, mutation, given, field in (
                (case.who.front_end, "replyToDeviation", {"body": text}, "body"),
                (
                    people.as_("inspektur"),
                    "ruleOnDeviation",
                    {"upheld": True, "reason": text},
                    "reason",
                ),
            ):
                refused = ask(who, mutation, id=case.deviation, **given)
                assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)

    @pytest.mark.parametrize("missing", ["reply", "rule"])
    def test_on_what_is_not_there(self, people, missing):
        given = {
            "reply": ("replyToDeviation", {"body": "Coba"}),
            "rule": ("ruleOnDeviation", {"upheld": True, "reason": "Coba"}),
        }
        mutation, arguments = given[missing]
        refused = ask(people.as_("inspektur"), mutation, id=nowhere(), **arguments)
        assert refused["code"] == "NOT_FOUND"

    def test_from_finding_to_decision(self, people, case, colleague):
        body = "Rapat dipindah ke Samarinda, undangan terlampir. <b>'; --</b> 🙏"
        answered = ask(case.who.front_end, "replyToDeviation", id=case.deviation, body=body)
        assert answered["state"] == "ANSWERED"
        reply = {"memberId": case.who.id, "body": body}
        assert answered["replies"] == [reply]
        again = ask(case.who.front_end, "replyToDeviation", id=case.deviation, body="Tambahan")
        assert [each["body"] for each in again["replies"]] == [body, "Tambahan"]

        inspector = people.as_("inspektur")
        assert deviation_of(inspector, case)["replies"][0] == reply
        excused = ask(
            inspector, "ruleOnDeviation", id=case.deviation, upheld=False, reason="Undangan sah"
        )
        ruling = {
            "memberId": people.id_of("Wahyu Inspektur"),
            "upheld": False,
            "reason": "Undangan sah",
        }
        assert (excused["state"], excused["rulings"]) == ("EXCUSED", [ruling])
        upheld = ask(
            inspector, "ruleOnDeviation", id=case.deviation, upheld=True, reason="Undangan palsu"
        )
        assert (upheld["state"], len(upheld["rulings"])) == ("UPHELD", 2)
        assert upheld["rulings"][0] == ruling, "what was decided before stays to be seen"

        # The right of reply does not end with the decision, and does not undo it.
        after = ask(case.who.front_end, "replyToDeviation", id=case.deviation, body="Keberatan")
        assert (after["state"], len(after["replies"])) == ("UPHELD", 3)
        for viewer in (case.who.front_end, *map(people.as_, ("operator", "kepala"))):
            assert deviation_of(viewer, case)["rulings"] == upheld["rulings"]
        assert deviation_of(colleague.front_end, case) is None

    def test_nobody_rules_on_a_trip_of_her_own(self, people, stayed_home):
        who = people.fresh()
        enter(
            "UPDATE member SET roles = '{TRAVELLER,INSPECTOR}' WHERE id = CAST(:id AS uuid)",
            id=who.id,
        )
        own = stayed_home(who=who)
        with nothing_changes():
            for upheld in (True, False):
                refused = ask(
                    who.front_end,
                    "ruleOnDeviation",
                    id=own.deviation,
                    upheld=upheld,
                    reason="Saya sendiri",
                )
                assert refused["code"] == "NOT_ALLOWED"
        assert deviation_of(who.front_end, own)["state"] == "OPEN"
        ruled = ask(
            people.as_("inspektur"),
            "ruleOnDeviation",
            id=own.deviation,
            upheld=True,
            reason="Orang lain",
        )
        assert ruled["state"] == "UPHELD"
