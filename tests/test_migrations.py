"""The migrations and the models say the same."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Enum, MetaData, Text, create_engine
from sqlalchemy.pool import NullPool

from infra.world import World
from tenants import catalogue, evidence, models, province
from tenants.realm import sqlalchemy_url

assert evidence.Base is models.Base


def same_type(_context, _inspected, _column, in_database, in_model) -> bool | None:
    # Enumerations are kept as text, so that adding a value needs no lock on the table.
    return False if isinstance(in_database, Text) and isinstance(in_model, Enum) else None


def table_of(thing, name: str, kind: str) -> str:
    return name if kind == "table" else thing.table.name


def ours(thing, name, kind, _reflected, _compare_to) -> bool:
    foreign = ("track_chunk_", "schema_version", "spatial_ref_sys")
    return not table_of(thing, name, kind).startswith(foreign)


def shared(thing, name, kind, reflected, compare_to) -> bool:
    """The province's tables but those of its people, which are the regencies' models."""
    people = {"office", "member", "login_session"}
    return ours(thing, name, kind, reflected, compare_to) and (
        table_of(thing, name, kind) not in people
    )


@pytest.mark.parametrize(
    ("database", "metadata"),
    [
        ("jejak_samarinda", models.Base.metadata),
        ("jejak_control", catalogue.Base.metadata),
        ("jejak_province", province.Base.metadata),
    ],
)
def test_models_match_the_migrated_database(
    world: World, database: str, metadata: MetaData
) -> None:
    engine = create_engine(sqlalchemy_url(world.cluster.dsn(database)), poolclass=NullPool)
    options = {
        "compare_type": same_type,
        "include_object": shared if database == "jejak_province" else ours,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    telling = [
        difference
        for difference in differences
        # Checks, exclusions and indexes of the DDL need no twin in Python.
        if not (isinstance(difference, tuple) and difference[0].startswith("remove_index"))
    ]
    assert telling == []


def test_tracks_are_partitioned_by_month_ahead(world: World) -> None:
    with psycopg.connect(world.cluster.dsn("jejak_samarinda")) as connection:
        months = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'track_chunk'::regclass"
        ).fetchone()[0]
    assert months == 16
