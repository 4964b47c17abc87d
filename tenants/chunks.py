"""Chunks: fixes as they are stored, many together, each one link of its trip's chain of digests."""

import hashlib
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import binary
from tenants.fixes import (
    MOST_FIXES,
    PLAIN_BYTES,
    Fixes,
    Ints,
    canonical_order,
    rounded,
    table,
    time_of,
)
from tenants.problems import Unavailable

POSTGRES_EPOCH: Final = 946_684_800
NULL: Final = b"\xff\xff\xff\xff"
LENGTH: Final = struct.Struct(">i")


class Source(NamedTuple):
    """Whose fixes: the trip, and the device that sent them."""

    trip_id: UUID
    device: str


@dataclass(slots=True)
class Chain:
    """How far a trip's evidence has come: the newest link, and how much has arrived.

    `newest` is the time of the newest fix, epoch s, and no chunk is longer than `longest`, s.
    """

    head: bytes
    arrived: int
    newest: float
    longest: float


@dataclass(slots=True)
class _Chunk:
    """Fixes of one source as they are stored: their columns in PostgreSQL's binary form."""

    trip_id: UUID
    device: bytes
    digest: bytes
    times: tuple[float, float]
    last: tuple[float, float, float]
    columns: tuple[bytes | None, ...]
    arrival: int = 0
    link: bytes = b""


def lock(session: Session, trip_ids: Collection[UUID]) -> dict[UUID, Chain]:
    """The trips' chains, for nobody else to add to now."""
    rows = session.connection().execute(LOCK, {"trips": list(trip_ids)})
    return {
        row.trip_id: Chain(bytes(row.chain_head), row.arrived, row.newest, row.longest)
        for row in rows
    }


LOCK: Final = text(
    "SELECT trip_id, chain_head, arrived,"
    " coalesce(extract(epoch FROM last_fix_at), '-infinity')::float8 AS newest,"
    " extract(epoch FROM longest_chunk)::float8 AS longest"
    " FROM trip_progress WHERE trip_id = ANY(CAST(:trips AS uuid[])) ORDER BY trip_id FOR UPDATE"
)


def append(
    session: Session,
    sent: Fixes,
    source: Ints,
    sources: Sequence[Source],
    chains: Mapping[UUID, Chain],
) -> list[int]:
    """Store fixes as the next links of their trips' chains; how many of each source are new.

    `source` is the number of each fix's in `sources`. Those of one source become one chunk, or as
    many as `MOST_FIXES` needs. A fix that its trip has already, the same in all it says, is not
    stored again, whoever sends it and with whatever else. The caller holds the progress of the
    trips, and their `chains` go on with each link.
    """
    trip_ids = list(dict.fromkeys(each.trip_id for each in sources))
    numbers = {trip_id: number for number, trip_id in enumerate(trip_ids)}
    trip = np.array([numbers[each.trip_id] for each in sources], dtype=np.intp)[source]
    sent = rounded(sent)
    order = canonical_order(sent, trip)
    sent, source, trip = sent.only(order), source[order], trip[order]
    new = _new(session, sent, trip, [(each, chains[each]) for each in trip_ids])
    order = np.flatnonzero(new)
    order = order[np.argsort(source[order], kind="stable")]
    if not len(order):
        return [0] * len(sources)
    sent, source = sent.only(order), source[order]
    counts = np.bincount(source, minlength=len(sources))
    first = np.cumsum(counts) - counts
    starts = np.flatnonzero((np.arange(len(sent)) - first[source]) % MOST_FIXES == 0)
    chunks = _chunks(sent, starts, [sources[number] for number in source[starts].tolist()])
    for chunk in chunks:
        chain = chains[chunk.trip_id]
        chain.head = hashlib.sha256(chain.head + chunk.digest).digest()
        chain.arrived += 1
        chain.newest = max(chain.newest, chunk.times[1])
        chain.longest = max(chain.longest, chunk.times[1] - chunk.times[0])
        chunk.link, chunk.arrival = chain.head, chain.arrived
    _copy(session, chunks)
    _move_on(session, chunks, chains)
    return [int(count) for count in counts]


def _new(
    session: Session, sent: Fixes, trip: Ints, trips: Sequence[tuple[UUID, Chain]]
) -> NDArray[np.bool_]:
    """Which of these, in canonical order by trip, are not stored.

    What is later than all that is stored is new, and that is nearly all: only of what is not are
    the chunks of its time read.
    """
    new = np.ones(len(sent), dtype=np.bool_)
    newest = np.array([chain.newest for _, chain in trips])
    doubted = np.flatnonzero(sent.time <= newest[trip] + MICROSECOND)
    if not len(doubted):
        return new
    time, whose = sent.time[doubted], trip[doubted]
    apart = (np.diff(whose, prepend=-1) != 0) | (np.diff(time, prepend=-np.inf) > FAR_APART)
    starts = np.flatnonzero(apart)
    stops = np.append(starts[1:], len(doubted)) - 1
    runs = list(zip(whose[starts].tolist(), time[starts], time[stops], strict=True))
    given = {
        "numbers": [number for number, *_ in runs],
        "trips": [trips[number][0] for number, *_ in runs],
        "from": [time_of(low - trips[number][1].longest - 1) for number, low, _ in runs],
        "low": [time_of(low - MICROSECOND) for _, low, _ in runs],
        "high": [time_of(high + MICROSECOND) for *_, high in runs],
    }
    rows = session.connection().execute(STORED, given).all()
    if not rows:
        return new
    stored, sizes = _fixes(rows)
    theirs = np.repeat([row.number for row in rows], sizes)
    known = set(zip(theirs.tolist(), _rows(stored), strict=True))
    mine = zip(whose.tolist(), _rows(sent.only(doubted)), strict=True)
    new[doubted] = [each not in known for each in mine]
    return new


MICROSECOND: Final = 2e-6
"""PostgreSQL's times are so exact, and a little more."""

FAR_APART: Final = 3_600.0
"""Seconds between fixes from which what is stored between them is not read."""

STORED: Final = text(
    "SELECT number, mock, ST_AsEWKB(path, 'NDR') AS path, array_send(accuracy) AS accuracy,"
    " array_send(speed) AS speed, array_send(battery) AS battery"
    " FROM unnest(CAST(:numbers AS int[]), CAST(:trips AS uuid[]), CAST(:from AS timestamptz[]),"
    " CAST(:low AS timestamptz[]), CAST(:high AS timestamptz[]))"
    " AS sent (number, trip_id, earliest, low, high) JOIN track_chunk stored"
    " ON stored.trip_id = sent.trip_id AND started_at BETWEEN earliest AND high"
    " AND ended_at >= low"
)


def _rows(fixes: Fixes) -> list[bytes]:
    return [row.tobytes() for row in table(fixes)]


def _chunks(fixes: Fixes, starts: Ints, sources: Sequence[Source]) -> list[_Chunk]:
    """The chunks that begin at `starts`, each of its source; the bytes of all are made at once."""
    stops, digests = np.append(starts[1:], len(fixes)), _digests(fixes, starts, sources)
    mocked = np.logical_or.reduceat(fixes.mock, starts).tolist()
    charged = np.logical_or.reduceat(~np.isnan(fixes.battery), starts).tolist()
    points = np.column_stack([fixes.lon, fixes.lat, fixes.time]).astype("<f8").view(np.uint8)
    accuracy, speed, battery = (
        binary.elements(values, binary.REAL)
        for values in (fixes.accuracy, fixes.speed, fixes.battery)
    )
    mock = binary.elements(fixes.mock, binary.FLAG)
    ends = stops - 1
    times = zip(fixes.time[starts].tolist(), fixes.time[ends].tolist(), strict=True)
    newest = (values[ends].tolist() for values in (fixes.lon, fixes.lat, fixes.accuracy))
    last = zip(*newest, strict=True)
    found = []
    for number, (source, start, stop, spanned, at) in enumerate(
        zip(sources, starts.tolist(), stops.tolist(), times, last, strict=True)
    ):
        count, device = stop - start, source.device.encode()
        real, flag = binary.head(count, binary.REAL_TYPE), binary.head(count, binary.FLAG_TYPE)
        columns = (
            binary.ewkb(count) + points[start:stop].tobytes(),
            real + accuracy[start:stop].tobytes(),
            real + speed[start:stop].tobytes(),
            flag + mock[start:stop].tobytes() if mocked[number] else None,
            real + battery[start:stop].tobytes() if charged[number] else None,
        )
        found.append(_Chunk(source.trip_id, device, digests[number], spanned, at, columns))
    return found


def _digests(fixes: Fixes, starts: Ints, sources: Sequence[Source]) -> list[bytes]:
    """The digest over each source's fixes, which begin at `starts`."""
    stops = np.append(starts[1:], len(fixes))
    rows, flags = table(fixes), np.logical_or.reduceat(fixes.flags, starts).tolist()
    plain = np.ascontiguousarray(rows[:, :PLAIN_BYTES])
    digests = []
    for source, flagged, start, stop in zip(
        sources, flags, starts.tolist(), stops.tolist(), strict=True
    ):
        device = source.device.encode()
        digest = hashlib.sha256(source.trip_id.bytes + struct.pack("<H", len(device)) + device)
        digest.update((rows if flagged else plain)[start:stop].tobytes())
        digests.append(digest.digest())
    return digests


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


def _move_on(session: Session, added: Sequence[_Chunk], chains: Mapping[UUID, Chain]) -> None:
    """Note in each trip's progress what arrived, and its newest position."""
    newest = {chunk.trip_id: chunk for chunk in sorted(added, key=lambda chunk: chunk.times[1])}
    lon, lat, accuracy = zip(*(chunk.last for chunk in newest.values()), strict=True)
    given = {
        "trips": list(newest),
        "arrived": [chains[trip_id].arrived for trip_id in newest],
        "heads": [chains[trip_id].head for trip_id in newest],
        "longest": [chains[trip_id].longest for trip_id in newest],
        "at": [time_of(chunk.times[1]) for chunk in newest.values()],
        "lon": list(lon),
        "lat": list(lat),
        "accuracy": list(accuracy),
    }
    session.connection().execute(MOVE_ON, given)


MOVE_ON: Final = text(
    "UPDATE trip_progress SET arrived = news.arrived, chain_head = news.head,"
    " longest_chunk = make_interval(secs => longest),"
    " (last_fix_at, last_lon, last_lat, last_accuracy) = (SELECT at, lon, lat, accuracy FROM"
    " (VALUES (last_fix_at, last_lon, last_lat, last_accuracy),"
    "  (news.at, news.lon, news.lat, news.accuracy)) AS seen (at, lon, lat, accuracy)"
    "  ORDER BY at DESC NULLS LAST LIMIT 1)"
    " FROM unnest(CAST(:trips AS uuid[]), CAST(:arrived AS bigint[]), CAST(:heads AS bytea[]),"
    " CAST(:at AS timestamptz[]), CAST(:lon AS float8[]), CAST(:lat AS float8[]),"
    " CAST(:accuracy AS real[]), CAST(:longest AS float8[]))"
    " AS news (trip_id, arrived, head, at, lon, lat, accuracy, longest)"
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
    """Rows of one trip in one track."""
    fixes, sizes = _fixes(chunks)
    chunk = np.repeat(np.arange(len(chunks), dtype=np.int32), sizes)
    return Track(fixes, chunk, tuple(bytes(row.digest) for row in chunks), chunks[-1].arrival)


def _fixes(rows: Sequence[Any]) -> tuple[Fixes, list[int]]:
    """What rows hold, one after the other, and how much each; their bytes are joined."""
    paths = [binary.points(row.path) for row in rows]
    sizes = [len(path) // binary.POINT_BYTES for path in paths]
    points = np.frombuffer(b"".join(paths), dtype="<f8").reshape(-1, 3)
    fixes = Fixes(
        time=points[:, 2].copy(),
        lon=points[:, 0].copy(),
        lat=points[:, 1].copy(),
        accuracy=binary.reals([row.accuracy for row in rows], sizes),
        speed=binary.reals([row.speed for row in rows], sizes),
        mock=np.concatenate(
            [row.mock or np.zeros(size) for row, size in zip(rows, sizes, strict=True)]
        ).astype(np.bool_),
        battery=binary.reals([row.battery for row in rows], sizes),
    )
    return fixes, sizes


def contents(rows: Sequence[Any]) -> list[bytes | None]:
    """The digest that each stored row's columns come to; None for those of no chunk of ours."""
    found: list[bytes | None] = [None] * len(rows)
    places = [place for place, row in enumerate(rows) if _whole(row)]
    if not places:
        return found
    whole = [rows[place] for place in places]
    track = _track(whole)
    order = canonical_order(track.fixes, track.chunk.astype(np.intp))
    fixes, starts = track.fixes.only(order), np.flatnonzero(np.diff(track.chunk[order], prepend=-1))
    stops = np.append(starts[1:], len(fixes))
    digests = _digests(fixes, starts, [Source(row.trip_id, row.device) for row in whole])
    said = [(row.started_at.timestamp(), row.ended_at.timestamp()) for row in whole]
    times = np.column_stack([fixes.time[starts], fixes.time[stops - 1]])
    right = (np.abs(times - said) < MICROSECOND).all(axis=1)
    right &= np.bincount(track.chunk) == stops - starts
    for place, digest, same in zip(places, digests, right.tolist(), strict=True):
        found[place] = digest if same else None
    return found


def _whole(row: Any) -> bool:
    """Whether its columns are of one length, and the bytes that `_track` takes them for."""
    count, rest = divmod(len(binary.points(row.path)), binary.POINT_BYTES)
    head, size = binary.head(count, binary.REAL_TYPE), 20 + binary.REAL.itemsize * count
    reals = (row.accuracy, row.speed, row.battery)
    return (
        count > 0
        and not rest
        and row.path.startswith(binary.ewkb(count))
        and all(each is None or (len(each) == size and each.startswith(head)) for each in reals)
        and (row.mock is None or (len(row.mock) == count and None not in row.mock))
        and len(row.device) < 1 << 14
    )
