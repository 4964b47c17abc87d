"""One database, one role, one regency: kept by PostgreSQL, whatever Python does."""

from types import ModuleType

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.world import World
from tenants import birth, catalogue, readers, realm, server, subscriptions
from tenants.migrate import Schema
from tenants.models import Member
from tenants.problems import InvalidInput, UnknownTenant
from tenants.realm import Issuer, RealmState, Tenant, UnsafeRole, forget_engine

ISSUER = Issuer("http://127.0.0.1:1", "jejak-dinas", "rahasia", "http://127.0.0.1:1/bontang")


def bontang(**changes) -> dict:
    return {
        "slug": "bontang",
        "code": "64.74",
        "name": "Kota Bontang",
        "zone": "Asia/Makassar",
        "issuer": ISSUER,
    } | changes


def other_database(tenant: Tenant, database: str) -> str:
    return make_conninfo(tenant.dsn, dbname=database)


def everything(world: World) -> set[str]:
    """What a birth makes, by name: databases, roles, slots, subscriptions, entries."""
    with psycopg.connect(world.cluster.admin_dsn) as admin:
        found = admin.execute(
            "SELECT 'database ' || datname FROM pg_database"
            " UNION ALL SELECT 'role ' || rolname FROM pg_roles"
            " UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE NOT temporary"
            "   AND slot_name NOT LIKE 'pg\\_%'"
            " UNION ALL SELECT 'subscription ' || subname FROM pg_subscription"
        ).fetchall()
    with psycopg.connect(world.cluster.dsn("jejak_province")) as province:
        found += province.execute("SELECT 'regency ' || code FROM regency").fetchall()
    with psycopg.connect(world.cluster.dsn("jejak_control")) as control:
        found += control.execute("SELECT 'realm ' || slug FROM realm").fetchall()
    return {name for (name,) in found}


@pytest.mark.parametrize(
    "database",
    [
        "jejak_balikpapan",
        "jejak_province",
        "jejak_control",
        "jejak_template",
        "postgres",
        "template1",
    ],
)
def test_a_tenants_role_connects_to_its_own_database_only(world: World, database: str) -> None:
    tenant = catalogue.tenant("samarinda")
    with psycopg.connect(tenant.dsn) as connection:
        assert connection.info.dbname == "jejak_samarinda"
    with pytest.raises(
        psycopg.OperationalError, match=r"permission denied|not currently accepting"
    ):
        psycopg.connect(other_database(tenant, database)).close()


@pytest.mark.parametrize("role", ["jejak_samarinda_owner", "jejak_samarinda_share"])
def test_nor_do_its_owner_and_its_share_role(world: World, role: str) -> None:
    password = "dicoba"
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        before = admin.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]
        ).fetchone()[0]
        admin.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
        try:
            psycopg.connect(
                world.cluster.dsn("jejak_samarinda", user=role, password=password)
            ).close()
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(
                    world.cluster.dsn("jejak_balikpapan", user=role, password=password)
                ).close()
        finally:
            admin.execute(f"ALTER ROLE {role} PASSWORD '{before}'")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE track_chunk SET device = 'lain'",
        "DELETE FROM track_chunk",
        "DELETE FROM verdict",
        "DELETE FROM deviation",
        "UPDATE deviation_reply SET body = 'lain'",
        "DELETE FROM deviation_ruling",
        "UPDATE trip_revision SET plan = '{}'",
        "UPDATE region SET code = '64.01'",
        "DELETE FROM trip",
        "CREATE TABLE punya_saya (id int)",
        "DROP TABLE track_chunk",
        "ALTER PUBLICATION province ADD TABLE track_chunk",
        "UPDATE visum SET happened_at = now()",
        "DELETE FROM visum",
        "DELETE FROM visum_attempt",
        "UPDATE visum_received SET event = 'ARRIVAL'",
        "DELETE FROM visum_received",
        "UPDATE check_in SET lon = 0",
        "DELETE FROM check_in",
        "UPDATE access_entry SET hour = now()",
        "DELETE FROM access_entry",
    ],
)
def test_the_service_cannot_touch_evidence_or_schema(world: World, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
        catalogue.tenant("samarinda").session(readonly=False) as session,
    ):
        session.execute(text(statement))


def test_postgresql_refuses_a_write_in_a_readonly_session(world: World) -> None:
    with (
        pytest.raises(DBAPIError, match="read-only transaction"),
        catalogue.tenant("samarinda").session(readonly=True) as session,
    ):
        session.add(Member(name="Tidak Jadi", roles=[]))
        session.flush()


def test_a_session_that_raises_leaves_nothing(world: World) -> None:
    tenant = catalogue.tenant("samarinda")
    with pytest.raises(ZeroDivisionError), tenant.session(readonly=False) as session:
        session.add(Member(name="Tidak Jadi", roles=[]))
        session.flush()
        raise ZeroDivisionError
    with tenant.session(readonly=True) as session:
        assert session.query(Member).filter_by(name="Tidak Jadi").count() == 0
        # The pool hands out connections to this database only, also after a failure.
        assert session.scalar(text("SELECT current_database()")) == "jejak_samarinda"


def test_a_role_that_may_do_more_is_refused(world: World) -> None:
    tenant = catalogue.tenant("samarinda")
    powerful = Tenant(
        tenant.slug,
        tenant.code,
        tenant.name,
        world.cluster.dsn("jejak_samarinda"),
        tenant.issuer,
        tenant.state,
        zone=tenant.zone,
    )
    with pytest.raises(UnsafeRole), powerful.session(readonly=True):
        pass
    forget_engine(powerful.dsn)


@pytest.mark.parametrize(
    ("of", "step"),
    [
        (birth, "upgrade"),
        (birth, "_seed"),
        (subscriptions, "open_slot"),
        (subscriptions, "follow"),
        (readers, "admit"),
        (birth, "_enter"),
    ],
)
def test_a_failed_birth_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, of: ModuleType, step: str
) -> None:
    before = everything(world)
    real = getattr(of, step)

    def fails_after(*args, **kwargs):
        real(*args, **kwargs)
        raise ConnectionError(step)

    monkeypatch.setattr(of, step, fails_after)
    with pytest.raises(ConnectionError, match=step):
        birth.add_tenant(**bontang())
    if step == "_enter":
        # The entry is the last step: once it is there, the tenant is born.
        with psycopg.connect(world.cluster.dsn("jejak_control"), autocommit=True) as control:
            control.execute("DELETE FROM realm WHERE slug = 'bontang'")
        catalogue.read_again()
    assert everything(world) == before


def test_birth_suspension_and_drop(world: World) -> None:
    before = everything(world)
    steps: list[str] = []
    birth.add_tenant(**bontang(), on_step=steps.append)
    assert len(steps) == 5
    assert {name.split()[0] for name in everything(world) - before} == {
        "database", "role", "slot", "subscription", "regency", "realm",
    }  # fmt: skip
    assert catalogue.tenant("bontang").code == "64.74"
    assert ("bontang", RealmState.ACTIVE) in {(e.slug, e.state) for e in birth.entries()}

    birth.set_state("bontang", RealmState.SUSPENDED)
    with pytest.raises(UnknownTenant):
        catalogue.tenant("bontang")
    assert "bontang" not in {tenant.slug for tenant in catalogue.tenants()}
    birth.set_state("bontang", RealmState.ACTIVE)
    with catalogue.tenant("bontang").session(readonly=True) as session:
        assert session.scalar(text("SELECT count(*) FROM region")) == 10

    birth.drop_tenant("bontang")
    with pytest.raises(UnknownTenant):
        catalogue.tenant("bontang")
    assert everything(world) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "samarinda"}, "slug"),
        ({"code": "64.72"}, "slug"),
        ({"slug": "province"}, "slug"),
        ({"slug": "admin"}, "slug"),
        ({"slug": "control"}, "slug"),
        ({"slug": "Bontang"}, "slug"),
        ({"slug": "bon tang"}, "slug"),
        ({"slug": "bontang."}, "slug"),
        ({"slug": "b\u043entang"}, "slug"),
        ({"slug": "bontang\x00"}, "slug"),
        ({"slug": 'x"; DROP DATABASE postgres; --'}, "slug"),
        ({"code": "6474"}, "code"),
        ({"zone": "Asia/Balikpapan"}, "zone"),
    ],
)
def test_what_can_be_no_tenant_is_refused(world: World, changes: dict, field: str) -> None:
    before = everything(world)
    with pytest.raises(InvalidInput) as refusal:
        birth.add_tenant(**bontang(**changes))
    assert refusal.value.field == field
    assert everything(world) == before


@pytest.mark.parametrize("slug", ["SAMARINDA", "samarinda.", "samarinda%00", "sam\u0430rinda", ""])
def test_a_slug_is_taken_to_the_letter(world: World, slug: str) -> None:
    with pytest.raises(UnknownTenant):
        catalogue.tenant(slug)


def test_the_province_is_no_tenant(world: World) -> None:
    with pytest.raises(UnknownTenant):
        catalogue.tenant("province")


def test_secrets_in_the_catalogue_are_encrypted(world: World) -> None:
    tenant = catalogue.tenant("samarinda")
    password = conninfo_to_dict(tenant.dsn)["password"]
    with psycopg.connect(world.cluster.dsn("jejak_control")) as control:
        row = control.execute("SELECT realm::text FROM realm WHERE slug = 'samarinda'").fetchone()
    assert password not in row[0]
    assert tenant.issuer.client_secret not in row[0]
    assert password not in repr(tenant)
    assert tenant.issuer.client_secret not in repr(tenant)


def test_one_failing_migration_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = birth.upgrade

    def fails_for_balikpapan(schema: Schema, dsn: str, **names: str) -> bool:
        if "balikpapan" in dsn:
            raise ConnectionError("balikpapan")
        return real(schema, dsn, **names)

    monkeypatch.setattr(birth, "upgrade", fails_for_balikpapan)
    came_of_it = dict(birth.migrate_all())
    assert isinstance(came_of_it.pop("balikpapan"), ConnectionError)
    assert came_of_it == {"control": False, "samarinda": False, "province": False}


def test_preparing_a_server_again_changes_nothing(world: World) -> None:
    before = everything(world)
    server.prepare_server()
    assert everything(world) == before


def test_engines_used_least_are_closed(world: World) -> None:
    engines = realm._Engines()
    first = engines.get("postgresql://x@127.0.0.1:1/nomor0")
    for number in range(1, engines.CAPACITY):
        engines.get(f"postgresql://x@127.0.0.1:1/nomor{number}")
    assert engines.get("postgresql://x@127.0.0.1:1/nomor0") is first
    engines.get("postgresql://x@127.0.0.1:1/satu-lagi")
    assert engines.get("postgresql://x@127.0.0.1:1/nomor0") is first
    assert len(engines._engines) == engines.CAPACITY
    assert "postgresql://x@127.0.0.1:1/nomor1" not in engines._engines
    engines.forget_all()
