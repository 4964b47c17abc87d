"""A PostgreSQL server as its administrator sees it: databases, roles, the template.

Needs `JEJAK_SERVER_DSN`, that of the catalogue, the province and new tenants, or another server's
DSN; used by the `jejak` command, never by the API.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenants.problems import InvalidInput
from tenants.settings import settings

CONTROL = "jejak_control"
TEMPLATE = "jejak_template"
EXTENSIONS = ("postgis", "btree_gist")


@dataclass(frozen=True, slots=True)
class Names:
    """The database of a realm and its three roles, each of which may connect there only.

    The owner migrates, the app role serves (it owns nothing and cannot change evidence), the share
    role replicates to the province.
    """

    database: str

    @property
    def app(self) -> str:
        return self.database

    @property
    def slot(self) -> str:
        """The slot through which the province follows a regency, and the subscription there."""
        return self.database

    @property
    def owner(self) -> str:
        return f"{self.database}_owner"

    @property
    def share(self) -> str:
        return f"{self.database}_share"

    @property
    def reader(self) -> str:
        """Its role at the province, wherever its own database is."""
        return f"{self.database}_reader"


def names_of(slug: str) -> Names:
    return Names("jejak_" + slug.replace("-", "_"))


def home() -> str:
    """The administrator's DSN of the server where tenants are born; raises `InvalidInput`."""
    dsn = settings().server_dsn
    if dsn is None:
        raise InvalidInput("JEJAK_SERVER_DSN", "belum diatur", "is not set")
    return dsn


def is_at(dsn: str, server: str) -> bool:
    """Whether a realm's DSN leads to this server, as both are written."""
    first, second = conninfo_to_dict(dsn), conninfo_to_dict(server)
    return all(
        str(first.get(key, default)) == str(second.get(key, default))
        for key, default in (("host", ""), ("port", "5432"))
    )


@contextmanager
def admin(
    database: str | None = None, *, server: str | None = None
) -> Iterator[psycopg.Connection]:
    """A connection as administrator of `server`, or of the one where tenants are born."""
    dsn = server or home()
    if database is not None:
        dsn = make_conninfo(dsn, dbname=database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def run(connection: psycopg.Connection, statement: str, **names: str) -> None:
    connection.execute(
        sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()})
    )


def dsn_of(role: str, password: str, database: str, server: str | None = None) -> str:
    """The DSN of a role and a database, on a server as `admin` takes it."""
    return make_conninfo(server or home(), user=role, password=password, dbname=database)


def create_role(connection: psycopg.Connection, role: str, *, replication: bool = False) -> str:
    password = secrets.token_urlsafe(24)
    attributes = "LOGIN REPLICATION" if replication else "LOGIN"
    connection.execute(
        sql.SQL("CREATE ROLE {role} " + attributes + " PASSWORD {password}").format(
            role=sql.Identifier(role), password=sql.Literal(password)
        )
    )
    run(connection, "ALTER ROLE {role} SET timezone = 'UTC'", role=role)
    return password


def create_database(
    connection: psycopg.Connection,
    names: Names,
    undo: ExitStack,
    *,
    share: bool,
    template: str,
    server: str | None = None,
) -> dict[str, str]:
    """The roles, then the database from the template, closed to everybody else; DSN by role.

    The connection is the administrator's, on `server` as `admin` takes it.
    """
    passwords = {}
    roles = [names.owner, names.app] + ([names.share] if share else [])
    for role in roles:
        passwords[role] = create_role(connection, role, replication=role == names.share)
        undo.callback(run, connection, "DROP ROLE IF EXISTS {role}", role=role)
    for setting in ("statement_timeout = '30s'", "lock_timeout = '10s'"):
        run(connection, "ALTER ROLE {role} SET " + setting, role=names.app)
    run(
        connection,
        "CREATE DATABASE {database} TEMPLATE {template} OWNER {owner}",
        database=names.database,
        template=template,
        owner=names.owner,
    )
    undo.callback(drop_database, connection, names.database)
    run(connection, "REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=names.database)
    for role in roles:
        run(
            connection,
            "GRANT CONNECT ON DATABASE {database} TO {role}",
            database=names.database,
            role=role,
        )
    return {
        role: dsn_of(role, password, names.database, server) for role, password in passwords.items()
    }


def drop_database(connection: psycopg.Connection, database: str) -> None:
    run(connection, "DROP DATABASE IF EXISTS {database} WITH (FORCE)", database=database)


def prepare_server(server: str | None = None) -> None:
    """Close the server's own databases to tenants and make the template; may run again."""
    with admin(server=server) as connection:
        for database in ("postgres", "template1"):
            run(connection, "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC", name=database)
        if exists(connection, TEMPLATE):
            return
        run(connection, "CREATE DATABASE {name}", name=TEMPLATE)
    try:
        with admin(TEMPLATE, server=server) as connection:
            for extension in EXTENSIONS:
                run(connection, "CREATE EXTENSION {name}", name=extension)
            # Positions are WGS 84 throughout. The thousands of other systems would double what a
            # birth copies, and what each sender of its server reads of that.
            connection.execute("DELETE FROM spatial_ref_sys WHERE srid <> 4326")
            connection.execute("VACUUM FULL spatial_ref_sys")
        with admin(server=server) as connection:
            run(connection, "REVOKE ALL ON DATABASE {name} FROM PUBLIC", name=TEMPLATE)
            run(
                connection,
                "ALTER DATABASE {name} IS_TEMPLATE true ALLOW_CONNECTIONS false",
                name=TEMPLATE,
            )
    except psycopg.Error:
        with admin(server=server) as connection:
            drop_database(connection, TEMPLATE)
        raise


def exists(connection: psycopg.Connection, database: str) -> bool:
    return (
        connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        is not None
    )
