"""A regency that cannot be reached, a province that is away, a slot that is lost: and then?"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from asking import sql
from conftest import SANGATTA, verdict
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL
from test_province import own_figures as counted_there
from test_province import told
from test_verdicts import travel

from infra.front_end import FrontEnd
from infra.play import until
from infra.world import World
from tenants import resync, subscriptions
from tenants.problems import UnknownTenant
from tenants.server import admin

JEJAK = Path(__file__).parents[1] / ".venv/bin/jejak"
FRESHNESS = """
query ($code: String!) {
  regencies(codes: [$code]) { nodes {
    trips freshness { asOf ageSeconds reachable bytesBehind copying needsResync } } } }"""
CASE = "query ($id: UUID!) { deviation(id: $id) { id state } }"
ROWS = """
SELECT 'trip', id::text, state, starts_on::text, ends_on::text FROM {shared}trip {of} UNION ALL
SELECT 'verdict', id::text, outcome, final::text, coverage::text FROM {shared}verdict {of_verdict}
UNION ALL
SELECT 'deviation', id::text, state, history::text, replied_at::text
FROM {shared}deviation {of_case}
ORDER BY 1, 2"""


@pytest.fixture(scope="module")
def overseer(people) -> FrontEnd:
    return people.as_("pengawas", "province")


def fresh(overseer: FrontEnd, code: str = "64.72") -> dict[str, Any]:
    (regency,) = overseer.ask(FRESHNESS, code=code)["regencies"]["nodes"]
    found: dict[str, Any] = regency["freshness"]
    return found


def stands_still(overseer: FrontEnd) -> bool:
    """Whether nothing is heard of Samarinda for longer than it is silent between two signs."""
    before = fresh(overseer)["asOf"]
    time.sleep(4)
    return fresh(overseer)["asOf"] == before


def known(overseer: FrontEnd, case: str) -> dict[str, Any] | None:
    return overseer.ask(CASE, id=case)["deviation"]


def astray(people, issue) -> str:
    """A case of Samarinda, found just now."""
    _, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
    (case,) = verdict(people.as_("inspektur"), trip)["deviations"]
    return case["id"]


def there() -> list[Any]:
    """What Samarinda has to publish by its agreement, row by row."""
    return list(
        map(
            tuple,
            sql(
                ROWS.format(
                    shared="",
                    of="",
                    of_verdict="WHERE current",
                    of_case="WHERE state <> 'WITHDRAWN'",
                )
            ),
        )
    )


def here() -> list[Any]:
    """What the province holds of Samarinda, row by row."""
    of = "WHERE tenant = '64.72'"
    with admin("jejak_province") as province:
        province.execute("SET timezone = 'UTC'")
        return province.execute(
            ROWS.format(shared="shared_", of=of, of_verdict=of, of_case=of)
        ).fetchall()


@contextmanager
def cut_off() -> Iterator[None]:
    """Samarinda's database lets nobody from the province in."""
    with admin() as server:
        server.execute("REVOKE CONNECT ON DATABASE jejak_samarinda FROM jejak_samarinda_share")
        server.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
            " WHERE slot_name = 'jejak_samarinda' AND active_pid IS NOT NULL"
        )
        try:
            yield
        finally:
            server.execute("GRANT CONNECT ON DATABASE jejak_samarinda TO jejak_samarinda_share")


@contextmanager
def province_away() -> Iterator[None]:
    """The province receives nothing."""
    with admin("jejak_province") as province:
        province.execute("ALTER SUBSCRIPTION jejak_samarinda DISABLE")
        try:
            yield
        finally:
            province.execute("ALTER SUBSCRIPTION jejak_samarinda ENABLE")


def slots() -> dict[str, str]:
    """What is kept of the log for each regency's slot."""
    with admin() as server:
        return dict(
            server.execute(
                "SELECT slot_name, wal_status FROM pg_replication_slots WHERE slot_name ~ '^jejak'"
            ).fetchall()
        )


def subscribed() -> dict[str, int]:
    """The province's subscriptions to Samarinda, with what PostgreSQL numbers them."""
    with admin("jejak_province") as province:
        return dict(
            province.execute(
                "SELECT subname, oid FROM pg_subscription WHERE subname ~ '^jejak_samarinda'"
            ).fetchall()
        )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [JEJAK, *arguments], check=False, capture_output=True, text=True, env=dict(os.environ)
    )


def test_an_unreachable_regency_is_marked_and_stays_readable(people, issue, overseer):
    before = astray(people, issue)
    assert until(lambda: known(overseer, before) is not None)
    assert until(lambda: told(overseer, "64.72") == counted_there("samarinda"))
    last_known = told(overseer, "64.72")
    with cut_off():
        assert until(lambda: not fresh(overseer)["reachable"])
        assert fresh(overseer, "64.71")["reachable"], "the others go on"
        missed = astray(people, issue)
        assert until(lambda: stands_still(overseer)), "what was on its way has come"
        first, second = fresh(overseer), fresh(overseer)
        assert first["asOf"] == second["asOf"] is not None
        assert 0 < first["ageSeconds"] < second["ageSeconds"]
        assert not first["needsResync"]
        assert known(overseer, before) is not None
        assert known(overseer, missed) is None
        assert told(overseer, "64.72") == last_known
    assert until(lambda: known(overseer, missed) is not None)
    assert until(lambda: told(overseer, "64.72") == counted_there("samarinda"))
    again = fresh(overseer)
    assert again["reachable"]
    assert again["asOf"] > first["asOf"]


def test_a_server_that_hangs_gives_no_sign(overseer):
    """PostgreSQL has a worker that only tries to connect say that it heard something just now."""

    def worker() -> int | None:
        (pid,) = province.execute(
            "SELECT pid FROM pg_stat_subscription WHERE subname = 'jejak_samarinda'"
            " AND relid IS NULL"
        ).fetchone()
        return pid

    change = SQL("ALTER SUBSCRIPTION jejak_samarinda CONNECTION {}")
    with admin("jejak_province") as province:
        assert until(lambda: fresh(overseer)["reachable"])
        before = worker()
        (dsn,) = province.execute(
            "SELECT subconninfo FROM pg_subscription WHERE subname = 'jejak_samarinda'"
        ).fetchone()
        try:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                hangs = make_conninfo(dsn, host="127.0.0.1", port=silent.getsockname()[1])
                province.execute(change.format(hangs))
                assert until(lambda: worker() not in (None, before))
                assert not fresh(overseer)["reachable"]
                assert stands_still(overseer)
        finally:
            province.execute(change.format(dsn))
    assert until(lambda: fresh(overseer)["reachable"])


def test_what_the_province_missed_comes_by_itself(people, issue, overseer):
    with province_away():
        missed = [astray(people, issue) for _ in range(2)]
        assert slots()["jejak_samarinda"] in ("reserved", "extended")
        assert known(overseer, missed[0]) is None
        behind = fresh(overseer)["bytesBehind"]
        assert behind > 0
    assert until(lambda: all(known(overseer, case) for case in missed))
    assert until(lambda: here() == there())


def test_what_is_kept_for_the_province_is_bounded(world: World):
    with admin() as server:
        (kept,) = server.execute(
            "SELECT setting::int FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"
        ).fetchone()
    assert 0 < kept <= 4096


@pytest.fixture
def lost(people, issue, overseer, world: World) -> Iterator[tuple[str, str, str]]:
    """Samarinda's slot was given up. Cases: one that stands, one that is gone, one not known."""
    stands, gone = astray(people, issue), str(uuid4())
    with admin("jejak_samarinda") as samarinda:
        # Of a kind that no evaluation finds again.
        samarinda.execute(
            "INSERT INTO deviation (id, trip_id, verdict_id, kind, severity, state, started_at,"
            " ended_at, coverage, evidence, message_id, message_en)"
            " SELECT %s, trip_id, verdict_id, 'ATTENDANCE_CONFLICT', severity, state, started_at,"
            " ended_at, coverage, evidence, message_id, message_en FROM deviation WHERE id = %s",
            [gone, stands],
        )
    assert until(lambda: known(overseer, stands) is not None and known(overseer, gone) is not None)
    with admin("jejak_province") as province:
        province.execute("ALTER SUBSCRIPTION jejak_samarinda DISABLE")
    missed = astray(people, issue)
    with admin("jejak_samarinda") as samarinda:
        samarinda.execute("UPDATE deviation SET state = 'WITHDRAWN' WHERE id = %s", [gone])
        samarinda.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'")
        samarinda.execute("SELECT pg_reload_conf()")
        try:

            def given_up() -> bool:
                for _ in range(3):
                    samarinda.execute(
                        "SELECT pg_logical_emit_message(false, 'uji', repeat('x', 16000000))"
                    )
                    samarinda.execute("SELECT pg_switch_wal()")
                samarinda.execute("CHECKPOINT")
                return slots()["jejak_samarinda"] == "lost"

            assert until(given_up)
        finally:
            samarinda.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
            samarinda.execute("SELECT pg_reload_conf()")
    with admin("jejak_province") as province:
        province.execute("ALTER SUBSCRIPTION jejak_samarinda ENABLE")
    yield stands, gone, missed
    for slot, status in slots().items():
        if status == "lost":  # what the flood of log took with it
            resync.resync_tenant(slot.removeprefix("jejak_"))


def test_a_lost_slot_is_told_of_and_all_is_copied_anew(people, issue, overseer, lost):
    stands, gone, missed = lost
    assert until(lambda: fresh(overseer)["needsResync"])
    assert not fresh(overseer)["reachable"]
    assert known(overseer, stands) is not None
    assert known(overseer, gone) is not None, "the last that was known"
    with admin("jejak_province") as province:
        arrived = province.execute("SELECT deviation_id::text FROM case_arrival").fetchall()
    done = run("tenant", "resync", "samarinda")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "samarinda: copied anew" in done.stdout
    assert slots()["jejak_samarinda"] != "lost"
    assert until(lambda: here() == there())
    assert known(overseer, gone) is None
    assert known(overseer, missed) is not None
    assert until(lambda: told(overseer, "64.72") == counted_there("samarinda"))
    state = fresh(overseer)
    assert (state["copying"], state["needsResync"]) == (False, False)
    assert until(lambda: fresh(overseer)["reachable"])
    # What was known is no news again, what was missed is.
    with admin("jejak_province") as province:
        now = province.execute("SELECT deviation_id::text FROM case_arrival").fetchall()
    assert set(arrived) < set(now)
    assert (missed,) in set(now) - set(arrived)
    assert (stands,) not in set(now) - set(arrived)
    later = astray(people, issue)
    assert until(lambda: known(overseer, later) is not None)


def test_copying_anew_may_be_cut_short_and_run_again(people, issue, overseer, monkeypatch):
    case = astray(people, issue)
    assert until(lambda: known(overseer, case) is not None)
    before = subscribed()
    assert set(before) == {"jejak_samarinda"}

    def fails(*_: object) -> None:
        raise ConnectionError("cut short")

    with monkeypatch.context() as then:
        then.setattr(subscriptions, "create_subscription", fails)
        with pytest.raises(ConnectionError):
            resync.resync_tenant("samarinda")
    assert not fresh(overseer)["reachable"], "it is still there, and marked"
    resync.resync_tenant("samarinda")
    after = subscribed()
    assert set(after) == set(before)
    assert set(after.values()).isdisjoint(before.values())
    assert until(lambda: resync.is_copied("samarinda") and here() == there())
    assert until(lambda: fresh(overseer)["reachable"])


def test_a_regency_that_does_not_answer_keeps_what_is_known(people, issue, overseer, world: World):
    case = astray(people, issue)
    assert until(lambda: known(overseer, case) is not None)
    with admin() as server:
        server.execute("ALTER DATABASE jejak_samarinda ALLOW_CONNECTIONS false")
        try:
            with pytest.raises(psycopg.OperationalError):
                resync.resync_tenant("samarinda")
        finally:
            server.execute("ALTER DATABASE jejak_samarinda ALLOW_CONNECTIONS true")
    assert known(overseer, case) is not None
    later = astray(people, issue)
    assert until(lambda: known(overseer, later) is not None)


def test_an_unknown_regency_is_refused(world: World):
    with pytest.raises(UnknownTenant):
        resync.resync_tenant("atlantis")
    done = run("tenant", "resync", "province")
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert done.stderr.strip() == "jejak: This regency is not served."
