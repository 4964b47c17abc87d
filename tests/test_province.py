"""What the province is given: figures and cases, and never a track."""

import httpx2
import psycopg
import pytest
from conftest import SAMARINDA, SANGATTA, verdict
from graphql import build_schema, is_object_type
from sqlalchemy import text
from test_verdicts import travel

from graphql_api.province import schema
from infra.front_end import Refused
from infra.play import until
from infra.world import World
from tenants import catalogue
from tenants.subscriptions import SHARED

FIGURES = """{ regencies { nodes { code name trips openDeviations settledDeviations amountAtStake
  verdicts { outcome trips } } } }"""
CASES = """query ($code: String) { deviations(regencyCode: $code, first: 100) { nodes {
  id tripId regencyCode kind severity state regionCode plannedRegionCode amount message
  messageEn } } }"""


@pytest.fixture(scope="module")
def overseer(people):
    return people.as_("pengawas", "province")


def figures(overseer, code: str) -> dict:
    return next(row for row in overseer.ask(FIGURES)["regencies"]["nodes"] if row["code"] == code)


def cases(overseer, code: str | None = None) -> dict[str, dict]:
    return {node["id"]: node for node in overseer.ask(CASES, code=code)["deviations"]["nodes"]}


def own_figures(slug: str) -> dict[str, float]:
    """The same figures, counted in the regency's own database."""
    with catalogue.tenant(slug).session(readonly=True) as session:
        row = session.execute(
            text(
                "SELECT count(*) FILTER (WHERE state IN ('OPEN', 'ANSWERED')),"
                " count(*) FILTER (WHERE state IN ('UPHELD', 'EXCUSED')),"
                " coalesce(sum(amount) FILTER (WHERE state IN ('OPEN', 'ANSWERED')), 0),"
                " (SELECT count(*) FROM trip WHERE state <> 'CANCELLED') FROM deviation"
            )
        ).one()
    return dict(zip(("open", "settled", "amount", "trips"), map(float, row), strict=True))


def told(overseer, code: str) -> dict[str, float]:
    row = figures(overseer, code)
    return {
        "open": float(row["openDeviations"]),
        "settled": float(row["settledDeviations"]),
        "amount": float(row["amountAtStake"]),
        "trips": float(row["trips"]),
    }


def test_cases_and_figures_arrive_and_follow(people, issue, overseer):
    before = own_figures("samarinda")
    _, trip = travel(people, issue, where=SANGATTA, claim=3)
    inspector = people.as_("inspektur")
    (deviation,) = verdict(inspector, trip)["deviations"]

    def as_it_is_there() -> bool:
        shared = cases(overseer, "64.72").get(deviation["id"])
        return shared is not None and shared["message"] == deviation["message"]

    assert until(as_it_is_there)
    shared = cases(overseer)[deviation["id"]]
    assert shared["regencyCode"] == "64.72"
    assert (shared["kind"], shared["state"]) == ("WRONG_REGION", "OPEN")
    assert (shared["regionCode"], shared["plannedRegionCode"]) == ("64.08", "64.71")
    assert until(lambda: told(overseer, "64.72") == own_figures("samarinda"))
    assert own_figures("samarinda")["trips"] > before["trips"]

    ruled = inspector.ask(
        'mutation ($id: UUID!) { ruleOnDeviation(id: $id, upheld: false, reason: "Sah.")'
        " { __typename ... on Deviation { state } } }",
        id=deviation["id"],
    )
    assert ruled["ruleOnDeviation"]["state"] == "EXCUSED"
    assert until(lambda: cases(overseer)[deviation["id"]]["state"] == "EXCUSED")
    assert until(lambda: told(overseer, "64.72") == own_figures("samarinda"))
    assert own_figures("samarinda")["settled"] > before["settled"]


def test_what_is_withdrawn_disappears(people, issue, overseer, world: World):
    _, trip = travel(people, issue, where=SAMARINDA, days=2, claim=2)
    (deviation,) = verdict(people.as_("inspektur"), trip)["deviations"]
    assert until(lambda: deviation["id"] in cases(overseer))
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
        owner.execute("UPDATE deviation SET state = 'WITHDRAWN' WHERE id = %s", [deviation["id"]])
    assert until(lambda: deviation["id"] not in cases(overseer))


def test_its_schema_has_no_track(world: World):
    words = {"track", "polyline", "geojson", "lon", "lat", "lodgingname", "legs", "fixes"}
    types = build_schema(schema.as_str()).type_map.values()
    names = {name.lower() for kind in types if is_object_type(kind) for name in kind.fields}
    assert names.isdisjoint(words)
    assert "deviations" in names


def test_a_track_cannot_be_asked_for(overseer):
    with pytest.raises(Refused, match="Cannot query field 'trip'"):
        overseer.ask('{ trip(id: "00000000-0000-0000-0000-000000000000") { track { geojson } } }')


def test_its_database_holds_published_columns_only(world: World):
    with psycopg.connect(world.cluster.dsn("jejak_province")) as province:
        columns = province.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND udt_name IN ('geometry', 'geography')"
            "   AND table_name NOT LIKE 'geo%'"
        ).fetchall()
        tables = province.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    assert columns == []
    assert ("track_chunk",) not in tables


def test_the_replication_stream_carries_no_track_name_or_nip(people, issue, world: World):
    """Reads what PostgreSQL sends to subscribers, as they do, through a slot of its own."""
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as admin:
        admin.execute("SELECT pg_create_logical_replication_slot('kenari', 'pgoutput')")
        try:
            someone, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
            verdict(people.as_("inspektur"), trip)
            stream = bytearray()

            def sent() -> bool:
                rows = admin.execute(
                    "SELECT data FROM pg_logical_slot_get_binary_changes('kenari', NULL, NULL,"
                    " 'proto_version', '2', 'publication_names', 'province')"
                )
                stream.extend(b"".join(bytes(data) for (data,) in rows))
                return trip.encode() in stream and b"WRONG_REGION" in stream

            assert until(sent)
        finally:
            admin.execute("SELECT pg_drop_replication_slot('kenari')")
    for secret in (someone.name, someone.id, "UJI/", "117.5", "track_chunk", "member"):
        assert secret.encode() not in stream, secret


def test_the_share_role_may_read_published_tables_only(world: World):
    with psycopg.connect(world.cluster.dsn("jejak_samarinda")) as admin:
        readable = admin.execute(
            "SELECT DISTINCT table_name FROM information_schema.column_privileges"
            " WHERE grantee = 'jejak_samarinda_share'"
        ).fetchall()
        published = admin.execute("SELECT tablename FROM pg_publication_tables").fetchall()
        own = {"escalation_answer", "seal", "travel_notice", "visum"}
        assert {name for (name,) in readable} == {*SHARED, *own}
        assert {name for (name,) in published} == {*SHARED, *own}
        for forbidden in (
            *("escalation_answer.member_id", "escalation_answer.question"),
            *("seal.digest", "sealed.id"),
            *("visum.traveller", "visum.member_id", "visum.code_step"),
        ):
            table, column = forbidden.split(".")
            (may,) = admin.execute(
                "SELECT has_column_privilege('jejak_samarinda_share', %s, %s, 'SELECT')",
                [table, column],
            ).fetchone()
            assert not may, forbidden


def test_a_regencys_token_is_refused(people, world: World):
    answer = httpx2.post(
        f"{world.base_url}/province/graphql",
        json={"query": FIGURES},
        headers={"Authorization": f"Bearer {people.as_('inspektur').token}"},
    )
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"


def test_both_regencies_are_there(overseer):
    rows = overseer.ask(FIGURES)["regencies"]["nodes"]
    assert [row["code"] for row in rows] == ["64.71", "64.72"]
    assert all(len(row["verdicts"]) == 3 for row in rows)
