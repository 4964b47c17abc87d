"""A regency that turned its own database against all others: the province takes only its own."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from conftest import plan
from test_agreements import SECONDS, as_superuser, cases, received, sharing

from infra.processes import happens
from infra.world import World
from tenants import birth
from tenants.realm import Issuer
from tenants.subscriptions import SHARED


@pytest.fixture(scope="module")
def overseer(people):
    return people.as_("pengawas", "province")


@pytest.fixture(scope="module")
def known(people, issue, world) -> str:
    """The id of a trip of Samarinda's that the province knows."""
    trip = issue(people.fresh(), plan(80, 2))["id"]
    assert happens(lambda: trip in str(trips(world)), seconds=SECONDS)
    return trip


def trips(world: World) -> list[tuple]:
    with psycopg.connect(world.cluster.dsn("jejak_province")) as province:
        return province.execute("SELECT * FROM shared_trip ORDER BY id, tenant").fetchall()


COPYING = "SELECT 1 FROM pg_subscription_rel WHERE srsubstate <> 'r'"


@pytest.fixture
def bontang(world: World) -> Iterator[str]:
    """The code of a regency that hosts its own database, and may have turned it against all."""
    issuer = Issuer("http://127.0.0.1:1", "jejak-dinas", None, "http://127.0.0.1:1/bontang")
    born = {"slug": "bontang", "code": "64.74", "name": "Kota Bontang", "zone": "Asia/Makassar"}
    birth.add_tenant(**born, issuer=issuer)
    try:
        assert happens(lambda: received(world, "64.74") == {"shared_agreement"}, seconds=SECONDS)
        with psycopg.connect(world.cluster.dsn("jejak_province"), autocommit=True) as province:
            assert happens(lambda: province.execute(COPYING).fetchone() is None, seconds=SECONDS)
        yield "64.74"
    finally:
        birth.drop_tenant("bontang")
    assert received(world, "64.74") == set()


TRIP = (
    "INSERT INTO shared_trip (id, tenant, state, starts_on, ends_on, ended_on)"
    " VALUES (%s, %s, %s, '2026-11-01', '2026-11-02', '2026-11-02')"
)
DEVIATION = (
    "INSERT INTO shared_deviation (id, tenant, trip_id, kind, severity, state, started_at,"
    " ended_at, region_code, coverage, message_id, message_en, found_at, history)"
    " VALUES (%s, '64.74', gen_random_uuid(), %s, %s, 'OPEN', now(), now(), %s, 1, 'Pesan',"
    " 'Message', now(), %s)"
)
AT = "2026-11-26T01:02:03.5+00:00"
MONTH = (
    "INSERT INTO shared_month (tenant, month, trips, days, verdicts, coverage, conforms, deviates,"
    " unverifiable, judged, deviating) VALUES ('64.74', %s, 1, 1, 1, %s, 0, 1, 0, %s, %s)"
)
FINDING = (
    "INSERT INTO shared_finding (tenant, month, kind, severity, open, upheld, excused,"
    " amount_at_stake, amount_upheld, reply_hours, ruling_hours)"
    " VALUES ('64.74', '2026-11-01', 'WRONG_REGION', 'HIGH', 1, 0, 0, 0, 0, %s, '{}')"
)


def test_a_regency_cannot_name_another(world: World):
    with (
        as_superuser(world, "jejak_samarinda") as host,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        host.execute(TRIP, [uuid4(), "64.71", "ISSUED"])


WRONG = [f'[{{"state": "OPEN", "at": "{at}"}}]' for at in ("2026-13-01T00:00:00+00:00", "now", "")]


def test_what_a_regency_may_not_publish_is_refused_and_counted(bontang, overseer, known, world):
    """Not even the owner of its database, checks and row filters gone, touches another's rows."""
    own, before = uuid4(), trips(world)
    with as_superuser(world, "jejak_bontang") as host:
        for table in SHARED:
            host.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_tenant_check")
        tables = ", ".join(SHARED)
        host.execute(f"ALTER PUBLICATION province SET TABLE {tables}")
        for named in ("64.72", "nonsens", ""):
            host.execute(TRIP, [known, named, "ISSUED"])
        host.execute("UPDATE shared_trip SET state = 'CANCELLED' WHERE tenant = '64.72'")
        host.execute("DELETE FROM shared_trip")
        host.execute(TRIP, [uuid4(), bontang, "MELAYANG"])
        host.execute(DEVIATION, [uuid4(), "WRONG_REGION", "HIGH", "64-72", "[]"])
        host.execute(DEVIATION, [uuid4(), "WRONG_REGION", "DAHSYAT", "64.72", "[]"])
        host.execute(DEVIATION, [uuid4(), "KIND_OF_ITS_OWN", "HIGH", "64.72", "[]"])
        for history in (f'[{{"state": "HILANG", "at": "{AT}"}}]', *WRONG, '"OPEN"', "[1]"):
            host.execute(DEVIATION, [uuid4(), "WRONG_REGION", "HIGH", "64.72", history])
        # More that deviate than are judged; less than none; no number and no day.
        host.execute(MONTH, ["2026-11-01", 1, 0, 1])
        host.execute(MONTH, ["2026-10-01", 1, -1, -2])
        host.execute(MONTH, ["2026-09-01", "NaN", 1, 1])
        host.execute(MONTH, ["infinity", 1, 1, 1])
        host.execute(MONTH, ["12026-11-01", 1, 1, 1])
        for hours in ("{NULL}", "{NaN}", "{-1}", "{{1},{2}}"):
            host.execute(FINDING, [hours])
            host.execute("DELETE FROM shared_finding")
        host.execute(TRIP, [own, bontang, "ISSUED"])
    assert happens(lambda: "shared_trip" in received(world, bontang), seconds=SECONDS)
    after = trips(world)
    assert [row[0] for row in after if row not in before] == [own]
    assert [row for row in before if row not in after] == []
    refused = {
        (row["relation"], row["reason"]): row["times"]
        for row in sharing(overseer, bontang)["refused"]
    }
    # Three rows of others; then one that was there was to be changed, and one deleted.
    assert refused == {
        ("shared_trip", "FOREIGN"): 5,
        ("shared_trip", "VALUE"): 1,
        ("shared_deviation", "REGION"): 1,
        ("shared_deviation", "VALUE"): 7,
        ("shared_month", "VALUE"): 5,
        ("shared_finding", "VALUE"): 4,
    }
    assert sharing(overseer)["refused"] == []
    # A kind that the province does not know is no case of its list.
    assert cases(overseer, bontang) == {}


def test_nobody_empties_a_table_of_all(bontang, known, world):
    with as_superuser(world, "jejak_bontang") as host:
        host.execute("ALTER PUBLICATION province SET (publish = 'insert, truncate')")
        host.execute("TRUNCATE shared_trip")
    failed = (
        "SELECT 1 FROM pg_stat_subscription_stats"
        " WHERE subname = 'jejak_bontang' AND apply_error_count > 0"
    )
    with psycopg.connect(world.cluster.dsn("jejak_province"), autocommit=True) as province:
        assert happens(lambda: province.execute(failed).fetchone() is not None, seconds=SECONDS)
    assert known in str(trips(world))


def test_who_publishes_other_tables_is_subscribed_to_anew(bontang, world):
    with as_superuser(world, "jejak_bontang") as host:
        host.execute("ALTER PUBLICATION province DROP TABLE shared_deviation")
        assert dict(birth.migrate_all())["bontang"] is True
        host.execute(DEVIATION, [uuid4(), "WRONG_REGION", "HIGH", "64.72", "[]"])
        host.execute("ALTER PUBLICATION province ADD TABLE shared_deviation")
    assert "shared_deviation" not in received(world, bontang)
    assert dict(birth.migrate_all())["bontang"] is True
    assert happens(
        lambda: received(world, bontang) == {"shared_agreement", "shared_deviation"},
        seconds=SECONDS,
    )
    assert set(dict(birth.migrate_all()).values()) == {False}
