"""Brings a database to the newest schema with Alembic."""

from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from tenants.realm import sqlalchemy_url

MIGRATIONS = Path(__file__).parent / "migrations"
PARTITIONS_BEHIND, PARTITIONS_AHEAD = 2, 12
LOCK = 0x6A656A616B


class Schema(StrEnum):
    """The three kinds of database; each has its own line of migrations."""

    CONTROL = "control"
    TENANT = "tenant"
    PROVINCE = "province"


def upgrade(schema: Schema, owner_dsn: str, **names: str) -> bool:
    """Migrate the database behind `owner_dsn`, in one transaction; False when it was at head.

    `names` are what the DDL needs to know: `app_role`, and for a tenant `share_role` and `code`.
    Two runs at once wait for each other; one that waits for a busy table gives up after 10 s.
    """
    config = _config(schema)
    config.attributes.update(names)
    head = newest(schema)
    engine = create_engine(sqlalchemy_url(owner_dsn), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        behind = _current(connection) != head
        if behind:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        if schema is Schema.TENANT:
            _add_partitions(connection, datetime.now(UTC).date())
    return behind


def newest(schema: Schema) -> str | None:
    """The revision that this service's databases of a kind are at."""
    return ScriptDirectory.from_config(_config(schema)).get_current_head()


def _config(schema: Schema) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / schema))
    config.set_main_option("path_separator", "newline")
    return config


def _current(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('schema_version')")) is None:
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM schema_version"))
    return version


def _add_partitions(connection: Connection, today: date) -> None:
    """A partition of the tracks for each month, so that retention drops one instead of deleting."""
    months = today.year * 12 + today.month - 1
    for month in range(months - PARTITIONS_BEHIND, months + PARTITIONS_AHEAD + 1):
        first, after = (date(m // 12, m % 12 + 1, 1) for m in (month, month + 1))
        connection.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS track_chunk_{first:%Y_%m} PARTITION OF track_chunk"
                f" FOR VALUES FROM ('{first}T00:00Z') TO ('{after}T00:00Z')"
            )
        )
