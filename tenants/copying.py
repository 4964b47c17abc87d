"""A copy of a regency's database on another server, which follows what is written meanwhile."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from tenants.problems import Problem
from tenants.server import Names, create_role, dsn_of, run
from tenants.subscriptions import create_subscription, drop_slot, drop_subscription
from tenants.tables import add_partitions, all_tables, partitions, version

STALLED: Final = 120.0
"""Seconds without progress after which copying is given up."""

LAG: Final = 1 << 20
"""Bytes of WAL that the copy may be behind when writes begin to pause."""


@dataclass(eq=False)
class CannotMove(Problem):
    """The move was given up: what it did was undone, the regency is served where it was."""

    reason_id: str
    reason_en: str

    @property
    def message_id(self) -> str:
        return f"Tidak dipindahkan: {self.reason_id}."

    @property
    def message_en(self) -> str:
        return f"Not moved: {self.reason_en}."


@dataclass(frozen=True, slots=True)
class Move:
    """From where to where; `here` is an administrator's
    connection to the database."""

    slug: str
    names: Names
    source: str
    target: str
    here: psycopg.Connection

    @property
    def temporary(self) -> str:
        """The publication, its slot, role and subscription, while copying."""
        return f"{self.names.database}_move"

    @property
    def prepared(self) -> str:
        """The subscription that is to take the place of the province's."""
        return f"{self.names.slot}_move"


def make_alike(move: Move, there: psycopg.Connection) -> None:
    """The new database has the old one's schema and partitions, and nothing in any table."""
    if version(move.here) != version(there):
        raise CannotMove(
            "skemanya bukan yang terbaru; jalankan jejak tenant migrate",
            "its schema is not the newest; run jejak tenant migrate",
        )
    run(there, "SET ROLE {owner}", owner=move.names.owner)
    add_partitions(there, partitions(move.here))
    there.execute("RESET ROLE")
    there.execute(sql.SQL("TRUNCATE ") + all_tables(there))


def create_slot(connection: psycopg.Connection, name: str) -> None:
    """A slot begins when every transaction that writes on the server has ended."""
    connection.execute(f"SET statement_timeout = '{STALLED:.0f}s'")
    try:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
    except psycopg.errors.QueryCanceled:
        raise CannotMove(
            "ada transaksi yang tidak berakhir di servernya",
            "a transaction on its server never ends",
        ) from None
    finally:
        connection.execute("RESET statement_timeout")


def replicate(move: Move, there: psycopg.Connection, undo: ExitStack) -> None:
    """The new database begins to copy the old one, over a role that can do nothing else."""
    here, name = move.here, move.temporary
    password = create_role(here, name, replication=True)
    undo.callback(run, here, "DROP ROLE IF EXISTS {role}", role=name)
    undo.callback(run, here, "DROP OWNED BY {role}", role=name)
    run(
        here,
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        database=move.names.database,
        role=name,
    )
    run(here, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", role=name)
    run(here, "DROP PUBLICATION IF EXISTS {name}", name=name)
    here.execute(
        sql.SQL("CREATE PUBLICATION {} FOR TABLE ").format(sql.Identifier(name))
        + all_tables(here)
        + sql.SQL(" WITH (publish_via_partition_root = true)")
    )
    undo.callback(run, here, "DROP PUBLICATION IF EXISTS {name}", name=name)
    create_slot(here, name)
    undo.callback(drop_slot, here, name, move.names.database)
    dsn = dsn_of(name, password, move.names.database, move.source)
    create_subscription(there, name, dsn, name, publications=[name])
    undo.callback(drop_subscription, name, database=move.names.database, server=move.target)


PROGRESS: Final = """
SELECT (SELECT count(*) FROM pg_subscription_rel WHERE srsubid = pg_subscription.oid
        AND srsubstate <> 'r'),
    coalesce(apply_error_count + sync_error_count, 0), pg_database_size(current_database())
FROM pg_subscription LEFT JOIN pg_stat_subscription_stats ON subid = oid
WHERE pg_subscription.subname = %s"""
BEHIND: Final = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), pg_database_size(database)
FROM pg_replication_slots WHERE slot_name = %s"""


def await_copy(move: Move, there: psycopg.Connection, on_copied: Callable[[float], object]) -> None:
    """Until all tables are copied and the copy is hardly behind; raises `CannotMove`."""
    before: Any = None
    since = time.monotonic()
    while True:
        left, errors, size = row(there, PROGRESS, move.temporary)
        behind, whole = row(move.here, BEHIND, move.temporary)
        if errors:
            raise CannotMove(
                "penyalinan gagal; lihat log server tujuan",
                "copying failed; see the new server's log",
            )
        if not left and behind < LAG:
            on_copied(1.0)
            return
        on_copied(min(0.99, size / whole))
        if (left, size) != before:
            before, since = (left, size), time.monotonic()
        if time.monotonic() - since > STALLED:
            raise CannotMove("penyalinan tidak maju", "copying makes no progress")
        time.sleep(0.2)


def row(connection: psycopg.Connection, statement: str, *parameters: object) -> tuple[Any, ...]:
    found = connection.execute(statement, parameters).fetchone()
    if found is None:
        raise CannotMove("replikasi dihentikan", "the replication was ended")
    return found
