"""A regency takes all of it along, in formats that others read, and comes back to the byte."""

import csv
import json
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import psycopg
import pyogrio
import pytest
from chained import PRESENCE
from sqlalchemy import text
from test_tenancy import ISSUER, everything

from infra.benchmarks.phones import fleet
from infra.play import until
from infra.world import World
from tenants import access, birth, catalogue, chunks, devices, export, links, people, seals, trips
from tenants.chunks import Source
from tenants.export import export_tenant
from tenants.fixes import Fixes
from tenants.intake import Arrival, Unusable, take
from tenants.models import Member, PhoneClient
from tenants.problems import InvalidInput, UnknownTenant
from tenants.restoring import BrokenExport, import_tenant, read_export
from tenants.soundness import verify
from tenants.tables import tables
from workers.evaluate import evaluate

SLUG, CODE, DATABASE = "paser", "64.01", "jejak_paser"
PHONES, FIXES = 3, 700
PURPOSE = 'Rapat "koordinasi", \\N dan\nbaris kedua; ¥ é'


def fixes_of(first: float, number: int, *, special: bool) -> Fixes:
    """A walk whose numbers have all their digits; `special` ones say more than a position."""
    random = np.random.default_rng(int(first))
    steps = np.cumsum(random.normal(0, 1e-4, (2, number)), axis=1)
    unknown = np.full(number, np.nan)
    return Fixes(
        time=first + np.arange(number) * 60.123456,
        lon=116.2 + steps[0],
        lat=-1.9 + steps[1],
        accuracy=random.uniform(1, 50, number).astype("f4").astype("f8"),
        speed=unknown,
        mock=np.arange(number) % 3 == 0 if special else np.zeros(number, dtype=np.bool_),
        battery=random.uniform(0, 1, number).astype("f4").astype("f8") if special else unknown,
    )


@pytest.fixture(scope="module")
def regency(world: World) -> Iterator[str]:
    """A regency with tracks, verdicts, phones and texts that are hard to write down."""
    birth.add_tenant(slug=SLUG, code=CODE, name="Paser", zone="Asia/Makassar", issuer=ISSUER)
    phones, tenant, now = fleet(SLUG, PHONES), catalogue.tenant(SLUG), datetime.now(UTC)
    with psycopg.connect(birth.owner_dsn(SLUG)) as owner:
        owner.execute(
            "CREATE TABLE track_chunk_2025_01 PARTITION OF track_chunk"
            " FOR VALUES FROM ('2025-01-01T00:00Z') TO ('2025-02-01T00:00Z')"
        )
        owner.execute("UPDATE assignment_letter SET purpose = %s", [PURPOSE])
        owner.execute("UPDATE trip SET spd_number = ''")
        owner.execute(PRESENCE)
    with tenant.session(readonly=False) as session:
        for number, phone in enumerate(phones):
            chains = chunks.lock(session, [phone.trip_id])
            for device, sent in (
                ("ponsel", fixes_of(phone.second, FIXES, special=False)),
                ("lain", fixes_of(phone.second + 90_000.5, 1, special=number > 0)),
                ("ponsel", fixes_of(phone.second + 90_030, 9, special=True)),
            ):
                source = np.zeros(len(sent), dtype=np.intp)
                chunks.append(session, sent, source, [Source(phone.trip_id, device)], chains)
        member = session.scalars(
            text("SELECT traveller_id FROM trip WHERE id = :id"), {"id": phones[0].trip_id}
        ).one()
        viewer = access.viewer_of(session.get_one(Member, member))
        devices.pair(session, viewer, PhoneClient.OWNTRACKS, name="Terenkripsi", now=now)
        people.open_session(session, member, now=now)
    with tenant.session(readonly=False) as session:
        none = fixes_of(0, 1, special=False).only(np.zeros(1, dtype=np.bool_))
        lines = Arrival(
            devices.token_hash(phones[0].token), none, (Unusable("NO_FIX", {"a": [1, None, "x"]}),)
        )
        take(session, [lines], zone=tenant.zone, now=now)
    assert until(at_rest)
    yield SLUG
    birth.drop_tenant(SLUG)


def at_rest() -> bool:
    """Whether all is judged, sealed and shared: nothing but people changes anything any more."""
    with birth.as_owner(SLUG) as (_, session):
        seals.seal(session)  # the sweep does within half a minute
        return session.scalar(AT_REST) and not session.execute(seals.MOVED).all()


AT_REST = text(
    "SELECT NOT EXISTS (SELECT FROM trip_progress WHERE arrived <> evaluated)"
    " AND NOT EXISTS (SELECT FROM unsealed) AND NOT EXISTS (SELECT FROM outdated_month)"
    " AND EXISTS (SELECT FROM verdict)"
)


def contents(cluster_dsn: str) -> dict[str, list[str]]:
    """Every row of every table, as PostgreSQL writes it."""
    with psycopg.connect(cluster_dsn) as connection:
        connection.execute("SET bytea_output = 'hex'")
        return {
            table.name: sorted(
                row
                for (row,) in connection.execute(
                    f'SELECT "{table.name}"::text FROM "{table.name}"'  # noqa: S608
                ).fetchall()
            )
            for table in tables(connection)
        }


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file)) as package, package:
        yield package


@pytest.fixture(scope="module")
def folder(regency: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ekspor") / "paser"
    export_tenant(regency, made)
    return made


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the export to spoil."""
    return Path(shutil.copytree(folder, tmp_path / "salinan"))


def test_its_files_can_be_read_by_others(regency: str, folder: Path, world: World) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    zone = "Asia/Makassar"
    assert manifest["tenant"] == {"slug": SLUG, "code": CODE, "name": "Paser", "zone": zone}
    assert manifest["left_out"].keys() == export.LEFT_OUT.keys()
    assert all(why["id"] and why["en"] for why in manifest["left_out"].values())
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", *(said["file"] for said in manifest["tables"].values()),
    }  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o700
    there = contents(world.cluster.dsn(DATABASE))
    assert all(there.pop(name, "a column") for name in export.LEFT_OUT)
    assert {name: said["rows"] for name, said in manifest["tables"].items()} == {
        name: len(rows) for name, rows in there.items()
    }

    with (folder / "assignment_letter.csv").open(newline="") as file:
        assert {row["purpose"] for row in csv.DictReader(file)} == {PURPOSE}
    assert ',"",' in (folder / "trip.csv").read_text(), "an empty text is not null"

    # GDAL, which knows nothing of how it was written.
    assert [tuple(layer) for layer in pyogrio.list_layers(folder / "track_chunk.gpkg")] == [
        ("track_chunk", "Unknown")
    ]
    found = pyogrio.raw.read(folder / "track_chunk.gpkg")
    assert found[0]["crs"] == "EPSG:4326"
    assert {"digest", "link", "device", "received_at"} <= set(found[0]["fields"])
    assert len(found[2]) == 3 * PHONES
    assert pyogrio.read_info(folder / "region.gpkg")["features"] == 10
    # The M of the first point is when it was.
    with opened(folder / "track_chunk.gpkg") as package:
        ((path, started_at),) = package.execute(
            "SELECT path, started_at FROM track_chunk ORDER BY fid LIMIT 1"
        ).fetchall()
    *_, seconds = struct.unpack_from("<3d", path, 8 + 9)
    assert datetime.fromtimestamp(seconds, UTC) == datetime.fromisoformat(started_at)


def test_it_comes_back_row_by_row(world: World, regency: str, copy: Path) -> None:
    before, made = contents(world.cluster.dsn(DATABASE)), everything(world)
    judged_before = verdicts()
    birth.drop_tenant(SLUG)
    steps, rows = [], []
    told = {"on_step": steps.append, "on_rows": lambda *told: rows.append(told)}
    import_tenant(read_export(copy), issuer=ISSUER, **told)
    assert steps == ["database", "schema", "contents", "sharing", "catalogue"]
    assert everything(world) == made
    after = contents(world.cluster.dsn(DATABASE))
    assert before.pop("login_session")
    assert after.pop("login_session") == []
    assert before.pop("person_key") == after.pop("person_key"), "the same province's"
    assert len(before.pop("travel_notice")) == PHONES
    after.pop("travel_notice")
    assert rows[-1][1] == rows[-1][2] == sum(map(len, before.values()))
    for side in (before, after):
        side["device"] = [row for row in side["device"] if "OWNTRACKS" not in row]
    assert after == before
    with catalogue.tenant(SLUG).session(readonly=True) as session:
        key, revoked = session.execute(
            text("SELECT encryption_key, revoked_at FROM device WHERE client = 'OWNTRACKS'")
        ).one()
        assert (key, revoked is not None) == (None, True)
        ids = session.scalars(text("SELECT trip_id FROM trip_progress")).all()
        assert links.broken(session, ids) == set()
        assert session.scalar(text("SELECT to_regclass('track_chunk_2025_01')")) is not None
    assert verify(catalogue.tenant(SLUG), catalogue.province()).faults == []
    with psycopg.connect(birth.owner_dsn(SLUG)) as owner:
        (newest,) = owner.execute("SELECT max(id) FROM quarantine").fetchone()
        (following,) = owner.execute("SELECT nextval('quarantine_id_seq')").fetchone()
        assert following > newest

    # Judged anew, all comes out the same; and the province has it again.
    with catalogue.tenant(SLUG).session(readonly=False) as session:
        trips.arrived(session, *ids)
    for trip_id in ids:
        evaluate(catalogue.tenant(SLUG), trip_id, now=datetime.now(UTC))
    assert verdicts() == judged_before

    def published(table: str) -> int:
        rows = contents(world.cluster.dsn("jejak_province"))[table]
        return sum(f",{CODE}," in row for row in rows)

    assert until(lambda: published("shared_verdict") == published("travel_notice") == PHONES)


VERDICTS = text(
    "SELECT id, trip_id, outcome, final, coverage, observed_days, unknown_days, detail::text"
    " FROM verdict WHERE current"
)


def verdicts() -> set[tuple]:
    with catalogue.tenant(SLUG).session(readonly=True) as session:
        return {tuple(row) for row in session.execute(VERDICTS)}


def test_it_is_of_one_moment(world: World, regency: str, tmp_path: Path) -> None:
    """What is written while it is being made is not in it, neither in part."""
    added = []

    def writes(table: str, done: int, whole: int) -> None:
        if not added:
            added.extend(fleet(SLUG, 1))

    before = contents(world.cluster.dsn(DATABASE))
    export_tenant(SLUG, tmp_path / "baru", on_rows=writes)
    manifest = json.loads((tmp_path / "baru/manifest.json").read_text())
    for name, said in manifest["tables"].items():
        assert said["rows"] == len(before[name]), name
    with (tmp_path / "baru/trip.csv").open(newline="") as file:
        assert str(added[0].trip_id) not in {row["id"] for row in csv.DictReader(file)}


@contextmanager
def manifest_of(folder: Path) -> Iterator[dict]:
    """What the manifest says, to be changed."""
    file = folder / "manifest.json"
    said = json.loads(file.read_text())
    yield said
    file.write_text(json.dumps(said))


def spoil_csv(folder: Path) -> None:
    file = folder / "trip.csv"
    file.write_bytes(file.read_bytes().replace(b"ISSUED", b"ACTIVE", 1) + b"\n")


def spoil_manifest(**changes: object):
    def spoil(folder: Path) -> None:
        with manifest_of(folder) as said:
            said.update(changes)

    return spoil


OUTSIDE = {"file": "../../x", "rows": 1, "bytes": 1, "sha256": ""}


@pytest.mark.parametrize(
    ("spoil", "file", "why"),
    [
        (spoil_csv, "trip.csv", "was changed"),
        (lambda folder: (folder / "leg.csv").write_bytes(b""), "leg.csv", "was changed"),
        (lambda folder: (folder / "verdict.csv").unlink(), "verdict.csv", "is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json", "is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json", "no JSON"),
        (spoil_manifest(format="lain"), "manifest.json", "no export"),
        (spoil_manifest(version=2), "manifest.json", "not of version 1"),
        (spoil_manifest(schema="tenant_0001"), "manifest.json", "schema is not"),
        (spoil_manifest(tables=None), "manifest.json", "not complete"),
        (spoil_manifest(tables=[1]), "manifest.json", "not complete"),
        (spoil_manifest(tables={"trip": OUTSIDE}), "x", "is missing"),
    ],
)
def test_what_was_tampered_with_is_refused(
    world: World, copy: Path, spoil, file: str, why: str
) -> None:
    spoil(copy)
    with pytest.raises(BrokenExport, match=why) as refusal:
        read_export(copy)
    assert refusal.value.file == file
    assert refusal.value.message_id != refusal.value.message_en


def sign(folder: Path) -> None:
    """Make the manifest fit the files, as somebody does who knows what he does."""
    with manifest_of(folder) as said:
        for part in said["tables"].values():
            part["bytes"] = (folder / part["file"]).stat().st_size
            part["sha256"] = export.digest_of(folder / part["file"])


def forge_fix(folder: Path) -> None:
    with opened(folder / "track_chunk.gpkg") as package:
        ((path,),) = package.execute("SELECT path FROM track_chunk WHERE fid = 1").fetchall()
        forged = bytearray(path)
        forged[8 + 9 + 6] ^= 1
        package.execute("UPDATE track_chunk SET path = ? WHERE fid = 1", [bytes(forged)])


def forge_chain(folder: Path) -> None:
    with opened(folder / "track_chunk.gpkg") as package:
        package.execute("DELETE FROM track_chunk WHERE fid = 2")
    change_rows(folder, "track_chunk", -1)


def forge_reference(folder: Path) -> None:
    file = folder / "leg.csv"
    head, _, rest = file.read_text().partition("\n")
    stranger = str(UUID(int=1))
    file.write_text(f"{head}\n{stranger}{rest[len(stranger) :]}")


def forge_column(folder: Path) -> None:
    file = folder / "leg.csv"
    file.write_text(file.read_text().replace("trip_id", "trip", 1))


def forge_partition(folder: Path) -> None:
    with manifest_of(folder) as said:
        said["partitions"].append(["track_chunk", "x", "DEFAULT; DROP TABLE trip"])


def change_rows(folder: Path, table: str, by: int) -> None:
    with manifest_of(folder) as said:
        said["tables"][table]["rows"] += by


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (forge_fix, "chain of evidence is broken"),
        (forge_chain, "chain of evidence is broken"),
        (forge_reference, "rows that cannot be used"),
        (forge_column, "rows that cannot be used"),
        (lambda folder: change_rows(folder, "leg", 1), "not as many rows"),
        (forge_partition, "other partitions"),
    ],
)
def test_an_import_is_whole_or_nothing(
    world: World, regency: str, folder: Path, copy: Path, forge, why: str
) -> None:
    forge(copy)
    sign(copy)
    with pytest.raises(InvalidInput, match="taken"):
        import_tenant(read_export(folder), issuer=ISSUER)
    birth.drop_tenant(SLUG)
    left = everything(world)
    try:
        with pytest.raises(BrokenExport, match=why):
            import_tenant(read_export(copy), issuer=ISSUER)
        assert everything(world) == left
    finally:
        import_tenant(read_export(folder), issuer=ISSUER)


def test_where_nothing_can_be_written(world: World, regency: str, tmp_path: Path) -> None:
    (tmp_path / "berkas").write_text("x")
    for folder in (tmp_path, tmp_path / "berkas", tmp_path / "berkas/dalam"):
        with pytest.raises(InvalidInput) as refusal:
            export_tenant(SLUG, folder)
        assert refusal.value.field == "folder"
    with pytest.raises(UnknownTenant):
        export_tenant("tidak-ada", tmp_path / "baru")
    assert not (tmp_path / "baru").exists()


def test_a_failed_export_leaves_nothing(world: World, regency: str, tmp_path: Path) -> None:
    def fails(table: str, done: int, whole: int) -> None:
        if done:
            raise ConnectionError(table)

    with pytest.raises(ConnectionError):
        export_tenant(SLUG, tmp_path / "baru", on_rows=fails)
    assert not (tmp_path / "baru").exists()
