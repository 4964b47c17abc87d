"""Tracks from files, as auditors have them, read into arrays; what can be no track is refused."""

import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tenants.gathering import JITTER_SECONDS, Gathering, Progress
from tenants.input_files import Said, contents
from tenants.track_formats import (
    read_csv,
    read_geojson,
    read_gpx,
    read_rec,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ONE_DAY: Final = timedelta(days=1)
EARTH_RADIUS_M: Final = 6_371_000.0

# Two people in one list: it jumps to and fro.
APART_M: Final = 10_000.0
AIRLINER_MPS: Final = 1_200 / 3.6
FEWEST_JUMPS: Final = 6
SHARE_OF_JUMPS: Final = 0.3
ROAD_MPS: Final = 50.0
# Two people in two lists: the same hours, places that nobody drives between.
FEWEST_TOGETHER: Final = 3
SILENCE_SECONDS: Final = 1_800.0


@dataclass(frozen=True, slots=True, eq=False)
class TrackFile:
    """The n fixes of a file, by time; equal times stay in the file's order.

    time: float64 epoch s; lon, lat: float64 degrees; accuracy: float32 m and battery: float32 0
    to 1, NaN when unknown; mock: bool. `digest` is the SHA-256 of the file. `notes` tell what was
    left out or put in order.
    """

    name: str
    digest: bytes
    time: Floats
    lon: Floats
    lat: Floats
    accuracy: NDArray[np.float32]
    mock: Bools
    battery: NDArray[np.float32]
    notes: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The fixes as the file has them; `place` and `series` as in `Gathering`."""

    time: Floats
    lon: Floats
    lat: Floats
    accuracy: Floats
    mock: Floats
    battery: Floats
    place: Ints
    series: Ints

    def only(self, which: Ints | Bools) -> "_Rows":
        return _Rows(*(getattr(self, field.name)[which] for field in fields(self)))


def read_track(
    path: Path,
    *,
    any_order: bool = False,
    latest: datetime | None = None,
    progress: Progress = lambda _: None,
) -> TrackFile:
    """Reads GPX, GeoJSON, CSV or OwnTracks .rec, told apart by content; raises `UnusableFile`.

    A time that goes back within a list is refused unless `any_order`. No fix is later than
    `latest`, if not told than this time tomorrow.
    """
    latest = latest or datetime.now(UTC) + ONE_DAY
    data = contents(path)
    digest = hashlib.sha256(data).digest()
    data = data.removeprefix(BOM_UTF8)
    into = Gathering(str(path), progress, latest.timestamp())
    _read(data, into, path.suffix.lower())
    into.reached(len(data))
    into.settle()
    time, lon, lat, accuracy, mock, battery = (
        np.frombuffer(column, np.float64) for column in into.columns.values()
    )
    place, series = (np.frombuffer(column, np.int64) for column in (into.place, into.series))
    rows = _Rows(time, lon, lat, accuracy, mock, battery, place, series)
    again = _repeated(rows)
    into.note(int(again.sum()), "{} diulang dilewati", "repeated {} skipped")
    into.settle_owners(set(rows.place[again].tolist()))
    rows = rows.only(~again)
    if into.ordered and not any_order:
        _check_order(rows, into)
    _check_one_person(rows, into)
    rows = rows.only(np.argsort(rows.time, kind="stable"))
    return TrackFile(
        name=path.name,
        digest=digest,
        time=rows.time,
        lon=rows.lon,
        lat=rows.lat,
        accuracy=rows.accuracy.astype(np.float32),
        mock=rows.mock.astype(np.bool_),
        battery=rows.battery.astype(np.float32),
        notes=tuple(into.notes),
    )


def _read(data: bytes, into: Gathering, suffix: str) -> None:
    begins = data[:8192].lstrip()
    if b"\0" in begins:
        into.refuse("bukan berkas teks", "is no text file")
    if begins[:1] == b"<" or suffix == ".gpx":
        read_gpx(data, into)
    elif begins[:1] in (b"{", b"[") or suffix in (".json", ".geojson"):
        read_geojson(data, into)
    elif suffix == ".rec" or _recorded(begins):
        read_rec(data, into)
    elif begins:
        read_csv(data, into)


def _recorded(begins: bytes) -> bool:
    """Whether a text begins as the Recorder's do: `2026-11-24T00:00:00Z TAB * TAB {`."""
    when, _, rest = begins.partition(b"\n")[0].partition(b"\t")
    return when[4:5] == b"-" and when.endswith(b"Z") and b"\t" in rest


def _repeated(rows: _Rows) -> Bools:
    """Which rows have the time and position of one before: loggers send them again."""
    again = np.zeros(len(rows.time), dtype=np.bool_)
    if not (np.diff(rows.time) > 0).all():
        order = np.lexsort((rows.lat, rows.lon, rows.time))
        same = np.ones(len(order) - 1, dtype=np.bool_)
        for column in (rows.time, rows.lon, rows.lat):
            same &= np.diff(column[order]) == 0
        again[order[1:][same]] = True
    return again


def _check_order(rows: _Rows, into: Gathering) -> None:
    order = np.argsort(rows.series, kind="stable")
    lists = np.split(order, np.flatnonzero(np.diff(rows.series[order])) + 1)
    behind = [np.maximum.accumulate(rows.time[those]) - rows.time[those] for those in lists]
    for those, seconds in zip(lists, behind, strict=True):
        if (seconds >= JITTER_SECONDS).any():
            place = int(rows.place[those[np.argmax(seconds >= JITTER_SECONDS)]])
            if all((np.diff(rows.time[those]) <= 0).all() for those in lists):
                into.refuse(
                    "waktunya mundur karena yang terbaru di depan; balikkan urutannya, atau "
                    "--any-order menerimanya",
                    "goes back in time, for it is newest first; turn its order round, or "
                    "--any-order accepts that",
                    place,
                )
            into.refuse(
                "waktunya mundur; --any-order menerimanya",
                "goes back in time; --any-order accepts that",
                place,
            )
    into.note(
        sum(int(np.count_nonzero(seconds)) for seconds in behind),
        "{} mundur kurang dari 10 detik diurutkan",
        "{} less than 10 seconds back put in order",
    )


def _check_one_person(rows: _Rows, into: Gathering) -> None:
    time, lon, lat, series, place = rows.time, rows.lon, rows.lat, rows.series, rows.place
    order = np.lexsort((time, series))
    lists = np.split(order, np.flatnonzero(np.diff(series[order])) + 1)
    for those in lists:
        jumps = _jumps(time[those], lon[those], lat[those])
        if np.count_nonzero(jumps) >= max(FEWEST_JUMPS, SHARE_OF_JUMPS * len(jumps)):
            into.refuse(
                "bolak-balik antara dua tempat yang berjauhan: dua orang dalam satu berkas?",
                "goes to and fro between two places far apart: two people in one file?",
                int(place[those[np.argmax(jumps) + 1]]),
            )
    if not into.ordered:
        return
    for one, other in _overlapping(lists, time):
        if _apart(one, other, time, lon, lat):
            into.refuse(
                "pada jam yang sama berada di dua tempat: dua orang dalam satu berkas?",
                "is in two places during the same hours: two people in one file?",
                int(place[other[0]]),
            )


def _jumps(time: Floats, lon: Floats, lat: Floats) -> Bools:
    """Which steps nobody makes: faster than an airliner, or faster than a car and right back."""
    step, wait = distance(lon[1:], lat[1:], lon[:-1], lat[:-1]), np.diff(time)
    found = np.asarray((step > APART_M) & (step > AIRLINER_MPS * wait))
    driven = (step <= APART_M) | (step <= ROAD_MPS * wait)
    ends_at = distance(lon[2:], lat[2:], lon[:-2], lat[:-2])
    back = ~driven[1:] & ~driven[:-1] & (ends_at < np.minimum(step[1:], step[:-1]) / 2)
    found[1:] |= back
    found[:-1] |= back
    return found


def _overlapping(lists: list[Ints], time: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Each list with the one that ends last of those that begin before it, where they overlap."""
    lists = sorted(lists, key=lambda those: float(time[those[0]]))
    latest = lists[0]
    for those in lists[1:]:
        if time[those[0]] < time[latest[-1]]:
            yield latest, those
        if time[those[-1]] > time[latest[-1]]:
            latest = those


def _apart(one: Ints, other: Ints, time: Floats, lon: Floats, lat: Floats) -> bool:
    """Whether two lists are in different places most of the time that both tell of."""
    if len(one) < len(other):
        one, other = other, one
    mine, its = time[one], time[other]
    after = np.clip(np.searchsorted(mine, its), 1, len(one) - 1)
    both = (its >= mine[0]) & (its <= mine[-1])
    both &= mine[after] - mine[after - 1] <= SILENCE_SECONDS
    wait = np.minimum(np.abs(mine[after] - its), np.abs(its - mine[after - 1]))
    away = distance(
        np.interp(its, mine, lon[one]), np.interp(its, mine, lat[one]), lon[other], lat[other]
    )
    far = both & (away > APART_M + ROAD_MPS * wait)
    return bool(both.sum() >= FEWEST_TOGETHER and far.sum() > both.sum() / 2)


def distance(lon: Floats, lat: Floats, other_lon: Floats, other_lat: Floats) -> Floats:
    """Metres along great circles between positions in degrees."""
    lon, lat, other_lon, other_lat = map(np.radians, (lon, lat, other_lon, other_lat))
    half = (
        np.sin((lat - other_lat) / 2) ** 2
        + np.cos(lat) * np.cos(other_lat) * np.sin((lon - other_lon) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half)))
