"""The migrations and the models say the same, and an upgrade keeps what is there."""

import hashlib
import struct
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Enum, MetaData, Text, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from infra.world import World
from tenants import (
    accesses,
    agreements,
    catalogue,
    checkins,
    chunks,
    evidence,
    memberships,
    migrate,
    models,
    plans,
    proposals,
    province,
    recoveries,
    seals,
    shared,
    tracks,
)
from tenants.access import Viewer
from tenants.fixes import Fixes
from tenants.realm import sqlalchemy_url
from tenants.server import TEMPLATE, Names, admin, create_database
from tenants.silences import Silence

assert evidence.Base is seals.Base is proposals.Base is agreements.Base is models.Base
assert memberships.Base is recoveries.Base is models.Base
assert accesses.Base is checkins.Base is models.Base
assert shared.Base is province.Base


def same_type(_context, _inspected, _column, in_database, in_model) -> bool | None:
    # Enumerations are kept as text, so that adding a value needs no lock on the table.
    return False if isinstance(in_database, Text) and isinstance(in_model, Enum) else None


def table_of(thing, name: str, kind: str) -> str:
    return name if kind == "table" else thing.table.name


# What only PostgreSQL itself reads and writes in a regency's database.
UNSEEN = ("shared_", "person_key", "outdated_")


def ours(thing, name, kind, _reflected, _compare_to) -> bool:
    foreign = ("track_chunk_", "schema_version", "spatial_ref_sys")
    return not table_of(thing, name, kind).startswith(foreign)


def seen(thing, name, kind, reflected, compare_to) -> bool:
    return ours(thing, name, kind, reflected, compare_to) and (
        not table_of(thing, name, kind).startswith(UNSEEN)
    )


def held(thing, name, kind, reflected, compare_to) -> bool:
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
    included = {"jejak_province": held, "jejak_control": ours, "jejak_samarinda": seen}
    options = {"compare_type": same_type, "include_object": included[database]}
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


BOSS, TRAVELLER, LETTER, TRIP, OTHER, VERDICT, CASE = (UUID(int=number) for number in range(1, 8))
AT = datetime(2026, 11, 3, 2, tzinfo=UTC)
DEVICE = b"ponsel"
ROW = struct.pack("<5d", AT.timestamp(), 117.148, -0.495, 12.0, float("nan"))
DIGEST = hashlib.sha256(TRIP.bytes + struct.pack("<H", len(DEVICE)) + DEVICE + ROW).digest()
LINK = hashlib.sha256(DIGEST).digest()
BEFORE = sql.SQL("""
INSERT INTO boundary_set VALUES (1, 'uji', 'CC0', '2026-01-01', 500, true);
INSERT INTO region VALUES (1, '64.71', 'Balikpapan', 'Asia/Makassar',
    ST_Multi(ST_MakeEnvelope(116, -2, 117, -1, 4326)));
INSERT INTO ruleset VALUES (1, '2024-01-01T20:00Z', 'PMK 113', '{{"visit_fixes": 4}}');
INSERT INTO member (id, name, roles) VALUES
    ({boss}, 'Kepala', '{{HEAD_OF_OFFICE}}'), ({traveller}, 'Pelaksana', '{{TRAVELLER}}');
INSERT INTO assignment_letter (id, number, dated, purpose, signed_by_id, issued_by_id)
    VALUES ({letter}, 'ST/1', '2026-11-01', 'Rapat', {boss}, {boss});
INSERT INTO trip (id, letter_id, traveller_id, starts_on, ends_on, ended_on, transit, state,
    revision, claimed_days)
    VALUES ({trip}, {letter}, {traveller}, '2026-11-02', '2026-11-04', '2026-11-04', '{{}}',
        'ACTIVE', 2, NULL),
    ({other}, {letter}, {traveller}, '2026-10-02', '2026-10-04', '2026-10-04', '{{64.02}}',
        'FINISHED', 1, 3);
INSERT INTO leg (trip_id, position, region_code, zone, arrive_on, depart_on, transport,
    flight_number)
    VALUES ({trip}, 1, '64.71', 'Asia/Makassar', '2026-11-02', '2026-11-03', 'AIR', 'XY 100'),
    ({trip}, 2, '64.02', 'Asia/Makassar', '2026-11-03', '2026-11-04', 'ROAD', NULL),
    ({other}, 1, '64.71', 'Asia/Makassar', '2026-10-02', '2026-10-04', 'ROAD', NULL);
INSERT INTO lawful_place
    VALUES (gen_random_uuid(), {trip}, '64.02', 'LEAVE', '2026-11-02', '2026-11-03');
INSERT INTO trip_revision (trip_id, revision, change, reason, changed_by_id, plan)
    VALUES ({trip}, 1, 'REVISED', 'Pindah', {boss}, '{{"legs": []}}');
INSERT INTO trip_progress VALUES
    ({trip}, 1, 1, NULL, {link}, {at}), ({other}, 0, 0, NULL, '', NULL);
INSERT INTO track_chunk (trip_id, started_at, digest, ended_at, arrival, device, path, accuracy,
    speed, link)
    VALUES ({trip}, {at}, {digest}, {at}, 1, {device},
        ST_SetSRID(ST_MakePointM(117.148, -0.495, extract(epoch FROM {at})), 4326),
        '{{12}}', '{{NaN}}', {link});
INSERT INTO verdict VALUES ({verdict}, DEFAULT, {trip}, true, 'DEVIATES', true, 0.9, 3, 0, 1, 1,
    1, {at}, '{{"days": []}}');
INSERT INTO deviation VALUES ({case}, DEFAULT, {trip}, {verdict}, 'NEVER_LEFT', 'HIGH',
    'ANSWERED', NULL, {at}, {at}, '64.72', '64.71', 0.9, 1290000, ARRAY[encode({digest}, 'hex')],
    'Tidak berangkat.', 'Never left.');
INSERT INTO deviation_reply (id, deviation_id, member_id, body)
    VALUES (gen_random_uuid(), {case}, {traveller}, 'Ponsel tertinggal.');
INSERT INTO deviation_ruling (id, deviation_id, member_id, upheld, reason)
    VALUES (gen_random_uuid(), {case}, {boss}, false, 'Ada visum.');
""").format(
    boss=BOSS,
    traveller=TRAVELLER,
    letter=LETTER,
    trip=TRIP,
    other=OTHER,
    verdict=VERDICT,
    case=CASE,
    at=AT,
    device=DEVICE.decode(),
    digest=DIGEST,
    link=LINK,
)
"""A regency at tenant_0001 in the middle of its work."""


@pytest.fixture
def first_schema(world: World, tmp_path, monkeypatch):
    """The DSNs of a regency's database at tenant_0001, and what brings it to the newest."""
    names = Names("jejak_lama")
    known = {"app_role": names.app, "share_role": names.share, "code": "64.74"}
    (tmp_path / "tenant").mkdir()
    for kept in ("env.py", "tenant/tenant_0001.py"):
        (tmp_path / kept).write_text((migrate.MIGRATIONS / kept).read_text())
    with admin() as connection, ExitStack() as undo:
        dsns = create_database(connection, names, undo, share=True, template=TEMPLATE)
        with monkeypatch.context() as then:
            then.setattr(migrate, "MIGRATIONS", tmp_path)
            assert migrate.upgrade(migrate.Schema.TENANT, dsns[names.owner], **known)

        def upgrade() -> bool:
            return migrate.upgrade(migrate.Schema.TENANT, dsns[names.owner], **known)

        yield dsns[names.owner], dsns[names.app], upgrade


ROWS = sql.SQL("SELECT to_jsonb(t) FROM {} t ORDER BY 1")


def rows(owner: psycopg.Connection) -> dict[str, list[dict]]:
    tables = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relname NOT IN ('spatial_ref_sys', 'schema_version')"
    ).fetchall()
    return {
        name: [row for (row,) in owner.execute(ROWS.format(sql.Identifier(name)))]
        for (name,) in tables
    }


def test_an_upgrade_keeps_what_is_there(first_schema) -> None:
    owner_dsn, _, upgrade = first_schema
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(BEFORE)
        before = rows(owner)
        assert upgrade()
        assert not upgrade()
        after = rows(owner)
    empty = {"office", "login_session", "daily_allowance"}
    assert {name for name, kept in before.items() if not kept} == empty
    (plan,) = [row for row in after["trip_revision"] if row["change"] == "MIGRATED"]
    assert (plan["trip_id"], plan["revision"]) == (str(TRIP), 2)
    assert plan["plan"] == {"legs": [{"position": 1, "flight_number": "XY 100"}]}
    after["trip_revision"].remove(plan)
    for leg in before["leg"]:
        del leg["flight_number"]
    before["trip"][0]["revision"] += 1
    before["ruleset"][0]["valid_from"] = "2024-01-01"
    for name, kept in before.items():
        same = [
            {column: value for column, value in row.items() if column in kept[0]}
            for row in after[name]
        ]
        assert same == kept, name
    assert {name for name in after if name not in before} == {
        *("silence", "flight", "attendance", "outside_assignment", "track_print"),
        *("device", "quarantine", "pause", "intake_log", "seal", "sealed", "unsealed"),
        *("travel_notice", "visum", "visum_attempt", "visum_received", "escalation_answer"),
        *("member_revision", "recovery", "check_in", "access_entry", "trip_proposal"),
        *("sharing_agreement", "person_key", "outdated_month", "outdated_member"),
        *("shared_agreement", "shared_month", "shared_finding", "trip_proposal"),
        *("shared_trip", "shared_verdict", "shared_deviation"),
    }


def test_a_trip_goes_on_after_the_upgrade(first_schema) -> None:
    owner_dsn, app_dsn, upgrade = first_schema
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(BEFORE)
    upgrade()
    viewer = Viewer(TRAVELLER, "Pelaksana", frozenset(), None)
    later = AT + timedelta(hours=1)
    told = Silence(AT, later, "NO_POWER")

    def sent(session: Session, at: datetime, battery: float, explained=()) -> tracks.Receipt:
        columns = ([at.timestamp()], [117.148], [-0.495], [12.0], [np.nan], [False], [battery])
        return tracks.record(
            session,
            viewer,
            TRIP,
            Fixes(*(np.array(column) for column in columns)),
            explained,
            device=DEVICE.decode(),
            zone="Asia/Makassar",
            now=AT + timedelta(days=1),
        )

    engine = create_engine(sqlalchemy_url(app_dsn), poolclass=NullPool)
    with Session(engine) as session:
        assert sent(session, AT, np.nan) == tracks.Receipt(0, 1, 0, 0), "its digest is another"
        assert sent(session, later, 0.5, [told]) == tracks.Receipt(1, 0, 0, 1)
        track = chunks.read(session, [TRIP])[TRIP]
        assert track.fixes.time.tolist() == [AT.timestamp(), later.timestamp()]
        assert track.fixes.mock.tolist() == [False, False]
        assert np.isnan(track.fixes.battery).tolist() == [True, False]
        assert [leg.region_code for leg in plans.legs_of(session, [TRIP])[TRIP]] == [
            "64.71",
            "64.02",
        ]
        assert plans.flights_of(session, [TRIP])[TRIP] == []
