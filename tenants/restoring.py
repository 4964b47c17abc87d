"""An export becomes a regency again, on this service or another: whole, or not at all."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import psycopg
from psycopg import sql

from tenants import birth, catalogue, geopackage
from tenants.export import FORMAT, LEFT_OUT, MANIFEST, VERSION, digest_of
from tenants.migrate import Schema, newest
from tenants.problems import Problem
from tenants.realm import Issuer, RealmState, Tenant, forget_engine
from tenants.soundness import verify
from tenants.tables import Table, add_partitions, set_sequences, tables

BLOCK: Final = 1 << 20


@dataclass(eq=False)
class BrokenExport(Problem):
    """A folder that is no export, or one whose files are not what its manifest says."""

    file: str
    reason_id: str
    reason_en: str

    @property
    def message_id(self) -> str:
        return f"{self.file}: {self.reason_id}."

    @property
    def message_en(self) -> str:
        return f"{self.file}: {self.reason_en}."


@dataclass(frozen=True, slots=True)
class Part:
    """A table of an export: its file, and the rows in it."""

    file: Path
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Export:
    """What a manifest says; nothing of it is believed before the files were compared."""

    slug: str
    code: str
    name: str
    zone: str
    issuer: Issuer
    schema: str
    parts: dict[str, Part]
    sequences: dict[str, tuple[int, bool]]
    partitions: tuple[tuple[str, str, str], ...]


def read_export(folder: Path) -> Export:
    """The export in a folder, each file compared to its digest; raises `BrokenExport`."""
    export = _manifest(folder)
    for part in export.parts.values():
        name = part.file.name
        if not part.file.is_file():
            raise BrokenExport(name, "tidak ada", "is missing")
        if part.file.stat().st_size != part.size or digest_of(part.file) != part.sha256:
            raise BrokenExport(name, "isinya diubah", "was changed")
    return export


def _manifest(folder: Path) -> Export:
    try:
        said = json.loads((folder / MANIFEST).read_text("utf-8"))
    except OSError:
        raise BrokenExport(MANIFEST, "tidak ada", "is missing") from None
    except ValueError:
        raise BrokenExport(MANIFEST, "bukan JSON", "is no JSON") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BrokenExport(MANIFEST, "bukan ekspor Jejak Dinas", "is of no export of Jejak Dinas")
    if said.get("version") != VERSION:
        raise BrokenExport(
            MANIFEST, f"bukan versi {VERSION}", f"is not of version {VERSION} of the format"
        )
    head = newest(Schema.TENANT)
    if said.get("schema") != head:
        raise BrokenExport(
            MANIFEST, f"skemanya bukan {head}", f"its schema is not this service's {head}"
        )
    try:
        return _export(folder, said)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BrokenExport(MANIFEST, "tidak lengkap", "is not complete") from None


def _export(folder: Path, said: dict[str, Any]) -> Export:
    tenant, signing = said["tenant"], said["sign_in"]
    return Export(
        slug=str(tenant["slug"]),
        code=str(tenant["code"]),
        name=str(tenant["name"]),
        zone=str(tenant["zone"]),
        issuer=Issuer(
            str(signing["issuer"]),
            str(signing["client_id"]),
            None,
            str(signing["audience"]),
            tuple(map(str, signing["algorithms"])),
            str(signing["identity_claim"]),
        ),
        schema=str(said["schema"]),
        parts={
            name: Part(
                folder / Path(part["file"]).name,  # never a file of another folder
                int(part["rows"]),
                int(part["bytes"]),
                str(part["sha256"]),
            )
            for name, part in said["tables"].items()
        },
        sequences={
            name: (int(last), bool(called)) for name, (last, called) in said["sequences"].items()
        },
        partitions=tuple(
            (str(parent), str(name), str(bounds)) for parent, name, bounds in said["partitions"]
        ),
    )


def import_tenant(
    export: Export,
    *,
    slug: str | None = None,
    issuer: Issuer | None = None,
    on_step: Callable[[str], object] = str,
    on_rows: Callable[[str, int, int], object] = lambda *_: None,
) -> None:
    """A regency is born with what an export holds; `slug` and `issuer` may be others.

    Its code stays. Phones go on with the tokens they have, but those with OwnTracks, which are
    revoked: what they send is encrypted with passphrases that no export holds, and a phone that is
    revoked keeps its fixes until it is paired anew. Raises `BrokenExport` for files that
    PostgreSQL refuses or whose chains of digests are broken, and `InvalidInput` as a birth does;
    then nothing of it is left.
    """
    issuer = issuer or export.issuer

    def fill(owner_dsn: str) -> None:
        with psycopg.connect(owner_dsn) as connection:
            _load(connection, export, on_rows)
        born = _served(export, issuer, owner_dsn)
        try:
            _check_evidence(born)
        finally:
            forget_engine(owner_dsn)

    birth.add_tenant(
        slug=slug or export.slug,
        code=export.code,
        name=export.name,
        zone=export.zone,
        issuer=issuer,
        on_step=on_step,
        fill=fill,
    )


def _served(export: Export, issuer: Issuer, dsn: str) -> Tenant:
    return Tenant(
        export.slug, export.code, export.name, dsn, issuer, RealmState.ACTIVE, zone=export.zone
    )


def _load(
    connection: psycopg.Connection, export: Export, on_rows: Callable[[str, int, int], object]
) -> None:
    """All rows in one transaction, with every constraint at work.

    What triggers of the schema wrote at the old place is in the export; they rest meanwhile.
    """
    wanted = [table for table in tables(connection) if table.name not in LEFT_OUT]
    if {table.name for table in wanted} != export.parts.keys():
        raise BrokenExport(MANIFEST, "tabelnya bukan yang ada", "has other tables than there are")
    try:
        add_partitions(connection, export.partitions)
        set_sequences(connection, export.sequences.items())
    except (psycopg.ProgrammingError, psycopg.DataError, ValueError):
        raise BrokenExport(
            MANIFEST, "partisi atau urutannya lain", "has other partitions or sequences"
        ) from None
    _let_triggers(connection, "DISABLE", wanted)
    whole, done = sum(part.rows for part in export.parts.values()), 0
    for table in wanted:
        part = export.parts[table.name]
        on_rows(table.name, done, whole)
        try:
            loaded = _load_table(connection, table, part)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, sqlite3.Error):
            # PostgreSQL's own words would quote the row.
            raise BrokenExport(
                part.file.name, "barisnya tidak dapat dipakai", "has rows that cannot be used"
            ) from None
        if loaded != part.rows:
            raise BrokenExport(
                part.file.name, "jumlah barisnya lain", "has not as many rows as the manifest says"
            )
        done += part.rows
    on_rows("", done, whole)
    _let_triggers(connection, "ENABLE", wanted)
    connection.execute(
        "UPDATE device SET revoked_at = clock_timestamp()"
        " WHERE client = 'OWNTRACKS' AND encryption_key IS NULL AND revoked_at IS NULL"
    )


def _let_triggers(
    connection: psycopg.Connection, do: Literal["ENABLE", "DISABLE"], of: list[Table]
) -> None:
    for table in of:
        connection.execute(
            sql.SQL("ALTER TABLE {} " + do + " TRIGGER USER").format(table.identifier)
        )


def _load_table(connection: psycopg.Connection, table: Table, part: Part) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    copy_in = sql.SQL("COPY {} ({}) FROM STDIN ").format(table.identifier, columns)
    cursor = connection.cursor()
    if table.geometry is None:
        with (
            part.file.open("rb") as file,
            cursor.copy(copy_in + sql.SQL("(FORMAT csv, HEADER MATCH, ENCODING 'UTF8')")) as copy,
        ):
            while block := file.read(BLOCK):
                copy.write(block)
    else:
        where = table.columns.index(table.geometry)
        rows = geopackage.read(part.file, table.name, table.columns, geometry=table.geometry)
        with cursor.copy(copy_in) as copy:
            for row in rows:
                path = row[where] and f"SRID={table.srid};{row[where].hex()}"
                copy.write_row((*row[:where], path, *row[where + 1 :]))
    return cursor.rowcount


def _check_evidence(tenant: Tenant) -> None:
    checked = verify(tenant, catalogue.province())
    if checked.found:
        fault = checked.faults[0]
        raise BrokenExport(
            MANIFEST,
            f"rantai bukti putus di {fault.place}",
            f"the chain of evidence is broken at {fault.place}",
        )
