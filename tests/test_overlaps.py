"""One person under two regencies: found at the province by pseudonym; no access is taken along."""

from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import httpx2
import pytest
from asking import ask, enter, nothing_changes, sql, trip_of
from conftest import plan, today

from graphql_api.identity import session_cookie
from infra.front_end import Refused
from infra.processes import happens
from tenants import catalogue
from tenants import people as members
from tenants.models import Member

OVERLAPS = """query ($first: Int! = 100, $after: String) { overlaps(first: $first, after: $after) {
  nodes { pseudonym startsOn endsOn days trips { id regencyCode state startsOn endsOn endedOn } }
  pageInfo { hasNextPage endCursor } } }"""
SECONDS = 8.0
_serial = count(700)


@pytest.fixture(scope="module")
def overseer(people):
    return people.as_("pengawas", "province")


def nip() -> str:
    return f"19870705201103{2}{next(_serial)}"


def known_as(number: str | None, *both) -> None:
    for who in both:
        change = "UPDATE member SET nip = :nip WHERE id = CAST(:id AS uuid)"
        enter(change, who.slug, nip=number, id=who.id)


@pytest.fixture
def twice(people):
    """The same person, by her NIP, in two regencies."""
    here, there = people.fresh("samarinda"), people.fresh("balikpapan")
    known_as(nip(), here, there)
    return here, there


def overlaps(overseer, *trips: str) -> list[dict]:
    """Those that one of these trips has a part in."""
    return [
        node
        for node in overseer.ask(OVERLAPS)["overlaps"]["nodes"]
        if any(trip["id"] in trips for trip in node["trips"])
    ]


def day(days: int) -> str:
    return str(plan(days, 1)["startsOn"])


def test_overlapping_trips_are_found_and_their_days_counted(twice, issue, overseer, people):
    here, there = twice
    one, other = issue(here, plan(10, 4)), issue(there, plan(12, 5, "64.72"))
    assert happens(lambda: overlaps(overseer, one["id"]), seconds=SECONDS)
    (found,) = overlaps(overseer, one["id"], other["id"])
    assert (found["days"], found["startsOn"], found["endsOn"]) == (2, day(12), day(13))
    assert [(trip["regencyCode"], trip["id"]) for trip in found["trips"]] == [
        ("64.71", other["id"]),
        ("64.72", one["id"]),
    ]
    # Neither regency sees the other's trip, not even its admin; nor is the NIP told.
    assert trip_of(people.as_("admin", "samarinda"), other["id"]) is None
    assert trip_of(people.as_("admin", "balikpapan"), one["id"]) is None
    ((number,),) = sql("SELECT nip FROM member WHERE id = CAST(:id AS uuid)", id=here.id)
    assert number not in str(found)
    assert len(found["pseudonym"]) == 64

    cancel = ask(people.as_("operator"), "cancelTrip", id=one["id"], reason="Ganda.")
    assert cancel["state"] == "CANCELLED"
    assert happens(lambda: not overlaps(overseer, one["id"]), seconds=SECONDS)


def test_trips_apart_and_people_apart_are_not(people, issue, overseer, twice):
    here, there = twice
    # On following days; and at once, by people who have no NIP, or another.
    apart = [issue(here, plan(20, 2)), issue(there, plan(22, 2, "64.72"))]
    for numbers in ((None, None), (nip(), nip())):
        for number, slug in zip(numbers, ("samarinda", "balikpapan"), strict=True):
            who = people.fresh(slug)
            known_as(number, who)
            region = "64.71" if slug == "samarinda" else "64.72"
            apart.append(issue(who, plan(30, 2, region)))
    met = [issue(here, plan(40, 1)), issue(there, plan(40, 1, "64.72"))]
    assert happens(lambda: overlaps(overseer, met[0]["id"]), seconds=SECONDS)
    assert overlaps(overseer, *(trip["id"] for trip in apart)) == []


def test_a_trip_that_ended_early_no_longer_overlaps(twice, issue, overseer):
    here, there = twice
    one, other = issue(here, plan(-4, 5)), issue(there, plan(-1, 3, "64.72"))
    assert happens(lambda: overlaps(overseer, one["id"]), seconds=SECONDS)
    assert ask(here.front_end, "startTrip", id=one["id"])["state"] == "ACTIVE"
    back = f"{day(-3)}T09:00:00+08:00"
    assert ask(here.front_end, "finishTrip", id=one["id"], finishedAt=back)["state"] == "FINISHED"
    assert happens(lambda: not overlaps(overseer, one["id"], other["id"]), seconds=SECONDS)


def test_only_where_both_agree_to_share_cases(twice, issue, overseer, people):
    here, there = twice
    one = issue(here, plan(50, 2))
    issue(there, plan(50, 2, "64.72"))
    assert happens(lambda: overlaps(overseer, one["id"]), seconds=SECONDS)
    admin = people.as_("admin", "balikpapan")
    terms = {"number": "PBD/1", "validFrom": str(today()), "level": "FIGURES"}
    ask(admin, "declareSharingAgreement", agreement=terms)
    try:
        assert happens(lambda: not overlaps(overseer, one["id"]), seconds=SECONDS)
    finally:
        cases = {"level": "CASES", "severity": "NOTE", "travellers": "PSEUDONYMOUS"}
        ask(admin, "declareSharingAgreement", agreement=terms | cases)
    assert happens(lambda: overlaps(overseer, one["id"]), seconds=SECONDS)


def test_pages(twice, issue, overseer):
    here, there = twice
    long = issue(there, plan(60, 9, "64.72"))
    for start in (60, 62, 64):
        issue(here, plan(start, 1))
    assert happens(lambda: len(overlaps(overseer, long["id"])) == 3, seconds=SECONDS)
    every = overseer.ask(OVERLAPS)["overlaps"]["nodes"]
    walked, after = [], None
    while True:
        page = overseer.ask(OVERLAPS, first=2, after=after)["overlaps"]
        walked += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert walked == every
    assert [node["startsOn"] for node in every] == sorted(
        (node["startsOn"] for node in every), reverse=True
    )
    for cursor in ("x", "", "W10", "WyIyMDI2LTExLTI2IiwgImEiXQ", "WyIyMDI2LTExLTI2IGEiLCAiYSJd"):
        with pytest.raises(Refused, match="INVALID_INPUT"):
            overseer.ask(OVERLAPS, after=cursor)


def test_overseers_only(world, people):
    query = {"query": "{ overlaps { nodes { pseudonym } } sharing { name } }"}
    for headers in ({}, {"Authorization": f"Bearer {people.as_('admin').token}"}):
        answer = httpx2.post(f"{world.base_url}/province/graphql", json=query, headers=headers)
        assert "NOT_SIGNED_IN" in answer.text
        assert "pseudonym" not in str(answer.json().get("data"))


def test_who_is_transferred_takes_no_access_along(world, people, issue, twice):
    """*Mutasi*: suspended where she was, invited where she goes: what was hers there has ended."""
    before, _ = twice
    trip = issue(before, plan(-1, 3))
    old, key = before.front_end, before.id
    phone = ask(old, "pairDevice", client="OVERLAND", name="Ponsel")["token"]
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        cookie = members.open_session(session, UUID(key), now=datetime.now(UTC))

    def browse(slug: str) -> object:
        asked = httpx2.post(
            f"{world.base_url}/{slug}/graphql",
            json={"query": "{ viewer { name } }"},
            headers={"Cookie": f"{session_cookie(slug)}={cookie}", "Origin": world.base_url},
        )
        return (asked.json().get("data") or {}).get("viewer")

    def send(slug: str) -> int:
        point = {"type": "Point", "coordinates": [117.148, -0.495]}
        said = {"timestamp": datetime.now(UTC).isoformat(), "horizontal_accuracy": 9}
        return httpx2.post(
            f"{world.base_url}/{slug}/track/overland",
            json={"locations": [{"type": "Feature", "geometry": point, "properties": said}]},
            headers={"Authorization": f"Bearer {phone}"},
        ).status_code

    assert browse("samarinda") == {"name": before.name}
    assert send("samarinda") == 200
    change = "UPDATE member SET suspended_at = :at WHERE id = CAST(:id AS uuid)"
    enter(change, at=datetime.now(UTC), id=key)
    # There she is another member: invited anew, by another issuer's word.
    after = people.fresh("balikpapan")
    known_as(None, twice[1])
    with catalogue.tenant("balikpapan").session(readonly=True) as session:
        assert session.get(Member, UUID(key)) is None
    ((number,),) = sql("SELECT nip FROM member WHERE id = CAST(:id AS uuid)", id=key)
    known_as(number, after)
    new = after.front_end
    assert new.ask("{ viewer { name } }") == {"viewer": {"name": after.name}}
    assert trip_of(new, trip["id"]) is None

    for ended in (lambda: old.ask("{ viewer { name } }"), lambda: trip_of(old, trip["id"])):
        with pytest.raises(Refused, match="NOT_SIGNED_IN"):
            ended()
    for slug in ("samarinda", "balikpapan"):
        assert browse(slug) is None
        with nothing_changes(slug):
            assert send(slug) == 503, "a stranger's phone is told to keep what it has"
        for token in {old.token, new.token} - {new.token if slug == "balikpapan" else ""}:
            answer = httpx2.post(
                f"{world.base_url}/{slug}/graphql",
                json={"query": "{ viewer { name } }"},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert "NOT_SIGNED_IN" in answer.text
    # No trip is issued to her where she was.
    refused = issue(before, plan(70, 2))
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "travellerId")
