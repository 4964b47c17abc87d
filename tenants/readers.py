"""A regency's own role at the province: it reads what is addressed to the regency, and no more.

Needs the administrator of the province's server; used by the `jejak` command, never by the API.
"""

from contextlib import ExitStack

import psycopg

from tenants.catalogue import PROVINCE_SLUG
from tenants.server import Names, admin, create_role, dsn_of, names_of, run

TABLES = ("travel_notice", "visum")
PROVINCE = names_of(PROVINCE_SLUG).database


def admit(names: Names, code: str, undo: ExitStack) -> str:
    """Make the role, which row level security knows by the regency's row; returns its DSN."""
    with admin() as connection:
        password = create_role(connection, names.reader)
        undo.callback(expel, names)
        run(
            connection,
            "ALTER ROLE {role} SET statement_timeout = '5s'",
            role=names.reader,
        )
        run(
            connection,
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            database=PROVINCE,
            role=names.reader,
        )
        dsn = dsn_of(names.reader, password, PROVINCE)
    with admin(PROVINCE) as connection:
        for table in TABLES:
            run(connection, "GRANT SELECT ON {table} TO {role}", table=table, role=names.reader)
        connection.execute("UPDATE regency SET reader = %s WHERE code = %s", [names.reader, code])
    return dsn


def expel(names: Names) -> None:
    """Remove the role with all that it may; it may be gone already."""
    with admin(PROVINCE) as connection:
        if not _exists(connection, names.reader):
            return
        connection.execute("UPDATE regency SET reader = NULL WHERE reader = %s", [names.reader])
        run(connection, "DROP OWNED BY {role}", role=names.reader)
        run(connection, "DROP ROLE {role}", role=names.reader)


def _exists(connection: psycopg.Connection, role: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    return found.fetchone() is not None
