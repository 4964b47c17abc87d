"""The evidence chain: whatever is done to what was sealed, it is found, and where."""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from chained import born, check_in, issued, judged, seal, send
from conftest import BALIKPAPAN, SANGATTA, today
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from infra.cli import app
from infra.play import until
from infra.world import World
from tenants import access, birth, people, seals, verdicts
from tenants.models import Role
from tenants.people import Invitation
from tenants.realm import Tenant

TABLES = (
    *("trip_progress", "track_chunk", "verdict", "deviation", "deviation_reply"),
    *("deviation_ruling", "check_in", "seal", "sealed"),
)


@dataclass(frozen=True)
class Regency:
    """A regency of its own: a trip that went astray, was answered for and ruled on."""

    tenant: Tenant
    trip_id: UUID
    admin: psycopg.Connection


@pytest.fixture(scope="module")
def regency(world: World) -> Iterator[Regency]:
    tenant = born("berau", "64.03")
    trip_id, traveller = issued(tenant, "RANTAI/1")
    other, companion = issued(tenant, "RANTAI/2")
    for hours in (range(6, 22), range(30, 46), range(54, 60), range(60, 70)):
        send(tenant, trip_id, traveller, hours, SANGATTA)
        send(tenant, other, companion, hours, BALIKPAPAN)
        seal(tenant)
    assert until(lambda: judged(tenant))
    with tenant.session(readonly=False) as session:
        inspector = access.viewer_of(
            people.add_member(
                session, Invitation("Inspektur", frozenset({Role.INSPECTOR})), today=today()
            )
        )
        (found,) = verdicts.standing(session, [trip_id])[trip_id]
        verdicts.reply(session, traveller, found.id, body="Rapat pindah.")
    check_in(tenant, trip_id, traveller)
    seal(tenant)
    with tenant.session(readonly=False) as session:
        verdicts.rule(session, inspector, found.id, upheld=True, reason="Tanpa bukti.")
    seal(tenant)
    dsn = world.cluster.dsn("jejak_berau")
    with psycopg.connect(dsn, autocommit=True) as admin:
        # The sweep would seal what a test is just changing.
        admin.execute("SELECT pg_advisory_lock(%s)", [seals.LOCK])
        for table in TABLES:
            admin.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        yield Regency(tenant, trip_id, admin)
    birth.drop_tenant("berau")


@pytest.fixture
def owner(regency: Regency) -> Iterator[psycopg.Connection]:
    """The owner of the regency's database, who may do anything; undone after the test."""
    assert until(lambda: verified()["unpublished"] == 0)
    with psycopg.connect(birth.owner_dsn("berau"), autocommit=True) as connection:
        yield connection
    with regency.admin.transaction():
        regency.admin.execute("SET LOCAL session_replication_role = replica")
        for table in reversed(TABLES):
            regency.admin.execute(SQL("DELETE FROM {}").format(Identifier(table)))
        for table in TABLES:
            again = SQL("INSERT INTO {} SELECT * FROM {}")
            kept = Identifier(f"kept_{table}")
            regency.admin.execute(again.format(Identifier(table), kept))
        regency.admin.execute("DELETE FROM unsealed")


def verified(exit_code: int | None = None) -> dict:
    ran = CliRunner().invoke(app, ["chain", "verify", "berau", "--json"])
    if exit_code is not None:
        assert ran.exit_code == exit_code, (ran.output, ran.exception)
    return json.loads(ran.stdout)


def test_an_honest_regency_passes(regency: Regency, owner) -> None:
    found = verified(exit_code=0)
    assert (found["sound"], found["faults"], found["unsealed"]) == (True, [], 0)
    assert (found["trips"], found["chunks"]) == (2, 8)
    assert found["seals"] == found["heads"] == found["newest"]["number"] >= 6
    assert found["rows"] >= 5
    shown = CliRunner().invoke(app, ["chain", "verify", "berau"])
    assert shown.exit_code == 0
    assert shown.stdout.endswith("sound\n")
    assert "8 chunks" in shown.stdout


def rebuilt(owner: psycopg.Connection, trip_id: UUID, change: str, *, sealed: bool = False) -> None:
    """Change chunks, then compute all digests, links and heads anew; the seals too if `sealed`."""
    owner.execute(change, [trip_id])
    link = b""
    rows = owner.execute(
        "SELECT arrival, device, ST_AsEWKB(path, 'NDR'), accuracy, speed, digest FROM track_chunk"
        " WHERE trip_id = %s ORDER BY arrival",
        [trip_id],
    ).fetchall()
    for arrival, device, path, accuracy, speed, was in rows:
        points = np.frombuffer(path[13:], "<f8").reshape(-1, 3)
        digest = hashlib.sha256(trip_id.bytes + struct.pack("<H", len(device)) + device.encode())
        for (lon, lat, at), good, fast in zip(points, accuracy, speed, strict=True):
            digest.update(struct.pack("<5d", at, lon, lat, good, fast))
        link = hashlib.sha256(link + digest.digest()).digest()
        owner.execute(
            "UPDATE track_chunk SET digest = %s, link = %s"
            " WHERE trip_id = %s AND arrival = %s AND digest = %s",
            [digest.digest(), link, trip_id, arrival, was],
        )
    owner.execute("UPDATE trip_progress SET chain_head = %s WHERE trip_id = %s", [link, trip_id])
    if sealed:
        owner.execute(
            "UPDATE sealed SET digest = (SELECT link FROM track_chunk WHERE trip_id = sealed.id"
            " AND arrival <= version ORDER BY arrival DESC LIMIT 1) WHERE kind = 'TRACK'"
        )
        previous = b""
        for number, at in owner.execute(
            "SELECT number, sealed_at FROM seal ORDER BY number"
        ).fetchall():
            items = owner.execute(
                "SELECT kind, id, trip_id, version, digest FROM sealed WHERE seal = %s"
                " ORDER BY id, kind",
                [number],
            ).fetchall()
            over = hashlib.sha256()
            for kind, row_id, trip, version, digest in items:
                over.update(kind.encode() + b"\0" + row_id.bytes + trip.bytes)
                over.update(struct.pack("<q", version) + digest)
            head = seals.head_of(previous, number, at, over.digest())
            owner.execute(
                "UPDATE seal SET previous = %s, digest = %s, head = %s WHERE number = %s",
                [previous, over.digest(), head, number],
            )
            previous = head


MOVE = (
    "UPDATE track_chunk SET path = ST_Translate(path, 0.01, 0) WHERE arrival = 3 AND trip_id = %s"
)
INSERT = (
    "INSERT INTO track_chunk SELECT trip_id, started_at, sha256(digest), ended_at, received_at,"
    " {arrival}, 'lain', path, accuracy, speed, {link}, mock, battery FROM track_chunk"
    " WHERE arrival = 4 AND trip_id = %s"
)
OF = r", of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
Tampering = Callable[[psycopg.Connection, Regency], object]


def statement(sql: str) -> Tampering:
    return lambda owner, regency: owner.execute(sql, [regency.trip_id] * sql.count("%s"))


def unbound(sql: str) -> Tampering:
    """Past foreign keys and triggers, as only an administrator can."""

    def tamper(_owner: psycopg.Connection, regency: Regency) -> None:
        with regency.admin.transaction():
            regency.admin.execute("SET LOCAL session_replication_role = replica")
            regency.admin.execute(sql)

    return tamper


def inserted_in_the_middle(owner: psycopg.Connection, regency: Regency) -> None:
    owner.execute("UPDATE track_chunk SET arrival = arrival + 1 WHERE arrival >= 4")
    owner.execute("UPDATE trip_progress SET arrived = arrived + 1")
    made = INSERT.format(arrival=4, link="link").replace("arrival = 4", "arrival = 5")
    owner.execute(made, [regency.trip_id])


def backdated_reply(owner: psycopg.Connection, regency: Regency) -> None:
    owner.execute(
        "INSERT INTO deviation_reply (id, deviation_id, member_id, body, replied_at)"
        " SELECT %s, deviation_id, member_id, 'Sudah izin.', replied_at - interval '1 day'"
        " FROM deviation_reply",
        [uuid4()],
    )
    items = owner.execute("DELETE FROM unsealed RETURNING kind, id").fetchall()
    assert [kind for kind, _ in items] == ["REPLY"]


CHUNK_2 = rf"trip {{trip}}, chunk 2{OF}"
TAMPERED: dict[str, tuple[Tampering, str, str]] = {
    "a fix is edited": (statement(MOVE), "ALTERED", CHUNK_2),
    "an accuracy is none": (
        statement("UPDATE track_chunk SET accuracy = '{NULL}' WHERE arrival = 3 AND trip_id = %s"),
        "ALTERED",
        CHUNK_2,
    ),
    "a digest is edited": (
        statement(
            "UPDATE track_chunk SET digest = sha256(digest) WHERE arrival = 3 AND trip_id = %s"
        ),
        "ALTERED",
        CHUNK_2,
    ),
    "a chunk is deleted": (
        statement("DELETE FROM track_chunk WHERE arrival = 3 AND trip_id = %s"),
        "REMOVED",
        CHUNK_2,
    ),
    "the last chunk is deleted": (
        statement("DELETE FROM track_chunk WHERE arrival = 5 AND trip_id = %s"),
        "REMOVED",
        r"trip {trip}, chunk 4, after that of .* UTC",
    ),
    "all chunks are deleted": (
        statement("DELETE FROM track_chunk WHERE trip_id = %s"),
        "REMOVED",
        "trip {trip}, chunk 1, its first",
    ),
    "all is forgotten": (
        statement(
            "WITH gone AS (DELETE FROM track_chunk WHERE trip_id = %s)"
            " UPDATE trip_progress SET chain_head = '' WHERE trip_id = %s"
        ),
        "REMOVED",
        rf"trip {{trip}}, chunk 1{OF}",
    ),
    "chunks are reordered": (
        statement(
            "UPDATE track_chunk SET arrival = 7 - arrival WHERE arrival IN (3, 4) AND trip_id = %s"
        ),
        "REORDERED",
        CHUNK_2,
    ),
    "a chunk is inserted": (
        inserted_in_the_middle,
        "INSERTED|ALTERED",
        rf"trip {{trip}}, chunk 3{OF}",
    ),
    "a chunk is appended": (
        statement(INSERT.format(arrival=6, link="link")),
        "INSERTED",
        rf"trip {{trip}}, chunk 5{OF}",
    ),
    "the chain is rebuilt": (
        lambda owner, regency: rebuilt(owner, regency.trip_id, MOVE),
        "ALTERED",
        CHUNK_2,
    ),
    "the chain is rebuilt without a chunk": (
        lambda owner, regency: rebuilt(
            owner, regency.trip_id, "DELETE FROM track_chunk WHERE arrival = 4 AND trip_id = %s"
        ),
        "REMOVED",
        rf"trip {{trip}}, chunk 3{OF}",
    ),
    "its seals too": (
        lambda owner, regency: rebuilt(owner, regency.trip_id, MOVE, sealed=True),
        "ALTERED",
        rf"seal 2{OF}",
    ),
    "a reply is edited": (
        statement("UPDATE deviation_reply SET body = 'Saya mengaku.'"),
        "ALTERED",
        rf"trip {{trip}}, reply \S+{OF}",
    ),
    "a reply is deleted": (
        statement("DELETE FROM deviation_reply"),
        "REMOVED",
        rf"trip {{trip}}, reply \S+{OF}",
    ),
    "a reply is inserted": (backdated_reply, "INSERTED", rf"trip {{trip}}, reply \S+{OF}"),
    "a check-in is moved": (
        statement("UPDATE check_in SET lon = 116.845"),
        "ALTERED",
        rf"trip {{trip}}, check-in \S+{OF}",
    ),
    "its photo is another": (
        statement("UPDATE check_in SET photo = photo || '\\x00'"),
        "ALTERED",
        rf"trip {{trip}}, check-in \S+{OF}",
    ),
    "a check-in is deleted": (
        statement("DELETE FROM check_in"),
        "REMOVED",
        rf"trip {{trip}}, check-in \S+{OF}",
    ),
    "a ruling is edited": (
        statement("UPDATE deviation_ruling SET reason = 'Lupa.'"),
        "ALTERED",
        rf"trip {{trip}}, ruling \S+{OF}",
    ),
    "a ruling is deleted": (
        statement("DELETE FROM deviation_ruling"),
        "REMOVED",
        rf"trip {{trip}}, ruling \S+{OF}",
    ),
    "a case is excused": (
        statement("UPDATE deviation SET state = 'EXCUSED'"),
        "ALTERED",
        rf"trip {{trip}}, deviation \S+{OF}",
    ),
    "less is at stake": (
        statement("UPDATE deviation SET amount = 1"),
        "ALTERED",
        rf"trip {{trip}}, deviation \S+{OF}",
    ),
    "a deviation is another": (
        statement("UPDATE deviation SET leg = 7"),
        "ALTERED",
        rf"trip {{trip}}, deviation \S+{OF}",
    ),
    "a deviation is deleted": (
        unbound("DELETE FROM deviation"),
        "REMOVED",
        rf"trip {{trip}}, deviation \S+{OF}",
    ),
    "an outcome is edited": (
        statement("UPDATE verdict SET outcome = 'CONFORMS' WHERE trip_id = %s"),
        "ALTERED",
        rf"trip {{trip}}, verdict \S+{OF}",
    ),
    "a finding is edited": (
        unbound(
            "UPDATE verdict SET detail = jsonb_set(detail, '{deviations,0,severity}', '\"NOTE\"')"
        ),
        "ALTERED",
        rf"trip {{trip}}, verdict \S+{OF}",
    ),
    "a verdict is made nonsense": (
        unbound("UPDATE verdict SET detail = '{\"deviations\": [7, {}]}'"),
        "ALTERED",
        rf"trip {{trip}}, verdict \S+{OF}",
    ),
    "a coverage is edited": (
        unbound("UPDATE verdict SET coverage = 0.1"),
        "ALTERED",
        rf"trip {{trip}}, verdict \S+{OF}",
    ),
    "a verdict is deleted": (
        unbound("DELETE FROM verdict"),
        "REMOVED",
        rf"trip {{trip}}, verdict \S+{OF}",
    ),
    "items are edited": (
        statement("UPDATE sealed SET version = version + 1 WHERE seal = 3"),
        "ALTERED",
        rf"seal 3{OF}",
    ),
    "a seal is edited": (
        statement("UPDATE seal SET sealed_at = sealed_at - interval '1 day' WHERE number = 3"),
        "ALTERED",
        rf"seal 3{OF}",
    ),
    "seals are deleted": (
        statement(
            "WITH gone AS (DELETE FROM seal WHERE number > 2) DELETE FROM sealed WHERE seal > 2"
        ),
        "REMOVED",
        rf"seal 3{OF}",
    ),
    "a seal alone is deleted": (
        statement("DELETE FROM seal WHERE number = 2"),
        "REMOVED",
        rf"seal 2{OF}",
    ),
}


@pytest.mark.parametrize("tampering", TAMPERED)
def test_what_was_tampered_with_is_found(regency: Regency, owner, tampering: str) -> None:
    tamper, what, place = TAMPERED[tampering]
    tamper(owner, regency)
    found = verified(exit_code=3)
    assert not found["sound"]
    wanted = re.compile(place.replace("{trip}", str(regency.trip_id)))
    places = [(fault["what"], fault["place"]) for fault in found["faults"]]
    assert [1 for said, where in places if re.fullmatch(what, said) and wanted.fullmatch(where)], (
        found["faults"]
    )
    shown = CliRunner().invoke(app, ["chain", "verify", "berau"])
    assert shown.exit_code == 3
    assert "NOT SOUND" in shown.stdout
    assert wanted.search(shown.stdout)
