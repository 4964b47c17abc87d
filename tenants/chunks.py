"""Chunks: uploads of fixes as they are stored, each one link of its trip's chain of digests."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants.fixes import PLAIN_BYTES, Fixes, Floats, Ints, canonical_parts, joined, table, time_of
from tenants.problems import Unavailable

WKB_POINT, WKB_LINESTRING, WKB_M, WKB_SRID = 1, 2, 0x40000000, 0x20000000
POINT_BYTES: Final = 24
POSTGRES_EPOCH: Final = 946_684_800
REAL, FLAG = (np.dtype([("bytes", ">i4"), ("value", kind)]) for kind in (">f4", "?"))
"""Elements of arrays of real and boolean as PostgreSQL sends and takes them."""

REAL_TYPE, FLAG_TYPE = 700, 16
NULL: Final = b"\xff\xff\xff\xff"
LENGTH: Final = struct.Struct(">i")
UNKNOWN: Final = np.array((4, np.nan), dtype=REAL).tobytes()


@dataclass(frozen=True, slots=True)
class Addition:
    """Fixes for a trip, at least one, of the device that sent them."""

    trip_id: UUID
    device: str
    fixes: Fixes


@dataclass(slots=True)
class Chain:
    """How far a trip's evidence has come: the newest link, and how much has arrived."""

    head: bytes
    arrived: int


@dataclass(slots=True)
class _Chunk:
    """An addition as it is stored: the bytes of its columns in PostgreSQL's binary form."""

    trip_id: UUID
    device: bytes
    digest: bytes
    count: int
    times: tuple[float, float]
    last: tuple[float, float, float]
    columns: tuple[bytes | None, ...]
    arrival: int = 0
    link: bytes = b""


def append(session: Session, additions: Sequence[Addition], chains: dict[UUID, Chain]) -> list[int]:
    """Store additions as the next links of their trips' chains; how many fixes of each are new.

    None are where the very same was added before. The caller holds the progress of the trips, and
    their `chains` go on with each link.
    """
    if not additions:
        return []
    chunks = _chunks(additions)
    there = _there(session, chunks)
    added, counts = [], []
    for chunk in chunks:
        new = (chunk.trip_id, chunk.digest) not in there
        counts.append(chunk.count if new else 0)
        if new:
            there.add((chunk.trip_id, chunk.digest))
            chain = chains[chunk.trip_id]
            chain.head = hashlib.sha256(chain.head + chunk.digest).digest()
            chain.arrived += 1
            chunk.link, chunk.arrival = chain.head, chain.arrived
            added.append(chunk)
    if added:
        _copy(session, added)
        _move_on(session, added, chains)
    return counts


def _chunks(additions: Sequence[Addition]) -> list[_Chunk]:
    """All are brought into their form together: most hold one fix, and arrays are slow at that."""
    sizes = [len(addition.fixes) for addition in additions]
    fixes, part = canonical_parts(
        joined([addition.fixes for addition in additions]), np.repeat(np.arange(len(sizes)), sizes)
    )
    owners = [(addition.trip_id, addition.device.encode()) for addition in additions]
    starts, stops, digests = _digests(owners, fixes, part)
    mocked = np.logical_or.reduceat(fixes.mock, starts).tolist()
    charged = np.logical_or.reduceat(~np.isnan(fixes.battery), starts).tolist()
    points = np.column_stack([fixes.lon, fixes.lat, fixes.time]).astype("<f8").view(np.uint8)
    accuracy, speed, battery = (
        _elements(values, REAL) for values in (fixes.accuracy, fixes.speed, fixes.battery)
    )
    mock = _elements(fixes.mock, FLAG)
    newest = zip(fixes.lon.tolist(), fixes.lat.tolist(), fixes.accuracy.tolist(), strict=True)
    times, last = fixes.time.tolist(), list(newest)
    found = []
    for number, ((trip_id, device), start, stop) in enumerate(
        zip(owners, starts.tolist(), stops.tolist(), strict=True)
    ):
        count = stop - start
        real, flag = _head(count, REAL_TYPE), _head(count, FLAG_TYPE)
        columns = (
            _ewkb(count) + points[start:stop].tobytes(),
            real + accuracy[start:stop].tobytes(),
            real + speed[start:stop].tobytes(),
            flag + mock[start:stop].tobytes() if mocked[number] else None,
            real + battery[start:stop].tobytes() if charged[number] else None,
        )
        found.append(
            _Chunk(
                trip_id,
                device,
                digests[number],
                count,
                (times[start], times[stop - 1]),
                last[stop - 1],
                columns,
            )
        )
    return found


def _digests(
    owners: Sequence[tuple[UUID, bytes]], fixes: Fixes, part: Ints
) -> tuple[Ints, Ints, list[bytes]]:
    """Where the fixes of each trip and device start and stop, and the digest over them."""
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    stops = np.append(starts[1:], len(fixes))
    rows, flags = table(fixes), np.logical_or.reduceat(fixes.flags, starts).tolist()
    plain = np.ascontiguousarray(rows[:, :PLAIN_BYTES])
    digests = []
    for (trip_id, device), flagged, start, stop in zip(
        owners, flags, starts.tolist(), stops.tolist(), strict=True
    ):
        digest = hashlib.sha256(trip_id.bytes + struct.pack("<H", len(device)) + device)
        digest.update((rows if flagged else plain)[start:stop].tobytes())
        digests.append(digest.digest())
    return starts, stops, digests


def _elements(values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    elements = np.empty(len(values), kind)
    elements["bytes"], elements["value"] = kind["value"].itemsize, values
    return elements


def _head(count: int, element_type: int) -> bytes:
    """What precedes the elements of an array of one dimension without nulls."""
    return struct.pack(">iiIii", 1, 0, element_type, count, 1)


def _ewkb(count: int) -> bytes:
    """What precedes the points of a POINT M or LINESTRING M in EPSG:4326."""
    if count == 1:
        return struct.pack("<BII", 1, WKB_POINT | WKB_M | WKB_SRID, 4326)
    return struct.pack("<BIII", 1, WKB_LINESTRING | WKB_M | WKB_SRID, 4326, count)


def _there(session: Session, chunks: Sequence[_Chunk]) -> set[tuple[UUID, bytes]]:
    """Which of these are stored already."""
    given = {
        "trips": [chunk.trip_id for chunk in chunks],
        "starts": [time_of(chunk.times[0]) for chunk in chunks],
        "digests": [chunk.digest for chunk in chunks],
    }
    rows = session.connection().execute(THERE, given)
    return {(trip_id, bytes(digest)) for trip_id, digest in rows}


THERE: Final = text(
    "SELECT stored.trip_id, stored.digest FROM unnest(CAST(:trips AS uuid[]),"
    " CAST(:starts AS timestamptz[]), CAST(:digests AS bytea[])) AS sent (trip_id, at, digest)"
    " JOIN track_chunk stored ON stored.trip_id = sent.trip_id AND stored.started_at = sent.at"
    " AND stored.digest = sent.digest"
)


def _copy(session: Session, chunks: Sequence[_Chunk]) -> None:
    """COPY takes half the time of INSERT: nothing is read from text, nor planned."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    try:
        with connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            copy.write(b"".join(map(_row, chunks)) + b"\xff\xff")
    except psycopg.OperationalError:
        # A full disk or a cancelled statement, say: no fault of the fixes, which may come again.
        raise Unavailable from None


COPY: Final = (
    "COPY track_chunk (trip_id, started_at, ended_at, arrival, digest, link, device, path,"
    " accuracy, speed, mock, battery) FROM STDIN (FORMAT BINARY)"
)
COLUMNS: Final = 12
FIXED: Final = struct.Struct(">h i16s iq iq iq i32s i32s")


def _row(chunk: _Chunk) -> bytes:
    """A chunk in PostgreSQL's binary form of COPY."""
    start, end = (round((at - POSTGRES_EPOCH) * 1e6) for at in chunk.times)
    fixed = FIXED.pack(
        *(COLUMNS, 16, chunk.trip_id.bytes, 8, start, 8, end, 8, chunk.arrival),
        *(32, chunk.digest, 32, chunk.link),
    )
    parts = [fixed]
    for column in (chunk.device, *chunk.columns):
        parts += (NULL,) if column is None else (LENGTH.pack(len(column)), column)
    return b"".join(parts)


def _move_on(session: Session, added: Sequence[_Chunk], chains: dict[UUID, Chain]) -> None:
    """Note in each trip's progress what arrived, and its newest position."""
    newest = {chunk.trip_id: chunk for chunk in sorted(added, key=lambda chunk: chunk.times[1])}
    lon, lat, accuracy = zip(*(chunk.last for chunk in newest.values()), strict=True)
    given = {
        "trips": list(newest),
        "arrived": [chains[trip_id].arrived for trip_id in newest],
        "heads": [chains[trip_id].head for trip_id in newest],
        "at": [time_of(chunk.times[1]) for chunk in newest.values()],
        "lon": list(lon),
        "lat": list(lat),
        "accuracy": list(accuracy),
    }
    session.connection().execute(MOVE_ON, given)


MOVE_ON: Final = text(
    "UPDATE trip_progress SET arrived = news.arrived, chain_head = news.head,"
    " (last_fix_at, last_lon, last_lat, last_accuracy) = (SELECT at, lon, lat, accuracy FROM"
    " (VALUES (last_fix_at, last_lon, last_lat, last_accuracy),"
    "  (news.at, news.lon, news.lat, news.accuracy)) AS seen (at, lon, lat, accuracy)"
    "  ORDER BY at DESC NULLS LAST LIMIT 1)"
    " FROM unnest(CAST(:trips AS uuid[]), CAST(:arrived AS bigint[]), CAST(:heads AS bytea[]),"
    " CAST(:at AS timestamptz[]), CAST(:lon AS float8[]), CAST(:lat AS float8[]),"
    " CAST(:accuracy AS real[])) AS news (trip_id, arrived, head, at, lon, lat, accuracy)"
    " WHERE trip_progress.trip_id = news.trip_id"
)


@dataclass(frozen=True, slots=True)
class Track:
    """What a trip's phone sent, chunk by chunk in order of arrival, up to `arrival`.

    `chunk` says for each fix which of `digests` it came with.
    """

    fixes: Fixes
    chunk: NDArray[np.int32]
    digests: tuple[bytes, ...]
    arrival: int


def read(
    session: Session, trip_ids: Sequence[UUID], *, after: int = 0, speed: bool = True
) -> dict[UUID, Track]:
    """The tracks of these trips, those without any fix left out; access is the caller's matter.

    `after`: only what arrived after that arrival. `speed`: whether speeds are wanted.
    """
    rows = (
        session.connection()
        .execute(READ, {"ids": list(trip_ids), "after": after, "speed": speed})
        .all()
    )
    return {
        trip_id: _track(list(chunks)) for trip_id, chunks in groupby(rows, lambda row: row.trip_id)
    }


READ: Final = text(
    "SELECT trip_id, digest, ST_AsEWKB(path, 'NDR') AS path, mock, arrival,"
    " array_send(accuracy) AS accuracy, CASE WHEN :speed THEN array_send(speed) END AS speed,"
    " array_send(battery) AS battery FROM track_chunk"
    " WHERE trip_id = ANY(:ids) AND arrival > :after ORDER BY trip_id, arrival"
)


def _track(chunks: Sequence[Any]) -> Track:
    """Rows of one trip in one track; their bytes are joined, for a chunk is small."""
    paths = [_points(row.path) for row in chunks]
    sizes = [len(path) // POINT_BYTES for path in paths]
    points = np.frombuffer(b"".join(paths), dtype="<f8").reshape(-1, 3)
    fixes = Fixes(
        time=points[:, 2].copy(),
        lon=points[:, 0].copy(),
        lat=points[:, 1].copy(),
        accuracy=_reals([row.accuracy for row in chunks], sizes),
        speed=_reals([row.speed for row in chunks], sizes),
        mock=np.concatenate(
            [row.mock or np.zeros(size) for row, size in zip(chunks, sizes, strict=True)]
        ).astype(np.bool_),
        battery=_reals([row.battery for row in chunks], sizes),
    )
    chunk = np.repeat(np.arange(len(chunks), dtype=np.int32), sizes)
    return Track(fixes, chunk, tuple(bytes(row.digest) for row in chunks), chunks[-1].arrival)


def contents(rows: Sequence[Any]) -> list[bytes | None]:
    """The digest that each stored row's columns come to; None for those of no chunk of ours."""
    found: list[bytes | None] = [None] * len(rows)
    places = [place for place, row in enumerate(rows) if _whole(row)]
    if not places:
        return found
    whole = [rows[place] for place in places]
    track = _track(whole)
    fixes, part = canonical_parts(track.fixes, track.chunk.astype(np.intp))
    owners = [(row.trip_id, row.device.encode()) for row in whole]
    starts, stops, digests = _digests(owners, fixes, part)
    said = [(row.started_at.timestamp(), row.ended_at.timestamp()) for row in whole]
    times = np.column_stack([fixes.time[starts], fixes.time[stops - 1]])
    right = (np.abs(times - said) < CLOCK_TICK).all(axis=1)
    right &= np.bincount(track.chunk) == stops - starts
    for place, digest, same in zip(places, digests, right.tolist(), strict=True):
        found[place] = digest if same else None
    return found


def _whole(row: Any) -> bool:
    """Whether its columns are of one length, and the bytes that `_track` takes them for."""
    count, rest = divmod(len(_points(row.path)), POINT_BYTES)
    head, size = _head(count, REAL_TYPE), 20 + REAL.itemsize * count
    reals = (row.accuracy, row.speed, row.battery)
    return (
        count > 0
        and not rest
        and row.path.startswith(_ewkb(count))
        and all(each is None or (len(each) == size and each.startswith(head)) for each in reals)
        and (row.mock is None or (len(row.mock) == count and None not in row.mock))
        and len(row.device) < 1 << 14
    )


CLOCK_TICK: Final = 2e-6


def _points(ewkb: bytes) -> bytes:
    """The points (lon, lat, seconds) of a path as PostGIS gives it out."""
    return ewkb[9 if ewkb[1] == WKB_POINT else 13 :]


def _reals(sent: Sequence[bytes | None], sizes: Sequence[int]) -> Floats:
    """Columns of type real[], of one dimension, as PostgreSQL sends them; NaN where there is none.

    Each has five words before its elements. Read as text, number by number, they took most of the
    time of reading a track.
    """
    whole = b"".join(
        UNKNOWN * size if each is None else each[20:]
        for each, size in zip(sent, sizes, strict=True)
    )
    return np.frombuffer(whole, dtype=REAL)["value"].astype(np.float64)
