"""How realms come to be, change their state and go: used by the `jejak` command, never by the API.

Everything here needs the administrator of a PostgreSQL server (`JEJAK_SERVER_DSN`).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from zoneinfo import available_timezones

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tenants import catalogue
from tenants.boundaries import add_boundary_set
from tenants.catalogue import PROVINCE_SLUG, decrypt, encrypt
from tenants.migrate import Schema, upgrade
from tenants.problems import InvalidInput, UnknownTenant
from tenants.realm import Issuer, RealmState, forget_engine
from tenants.regions import CODE, shipped
from tenants.server import (
    TEMPLATE,
    Names,
    admin,
    create_database,
    drop_database,
    home,
    is_at,
    names_of,
    run,
)
from tenants.sharing import drop_slot, drop_subscription, forget_regency, subscribe

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
    fill: Callable[[str], object] | None = None,
) -> None:
    """A regency is born: database, schema, boundaries, rules, subscription, catalogue entry.

    `fill`, told the owner's DSN, is called in place of adding boundaries and rules. When a step
    fails, all that the steps before it made is removed again and the error raised.
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
        on_step("contents")
        (fill or _seed)(dsns[names.owner])
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


def drop_tenant(slug: str, *, server: str | None = None) -> None:
    """Remove a regency: catalogue entry, subscription, slot, database and roles; final.

    `server` is the administrator's DSN of the server it was moved to. Raises `InvalidInput` when
    it is not there, and `UnknownTenant`.
    """
    names = names_of(slug)
    place = server or home()
    if not is_at(owner_dsn(slug), place):
        raise InvalidInput("from", "bukan tempat daerah ini", "is not where this regency is")
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
    drop_slot(names.database, server=place)
    forget_regency(code)
    with admin(server=place) as connection:
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
    as_owner = make_conninfo(home(), dbname=CONTROL, options=f"-c role={control.owner}")
    yield "control", upgrade(Schema.CONTROL, as_owner, app_role=control.app)
    for slug, kind, code, owner_dsn in rows:
        names = names_of(slug)
        schema = Schema.TENANT if kind == "REGENCY" else Schema.PROVINCE
        try:
            yield (
                slug,
                upgrade(
                    schema,
                    decrypt(owner_dsn),
                    app_role=names.app,
                    share_role=names.share,
                    code=code,
                ),
            )
        except Exception as error:  # noqa: BLE001 - the other realms must be migrated all the same
            yield slug, error
