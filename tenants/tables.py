"""What a regency's database holds, asked of PostgreSQL itself: no table is forgotten in a list."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

import psycopg
from psycopg import sql

VERSION_TABLE: Final = "schema_version"
"""Alembic's own: made by migrations, wherever the database is."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the regency, its partitions included; columns that PostgreSQL fills are not.

    `geometry` is the column that holds the row's geometry, if one does, with its SRID.
    """

    name: str
    columns: tuple[str, ...]
    integers: frozenset[str]
    geometry: str | None
    srid: int | None

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.name)


TABLES: Final = """
SELECT relname, array_agg(attname::text ORDER BY attnum),
    array_agg(attname::text) FILTER (WHERE atttypid IN ('int2'::regtype, 'int4'::regtype,
        'int8'::regtype)),
    min(attname::text) FILTER (WHERE typname = 'geometry'),
    min(postgis_typmod_srid(atttypmod)) FILTER (WHERE typname = 'geometry')
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid JOIN pg_type ON pg_type.oid = atttypid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND relname <> %s
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
        AND deptype = 'e'
    )
GROUP BY relname ORDER BY relname"""
REFERENCES: Final = """
SELECT referring.relname, referred.relname FROM pg_constraint
JOIN pg_class referring ON referring.oid = conrelid
JOIN pg_class referred ON referred.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid AND conparentid = 0"""
SEQUENCES: Final = """
SELECT sequencename::text FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"""
PARTITIONS: Final = """
SELECT parent.relname::text, part.relname::text, pg_get_expr(part.relpartbound, part.oid)
FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
JOIN pg_class parent ON parent.oid = inhparent
WHERE part.relispartition AND part.relkind IN ('r', 'p') ORDER BY part.relname"""
UNIDENTIFIED: Final = """
SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> %s
    AND (relkind = 'r' AND relreplident = 'd' AND NOT EXISTS (
        SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary
    ) OR relkind = 'r' AND relreplident = 'n' OR relkind IN ('r', 'p') AND relpersistence = 'u')
    AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
        AND deptype = 'e'
    )
ORDER BY 1"""


BOUNDS: Final = re.compile(r"DEFAULT|FOR VALUES FROM \('[-+:. 0-9]+'\) TO \('[-+:. 0-9]+'\)")


def tables(connection: psycopg.Connection) -> list[Table]:
    """All tables but Alembic's, those that others refer to first."""
    found = {
        name: Table(name, tuple(columns), frozenset(integers or ()), geometry, srid)
        for name, columns, integers, geometry, srid in connection.execute(
            TABLES, [VERSION_TABLE]
        ).fetchall()
    }
    order = TopologicalSorter[str](dict.fromkeys(found, ()))
    for referring, referred in connection.execute(REFERENCES).fetchall():
        order.add(referring, referred)
    return [found[name] for name in order.static_order()]


def version(connection: psycopg.Connection) -> str:
    """The newest migration that the database has."""
    statement = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE))
    (found,) = connection.execute(statement).fetchone() or ("",)
    return str(found)


def unidentified(connection: psycopg.Connection) -> list[str]:
    """Tables whose changes cannot be replicated: not logged, or without a key to find a row by."""
    return [name for (name,) in connection.execute(UNIDENTIFIED, [VERSION_TABLE]).fetchall()]


def partitions(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Parent, partition, and its bounds as PostgreSQL writes them."""
    return connection.execute(PARTITIONS).fetchall()


def add_partitions(connection: psycopg.Connection, wanted: Iterable[tuple[str, str, str]]) -> None:
    """Those that another database has and this one lacks; raises `ValueError` for odd bounds."""
    known = {name for _, name, _ in partitions(connection)}
    for parent, name, bounds in wanted:
        if name in known:
            continue
        if not BOUNDS.fullmatch(bounds):
            raise ValueError(bounds)
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} ").format(
                sql.Identifier(name), sql.Identifier(parent)
            )
            + sql.SQL(bounds)
        )


def sequences(connection: psycopg.Connection) -> dict[str, tuple[int, bool]]:
    """Of each sequence its last value, and whether that was given out."""
    found = {}
    for (name,) in connection.execute(SEQUENCES).fetchall():
        asked = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
        row = connection.execute(asked).fetchone()
        assert row is not None
        found[name] = (int(row[0]), bool(row[1]))
    return found


def set_sequences(
    connection: psycopg.Connection, values: Iterable[tuple[str, tuple[int, bool]]]
) -> None:
    """Go on counting where another database was."""
    for name, (last, called) in values:
        connection.execute("SELECT setval(quote_ident(%s)::regclass, %s, %s)", [name, last, called])


def all_tables(connection: psycopg.Connection) -> sql.Composed:
    """Their names, as a statement has them."""
    return sql.SQL(", ").join(table.identifier for table in tables(connection))
