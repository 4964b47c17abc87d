"""A database that is gone: its own regency says so, in time, and the others go on."""

import time
from datetime import timedelta

import httpx2
import psycopg
from conftest import SAMARINDA, People, fixes_at, judged, plan, record, today

from infra.play import until
from infra.world import World

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
