"""Who looked at whose data: kept once an hour, shown to the traveller and to nobody else."""

from datetime import UTC, datetime

import httpx2
import pytest
from asking import enter, happens, nowhere, sql
from conftest import plan, record, today  # noqa: F401
from test_access import stayed_home  # noqa: F401
from test_positions import away, go  # noqa: F401

from infra.front_end import Refused
from infra.world import HEAD_OF_OFFICE

# ruff: noqa: F811

INSPECTOR, OPERATOR = "Wahyu Inspektur", "Rina Operator"
MINE = """
query ($trip: UUID, $first: Int!, $after: String) {
  accesses(tripId: $trip, first: $first, after: $after) {
    nodes { kind viewerName roles firstAt trip { id traveller { name } } }
    pageInfo { hasNextPage endCursor }
  }
}"""
CASE = "query ($trip: UUID!) { trip(id: $trip) { id timeline { date } } }"
TRACK = (
    "query ($who: UUID!) { trips(filter: { travellerId: $who }) { nodes { track { fixCount } } } }"
)


@pytest.fixture
def gone(go):
    """Somebody who is away, whose data nobody has looked at."""
    return go()


def looked(away, first=100, after=None) -> list[dict]:
    given = {"trip": away.trip, "first": first, "after": after}
    return away.who.front_end.ask(MINE, **given)["accesses"]["nodes"]


def seen(away) -> list[tuple[str, str]]:
    return sorted((each["viewerName"], each["kind"]) for each in looked(away))


def test_who_looked_at_what_and_in_which_role(people, gone) -> None:
    before = datetime.now(UTC)
    people.as_("inspektur").ask(CASE, trip=gone.trip)
    people.as_("kepala").ask(TRACK, who=gone.who.id)
    people.as_("kepala").ask("{ livePositions { at } }")
    expected = [(HEAD_OF_OFFICE, "POSITION"), (HEAD_OF_OFFICE, "TRACK"), (INSPECTOR, "CASE")]
    assert happens(lambda: seen(gone) == expected, 5), seen(gone)
    for entry in looked(gone):
        role = "INSPECTOR" if entry["viewerName"] == INSPECTOR else "HEAD_OF_OFFICE"
        assert entry["roles"] == [role]
        assert before <= datetime.fromisoformat(entry["firstAt"]) <= datetime.now(UTC)
        assert entry["trip"] == {"id": gone.trip, "traveller": {"name": gone.who.name}}


def test_once_an_hour_and_never_oneself(people, gone) -> None:
    for viewer in (gone.who.front_end, *[people.as_("inspektur")] * 3):
        viewer.ask(CASE, trip=gone.trip)
    # An operator may see the trip but no track: what was not shown is not kept.
    tracks = people.as_("operator").ask(TRACK, who=gone.who.id)["trips"]["nodes"]
    assert [each["track"] for each in tracks] == [None]
    people.as_("operator").ask(CASE, trip=gone.trip)
    expected = [(OPERATOR, "CASE"), (INSPECTOR, "CASE")]
    assert happens(lambda: seen(gone) == expected, 5), seen(gone)
    # Nor does another process keep a second row; an earlier hour has one of its own.
    again = (
        "INSERT INTO access_entry SELECT gen_random_uuid(), trip_id, viewer_id, kind,"
        " hour - :hours * interval '1 hour', roles, first_at - :hours * interval '1 hour'"
        " FROM access_entry WHERE trip_id = CAST(:trip AS uuid) ON CONFLICT DO NOTHING"
    )
    enter(again, trip=gone.trip, hours=0)
    assert seen(gone) == expected
    enter(again, trip=gone.trip, hours=1)
    assert len(seen(gone)) == 4


def test_who_watches_the_map_is_kept(people, gone, world) -> None:
    document = "subscription ($trip: UUID) { positions(tripId: $trip) { trip { id } } }"
    with httpx2.stream(
        "POST",
        f"{world.base_url}/samarinda/graphql",
        json={"query": document, "variables": {"trip": gone.trip}},
        headers={
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {people.as_('inspektur').token}",
        },
        trust_env=False,
        timeout=20,
    ) as events:
        assert any(gone.trip in line for line in events.iter_lines())
    assert happens(lambda: seen(gone) == [(INSPECTOR, "POSITION")], 5), seen(gone)


def test_a_finding_in_a_list_is_kept_and_a_row_of_a_list_is_not(people, stayed_home) -> None:
    case = stayed_home()
    people.as_("operator").ask("{ trips(first: 100) { nodes { id verdict { outcome } } } }")
    people.as_("inspektur").ask("{ deviations(first: 100) { nodes { message } } }")

    def found() -> list[tuple[str, str]]:
        given = {"trip": case.trip["id"], "first": 100, "after": None}
        nodes = case.who.front_end.ask(MINE, **given)["accesses"]["nodes"]
        return [(each["viewerName"], each["kind"]) for each in nodes]

    assert happens(lambda: found() == [(INSPECTOR, "FINDING")], 5), found()
    people.as_("inspektur").ask(
        "query ($id: UUID!) { deviation(id: $id) { message } }", id=case.deviation
    )
    assert happens(lambda: found() == [(INSPECTOR, "CASE"), (INSPECTOR, "FINDING")], 5), found()


def test_it_is_the_travellers_alone_and_comes_by_pages(people, gone) -> None:
    for viewer in ("inspektur", "operator", "kepala"):
        people.as_(viewer).ask(CASE, trip=gone.trip)
    assert happens(lambda: len(seen(gone)) == 3, 5)
    more, after, found = True, None, []
    while more:
        page = gone.who.front_end.ask(MINE, trip=None, first=2, after=after)["accesses"]
        found += page["nodes"]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    assert found == looked(gone)
    assert [each["firstAt"] for each in found] == sorted(
        (each["firstAt"] for each in found), reverse=True
    )
    for viewer in (people.as_("inspektur"), people.as_("admin"), people.fresh().front_end):
        for wanted in (gone.trip, nowhere()):
            with pytest.raises(Refused, match="NOT_FOUND"):
                viewer.ask(MINE, trip=wanted, first=5, after=None)
        assert viewer.ask(MINE, trip=None, first=100, after=None)["accesses"]["nodes"] == []


def test_whoever_saw_nothing_has_not_looked(people, gone) -> None:
    assert people.fresh().front_end.ask(CASE, trip=gone.trip)["trip"] is None
    assert people.as_("inspektur", "balikpapan").ask(CASE, trip=gone.trip)["trip"] is None
    people.as_("inspektur").ask(CASE, trip=gone.trip)
    assert happens(lambda: seen(gone) == [(INSPECTOR, "CASE")], 5), seen(gone)
    kept = "SELECT 1 FROM access_entry WHERE trip_id = CAST(:trip AS uuid)"
    assert not sql(kept, "balikpapan", trip=gone.trip)
