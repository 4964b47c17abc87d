"""How realms come to be, change their state and go: used by the `jejak` command, never by the API.

Everything here needs the administrator of a PostgreSQL server (`JEJAK_SERVER_DSN`).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import LiteralString
from zoneinfo import available_timezones

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tenants import catalogue
from tenants.boundaries import add_boundary_set
from tenants.catalogue import PROVINCE_SLUG, decrypt, encrypt
from tenants.migrate import Schema, upgrade
from tenants.problems import InvalidInput, UnknownTenant
from tenants.province_door import close_door, open_door
from tenants.realm import Issuer, RealmState, forget_engine
from tenants.regions import CODE, shipped
from tenants.server import (
    TEMPLATE,
    Names,
    admin,
    create_database,
    drop_database,
    names_of,
    run,
)
from tenants.settings import settings

CONTROL = "jejak_control"
RESERVED = frozenset(
    {
        PROVINCE_SLUG,
        "control",
        "template",
        "admin",
        "api",
        "www",
        "static",
        "console",
        "health",
        "metrics",
        "login",
    }
)
SHARED = ("trip", "verdict", "deviation", "escalation_answer")
"""The province's tables of what regencies publish; each row names its regency in `tenant`."""
FIRST_RULESET_BASIS = "PMK 113/PMK.05/2012 jo. PMK 119/2023"


def create_control() -> str:
    """The catalogue's database, on the prepared server; returns the DSN of its app role."""
    names = Names(CONTROL)
    with admin() as connection, ExitStack() as undo:
        dsns = create_database(connection, names, undo, share=False, template="template0")
        upgrade(Schema.CONTROL, dsns[names.owner], app_role=names.app)
        undo.pop_all()
    return dsns[names.app]


def add_province(*, code: str, name: str, issuer: Issuer) -> None:
    """The province's database and its entry in the catalogue."""
    names = names_of(PROVINCE_SLUG)
    with admin() as connection, ExitStack() as undo:
        dsns = create_database(connection, names, undo, share=False, template=TEMPLATE)
        upgrade(Schema.PROVINCE, dsns[names.owner], app_role=names.app)
        _enter(
            PROVINCE_SLUG, "PROVINCE", code, name, None, dsns[names.app], dsns[names.owner], issuer
        )
        undo.pop_all()


def add_tenant(
    *,
    slug: str,
    code: str,
    name: str,
    zone: str,
    issuer: Issuer,
    on_step: Callable[[str], object] = str,
) -> None:
    """A regency is born: database, schema, boundaries, rules, subscription, catalogue entry.

    When a step fails, all that the steps before it made is removed again and the error raised.
    Raises `InvalidInput` for a slug or code that cannot be, or is taken.
    """
    _check(slug, code, zone)
    names = names_of(slug)
    with admin() as connection, ExitStack() as undo:
        on_step("database")
        dsns = create_database(connection, names, undo, share=True, template=TEMPLATE)
        on_step("schema")
        upgrade(
            Schema.TENANT,
            dsns[names.owner],
            app_role=names.app,
            share_role=names.share,
            code=code,
        )
        on_step("boundaries and rules")
        _seed(dsns[names.owner])
        on_step("sharing")
        subscribe(names, dsns[names.share], slug, code, name, undo)
        on_step("catalogue")
        _enter(slug, "REGENCY", code, name, zone, dsns[names.app], dsns[names.owner], issuer)
        undo.pop_all()


def _check(slug: str, code: str, zone: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,30}", slug) or slug in RESERVED:
        raise InvalidInput("slug", "tidak dapat dipakai", "cannot be used")
    if not CODE.fullmatch(code):
        raise InvalidInput("code", "bukan kode Kemendagri (64.72)", "is no Kemendagri code (64.72)")
    if zone not in available_timezones():
        raise InvalidInput("zone", "bukan zona waktu IANA", "is no IANA time zone")
    with admin(CONTROL) as connection:
        taken = connection.execute(
            "SELECT 1 FROM realm WHERE slug = %s OR code = %s", [slug, code]
        ).fetchone()
    if taken:
        raise InvalidInput("slug", "atau kodenya sudah dipakai", "or its code is taken")


def _seed(owner_dsn: str) -> None:
    with psycopg.connect(owner_dsn) as connection:
        add_boundary_set(connection, shipped())
        connection.execute(
            "INSERT INTO ruleset (version, valid_from, legal_basis, parameters)"
            " VALUES (1, %s, %s, %s)",
            [date(2024, 1, 1), FIRST_RULESET_BASIS, Jsonb({})],
        )


def subscribe(
    names: Names, share_dsn: str, slug: str, code: str, name: str, undo: ExitStack
) -> None:
    """The province receives what the tenant publishes.

    Inside one cluster CREATE SUBSCRIPTION would wait for its own transaction to end while it makes
    the slot, for ever: so the slot is made first.
    """
    slot = names.database
    with admin(names.database) as tenant:
        tenant.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    undo.callback(drop_slot, slot)
    province = names_of(PROVINCE_SLUG).database
    with admin(province) as connection:
        connection.execute(
            "INSERT INTO regency (code, slug, name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [code, slug, name],
        )
        undo.callback(_forget_regency, code)
        open_door(connection, names)
        undo.callback(_close_door, names)
        connection.execute(
            sql.SQL(
                "CREATE SUBSCRIPTION {name} CONNECTION {dsn} PUBLICATION province"
                " WITH (create_slot = false, slot_name = {slot})"
            ).format(
                name=sql.Identifier(names.database),
                dsn=sql.Literal(share_dsn),
                slot=sql.Literal(slot),
            )
        )
        undo.callback(drop_subscription, names.database)


def drop_subscription(name: str) -> None:
    """Remove a subscription of the province, if it is there, and leave its slot alone."""
    with admin(names_of(PROVINCE_SLUG).database) as connection:
        if connection.execute(
            "SELECT 1 FROM pg_subscription WHERE subname = %s", [name]
        ).fetchone():
            run(connection, "ALTER SUBSCRIPTION {name} DISABLE", name=name)
            run(connection, "ALTER SUBSCRIPTION {name} SET (slot_name = NONE)", name=name)
            _end_copying(connection, name)
            run(connection, "DROP SUBSCRIPTION {name}", name=name)


def _end_copying(connection: psycopg.Connection, name: str) -> None:
    """End what still copies a disabled subscription's tables, and its slots.

    Inside one cluster a slot in the making waits for every open transaction to end, so for that of
    DROP SUBSCRIPTION too, which waits for the slot: for ever.
    """
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_subscription"
        " WHERE subname = %s AND pid IS NOT NULL",
        [name],
    )
    _end_slots(
        connection,
        "JOIN pg_subscription ON slot_name LIKE 'pg\\_' || pg_subscription.oid || '\\_sync\\_%%'"
        " WHERE subname = %s",
        [name],
    )


def drop_slot(slot: str) -> None:
    """Remove a regency's slot, lost or not, and those by which its tables were copied."""
    with admin() as connection:
        _end_slots(
            connection,
            "WHERE slot_name = %s OR slot_name LIKE 'pg\\_%%' AND NOT active AND database = %s",
            [slot, slot],
        )


def _end_slots(connection: psycopg.Connection, which: LiteralString, parameters: list[str]) -> None:
    """Drop replication slots with whoever still reads them; one that went by itself is fine."""
    for slot, active_pid in connection.execute(
        sql.SQL("SELECT slot_name, active_pid FROM pg_replication_slots ") + sql.SQL(which),
        parameters,
    ).fetchall():
        if active_pid is not None:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [active_pid])
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE slot_name = %s",
            [slot],
        )


def _forget_regency(code: str) -> None:
    """Remove a regency, and all that it published, from the province."""
    with admin(names_of(PROVINCE_SLUG).database) as connection, connection.transaction():
        forget_rows(connection, code)
        connection.execute("DELETE FROM regency_receipt WHERE code = %s", [code])
        connection.execute("DELETE FROM regency WHERE code = %s", [code])


def forget_rows(connection: psycopg.Connection, code: str) -> None:
    """Remove from the province all that a regency published."""
    for table in SHARED:
        statement = sql.SQL("DELETE FROM {table} WHERE tenant = %s")
        connection.execute(statement.format(table=sql.Identifier(table)), [code])


def _close_door(names: Names) -> None:
    with admin(names_of(PROVINCE_SLUG).database) as connection:
        close_door(connection, names)


def _enter(
    slug: str,
    kind: str,
    code: str,
    name: str,
    zone: str | None,
    dsn: str,
    owner_dsn: str,
    issuer: Issuer,
) -> None:
    with admin(CONTROL) as connection:
        connection.execute(
            "INSERT INTO realm (slug, kind, code, name, zone, state, dsn, owner_dsn, issuer_url,"
            " client_id, client_secret, audience, algorithms, identity_claim)"
            " VALUES (%s, %s, %s, %s, %s, 'ACTIVE', %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                slug,
                kind,
                code,
                name,
                zone,
                encrypt(dsn),
                encrypt(owner_dsn),
                issuer.url,
                issuer.client_id,
                encrypt(issuer.client_secret) if issuer.client_secret else None,
                issuer.audience,
                list(issuer.algorithms),
                issuer.identity_claim,
            ],
        )
    catalogue.read_again()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of `jejak tenant list`."""

    slug: str
    code: str
    name: str
    state: RealmState


def entries() -> list[Entry]:
    """All regencies in the catalogue, suspended ones too, by code."""
    with admin(CONTROL) as connection:
        rows = connection.execute(
            "SELECT slug, code, name, state FROM realm WHERE kind = 'REGENCY' ORDER BY code"
        ).fetchall()
    return [Entry(slug, code, name, RealmState(state)) for slug, code, name, state in rows]


def owner_dsn(slug: str) -> str:
    """The DSN that may change a regency's schema and boundaries; raises `UnknownTenant`."""
    with admin(CONTROL) as connection:
        row = connection.execute(
            "SELECT owner_dsn FROM realm WHERE slug = %s AND kind = 'REGENCY'", [slug]
        ).fetchone()
    if row is None:
        raise UnknownTenant
    return decrypt(row[0])


def set_state(slug: str, state: RealmState) -> None:
    """Suspend a regency (its addresses answer 404, its work rests) or serve it again."""
    with admin(CONTROL) as connection:
        changed = connection.execute(
            "UPDATE realm SET state = %s WHERE slug = %s AND kind = 'REGENCY'", [state, slug]
        ).rowcount
    if not changed:
        raise UnknownTenant
    catalogue.read_again()


def drop_tenant(slug: str) -> None:
    """Remove a regency: catalogue entry, subscription, slot, database and roles; final."""
    names = names_of(slug)
    with admin(CONTROL) as control:
        row = control.execute(
            "DELETE FROM realm WHERE slug = %s AND kind = 'REGENCY' RETURNING code, dsn", [slug]
        ).fetchone()
    if row is None:
        raise UnknownTenant
    code, dsn = row
    catalogue.read_again()
    forget_engine(decrypt(dsn))
    drop_subscription(names.database)
    drop_slot(names.database)
    _forget_regency(code)
    _close_door(names)
    with admin() as connection:
        drop_database(connection, names.database)
        for role in (names.app, names.owner, names.share):
            run(connection, "DROP ROLE IF EXISTS {role}", role=role)


def migrate_all() -> Iterator[tuple[str, bool | Exception]]:
    """Migrate control, province and every regency; yields each with what came of it.

    A realm that fails stops none of the others: the caller reports it and exits non-zero.
    """
    with admin(CONTROL) as connection:
        rows = connection.execute(
            "SELECT slug, kind, code, owner_dsn FROM realm ORDER BY kind, code"
        ).fetchall()
    control = Names(CONTROL)
    as_owner = make_conninfo(
        settings().server_dsn or "", dbname=CONTROL, options=f"-c role={control.owner}"
    )
    yield "control", upgrade(Schema.CONTROL, as_owner, app_role=control.app)
    for slug, kind, code, owner_dsn in rows:
        names = names_of(slug)
        schema = Schema.TENANT if kind == "REGENCY" else Schema.PROVINCE
        try:
            migrated = upgrade(
                schema, decrypt(owner_dsn), app_role=names.app, share_role=names.share, code=code
            )
            if migrated and schema is Schema.TENANT:
                _share_all(names)
            yield slug, migrated
        except Exception as error:  # noqa: BLE001 - the other realms must be migrated all the same
            yield slug, error


def _share_all(names: Names) -> None:
    """The province receives tables that the regency publishes by now, and lets it in to read."""
    with admin(names_of(PROVINCE_SLUG).database) as connection:
        open_door(connection, names)
        run(connection, "ALTER SUBSCRIPTION {name} REFRESH PUBLICATION", name=names.database)
