"""A regency takes everything it owns along, in open formats: CSV, and GeoPackage for geometries.

A folder with a file a table and `manifest.json`, which is written last: what has none is no export.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from tenants import catalogue, geopackage
from tenants.birth import owner_dsn
from tenants.problems import InvalidInput
from tenants.tables import Table, partitions, sequences, tables, version

FORMAT: Final = "jejak-dinas"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
BATCH: Final = 200
"""Rows with geometries in memory at a time: chunks of up to 1,000 fixes, some 100 kB each."""

LEFT_OUT: Final[dict[str, tuple[str, str]]] = {
    "login_session": (
        "Sesi peramban milik alamat layanan ini; orang masuk lagi di tempat baru.",
        "Browsers' sessions belong to this service's address; people sign in anew elsewhere.",
    ),
    "person_key": (
        "Kunci pseudonim milik provinsi; provinsi di tempat baru memberi yang baru.",
        "The province's key for pseudonyms; the province elsewhere gives its own.",
    ),
    "travel_notice": (
        "Memuat kunci visum, terenkripsi dengan kunci layanan ini; dibuat lagi dari perjalanan.",
        "Holds keys of visa, encrypted with this service's key; made anew from the trips.",
    ),
    "device.encryption_key": (
        "Terenkripsi dengan kunci layanan ini; ponsel OwnTracks dipasangkan ulang.",
        "Encrypted with this service's key; phones with OwnTracks are to be paired anew.",
    ),
    "realm.client_secret": (
        "Rahasia klien OpenID Connect; penerbitnya memberi yang baru.",
        "The OpenID Connect client's secret; its issuer gives a new one.",
    ),
}
"""What no export holds, and why: tables, and columns that are null in it."""

# The text of each value is exact, and the same whatever the server's settings are.
AS_TEXT: Final = """
SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
SET bytea_output = 'hex'; SET extra_float_digits = 1"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    tables: int
    rows: int
    size: int


def export_tenant(
    slug: str, folder: Path, *, on_rows: Callable[[str, int, int], object] = lambda *_: None
) -> Exported:
    """Write all of a regency, as of one moment, into a folder that is empty or not there.

    `on_rows` is told the table, the rows written and those there are in all. Token hashes of phones
    are among it, so that they go on reporting: the folder is for its owner alone. Raises
    `UnknownTenant`, and `InvalidInput` for the folder.
    """
    dsn, tenant = owner_dsn(slug), catalogue.tenant(slug)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInput("folder", "tidak kosong", "is not empty")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        raise InvalidInput("folder", "tidak dapat dibuat", "cannot be made") from None
    folder.chmod(0o700)
    try:
        with psycopg.connect(dsn) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute(AS_TEXT)
            files = _files(connection, folder, on_rows)
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "schema": version(connection),
                "exported_at": datetime.now(UTC).isoformat(),
                "tenant": {
                    "slug": slug,
                    "code": tenant.code,
                    "name": tenant.name,
                    "zone": tenant.zone,
                },
                "sign_in": {
                    "issuer": tenant.issuer.url,
                    "client_id": tenant.issuer.client_id,
                    "audience": tenant.issuer.audience,
                    "algorithms": tenant.issuer.algorithms,
                    "identity_claim": tenant.issuer.identity_claim,
                },
                "tables": files,
                "sequences": sequences(connection),
                "partitions": partitions(connection),
                "left_out": {
                    what: {"id": indonesian, "en": english}
                    for what, (indonesian, english) in LEFT_OUT.items()
                },
            }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Exported(
        len(files),
        sum(file["rows"] for file in files.values()),
        sum(file["bytes"] for file in files.values()),
    )


def _files(
    connection: psycopg.Connection, folder: Path, on_rows: Callable[[str, int, int], object]
) -> dict[str, dict[str, Any]]:
    """A file for each table, and what the manifest says of it."""
    wanted = [table for table in tables(connection) if table.name not in LEFT_OUT]
    rows = {table.name: _count(connection, table) for table in wanted}
    whole, done, files = sum(rows.values()), 0, {}
    for table in wanted:
        on_rows(table.name, done, whole)
        file = folder / f"{table.name}.{'gpkg' if table.geometry else 'csv'}"
        if table.geometry:
            _write_features(connection, table, file, partial(_told, on_rows, table, done, whole))
        else:
            _write_csv(connection, table, file)
        done += rows[table.name]
        files[table.name] = {
            "file": file.name,
            "rows": rows[table.name],
            "bytes": file.stat().st_size,
            "sha256": digest_of(file),
        }
    on_rows("", done, whole)
    return files


def _told(
    on_rows: Callable[[str, int, int], object], table: Table, done: int, whole: int, more: int
) -> None:
    on_rows(table.name, done + more, whole)


def _count(connection: psycopg.Connection, table: Table) -> int:
    asked = sql.SQL("SELECT count(*) FROM {}").format(table.identifier)
    (found,) = connection.execute(asked).fetchone() or (0,)
    return int(found)


def _selected(table: Table, value: Callable[[str], sql.Composable]) -> sql.Composed:
    columns = [
        sql.SQL("NULL AS {}").format(sql.Identifier(name))
        if f"{table.name}.{name}" in LEFT_OUT
        else value(name)
        for name in table.columns
    ]
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), table.identifier)


def _write_csv(connection: psycopg.Connection, table: Table, file: Path) -> None:
    """As PostgreSQL writes CSV: null is nothing, an empty text is \"\"."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')").format(
        _selected(table, sql.Identifier)
    )
    with file.open("wb") as written, connection.cursor().copy(statement) as copy:
        for block in copy:
            written.write(block)


def _write_features(
    connection: psycopg.Connection, table: Table, file: Path, on_rows: Callable[[int], object]
) -> None:
    """A feature a row; integers are integers, all else is as in a CSV."""
    assert table.geometry is not None
    assert table.srid is not None
    exact = {table.geometry: "ST_AsBinary({}, 'NDR')"} | dict.fromkeys(table.integers, "{}")

    def value(name: str) -> sql.Composable:
        return sql.SQL(exact.get(name, "{}::text")).format(sql.Identifier(name))

    def rows() -> Iterator[Sequence[Any]]:
        with connection.cursor("features", binary=False) as cursor:
            cursor.itersize = BATCH
            cursor.execute(_selected(table, value))
            for number, row in enumerate(cursor, 1):
                if number % BATCH == 0:
                    on_rows(number)
                yield row

    geopackage.write(
        file,
        table.name,
        table.columns,
        rows(),
        integers=table.integers,
        geometry=table.geometry,
        srid=table.srid,
    )


def digest_of(file: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
