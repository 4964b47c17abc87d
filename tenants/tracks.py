"""Tracks: uploads of fixes become immutable chunks; a track is read back from them as arrays."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from tenants import access, silences, trips
from tenants.access import Viewer
from tenants.models import Trip, TripState
from tenants.problems import InvalidFix, InvalidInput, NotFound, TooManyFixes, WrongState
from tenants.silences import Silence

MOST_FIXES: Final = 1_000
CLOCK_AHEAD: Final = timedelta(minutes=10)
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
EARTH_RADIUS_M: Final = 6_371_000
POINT_BYTES: Final = 24
WKB_POINT, WKB_LINESTRING, WKB_M, WKB_SRID = 1, 2, 0x40000000, 0x20000000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fixes:
    """Fixes as a phone sent them, side by side: all arrays have one length.

    `time` is seconds since 1970 UTC, `lon` and `lat` degrees (EPSG:4326), `accuracy` metres,
    `speed` metres a second and `battery` its charge from 0 to 1, NaN where unknown; `mock` says
    where the phone called the position simulated.
    """

    time: Floats
    lon: Floats
    lat: Floats
    accuracy: Floats
    speed: Floats
    mock: NDArray[np.bool_]
    battery: Floats

    def __len__(self) -> int:
        return len(self.time)

    def only(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "Fixes":
        return Fixes(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def flagged(self) -> bool:
        """Whether the phone said of any fix that it is simulated, or how full its battery was."""
        return bool(self.mock.any()) or not np.isnan(self.battery).all()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an upload: every fix is in exactly one of the first three.

    `silences` counts those that were not known.
    """

    accepted: int
    duplicates: int
    outside_window: int
    silences: int = 0


def record(
    session: Session,
    viewer: Viewer,
    trip_id: UUID,
    fixes: Fixes,
    explained: Sequence[Silence] = (),
    *,
    device: str,
    zone: str,
    now: datetime,
) -> Receipt:
    """Add an upload of the traveller's own fixes to the evidence of her trip.

    The same upload again changes nothing. Fixes outside the assignment's window are dropped and
    counted: outside an assignment nobody is tracked. `explained` are silences that the phone gives
    a reason for. Raises `TooManyFixes`, `InvalidFix`, `InvalidInput`, `NotFound` for a trip of
    somebody else, `WrongState` for a cancelled one.
    """
    check(fixes, now=now)
    silences.check(explained, earliest=EARLIEST, latest=now + CLOCK_AHEAD)
    if not 1 <= len(device) <= 64 or "\x00" in device:
        raise InvalidInput("device", "harus 1-64 huruf", "must be 1 to 64 characters")
    chain_head, arrived = _lock(session, viewer, trip_id)
    # Read once no change to it is under way: what has ended takes no more fixes.
    trip = session.get_one(Trip, trip_id)
    if trip.state is TripState.CANCELLED:
        raise WrongState(trip.state)
    start, end = trips.window_start(trip, zone), trips.window_end(trip, zone)
    told = silences.add(session, trip_id, explained, device=device, start=start, end=end)
    inside = _inside(fixes, trip, zone)
    kept = _canonical(inside)
    if trip.finished_at is not None:
        kept = _unknown(session, trip_id, kept)
    outside, repeated = len(fixes) - len(inside), len(inside) - len(kept)
    if len(kept) == 0 or not _append(
        session, trip_id, kept, device, chain_head=chain_head, arrived=arrived
    ):
        if told:
            trips.arrived(session, trip_id)
        return Receipt(0, repeated + len(kept), outside, told)
    if trip.state is TripState.ISSUED:
        trip.state, trip.started_at = TripState.ACTIVE, now
    return Receipt(len(kept), repeated, outside, told)


def check(fixes: Fixes, *, now: datetime) -> None:
    """Refuse an upload that is too long or holds what can be no fix; raises, returns nothing."""
    if len(fixes) > MOST_FIXES:
        raise TooManyFixes(MOST_FIXES, len(fixes))
    latest = (now + CLOCK_AHEAD).timestamp()
    for wrong, reason_id, reason_en in (
        (
            ~((np.abs(fixes.lon) <= 180) & (np.abs(fixes.lat) <= 90)),
            "bukan posisi di bumi",
            "is no position on earth",
        ),
        (
            ~(fixes.time >= EARLIEST.timestamp()),
            "waktunya tidak sah",
            "has no valid time",
        ),
        (fixes.time > latest, "waktunya di masa depan", "is in the future"),
        (_beyond(fixes.accuracy), "akurasinya tidak sah", "has no valid accuracy"),
        (_beyond(fixes.speed), "kecepatannya tidak sah", "has no valid speed"),
        (_beyond(fixes.battery, 1), "isi baterainya tidak sah", "has no valid battery charge"),
    ):
        if wrong.any():
            raise InvalidFix(int(np.argmax(wrong)), reason_id, reason_en)


def _beyond(values: Floats, most: float = EARTH_RADIUS_M) -> NDArray[np.bool_]:
    return ~(np.isnan(values) | ((values >= 0) & (values <= most)))


def _lock(session: Session, viewer: Viewer, trip_id: UUID) -> tuple[bytes, int]:
    """The head of the trip's chain and how much has arrived, for no other upload to add to now.

    Raises `NotFound` for a trip of somebody else.
    """
    row = (
        session.connection()
        .execute(LOCK_PROGRESS, {"trip_id": trip_id, "traveller_id": viewer.member_id})
        .first()
    )
    if row is None:
        raise NotFound("Perjalanan dinas")
    return bytes(row.chain_head), row.arrived


def _canonical(fixes: Fixes) -> Fixes:
    """By time, then position; exact repetitions once. The digest is over this form.

    What is stored in four bytes is rounded to them, so that the digest can be computed again from
    what is stored.
    """
    fixes = replace(
        fixes,
        accuracy=_single(fixes.accuracy),
        speed=_single(fixes.speed),
        battery=_single(fixes.battery),
    )
    flagged = fixes.flagged
    fixes = fixes.only(np.lexsort(_columns(fixes, flagged)[::-1]))
    table = _table(fixes, flagged)
    fresh = np.ones(len(fixes), dtype=np.bool_)
    fresh[1:] = (table[1:] != table[:-1]).any(axis=1)
    return fixes.only(fresh)


def _single(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def _unknown(session: Session, trip_id: UUID, fixes: Fixes) -> Fixes:
    """Without those that are stored already.

    An early return shortens the window, and with it what is kept of an upload sent again: its
    digest alone no longer tells that it is the same.
    """
    stored = read(session, [trip_id]).get(trip_id)
    if stored is None:
        return fixes
    seen = {row.tobytes() for row in _table(_canonical(stored.fixes), True)}
    fresh = [row.tobytes() not in seen for row in _table(fixes, True)]
    return fixes.only(np.array(fresh, dtype=bool))


def _columns(fixes: Fixes, flagged: bool) -> list[NDArray[Any]]:
    columns = [fixes.time, fixes.lon, fixes.lat, fixes.accuracy, fixes.speed]
    return [*columns, fixes.mock, fixes.battery] if flagged else columns


def _table(fixes: Fixes, flagged: bool) -> NDArray[np.uint8]:
    """One row of bytes a fix: little-endian doubles, zero and NaN in one spelling each.

    The flags are in it where a chunk has any: those without keep the digest they always had.
    """
    columns = np.column_stack(_columns(fixes, flagged)).astype("<f8")
    columns = np.where(np.isnan(columns), np.nan, columns + 0.0)
    return np.ascontiguousarray(columns, dtype="<f8").view(np.uint8)


def _append(
    session: Session, trip_id: UUID, fixes: Fixes, device: str, *, chain_head: bytes, arrived: int
) -> bool:
    """Store the chunk as the next link of the locked trip's chain; False when it is there."""
    digest = hashlib.sha256(
        trip_id.bytes + struct.pack("<H", len(device.encode())) + device.encode()
    )
    digest.update(_table(fixes, fixes.flagged).tobytes())
    added = session.connection().execute(
        ADD_CHUNK,
        {
            "trip_id": trip_id,
            "started_at": time_of(fixes.time[0]),
            "digest": digest.digest(),
            "ended_at": time_of(fixes.time[-1]),
            "arrival": arrived + 1,
            "device": device,
            "path": _ewkb(fixes),
            "accuracy": fixes.accuracy.tolist(),
            "speed": fixes.speed.tolist(),
            "mock": fixes.mock.tolist() if fixes.mock.any() else None,
            "battery": None if np.isnan(fixes.battery).all() else fixes.battery.tolist(),
            "link": hashlib.sha256(chain_head + digest.digest()).digest(),
        },
    )
    return added.first() is not None


LOCK_PROGRESS = text(
    "SELECT chain_head, arrived FROM trip_progress WHERE trip_id = :trip_id AND EXISTS"
    " (SELECT 1 FROM trip WHERE id = :trip_id AND traveller_id = :traveller_id) FOR UPDATE"
)
ADD_CHUNK = text(
    "WITH added AS ("
    " INSERT INTO track_chunk (trip_id, started_at, digest, ended_at, arrival, device, path,"
    " accuracy, speed, mock, battery, link) VALUES (:trip_id, :started_at, :digest, :ended_at,"
    " :arrival, :device, CAST(:path AS geometry), CAST(:accuracy AS real[]),"
    " CAST(:speed AS real[]), CAST(:mock AS boolean[]), CAST(:battery AS real[]), :link)"
    " ON CONFLICT DO NOTHING RETURNING trip_id, ended_at, link)"
    " UPDATE trip_progress SET arrived = arrived + 1, chain_head = added.link,"
    " last_fix_at = greatest(last_fix_at, added.ended_at)"
    " FROM added WHERE trip_progress.trip_id = added.trip_id RETURNING arrived"
)


def _ewkb(fixes: Fixes) -> bytes:
    points = np.column_stack([fixes.lon, fixes.lat, fixes.time]).astype("<f8").tobytes()
    if len(fixes) == 1:
        return struct.pack("<BII", 1, WKB_POINT | WKB_M | WKB_SRID, 4326) + points
    return struct.pack("<BIII", 1, WKB_LINESTRING | WKB_M | WKB_SRID, 4326, len(fixes)) + points


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


def _points(ewkb: bytes) -> bytes:
    """The points (lon, lat, seconds) of a path as PostGIS gives it out."""
    return ewkb[9 if ewkb[1] == WKB_POINT else 13 :]


ELEMENT: Final = np.dtype([("bytes", ">i4"), ("value", ">f4")])
UNKNOWN: Final = np.array((4, np.nan), dtype=ELEMENT).tobytes()


def _reals(sent: Sequence[bytes | None], sizes: Sequence[int]) -> Floats:
    """Columns of type real[], of one dimension, as PostgreSQL sends them; NaN where there is none.

    Each has five words before its elements. Read as text, number by number, they took most of the
    time of reading a track.
    """
    whole = b"".join(
        UNKNOWN * size if each is None else each[20:]
        for each, size in zip(sent, sizes, strict=True)
    )
    return np.frombuffer(whole, dtype=ELEMENT)["value"].astype(np.float64)


def of_trip(session: Session, viewer: Viewer, trip_id: UUID, *, zone: str) -> Fixes | None:
    """A trip's fixes by time, for a viewer who may see positions; otherwise, or if none, None.

    Fixes after a return that was declared only later stay evidence, but are nobody's to see.
    """
    trip = access.trip(session, viewer, trip_id)
    if not access.sees_track(viewer, trip.traveller_id):
        return None
    track = read(session, [trip_id]).get(trip_id)
    if track is None:
        return None
    fixes = _inside(track.fixes, trip, zone)
    return _canonical(fixes) if len(fixes) else None


def _inside(fixes: Fixes, trip: Trip, zone: str) -> Fixes:
    """The fixes within the assignment: outside of it nobody is tracked."""
    start = trips.window_start(trip, zone).timestamp()
    end = trips.window_end(trip, zone).timestamp()
    return fixes.only((fixes.time >= start) & (fixes.time <= end))


def time_of(seconds: float) -> datetime:
    """An aware UTC time of seconds since 1970."""
    return datetime.fromtimestamp(float(seconds), UTC)
