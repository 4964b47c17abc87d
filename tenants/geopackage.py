"""GeoPackage (OGC 12-128r18): a table with one geometry a row, written and read to the byte.

GDAL's readers for Python drop the M of a geometry, which is a track's time; a GeoPackage is an
SQLite file, and the little of it that is needed is here.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

APPLICATION_ID: Final = 0x47504B47  # "GPKG"
VERSION: Final = 10300
HEADER: Final = struct.Struct("<2sBBi")
LITTLE_ENDIAN: Final = 1
WGS84: Final = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AUTHORITY["EPSG","4326"]]'
)
SYSTEMS: Final = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, WGS84),
)
SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT
);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
    srs_id INTEGER REFERENCES gpkg_spatial_ref_sys (srs_id)
);
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents (table_name),
    column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys (srs_id),
    z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name)
);
"""


def write(
    file: Path,
    layer: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    integers: frozenset[str],
    geometry: str,
    srid: int,
) -> None:
    """One layer of `columns`, integers or text, whose `geometry` is ISO WKB; 4326 is the only SRID.

    `rows` are taken one after the other, and held by nobody; a geometry may be None.
    """
    kinds = {geometry: "GEOMETRY"} | dict.fromkeys(integers, "INTEGER")
    declared = ", ".join(f"{_quoted(name)} {kinds.get(name, 'TEXT')}" for name in columns)
    where = list(columns).index(geometry)
    header = HEADER.pack(b"GP", 0, LITTLE_ENDIAN, srid)
    places = ", ".join("?" * len(columns))
    names = ", ".join(map(_quoted, columns))
    with closing(sqlite3.connect(file)) as package, package:
        package.executescript(SCHEMA)
        package.executemany(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", SYSTEMS
        )
        package.execute(
            f"CREATE TABLE {_quoted(layer)} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"
            f" {declared})"
        )
        package.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)"
            " VALUES (?, 'features', ?, ?)",
            [layer, layer, srid],
        )
        # Of z and m 2 means that a geometry may have it.
        package.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, ?, 'GEOMETRY', ?, 2, 2)",
            [layer, geometry, srid],
        )
        package.executemany(
            f"INSERT INTO {_quoted(layer)} ({names}) VALUES ({places})",  # noqa: S608
            ((*row[:where], row[where] and header + row[where], *row[where + 1 :]) for row in rows),
        )


def read(
    file: Path, layer: str, columns: Sequence[str], *, geometry: str
) -> Iterator[tuple[Any, ...]]:
    """The rows of a layer in their order; `geometry` is ISO WKB. Raises `sqlite3.Error`."""
    where = list(columns).index(geometry)
    names = ", ".join(map(_quoted, columns))
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as package:
        asked = f"SELECT {names} FROM {_quoted(layer)} ORDER BY fid"  # noqa: S608
        for row in package.execute(asked):
            yield (*row[:where], row[where] and row[where][HEADER.size :], *row[where + 1 :])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
