"""How the province follows a regency: a subscription at the province, a slot at the regency.

Needs the administrator of the province's server; used by the `jejak` command, never by the API.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from tenants.catalogue import PROVINCE_SLUG
from tenants.server import Names, admin, names_of, run

PROVINCE: Final = names_of(PROVINCE_SLUG).database

SHARED: Final = (
    "shared_agreement",
    "shared_month",
    "shared_finding",
    "shared_trip",
    "shared_verdict",
    "shared_deviation",
)
"""What a regency publishes by its sharing agreement, and by nothing else."""

PUBLISHED: Final = {
    "province": frozenset({*SHARED, "escalation_answer", "seal"}),
    "visum": frozenset({"travel_notice", "visum"}),
}
"""The tables that the province receives, by publication: what it oversees, and what passes through.

Each row but those of `seal`, which is kept elsewhere, names its regency in `tenant`.
"""


def open_slot(names: Names, share_dsn: str, undo: ExitStack) -> None:
    """From here on PostgreSQL keeps for the province what the regency publishes.

    Inside one cluster CREATE SUBSCRIPTION would wait for its own transaction to end while it makes
    the slot, for ever: so the slot is made first.
    """
    with psycopg.connect(share_dsn, autocommit=True) as tenant:
        create_slot(tenant, names.slot)
    undo.callback(_drop_own_slot, share_dsn, names.slot, names.database)


def follow(names: Names, share_dsn: str, undo: ExitStack) -> None:
    """The province receives what a regency has published since its slot was opened."""
    with admin(PROVINCE) as connection:
        create_subscription(connection, names.slot, share_dsn, names.slot, copy=False)
        undo.callback(drop_subscription, names.slot)


def create_slot(connection: psycopg.Connection, slot: str) -> None:
    connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])


def create_subscription(
    connection: psycopg.Connection,
    name: str,
    dsn: str,
    slot: str,
    *,
    publications: Sequence[str] = tuple(PUBLISHED),
    copy: bool = True,
    enabled: bool = True,
) -> None:
    """Follow publications through a slot that is there, after a copy of what they hold."""
    connection.execute(
        sql.SQL(
            "CREATE SUBSCRIPTION {name} CONNECTION {dsn} PUBLICATION {publications}"
            " WITH (create_slot = false, slot_name = {slot}, copy_data = {copy},"
            " enabled = {enabled})"
        ).format(
            name=sql.Identifier(name),
            dsn=sql.Literal(dsn),
            publications=sql.SQL(", ").join(map(sql.Identifier, publications)),
            slot=sql.Literal(slot),
            copy=sql.Literal(copy),
            enabled=sql.Literal(enabled),
        )
    )


def reached_by(names: Names) -> str | None:
    """The DSN by which the province reaches a regency that it follows."""
    with admin(PROVINCE) as province:
        row = province.execute(
            "SELECT subconninfo FROM pg_subscription WHERE subname = %s", [names.slot]
        ).fetchone()
    return None if row is None else row[0]


def forget_rows(province: psycopg.Connection, code: str) -> None:
    """Remove from the province what it received of a regency, but not the kept heads."""
    for table in frozenset().union(*PUBLISHED.values()) - {"seal"}:
        statement = sql.SQL("DELETE FROM {table} WHERE tenant = %s")
        province.execute(statement.format(table=sql.Identifier(table)), [code])


class UnexpectedPublication(Exception):
    """A regency publishes tables that the province does not receive."""


def take_up(names: Names, code: str) -> bool:
    """Receive all anew when a regency publishes other tables than before; whether that was so.

    What was received is forgotten first, so that nothing stays which is no longer published. A
    subscription takes up whatever is published: what the province knows nothing of must not come
    in, and raises `UnexpectedPublication`.
    """
    dsn = reached_by(names)
    if dsn is None:
        return False
    with psycopg.connect(dsn, autocommit=True) as tenant:
        tables = tenant.execute(
            "SELECT pubname, tablename FROM pg_publication_tables WHERE pubname = ANY(%s)",
            [list(PUBLISHED)],
        ).fetchall()
    published = {name for _, name in tables}
    if strange := {name for of, name in tables if name not in PUBLISHED[of]}:
        raise UnexpectedPublication(", ".join(sorted(strange)))
    with admin(PROVINCE) as province:
        followed = province.execute(
            "SELECT relname FROM pg_subscription_rel JOIN pg_class ON pg_class.oid = srrelid"
            " JOIN pg_subscription ON srsubid = pg_subscription.oid"
            " WHERE subname = %s AND subslotname IS NOT NULL",
            [names.slot],
        ).fetchall()
    if published == {name for (name,) in followed}:
        return False
    subscribe_anew(names, dsn, code)
    return True


def subscribe_anew(names: Names, share_dsn: str, code: str) -> None:
    """Copy all that a regency publishes once more, by another slot and another subscription.

    What fails halfway is left to the next run: nothing is undone, and the province does not lose
    the DSN.
    """
    name = names.slot
    with psycopg.connect(share_dsn, autocommit=True) as tenant:
        rest(name)
        drop_slot(tenant, name, names.database)
        create_slot(tenant, name)
    with admin(PROVINCE) as province, province.transaction():
        forget_rows(province, code)
        run(province, "DROP SUBSCRIPTION {name}", name=name)
        create_subscription(province, name, share_dsn, name)


def rest(name: str) -> None:
    """Have a subscription of the province, if it is there, let go of its slot and copy no more."""
    with admin(PROVINCE) as connection:
        _rest(connection, name)


def drop_subscription(name: str, *, database: str | None = None, server: str | None = None) -> None:
    """Remove a subscription, if it is there, and leave its slot alone.

    It is the province's, or that of another database, on a server as `admin` takes it.
    """
    with admin(database or PROVINCE, server=server) as connection:
        _rest(connection, name)
        run(connection, "DROP SUBSCRIPTION IF EXISTS {name}", name=name)


def _rest(connection: psycopg.Connection, name: str) -> None:
    if connection.execute(
        "SELECT 1 FROM pg_subscription JOIN pg_database ON pg_database.oid = subdbid"
        " WHERE subname = %s AND datname = current_database()",
        [name],
    ).fetchone():
        run(connection, "ALTER SUBSCRIPTION {name} DISABLE", name=name)
        run(connection, "ALTER SUBSCRIPTION {name} SET (slot_name = NONE)", name=name)
        _end_copying(connection, name)


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


def _drop_own_slot(share_dsn: str, slot: str, database: str) -> None:
    with psycopg.connect(share_dsn, autocommit=True) as tenant:
        drop_slot(tenant, slot, database)


def drop_slot(connection: psycopg.Connection, slot: str, database: str) -> None:
    """Remove a regency's slot, lost or not, and those by which its tables were copied.

    What copies for another subscription meanwhile loses its slot too: let all rest before.
    """
    _end_slots(
        connection,
        "WHERE slot_name = %s OR slot_name LIKE 'pg\\_%%' AND NOT active AND database = %s",
        [slot, database],
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
