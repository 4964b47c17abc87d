"""A regency's way into the province's database: to read what concerns it, and nothing else.

Its role there may call functions that know who asks by the role that connected, and owns, reads
and writes no table. The role's password is derived from the service's key, so that none is kept.
"""

import hmac
from dataclasses import replace

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenants import catalogue
from tenants.realm import Province, Tenant
from tenants.server import Names, names_of, run
from tenants.settings import settings

FUNCTIONS = ("own_escalations()",)


def door(tenant: Tenant) -> Province:
    """The province as a regency may see it; its `session` is the regency's own role."""
    province = catalogue.province()
    names = names_of(tenant.slug)
    dsn = make_conninfo(province.dsn, user=names.guest, password=_password(names))
    return replace(province, dsn=dsn)


def open_door(province: psycopg.Connection, names: Names) -> None:
    """Make the regency's role in the province's database; may run again."""
    known = province.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [names.guest]).fetchone()
    if known is None:
        run(province, "CREATE ROLE {role} LOGIN", role=names.guest)
    province.execute(
        sql.SQL("ALTER ROLE {role} PASSWORD {password}").format(
            role=sql.Identifier(names.guest), password=sql.Literal(_password(names))
        )
    )
    for setting in ("timezone = 'UTC'", "statement_timeout = '30s'", "lock_timeout = '10s'"):
        run(province, "ALTER ROLE {role} SET " + setting, role=names.guest)
    run(
        province,
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        database=province.info.dbname,
        role=names.guest,
    )
    for function in FUNCTIONS:
        run(province, f"GRANT EXECUTE ON FUNCTION {function} TO {{role}}", role=names.guest)


def close_door(province: psycopg.Connection, names: Names) -> None:
    """Remove the regency's role, if there is one."""
    known = province.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [names.guest]).fetchone()
    if known is not None:
        run(province, "DROP OWNED BY {role}", role=names.guest)
        run(province, "DROP ROLE {role}", role=names.guest)


def _password(names: Names) -> str:
    return hmac.digest(settings().secret_key.encode(), names.guest.encode(), "sha256").hex()
