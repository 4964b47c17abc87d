"""The regencies in figures: by month, ranked with the caution of small numbers, and how fresh."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from random import Random
from typing import Any

import psycopg
import pytest
from asking import enter, sql
from conftest import SANGATTA, verdict
from hypothesis import given
from hypothesis import strategies as st
from published import FIGURES, Published, plain, rows_of, standing_in
from test_verdicts import travel
from websockets.sync.client import ClientConnection, connect

from infra.front_end import FrontEnd, Refused
from infra.play import until
from infra.world import World
from tenants import catalogue, indicators, province
from tenants.access import Viewer
from tenants.indicators import Months, Z, ranked, wilson
from tenants.problems import NotAllowed

REGENCIES = f"""
query ($codes: [String!], $from: Date, $to: Date, $first: Int! = 10, $after: String) {{
  regencies(
    codes: $codes, firstMonth: $from, lastMonth: $to, first: $first, after: $after
  ) {{
    nodes {{ code name {FIGURES} deviationShare {{ share low high }}
      months {{ month {FIGURES} }}
      freshness {{ asOf ageSeconds reachable bytesBehind copying needsResync }} }}
    pageInfo {{ hasNextPage endCursor }} }} }}"""
NAMES = """
query ($from: Date, $first: Int! = 10, $after: String) {
  regencies(firstMonth: $from, first: $first, after: $after) { nodes { code } } }"""
RANKING = """
query ($from: Date, $to: Date, $first: Int! = 100, $after: String) {
  ranking(firstMonth: $from, lastMonth: $to, first: $first, after: $after) {
    nodes { place fromPlace toPlace distinguishable code name deviating judged
            interval { share low high } }
    pageInfo { hasNextPage endCursor } } }"""
CASE = """
query ($id: UUID!) {
  deviation(id: $id) {
    id regencyCode state foundAt repliedAt ruledAt history { state at } escalations { id } } }"""


@pytest.fixture(scope="module")
def overseer(people) -> FrontEnd:
    return people.as_("pengawas", "province")


@pytest.fixture(scope="class")
def published() -> Published:
    found, random = Published(), Random(7)  # noqa: S311
    for number, trips in ((1, 60), (2, 25), (3, 0)):
        found.some(found.regency(number), random, trips=trips)
    return found


@pytest.fixture(scope="class")
def rows(world: World, published: Published) -> Iterator[psycopg.Connection]:
    with standing_in(world, published) as connection:
        yield connection


def asked(overseer: FrontEnd, *codes: str, **given: Any) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = overseer.ask(REGENCIES, codes=codes or None, **given)[
        "regencies"
    ]["nodes"]
    return answer


def agrees(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    told = plain({name: found[name] for name in wanted})
    return all(told[name] == pytest.approx(value) for name, value in wanted.items())


def test_a_regency_counts_its_rows_and_follows_them(people, issue, overseer, world: World):
    """Whatever other tests left in Samarinda's database, and what becomes of a trip of these."""
    who, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
    inspector = people.as_("inspektur")
    (case,) = verdict(inspector, trip)["deviations"]

    def agree(regency: str = "64.72") -> bool:
        rows = rows_of("samarinda")
        (found,) = asked(overseer, regency)
        return agrees(found, rows.figures(regency)) and all(
            agrees(month, rows.figures(regency, [date.fromisoformat(month["month"])]))
            for month in found["months"]
        )

    assert until(agree)
    who.front_end.ask(
        'mutation ($id: UUID!) { replyToDeviation(id: $id, body: "Ban bocor") { __typename } }',
        id=case["id"],
    )
    inspector.ask(
        'mutation ($id: UUID!) { ruleOnDeviation(id: $id, upheld: true, reason: "Tanpa bukti")'
        " { __typename } }",
        id=case["id"],
    )
    assert until(agree)
    (before,) = asked(overseer, "64.72")
    assert None not in (before["medianHoursToReply"], before["medianHoursToRuling"])
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
        for change in (
            "starts_on = '2026-03-01', ends_on = '2026-03-05', ended_on = '2026-03-05'",
            "state = 'CANCELLED'",
        ):
            owner.execute(f"UPDATE trip SET {change} WHERE id = %s", [trip])  # noqa: S608
            assert until(agree)
            assert "2026-03-01" in [m["month"] for m in asked(overseer, "64.72")[0]["months"]]
    (after,) = asked(overseer, "64.72")
    assert after["trips"] < before["trips"]


@pytest.mark.usefixtures("rows")
class TestFigures:
    def test_are_those_of_the_rows(self, overseer, published: Published):
        def counted() -> bool:
            found = asked(overseer, "63.01", "63.02", "63.03")
            return all(agrees(each, published.figures(each["code"])) for each in found)

        assert until(counted)
        empty = asked(overseer, "63.03")[0]
        assert (empty["trips"], empty["coverage"], empty["deviationShare"]) == (0, None, None)
        assert empty["months"] == []

    def test_of_each_month_by_the_last_planned_day(self, overseer, published: Published):
        assert until(lambda: len(asked(overseer, "63.01")[0]["months"]) == 6)
        for month in asked(overseer, "63.01")[0]["months"]:
            number = date.fromisoformat(month["month"]).month
            assert agrees(month, published.figures("63.01", [number])), number

    def test_of_some_months(self, overseer, published: Published):
        (found,) = asked(overseer, "63.01", **{"from": "2026-02-17", "to": "2026-04-01"})
        assert agrees(found, published.figures("63.01", [2, 3, 4]))
        assert [month["month"] for month in found["months"]] == [
            "2026-02-01",
            "2026-03-01",
            "2026-04-01",
        ]

    def test_come_in_pages_by_code(self, overseer):
        seen, after = [], None
        while True:
            page = overseer.ask(REGENCIES, first=2, after=after)["regencies"]
            seen += [node["code"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == ["63.01", "63.02", "63.03", "64.71", "64.72"]

    def test_what_cannot_be_asked(self, overseer):
        for variables, code in (
            ({"first": 0}, "INVALID_INPUT"),
            ({"first": 101}, "INVALID_INPUT"),
            ({"after": "bukan"}, "INVALID_INPUT"),
            ({"from": "2026-13-01"}, "BAD_USER_INPUT"),
        ):
            with pytest.raises(Refused, match=code):
                overseer.ask(NAMES, **variables)
        with pytest.raises(Refused, match="INVALID_INPUT"):
            overseer.ask(RANKING, after="WyJ4Il0")
        assert asked(overseer, "99.99") == []


def test_of_few_trips_the_interval_is_wide():
    """The bounds are the shares that the count lies just at `Z` standard errors from."""
    known = wilson(1, 10)
    assert (known.low, known.high) == pytest.approx((0.0178762, 0.4041500), abs=1e-6)
    assert wilson(0, 0) is None


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_bounds_solve_his_equation(count: tuple[int, int]):
    successes, trials = count
    found = wilson(successes, trials)
    assert 0 <= found.low <= found.share <= found.high <= 1
    for bound in {found.low, found.high} - {0.0, 1.0}:
        error = (bound * (1 - bound) / trials) ** 0.5
        assert abs(found.share - bound) == pytest.approx(Z * error, rel=1e-6)


def test_a_few_trips_put_nobody_first(world: World, overseer):
    counts = {1: (1, 1), 2: (60, 100), 3: (1, 100), 4: (0, 3)}
    published = Published()
    for number, (deviating, judged) in counts.items():
        code = published.regency(number)
        for trip in range(judged):
            outcome = "DEVIATES" if trip < deviating else "CONFORMS"
            published.verdict(published.trip(code, date(2026, 1, 10)), outcome)
        # Neither what is not final nor what cannot be verified counts.
        published.verdict(published.trip(code, date(2026, 1, 11)), "DEVIATES", final=False)
        published.verdict(published.trip(code, date(2026, 1, 12)), "UNVERIFIABLE")
    january = {"from": "2026-01-01", "to": "2026-01-31"}
    with standing_in(world, published):

        def judged() -> dict[str, tuple[int, int]]:
            rows = overseer.ask(RANKING, **january)["ranking"]["nodes"]
            return {row["code"]: (row["deviating"], row["judged"]) for row in rows}

        wanted = {f"63.{number:02}": count for number, count in counts.items()}
        assert until(lambda: judged() == wanted)
        rows = overseer.ask(RANKING, **january)["ranking"]["nodes"]
        assert [(row["code"], row["place"]) for row in rows] == [
            ("63.02", 1),
            ("63.01", 2),
            ("63.03", 3),
            ("63.04", 4),
        ]
        # One trip in one tells no more than a range; a hundred are told apart from a hundred.
        assert [(row["fromPlace"], row["toPlace"]) for row in rows] == [
            (1, 3),
            (1, 3),
            (3, 4),
            (1, 4),
        ]
        first = overseer.ask(RANKING, first=1, **january)["ranking"]
        after = first["pageInfo"]["endCursor"]
        second = overseer.ask(RANKING, first=3, after=after, **january)["ranking"]
        assert first["nodes"] + second["nodes"] == rows
        assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (
            True,
            False,
        )


@given(
    st.lists(
        st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=40
    )
)
def test_places_are_those_of_intervals_that_overlap(counts: list[tuple[int, int]]):
    rows = ranked([(f"{n}", "", *count) for n, count in enumerate(counts)])
    assert [row.place for row in rows] == list(range(1, len(counts) + 1))
    for row in rows:
        above = sum(other.interval.low > row.interval.high for other in rows)
        below = sum(other.interval.high < row.interval.low for other in rows)
        assert (row.from_place, row.to_place) == (above + 1, len(rows) - below)
        assert row.from_place <= row.place <= row.to_place


def test_what_is_held_of_a_regency_is_fresh(overseer):
    for regency in asked(overseer, "64.71", "64.72"):
        fresh = regency["freshness"]
        assert fresh["reachable"], regency
        assert 0 <= fresh["ageSeconds"] < 60
        assert fresh["bytesBehind"] >= 0
        assert not fresh["needsResync"]


def test_a_case_with_its_history_but_no_words(people, issue, overseer, world: World):
    who, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
    inspector = people.as_("inspektur")
    (case,) = verdict(inspector, trip)["deviations"]
    who.front_end.ask(
        'mutation ($id: UUID!) { replyToDeviation(id: $id, body: "Ban bocor di Marangkayu")'
        " { __typename } }",
        id=case["id"],
    )
    inspector.ask(
        'mutation ($id: UUID!) { ruleOnDeviation(id: $id, upheld: true, reason: "Tanpa bukti sah")'
        " { __typename } }",
        id=case["id"],
    )

    def ruled() -> bool:
        found = overseer.ask(CASE, id=case["id"])["deviation"]
        return found is not None and found["state"] == "UPHELD"

    assert until(ruled)
    found = overseer.ask(CASE, id=case["id"])["deviation"]
    assert [change["state"] for change in found["history"]] == ["OPEN", "ANSWERED", "UPHELD"]
    times = [datetime.fromisoformat(change["at"]) for change in found["history"]]
    assert times == sorted(times)
    assert times[0] == datetime.fromisoformat(found["foundAt"])
    assert found["foundAt"] < found["repliedAt"] < found["ruledAt"]
    assert found["escalations"] == []
    with psycopg.connect(world.cluster.dsn("jejak_province")) as connection:
        (row,) = connection.execute(
            "SELECT shared_deviation::text FROM shared_deviation WHERE id = %s", [case["id"]]
        ).fetchone()
    for word in ("Marangkayu", "Tanpa bukti", who.name, who.id):
        assert word not in row


def test_the_service_cannot_rewrite_a_cases_history(people, issue):
    _, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
    (case,) = verdict(people.as_("inspektur"), trip)["deviations"]
    history = "SELECT history::text FROM deviation WHERE id = CAST(:id AS uuid)"
    ((before,),) = sql(history, id=case["id"])
    enter("UPDATE deviation SET history = '[]' WHERE id = CAST(:id AS uuid)", id=case["id"])
    ((after,),) = sql(history, id=case["id"])
    assert after == before != "[]"


@contextmanager
def subscribed(world: World, token: str, **variables: Any) -> Iterator[ClientConnection]:
    address = f"{world.base_url}/province/graphql".replace("http", "ws")
    query = """subscription ($code: String, $kinds: [DeviationKind!]) {
      newCases(regencyCode: $code, kinds: $kinds) { id regencyCode kind } }"""
    with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
        credential = {"authorization": f"Bearer {token}"}
        socket.send(json.dumps({"type": "connection_init", "payload": credential}))
        assert json.loads(socket.recv(timeout=5))["type"] == "connection_ack"
        payload = {"query": query, "variables": variables}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield socket


def heard(socket: ClientConnection, seconds: float) -> dict[str, Any] | None:
    try:
        message = json.loads(socket.recv(timeout=seconds))
    except TimeoutError:
        return None
    assert message["type"] == "next", message
    case: dict[str, Any] = message["payload"]["data"]["newCases"]
    return case


def all_heard(socket: ClientConnection, seconds: float) -> list[dict[str, Any]]:
    """What comes until nothing has come for that long."""
    found = []
    while (case := heard(socket, seconds)) is not None:
        found.append(case)
    return found


def test_new_cases_are_news_once(world: World, people, issue, overseer):
    with psycopg.connect(world.cluster.dsn("jejak_province")) as connection:
        rows = connection.execute("SELECT id::text FROM shared_deviation").fetchall()
    known = {case_id for (case_id,) in rows}
    with (
        subscribed(world, overseer.token) as all_of_them,
        subscribed(world, overseer.token, code="64.71") as elsewhere,
        subscribed(world, overseer.token, kinds=["LATE_START"]) as of_a_kind,
    ):
        # What the tests before this one found may still be on its way.
        news = all_heard(all_of_them, 2)
        _, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
        (case,) = verdict(people.as_("inspektur"), trip)["deviations"]
        expected = {"id": case["id"], "regencyCode": "64.72", "kind": "WRONG_REGION"}
        assert expected not in news
        while expected not in news and (found := heard(all_of_them, 20)):
            news.append(found)
        news += all_heard(all_of_them, 4)
        assert expected in news
        assert len({each["id"] for each in news}) == len(news)
        assert known.isdisjoint(each["id"] for each in news)
        assert {each["regencyCode"] for each in all_heard(elsewhere, 0.1)} <= {"64.71"}
        assert {each["kind"] for each in all_heard(of_a_kind, 0.1)} <= {"LATE_START"}


def test_the_oldest_transaction_under_way_is_waited_for(world: World):
    """One that was begun earlier and committed later is heard of all the same."""
    late, early = Published(), Published()
    for each, number in ((late, 8), (early, 9)):
        code = each.regency(number)
        each.case(each.trip(code, date(2026, 1, 10)), "WRONG_REGION")
    realm = catalogue.province()

    def asked_since(mark: int | None) -> tuple[int, set]:
        with realm.session(readonly=True) as session:
            mark, found = province.arrivals(session, mark)
            return mark, set(found)

    mark, _ = asked_since(None)
    with psycopg.connect(world.cluster.dsn("jejak_province")) as slow:
        slow.execute("INSERT INTO case_arrival (deviation_id) VALUES (%s)", [late.cases[0]["id"]])
        with psycopg.connect(world.cluster.dsn("jejak_province")) as quick:
            quick.execute(
                "INSERT INTO case_arrival (deviation_id) VALUES (%s)", [early.cases[0]["id"]]
            )
        mark, found = asked_since(mark)
        assert early.cases[0]["id"] in found
        assert late.cases[0]["id"] not in found
    mark, found = asked_since(mark)
    assert late.cases[0]["id"] in found


def test_all_of_it_is_for_overseers(world: World):
    nobody = Viewer(Published().trip("63.01", date(2026, 1, 1))["id"], "Bukan", frozenset(), None)
    with catalogue.province().session(readonly=True) as session:
        for refused in (
            lambda: indicators.page(session, nobody, months=Months(), first=1),
            lambda: indicators.ranking(session, nobody, months=Months()),
            lambda: province.case(session, nobody, nobody.member_id),
            lambda: province.find(session, nobody, nobody.member_id, province.CaseFilter(())),
        ):
            with pytest.raises(NotAllowed):
                refused()
