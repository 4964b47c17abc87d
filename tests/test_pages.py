"""Pages by cursor: everything once, in order, whatever arrives in between."""

import base64
import json

import pytest
from asking import ask, sql
from conftest import plan

from infra.front_end import Refused
from infra.world import HEAD_OF_OFFICE

TRIPS = """
query ($first: Int!, $after: String, $filter: TripFilter) {
  trips(first: $first, after: $after, filter: $filter) {
    nodes { id startsOn }
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
}"""
# Days so long ago that they are this file's alone.
STARTS = (-4010, -4020, -4030, -4030, -4040)
THEN = {
    "startsFrom": plan(starts=-4040)["startsOn"],
    "startsUntil": plan(starts=-4010)["startsOn"],
}


@pytest.fixture(scope="module")
def sent(people, issue):
    """Five trips of two travellers, newest first; two of them begin on one day."""
    one, other = people.fresh(), people.fresh()
    who = (one, other, one, other, one)
    trips = [issue(each, plan(starts=at))["id"] for each, at in zip(who, STARTS, strict=True)]
    trips[2:4] = sorted(trips[2:4], reverse=True)
    return trips


def page(viewer, first: int, after: str | None = None, **wanted) -> dict:
    return viewer.ask(TRIPS, first=first, after=after, filter=wanted or None)["trips"]


def all_pages(viewer, first: int, **wanted) -> list[dict]:
    pages = [page(viewer, first, **wanted)]
    while pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append(page(viewer, first, pages[-1]["pageInfo"]["endCursor"], **wanted))
        assert len(pages) < 100
    return pages


@pytest.mark.parametrize("first", [1, 2, 3, 4, 5, 100])
def test_pages_of_any_size_make_the_whole(people, sent, first):
    pages = all_pages(people.as_("operator"), first, **THEN)
    assert [node["id"] for each in pages for node in each["nodes"]] == sent
    assert [len(each["nodes"]) for each in pages[:-1]] == [first] * (len(pages) - 1)
    for number, each in enumerate(pages):
        info = each["pageInfo"]
        assert [edge["node"]["id"] for edge in each["edges"]] == [n["id"] for n in each["nodes"]]
        assert info["startCursor"] == each["edges"][0]["cursor"]
        assert info["endCursor"] == each["edges"][-1]["cursor"]
        assert info["hasPreviousPage"] is (number > 0)
        assert info["hasNextPage"] is (number < len(pages) - 1)


def test_each_row_s_cursor_goes_on_after_it(people, sent):
    viewer = people.as_("operator")
    for number, edge in enumerate(page(viewer, 5, **THEN)["edges"], 1):
        rest = page(viewer, 5, edge["cursor"], **THEN)
        assert [node["id"] for node in rest["nodes"]] == sent[number:]


def test_nothing_to_show(people):
    shown = page(people.as_("operator"), 5, states=[])
    assert shown == {
        "nodes": [],
        "edges": [],
        "pageInfo": {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": None,
            "endCursor": None,
        },
    }


def test_a_cursor_stays_good_while_rows_arrive_and_change(people, issue):
    traveller = people.fresh()
    viewer = traveller.front_end
    old = [issue(traveller, plan(starts=at))["id"] for at in (-50, -60, -70, -80)]
    first = page(viewer, 2)
    assert [node["id"] for node in first["nodes"]] == old[:2]
    # One before the page that was read, one after its end; and the row of the cursor is moved away.
    issue(traveller, plan(starts=-40))
    between = issue(traveller, plan(starts=-65))["id"]
    ask(people.as_("operator"), "reviseTrip", id=old[1], plan=plan(starts=-30), reason="Dipindah")
    second = page(viewer, 2, first["pageInfo"]["endCursor"])
    assert [node["id"] for node in second["nodes"]] == [between, old[2]]
    third = page(viewer, 2, second["pageInfo"]["endCursor"])
    assert [node["id"] for node in third["nodes"]] == [old[3]]
    assert not third["pageInfo"]["hasNextPage"]
    assert page(viewer, 2, second["pageInfo"]["endCursor"]) == third


@pytest.fixture(scope="module")
def officer(people):
    """The operator, on two trips in each state; sent by the admin."""
    traveller, admin = people.id_of("Rina Operator"), people.as_("admin")
    for number, state in enumerate(("ISSUED", "CANCELLED", "ACTIVE", "FINISHED") * 2):
        letter = {
            "number": f"ST/berstatus/{number}",
            "dated": "2026-01-01",
            "purpose": "Uji coba",
            "signedById": people.id_of(HEAD_OF_OFFICE),
        }
        planned = plan(starts=-4100 - 10 * number)
        trip = ask(admin, "issueTrip", letter=letter, travellerId=traveller, plan=planned)["id"]
        if state in ("ACTIVE", "FINISHED"):
            ask(admin, "startTrip", id=trip)
        if state == "FINISHED":
            ask(admin, "finishTrip", id=trip)
        if state == "CANCELLED":
            ask(admin, "cancelTrip", id=trip, reason="Batal")
    return traveller


@pytest.mark.parametrize("wanted", [["ISSUED"], ["CANCELLED"], ["ACTIVE", "FINISHED"]], ids=str)
def test_filters_hold_over_all_pages(people, officer, wanted):
    then = {"startsUntil": plan(starts=-4100)["startsOn"]}
    pages = all_pages(people.as_("operator"), 1, travellerId=officer, states=wanted, **then)
    assert len(pages) == 2 * len(wanted)
    found = [node["id"] for each in pages for node in each["nodes"]]
    states = sql("SELECT state FROM trip WHERE id = ANY(CAST(:ids AS uuid[]))", ids=found)
    assert {row.state for row in states} == set(wanted)


def test_members_by_name(people):
    viewer = people.as_("operator")
    query = """
    query ($after: String) {
      members(first: 7, after: $after) {
        nodes { id name } pageInfo { hasNextPage endCursor } }
    }"""
    seen, after = [], None
    while True:
        shown = viewer.ask(query, after=after)["members"]
        seen += shown["nodes"]
        after = shown["pageInfo"]["endCursor"]
        if not shown["pageInfo"]["hasNextPage"]:
            break
    keys = [(node["name"], node["id"]) for node in seen]
    assert keys == sorted(set(keys))
    assert len(keys) >= 64


def cursor(*keys: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


ID = "00000000-0000-0000-0000-000000000000"
BAD_CURSORS = {
    "empty": "",
    "text": "kursor",
    "no base64": "%%%%",
    "not ASCII": "kursör📍",
    "NUL": "\x00",
    "no JSON": base64.urlsafe_b64encode(b"{").decode(),
    "an object": base64.urlsafe_b64encode(b'{"a":1,"b":2}').decode(),
    "one key": cursor("2026-01-01"),
    "three keys": cursor("2026-01-01", ID, ID),
    "no date": cursor("kemarin", ID),
    "no id": cursor("2026-01-01", "1"),
    "a number for an id": cursor("2026-01-01", 7),
    "null": cursor(None, None),
    "SQL": cursor("2026-01-01' OR '1'='1", ID),
    "SQL for an id": cursor("2026-01-01", "' OR '1'='1"),
    "depth": base64.urlsafe_b64encode(b"[" * 700).decode(),
    "long": "A" * 5000,
}


@pytest.mark.parametrize("field", ["trips", "deviations", "members"])
@pytest.mark.parametrize("after", BAD_CURSORS.values(), ids=BAD_CURSORS)
def test_what_is_no_cursor(people, field, after):
    if field == "members" and after in (BAD_CURSORS["no date"], BAD_CURSORS["SQL"]):
        return  # a name may be anything
    query = f"query ($after: String) {{ {field}(after: $after) {{ nodes {{ id }} }} }}"
    with pytest.raises(Refused, match="INVALID_INPUT") as refused:
        people.as_("operator").ask(query, after=after)
    assert "after: bukan kursor" in str(refused.value)


@pytest.mark.parametrize("field", ["trips", "deviations", "members"])
@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1, -(2**31)])
def test_what_is_no_number_of_rows(people, field, first):
    query = f"query ($first: Int!) {{ {field}(first: $first) {{ edges {{ cursor }} }} }}"
    with pytest.raises(Refused, match=r"INVALID_INPUT|TOO_COSTLY") as refused:
        people.as_("operator").ask(query, first=first)
    assert ("TOO_COSTLY" in str(refused.value)) is (first > 5000)


@pytest.mark.parametrize("field", ["trips", "members"])
def test_a_name_with_nul_in_a_cursor(people, field):
    query = f"query ($after: String) {{ {field}(after: $after) {{ nodes {{ id }} }} }}"
    with pytest.raises(Refused, match="INVALID_INPUT"):
        people.as_("operator").ask(query, after=cursor("A\x00", ID))
