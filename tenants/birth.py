"""How realms come to be, change their state and go: used by the `jejak` command, never by the API.

Everything here needs the administrator of a PostgreSQL server (`JEJAK_SERVER_DSN`).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from tenants import agreements, catalogue, pseudonyms, readers, subscriptions
from tenants.agreements import SharingLevel, Signer, Terms, TravellerIdentity
from tenants.boundaries import add_boundary_set
from tenants.catalogue import PROVINCE_SLUG, decrypt, encrypt
from tenants.migrate import Schema, upgrade
from tenants.problems import InvalidInput, UnknownTenant
from tenants.realm import Issuer, RealmState, Tenant, forget_engine
from tenants.regions import CODE, shipped
from tenants.server import (
    CONTROL,
    TEMPLATE,
    Names,
    admin,
    create_database,
    drop_database,
    home,
    is_at,
    names_of,
    prepare_server,
    run,
)

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
FIRST_AGREEMENT: Final = "Perjanjian awal"


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
    pseudonyms.key()


def add_tenant(
    *,
    slug: str,
    code: str,
    name: str,
    zone: str,
    issuer: Issuer,
    server: str | None = None,
    terms: Terms | None = None,
    on_step: Callable[[str], object] = str,
    fill: Callable[[str], object] | None = None,
) -> None:
    """A regency is born: database, schema, boundaries, rules, subscriptions, catalogue entry.

    Its database is on the province's server, or on the one behind the administrator's DSN `server`.
    `terms` are those of its first sharing agreement; left out, it shares all cases by pseudonym
    from today on. `fill`, told the owner's DSN, is called in place of adding boundaries, rules and
    that agreement. When a step fails, all that the steps before it made is removed again and the
    error raised. Raises `InvalidInput` for a slug or code that cannot be, or is taken.
    """
    _check(slug, code, zone)
    names = names_of(slug)
    if server is not None:
        prepare_server(server)
    with admin(server=server) as connection, ExitStack() as undo:
        on_step("database")
        dsns = create_database(
            connection, names, undo, share=True, template=TEMPLATE, server=server
        )
        on_step("schema")
        upgrade(
            Schema.TENANT,
            dsns[names.owner],
            app_role=names.app,
            share_role=names.share,
            code=code,
        )
        # Before there is anything to tell: so nothing has to be copied.
        subscriptions.open_slot(names, dsns[names.share], undo)
        on_step("contents")
        (fill or _seed)(dsns[names.owner])
        on_step("sharing")
        dsn, owner = dsns[names.app], dsns[names.owner]
        pseudonyms.give_key(owner)
        if fill is None:
            _agree(Tenant(slug, code, name, owner, issuer, RealmState.ACTIVE, zone=zone), terms)
        _introduce(slug, code, name, undo)
        subscriptions.follow(names, dsns[names.share], undo)
        reader = readers.admit(names, code, undo)
        on_step("catalogue")
        _enter(slug, "REGENCY", code, name, zone, dsn, owner, issuer, reader)
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


def _agree(owner: Tenant, terms: Terms | None) -> None:
    """The first agreement."""
    now = datetime.now(UTC)
    first = terms or Terms(
        FIRST_AGREEMENT,
        now.astimezone(ZoneInfo(owner.zone)).date(),
        level=SharingLevel.CASES,
        severity="NOTE",
        travellers=TravellerIdentity.PSEUDONYMOUS,
    )
    try:
        with owner.session(readonly=False) as session:
            agreements.declare(
                session, first, zone=owner.zone, signer=Signer("jejak tenant add"), now=now
            )
    finally:
        forget_engine(owner.dsn)


def _introduce(slug: str, code: str, name: str, undo: ExitStack) -> None:
    """Make a regency known to the province."""
    with admin(names_of(PROVINCE_SLUG).database) as connection:
        connection.execute(
            "INSERT INTO regency (code, slug, name) VALUES (%s, %s, %s)", [code, slug, name]
        )
    undo.callback(_forget_regency, code)


def _forget_regency(code: str) -> None:
    """Remove a regency, and all that it published, from the province."""
    with admin(names_of(PROVINCE_SLUG).database) as connection, connection.transaction():
        subscriptions.forget_rows(connection, code)
        connection.execute("DELETE FROM refused_row WHERE regency_code = %s", [code])
        connection.execute("DELETE FROM kept_head WHERE tenant = %s", [code])
        connection.execute("DELETE FROM regency_receipt WHERE code = %s", [code])
        connection.execute("DELETE FROM regency WHERE code = %s", [code])


def _enter(
    slug: str,
    kind: str,
    code: str,
    name: str,
    zone: str | None,
    dsn: str,
    owner_dsn: str,
    issuer: Issuer,
    province_dsn: str | None = None,
) -> None:
    with admin(CONTROL) as connection:
        connection.execute(
            "INSERT INTO realm (slug, kind, code, name, zone, state, dsn, owner_dsn, issuer_url,"
            " client_id, client_secret, audience, algorithms, identity_claim, province_dsn)"
            " VALUES (%s, %s, %s, %s, %s, 'ACTIVE', %s, %s, %s, %s, %s, %s, %s, %s, %s)",
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
                encrypt(province_dsn) if province_dsn else None,
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


@contextmanager
def as_owner(slug: str) -> Iterator[tuple[Tenant, Session]]:
    """A regency, suspended or not, and a transaction by the owner of its database.

    Raises `UnknownTenant`.
    """
    owner = replace(catalogue.known(slug), dsn=owner_dsn(slug))
    try:
        with owner.session(readonly=False) as session:
            yield owner, session
    finally:
        forget_engine(owner.dsn)


def set_state(slug: str, state: RealmState) -> None:
    """Suspend a regency (its addresses answer 404, its work rests) or serve it again."""
    with admin(CONTROL) as connection:
        changed = connection.execute(
            "UPDATE realm SET state = %s WHERE slug = %s AND kind = 'REGENCY'", [state, slug]
        ).rowcount
    if not changed:
        raise UnknownTenant
    catalogue.read_again()


def drop_tenant(slug: str, server: str | None = None) -> None:
    """Remove a regency: catalogue entry, subscription, slot, database and roles; final.

    `server` is as in `add_tenant`, or where it was moved to; raises `InvalidInput` when its
    database is not there.
    """
    names = names_of(slug)
    with admin(server=server) as there, admin(CONTROL) as control:
        row = control.execute(
            "SELECT code, dsn, province_dsn FROM realm WHERE slug = %s AND kind = 'REGENCY'", [slug]
        ).fetchone()
        if row is None:
            raise UnknownTenant
        code, *dsns = row
        dsns = [decrypt(dsn) for dsn in dsns if dsn]
        if not is_at(dsns[0], server or home()):
            raise InvalidInput("server", "bukan server daerah ini", "is not this regency's")
        control.execute("DELETE FROM realm WHERE slug = %s", [slug])
        catalogue.read_again()
        for dsn in dsns:
            forget_engine(dsn)
        readers.expel(names)
        subscriptions.drop_subscription(names.slot)
        subscriptions.drop_slot(there, names.slot, names.database)
        _forget_regency(code)
        drop_database(there, names.database)
        for role in (names.app, names.owner, names.share):
            run(there, "DROP ROLE IF EXISTS {role}", role=role)


def migrate_all() -> Iterator[tuple[str, bool | Exception]]:
    """Migrate control, province and every regency; yields each with what came of it.

    A regency that publishes other tables than before is subscribed to anew. A realm that fails
    stops none of the others: the caller reports it and exits non-zero.
    """
    control = Names(CONTROL)
    as_control_owner = make_conninfo(home(), dbname=CONTROL, options=f"-c role={control.owner}")
    yield "control", upgrade(Schema.CONTROL, as_control_owner, app_role=control.app)
    with admin(CONTROL) as connection:
        rows = connection.execute(
            "SELECT slug, kind, code, owner_dsn FROM realm ORDER BY kind, code"
        ).fetchall()
    for slug, kind, code, dsn in rows:
        try:
            yield slug, _migrate(slug, kind, code, decrypt(dsn))
        except Exception as error:  # noqa: BLE001 - the other realms must be migrated all the same
            yield slug, error


def _migrate(slug: str, kind: str, code: str, owner_dsn: str) -> bool:
    names = names_of(slug)
    if kind == "PROVINCE":
        return upgrade(Schema.PROVINCE, owner_dsn, app_role=names.app)
    behind = upgrade(
        Schema.TENANT, owner_dsn, app_role=names.app, share_role=names.share, code=code
    )
    pseudonyms.give_key(owner_dsn)
    behind |= subscriptions.take_up(names, code)
    return _joined(slug, code) or behind


def _joined(slug: str, code: str) -> bool:
    """Have a regency of an earlier version read at the province; False when it did already."""
    names = names_of(slug)
    with ExitStack() as undo, admin(CONTROL) as control:
        row = control.execute("SELECT province_dsn FROM realm WHERE slug = %s", [slug]).fetchone()
        if row != (None,):
            return False
        readers.expel(names)
        control.execute(
            "UPDATE realm SET province_dsn = %s WHERE slug = %s",
            [encrypt(readers.admit(names, code, undo)), slug],
        )
        catalogue.read_again()
        undo.pop_all()
    return True
