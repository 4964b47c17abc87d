"""Claims and what follows: what a treasurer sees, and what is paid back after a ruling."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from asking import ask, codes, enter, held, nothing_changes, nowhere, threads
from conftest import SAMARINDA, fixes_at, plan, record, today, verdict
from refusals import bearer

HOSTILE = '<img src=x onerror="x"> {{7*7}}'
CLAIMS = """query ($filter: ClaimFilter, $first: Int! = 100, $after: String) {
  claims(filter: $filter, first: $first, after: $after) {
    nodes { state atStake upheld recovered outstanding trip { id claimedDays reportedOn } }
    pageInfo { hasNextPage endCursor } } }"""
TOTALS = """query ($filter: ClaimFilter) {
  claimTotals(filter: $filter) { claims atStake upheld recovered outstanding } }"""
LOCK_DEVIATION = "SELECT 1 FROM deviation WHERE id = CAST(:id AS uuid) FOR UPDATE"


@pytest.fixture
def treasurer(people):
    return people.as_("bendahara")


@pytest.fixture
def stayed(people, issue):
    """Who claims three days of a trip and never left; the finding that says so."""
    who = people.fresh()
    trip = issue(who, plan(starts=-6))
    record(who.front_end, trip["id"], fixes_at(SAMARINDA, today() - timedelta(days=6), 0, 72))
    finished = """mutation ($id: UUID!) {
      finishTrip(id: $id) { __typename } claimTrip(id: $id, days: 3) { __typename } }"""
    who.front_end.ask(finished, id=trip["id"])
    found = verdict(people.as_("inspektur"), trip["id"])["deviations"]
    (never,) = [each for each in found if each["kind"] == "NEVER_LEFT"]
    assert Decimal(never["amount"]) == 1_290_000
    return who, trip["id"], never["id"]


def rule(people, deviation_id, *, upheld):
    inspector = people.as_("inspektur")
    made = ask(inspector, "ruleOnDeviation", id=deviation_id, upheld=upheld, reason="Uji")
    assert made["state"] == ("UPHELD" if upheld else "EXCUSED")


def claim_of(who, trip_id, **conditions):
    nodes = who.ask(CLAIMS, filter=conditions)["claims"]["nodes"]
    return next((node for node in nodes if node["trip"]["id"] == trip_id), None)


def sums(claim):
    return [int(Decimal(claim[name])) for name in ("atStake", "upheld", "recovered", "outstanding")]


def paid(amount="1290000", days_ago=0, receipt="STS/1"):
    day = (today() - timedelta(days=days_ago)).isoformat()
    return {"amount": amount, "paidOn": day, "receipt": receipt}


def test_from_finding_to_ruling_to_the_money(people, treasurer, stayed):
    who, trip, deviation = stayed
    claim = claim_of(treasurer, trip)
    assert (claim["state"], sums(claim)) == ("IN_REVIEW", [1_290_000, 0, 0, 0])
    # A finding is no sanction: nothing is paid back before somebody upholds it.
    with nothing_changes():
        early = ask(treasurer, "recordRecovery", deviationId=deviation, payment=paid())
    assert (early["code"], early["was"]) == ("WRONG_STATE", "OPEN")
    rule(people, deviation, upheld=True)
    before = treasurer.ask(TOTALS, filter={})["claimTotals"]
    claim = claim_of(treasurer, trip, states=["TO_RECOVER"])
    assert sums(claim) == [0, 1_290_000, 0, 1_290_000]
    part = paid("290000.00", receipt=f"STS/{HOSTILE}")
    made = ask(treasurer, "recordRecovery", deviationId=deviation, payment=part)
    (shown,) = made["recoveries"]
    assert shown.pop("id")
    assert shown == part | {"memberName": "Ratna Bendahara"}
    assert sums(claim_of(treasurer, trip)) == [0, 1_290_000, 290_000, 1_000_000]
    with nothing_changes():
        over = ask(treasurer, "recordRecovery", deviationId=deviation, payment=paid("1000000.01"))
    assert (over["code"], over["field"]) == ("INVALID_INPUT", "amount")
    made = ask(treasurer, "recordRecovery", deviationId=deviation, payment=paid("1000000"))
    assert claim_of(treasurer, trip, states=["TO_RECOVER", "IN_REVIEW", "AWAITED"]) is None
    claim = claim_of(who.front_end, trip, states=["SETTLED"])
    assert sums(claim) == [0, 1_290_000, 1_290_000, 0]
    after = treasurer.ask(TOTALS, filter={})["claimTotals"]
    assert after["claims"] == before["claims"]
    for name, by in (("recovered", 1_290_000), ("outstanding", -1_290_000), ("upheld", 0)):
        assert Decimal(after[name]) - Decimal(before[name]) == by
    # What was entered wrongly is taken back, once.
    wrong = made["recoveries"][-1]["id"]
    back = ask(treasurer, "withdrawRecovery", id=wrong, reason="Salah ketik")
    assert [Decimal(each["amount"]) for each in back["recoveries"]] == [290_000]
    assert claim_of(treasurer, trip)["state"] == "TO_RECOVER"
    with nothing_changes():
        assert ask(treasurer, "withdrawRecovery", id=wrong, reason="Lagi")["code"] == "NOT_FOUND"


def test_what_is_excused_is_not_to_be_paid_back(people, treasurer, stayed):
    _, trip, deviation = stayed
    rule(people, deviation, upheld=False)
    claim = claim_of(treasurer, trip)
    assert (claim["state"], sums(claim)) == ("SETTLED", [0, 0, 0, 0])
    with nothing_changes():
        refused = ask(treasurer, "recordRecovery", deviationId=deviation, payment=paid())
    assert (refused["code"], refused["was"]) == ("WRONG_STATE", "EXCUSED")


def test_of_two_payments_at_once_one_is_entered(people, treasurer, stayed):
    _, _, deviation = stayed
    rule(people, deviation, upheld=True)
    with people._world.sign_in("samarinda", "bendahara") as other, threads(2) as submit:
        with held(LOCK_DEVIATION, id=deviation) as waiting:
            racing = [
                submit(ask, each, "recordRecovery", deviationId=deviation, payment=paid())
                for each in (treasurer, other)
            ]
            waiting(2)
        assert codes(*(each.result() for each in racing)) == ["Deviation", "INVALID_INPUT"]


def test_only_a_treasurer_and_not_for_her_own_trip(people, treasurer, stayed):
    who, _, deviation = stayed
    rule(people, deviation, upheld=True)
    made = ask(treasurer, "recordRecovery", deviationId=deviation, payment=paid("1000"))
    entered = made["recoveries"][0]["id"]
    others = [who.front_end, *map(people.as_, ("operator", "kepala", "inspektur", "admin"))]
    enter("UPDATE member SET roles = '{TREASURER}' WHERE id = :id", id=UUID(who.id))
    colleague = people.fresh().front_end
    abroad = people.as_("bendahara", "balikpapan")
    with nothing_changes():
        for each, code in (
            *((other, "NOT_ALLOWED") for other in others),
            (colleague, "NOT_FOUND"),
            (abroad, "NOT_FOUND"),
        ):
            for refused in (
                ask(each, "recordRecovery", deviationId=deviation, payment=paid("1000")),
                ask(each, "withdrawRecovery", id=entered, reason="x"),
            ):
                assert refused["code"] == code
        # Absent and forbidden look the same.
        absent = ask(colleague, "withdrawRecovery", id=nowhere(), reason="x")
        assert absent == ask(colleague, "withdrawRecovery", id=entered, reason="x")


def test_payments_that_cannot_be(people, treasurer, stayed):
    _, _, deviation = stayed
    rule(people, deviation, upheld=True)
    with nothing_changes():
        for wrong, field in (
            ({"amount": "0"}, "amount"),
            ({"amount": "-1"}, "amount"),
            ({"amount": "NaN"}, "amount"),
            ({"amount": "1e99"}, "amount"),
            ({"amount": "0.001"}, "amount"),
            (paid(days_ago=-1), "paidOn"),
            (paid(days_ago=7), "paidOn"),
            ({"receipt": " "}, "receipt"),
            ({"receipt": "x" * 101}, "receipt"),
            ({"receipt": "\x00"}, "receipt"),
        ):
            refused = ask(
                treasurer, "recordRecovery", deviationId=deviation, payment=paid() | wrong
            )
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), wrong


def test_the_list(people, treasurer, issue):
    """Its pages hold every claim once; by office, with those below."""
    admin = people.as_("admin")
    above = ask(admin, "addOffice", name="Dinas Klaim", kind="AGENCY")["id"]
    below = ask(admin, "addOffice", name="UPTD", kind="TECHNICAL_UNIT", parentId=above)["id"]
    made = []
    for number in range(3):
        who = people.fresh()
        trip = issue(who, plan(starts=-6 - number))
        phone = who.front_end
        record(phone, trip["id"], fixes_at(SAMARINDA, today() - timedelta(days=6), 1, 2))
        finish = "mutation ($id: UUID!) { finishTrip(id: $id) { __typename } }"
        assert phone.ask(finish, id=trip["id"])["finishTrip"]["__typename"] == "Trip"
        enter(
            "UPDATE member SET office_id = CAST(:office AS uuid) WHERE name = :name",
            office=below,
            name=who.name,
        )
        made.append(trip["id"])
    wanted = {"officeId": above}
    found, after = [], None
    while True:
        page = admin.ask(CLAIMS, filter=wanted, first=2, after=after)["claims"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert [each["trip"]["id"] for each in found] == made
    assert {each["state"] for each in found} == {"AWAITED"}
    assert admin.ask(TOTALS, filter=wanted)["claimTotals"]["claims"] == 3
    # Another office's: not the treasurer's to see.
    assert treasurer.ask(CLAIMS, filter=wanted)["claims"]["nodes"] == []
    assert admin.ask(CLAIMS, filter={"officeId": nowhere()})["claims"]["nodes"] == []
    first = (today() - timedelta(days=7)).isoformat()
    only = admin.ask(CLAIMS, filter=wanted | {"startsFrom": first, "startsUntil": first})
    assert [each["trip"]["id"] for each in only["claims"]["nodes"]] == [made[1]]


def test_an_admin_lists_all_phones(people):
    who, other = people.fresh(), people.fresh()
    for name in ("Lama", HOSTILE):
        ask(who.front_end, "pairDevice", client="GPSLOGGER", name=name)
    query = """query ($search: String, $paired: Boolean, $first: Int! = 20, $after: String) {
      pairedDevices(search: $search, paired: $paired, first: $first, after: $after) {
        nodes { id name revokedAt member { name } } pageInfo { endCursor hasNextPage } } }"""

    def listed(viewer, **given):
        return viewer.ask(query, **{"search": who.name} | given)["pairedDevices"]

    admin = people.as_("admin")
    newest = listed(admin, first=1)
    assert [each["name"] for each in newest["nodes"]] == [HOSTILE]
    oldest = listed(admin, first=1, after=newest["pageInfo"]["endCursor"])
    assert [each["name"] for each in oldest["nodes"]] == ["Lama"]
    assert not oldest["pageInfo"]["hasNextPage"]
    assert len(listed(who.front_end)["nodes"]) == 2
    for nobody in (other.front_end, *map(people.as_, ("inspektur", "kepala", "bendahara"))):
        assert listed(nobody)["nodes"] == []
    assert ask(admin, "revokeDevice", id=oldest["nodes"][0]["id"])["revokedAt"]
    assert [each["name"] for each in listed(admin, paired=True)["nodes"]] == [HOSTILE]
    assert [each["name"] for each in listed(admin, paired=False)["nodes"]] == ["Lama"]


def test_as_a_spreadsheet(people, issue, http):
    """What is listed, for those who may see it, and nothing that a program takes for a formula."""
    office = ask(people.as_("admin"), "addOffice", name="=1+1", kind="AGENCY")["id"]
    who = people.fresh()
    trip = issue(who, plan(starts=-6))
    record(who.front_end, trip["id"], fixes_at(SAMARINDA, today() - timedelta(days=6), 1, 2))
    who.front_end.ask(f'mutation {{ finishTrip(id: "{trip["id"]}") {{ __typename }} }}')
    move = "UPDATE member SET office_id = CAST(:office AS uuid) WHERE name = :name"
    enter(move, office=office, name=who.name)
    address = f"/samarinda/export/claims.csv?officeId={office}&states=AWAITED"

    def asked(viewer, of=address):
        return http.get(of, headers=bearer(viewer.token))

    header, row, end = asked(people.as_("admin")).text.split("\r\n")
    assert header.startswith("\ufeffID perjalanan / Trip ID,Surat tugas / Letter")
    assert row.startswith(f"{trip['id']},{trip['letter']['number']},,{who.name},'=1+1,")
    assert row.endswith(",AWAITED,0,0,0,0")
    assert end == ""
    assert len(asked(people.as_("bendahara")).text.splitlines()) == 1
    assert http.get(address).status_code == 401
    for wrong in ("states=x", "officeId=1", "startsFrom=besok", "x=1", f"officeId={office}&" * 2):
        assert (
            asked(people.as_("admin"), f"/samarinda/export/claims.csv?{wrong}").status_code == 400
        )
