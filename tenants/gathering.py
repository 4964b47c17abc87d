"""The fixes of a file as they are read from it, whatever its format says them in."""

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import inf, nan
from typing import Final, NoReturn

from tenants.input_files import Said, UnusableFile

Progress = Callable[[int], None]
"""Is told how many bytes more have been read."""

MILLISECONDS: Final = 1e11  # seconds this large lie 3,000 years ahead
ABSURD: Final = 1e9

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
JITTER_SECONDS: Final = 10.0  # by less, a logger's times may go back
# So many unusable rows, or so small a share of all, a file may have.
FEW_UNUSABLE: Final = 3
SHARE_UNUSABLE: Final = 0.01

LABELS: Final = frozenset(("name", "nama", "uid"))
DEVICES: Final = frozenset(("device", "deviceid", "tid", "tracker", "trackerid"))
PEOPLE: Final = frozenset(("user", "userid", "username", "person", "traveller", "nip"))
OWNERS: Final = LABELS | DEVICES | PEOPLE
"""Plain names of columns that say whose a fix is; a label may be just the fix's own."""

LINE: Final = ("baris", "line")
POINT: Final = ("titik", "point")


class NoZone(ValueError):
    """A time that names no zone."""


@dataclass(slots=True)
class _Device:
    """From when to when one recorded, epoch s, and where the file first names it."""

    first: float
    last: float
    place: int


class Gathering:
    """The fixes of a file as a reader finds them, side by side, and how to refuse the file.

    `place` is where each is, counted in `unit`. `series` numbers the lists of the file: within
    one, time goes on. Times after `latest`, epoch s, are no fix's.
    """

    def __init__(self, file: str, progress: Progress, latest: float = inf) -> None:
        self.file = file
        self.latest = latest
        self._progress = progress
        self._read = 0
        self.unit: Said = LINE
        self.ordered = True
        self.columns = {
            name: array("d") for name in ("time", "lon", "lat", "accuracy", "mock", "battery")
        }
        self.place = array("q")
        self.series = array("q")
        self.notes: list[Said] = []
        self._unusable = 0
        self._first_unusable: tuple[int, Said] | None = None
        self._owners: dict[str, str] = {}
        self._labels: dict[str, list[tuple[int, str]]] = {}
        self._devices: dict[str, dict[str, _Device]] = {}

    def reached(self, position: int) -> None:
        """Tell how many bytes of the file have been read."""
        self._progress(position - self._read)
        self._read = position

    def refuse(self, reason_id: str, reason_en: str, place: int | None = None) -> NoReturn:
        """Raises `UnusableFile`, about a place in the file or all of it."""
        where = None if place is None else (f"{self.unit[0]} {place}", f"{self.unit[1]} {place}")
        raise UnusableFile(self.file, (reason_id, reason_en), where)

    def skip(self, place: int, reason_id: str, reason_en: str) -> None:
        """Leave a row out that cannot be used; `settle` refuses the file if they are many."""
        self._unusable += 1
        self._first_unusable = self._first_unusable or (place, (reason_id, reason_en))

    def note(self, count: int, said_id: str, said_en: str) -> None:
        """Keep for the report what was done to so many rows; {} stands for them."""
        if count:
            rows = f"{count} {self.unit[0]}", f"{self.unit[1]}{'s' if count > 1 else ''}"
            self.notes.append((said_id.format(rows[0]), f"{count} {said_en.format(rows[1])}"))

    def add(
        self,
        place: int,
        series: int,
        *,
        time: object,
        lon: object,
        lat: object,
        accuracy: object = None,
        mock: object = None,
        battery: object = None,
    ) -> float | None:
        """Take in a fix, its values as the file has them; its time, None if it cannot be used."""
        if time is None or time == "":
            self.skip(place, "tanpa waktu", "has no time")
            return None
        try:
            moment = seconds(time)
        except NoZone:
            self.refuse("waktu tanpa zona", "has a time without a zone", place)
        except (TypeError, ValueError, OverflowError):
            self.skip(place, "waktunya tidak terbaca", "has an unreadable time")
            return None
        try:
            x, y = real(lon), real(lat)
            row = (moment, x, y, metres(accuracy), flag(mock), charge(battery))
        except (TypeError, ValueError, OverflowError):
            self.skip(place, "angkanya tidak terbaca", "has an unreadable number")
            return None
        if wrong := self._wrong(moment, lon=x, lat=y):
            self.skip(place, *wrong)
            return None
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        self.place.append(place)
        self.series.append(series)
        return moment

    def _wrong(self, moment: float, *, lon: float, lat: float) -> Said | None:
        if not moment >= EARLIEST:
            return "waktunya sebelum tahun 2000", "has a time before the year 2000"
        if moment > self.latest:
            return "waktunya di masa depan", "has a time in the future"
        if not (abs(lon) <= 180 and abs(lat) <= 90):
            if abs(lon) <= 90 < abs(lat) <= 180:
                return (
                    "lintang di luar -90 sampai 90; lon dan lat tertukar?",
                    "has a latitude beyond -90 to 90; are lon and lat swapped?",
                )
            return "bukan posisi di bumi", "is no position on earth"
        if lon == lat == 0:  # what a receiver says that has found nothing yet
            return "posisinya nol", "has a position of zeros"
        return None

    def owner(self, place: int, moment: float | None, key: str, value: object) -> None:
        """Note whose fix it is, by what a column or property says that names somebody.

        `moment` is its time, None if it cannot be used.
        """
        name = "" if value is None else str(value).strip().casefold()
        if not name:
            return
        if key in LABELS:
            if moment is not None:
                self._labels.setdefault(key, []).append((place, name))
        elif key in DEVICES:
            if moment is not None:
                self._device(place, moment, key, name)
        elif self._owners.setdefault(key, name) != name:
            self._two(key, place)

    def _device(self, place: int, moment: float, key: str, name: str) -> None:
        seen = self._devices.setdefault(key, {})
        device = seen.setdefault(name, _Device(moment, moment, place))
        device.first, device.last = min(device.first, moment), max(device.last, moment)
        if len(seen) > 2:
            self._two(key, place)

    def _two(self, key: str, place: int) -> NoReturn:
        self.refuse(
            f"dua orang atau perangkat dalam satu berkas ({key})",
            f"has two people or devices in one file ({key})",
            place,
        )

    def settle(self) -> None:
        """Refuse a file of nothing, or of more than a few unusable rows."""
        if self._first_unusable is None:
            if not self.place:
                self.refuse("tidak ada satu titik pun", "has no fix")
            return
        place, reason = self._first_unusable
        most = max(FEW_UNUSABLE + 1, SHARE_UNUSABLE * (len(self.place) + self._unusable))
        if not self.place or self._unusable >= most:
            self.refuse(*reason, place)
        self.note(
            self._unusable,
            f"{{}} tidak dapat dipakai, dilewati ({self.unit[0]} {place}: {reason[0]})",
            f"unusable {{}} skipped ({self.unit[1]} {place} {reason[1]})",
        )

    def settle_owners(self, repeated: set[int]) -> None:
        """Refuse the file when labels or devices are two people's; labels count once sent again.

        A label may be each fix's own; a phone may be exchanged for another, once.
        """
        for key, labels in self._labels.items():
            names = [name for place, name in labels if place not in repeated]
            if 1 < len(set(names)) < len(names):
                self.refuse(
                    f"dua orang dalam satu berkas ({key})", f"has two people in one file ({key})"
                )
        for key, seen in self._devices.items():
            if len(seen) < 2:
                continue
            one, other = sorted(seen.values(), key=lambda device: device.first)
            if one.last - other.first >= JITTER_SECONDS:
                self._two(key, max(one.place, other.place))
            self.notes.append(
                (f"perangkat berganti sekali ({key})", f"the device changes once ({key})")
            )


def seconds(value: object) -> float:
    """Epoch seconds of ISO 8601 with a zone, or of epoch seconds or milliseconds.

    Raises TypeError, ValueError, OverflowError.
    """
    if isinstance(value, str) and ("T" in value or ":" in value or "-" in value[1:]):
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None:
            raise NoZone
        return moment.timestamp()
    number = real(value)
    return number / 1000 if abs(number) > MILLISECONDS else number


def real(value: object) -> float:
    """A number, or one written as text; raises TypeError, ValueError, OverflowError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return float(value)


def metres(value: object) -> float:
    """An accuracy, NaN when unknown; 0 is unknown too, as it is to the judge."""
    return known(value) or nan


def known(value: object) -> float:
    """A number of at least zero, NaN when it is missing, the phone's -1 or absurd."""
    if value is None or value == "":
        return nan
    number = real(value)
    return number if 0 <= number <= ABSURD else nan


def charge(value: object) -> float:
    """A battery's charge from 0 to 1, of a share or of percent."""
    number = known(value)
    return number / 100 if number > 1 else number


def flag(value: object) -> bool:
    """What JSON and CSV have for true."""
    return str(value).strip().lower() in {"true", "1", "yes"}


@lru_cache(1024)
def plain(name: str) -> str:
    """A column's name without case, spaces and underscores."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
