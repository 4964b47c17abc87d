"""A database that is gone: its own regency says so, in time, and the others go on."""

import time
from datetime import timedelta

import httpx2
import psycopg
from asking import ask, happens, sql, threads, unlogged
from conftest import SAMARINDA, People, fixes_at, judged, plan, record, today

from infra.play import until
from infra.world import World

CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'INSERT INTO intake_log%'
    AND wait_event_type = 'Lock'
"""
QUERY = {"query": "{ viewer { name } }"}


def test_one_tenants_trouble_is_its_own(world: World, people: People) -> None:
    samarinda = people.as_("inspektur").token
    balikpapan = people.as_("inspektur", "balikpapan").token

    def ask(slug: str, token: str) -> httpx2.Response:
        return httpx2.post(
            f"{world.base_url}/{slug}/graphql",
            json=QUERY,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )

    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        admin.execute("ALTER DATABASE jejak_balikpapan ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'jejak_balikpapan' AND usename = 'jejak_balikpapan'"
        )
        try:
            began = time.monotonic()
            answer = ask("balikpapan", balikpapan)
            assert time.monotonic() - began < 6
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            assert "jejak_balikpapan" not in answer.text
            assert ask("samarinda", samarinda).json()["data"]["viewer"]["name"]
        finally:
            admin.execute("ALTER DATABASE jejak_balikpapan ALLOW_CONNECTIONS true")
    assert ask("balikpapan", balikpapan).json()["data"]["viewer"]["name"]


def test_a_statement_that_is_cancelled_leaves_the_fix_with_the_phone(
    world: World, people: People, issue
) -> None:
    """What PostgreSQL could not do just now is not what it refuses: nothing is acknowledged."""
    someone = people.fresh()
    trip = issue(someone, plan(-3, 2))["id"]
    token = ask(someone.front_end, "pairDevice", client="TRACCAR", name="Ponsel")["token"]
    (fix,) = fixes_at(SAMARINDA, today() - timedelta(days=3), 6, 6.05)
    sent = {"id": token, "timestamp": fix["time"], "lon": fix["lon"], "lat": fix["lat"]}

    def send() -> int:
        address = f"{world.base_url}/{someone.slug}/track/traccar"
        return httpx2.post(address, data=sent, timeout=20, trust_env=False).status_code

    database = world.cluster.dsn("jejak_samarinda")
    with (
        psycopg.connect(database) as holder,
        psycopg.connect(database, autocommit=True) as admin,
        threads(1) as submit,
    ):
        holder.execute("LOCK TABLE intake_log IN SHARE MODE")
        answer = submit(send)
        assert happens(lambda: admin.execute(CANCEL).fetchall() == [(True,)], 10)
        assert answer.result() == 503
    assert kept(trip) == 0
    assert until(lambda: send() == 200), "it is asked again in a moment"
    unlogged()
    assert kept(trip) == 1


def kept(trip: str) -> int:
    found = sql("SELECT count(*) FROM track_chunk WHERE trip_id = CAST(:id AS uuid)", id=trip)
    return found[0][0]


def test_an_upload_does_not_wait_for_redis(world: World, people: People, issue) -> None:
    someone = people.fresh()
    trip = issue(someone, plan(-3, 2))["id"]
    fixes = fixes_at(SAMARINDA, today() - timedelta(days=3), 6, 8)
    world.redis.stop()
    try:
        began = time.monotonic()
        assert record(someone.front_end, trip, fixes)["accepted"] == len(fixes)
        assert time.monotonic() - began < 3
    finally:
        world.redis.start()
    # No hint was sent: the sweep finds the trip all the same.
    assert until(lambda: judged(trip))
