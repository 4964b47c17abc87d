"""What the province receives of the regencies: subscriptions, and the slots they read from."""

from contextlib import ExitStack
from typing import LiteralString

import psycopg
from psycopg import sql

from tenants.catalogue import PROVINCE_SLUG
from tenants.server import Names, admin, names_of, run

PROVINCE = names_of(PROVINCE_SLUG).database


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
    with admin(PROVINCE) as connection:
        connection.execute(
            "INSERT INTO regency (code, slug, name) VALUES (%s, %s, %s)", [code, slug, name]
        )
        undo.callback(forget_regency, code)
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


def drop_subscription(name: str, *, database: str = PROVINCE, server: str | None = None) -> None:
    """End a subscription, of the province's or another database; its slot stays."""
    with admin(database, server=server) as connection:
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


def drop_slot(slot: str, *, database: str | None = None, server: str | None = None) -> None:
    """Drop a slot, and what copying left of others in its database, by default its namesake."""
    with admin(server=server) as connection:
        _end_slots(
            connection,
            "WHERE slot_name = %s OR slot_name LIKE 'pg\\_%%' AND NOT active AND database = %s",
            [slot, database or slot],
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


def forget_regency(code: str) -> None:
    """Remove a regency, and all that it published, from the province."""
    with admin(PROVINCE) as connection:
        for table in ("trip", "verdict", "deviation"):
            statement = sql.SQL("DELETE FROM {table} WHERE tenant = %s")
            connection.execute(statement.format(table=sql.Identifier(table)), [code])
        connection.execute("DELETE FROM regency WHERE code = %s", [code])
