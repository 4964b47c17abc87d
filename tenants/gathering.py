"""The fixes of a file as they are read from it, whatever its format says them in."""

import re
from array import array
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from math import nan
from typing import Final, NoReturn

from tenants.input_files import Said, UnusableFile

Progress = Callable[[int], None]
"""Is told how many bytes more have been read."""

MILLISECONDS: Final = 1e11  # seconds this large lie 3,000 years ahead
ABSURD: Final = 1e9

LABELS: Final = frozenset(("name", "nama", "uid"))
OWNERS: Final = LABELS | {
    *("user", "userid", "username", "person", "traveller", "nip"),
    *("device", "deviceid", "tid"),
}
"""Plain names of columns that say whose a fix is; a label may be just the fix's own."""

LINE: Final = ("baris", "line")
POINT: Final = ("titik", "point")


class NoZone(ValueError):
    """A time that names no zone."""


class Gathering:
    """The fixes of a file as a reader finds them, side by side, and how to refuse the file.

    `place` is where each is, counted in `unit`. `series` numbers the lists of the file: within
    one, time goes on.
    """

    def __init__(self, file: str, progress: Progress) -> None:
        self.file = file
        self._progress = progress
        self._read = 0
        self.unit: Said = LINE
        self.ordered = True
        self.columns = {
            name: array("d") for name in ("time", "lon", "lat", "accuracy", "mock", "battery")
        }
        self.place = array("q")
        self.series = array("q")
        self._owners: dict[str, str] = {}
        self._labels: dict[str, list[str]] = {}

    def reached(self, position: int) -> None:
        """Tell how many bytes of the file have been read."""
        self._progress(position - self._read)
        self._read = position

    def refuse(self, reason_id: str, reason_en: str, place: int | None = None) -> NoReturn:
        """Raises `UnusableFile`, about a place in the file or all of it."""
        where = None if place is None else (f"{self.unit[0]} {place}", f"{self.unit[1]} {place}")
        raise UnusableFile(self.file, (reason_id, reason_en), where)

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
    ) -> None:
        """Take in a fix, its values as the file has them."""
        try:
            if time is None or time == "":
                self.refuse("tanpa waktu", "has no time", place)
            moment = seconds(time)
        except NoZone:
            self.refuse("waktu tanpa zona", "has a time without a zone", place)
        except (TypeError, ValueError, OverflowError):
            self.refuse("waktunya tidak terbaca", "has an unreadable time", place)
        try:
            row = (moment, real(lon), real(lat), known(accuracy), flag(mock), charge(battery))
        except (TypeError, ValueError, OverflowError):
            self.refuse("angkanya tidak terbaca", "has an unreadable number", place)
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        self.place.append(place)
        self.series.append(series)

    def owner(self, place: int, key: str, value: object) -> None:
        """Note whose fix it is, by what a column or property says that names somebody."""
        name = "" if value is None else str(value).strip().casefold()
        if name and key in LABELS:
            self._labels.setdefault(key, []).append(name)
        elif name and self._owners.setdefault(key, name) != name:
            self.refuse(
                f"dua orang atau perangkat dalam satu berkas ({key})",
                f"has two people or devices in one file ({key})",
                place,
            )

    def settle(self) -> None:
        """Refuse the file when its labels are two people's, not each fix's own."""
        for key, names in self._labels.items():
            if 1 < len(set(names)) < len(names):
                self.refuse(
                    f"dua orang dalam satu berkas ({key})", f"has two people in one file ({key})"
                )


def seconds(value: object) -> float:
    """Epoch seconds of ISO 8601 with a zone, or of epoch seconds or milliseconds.

    Raises TypeError, ValueError, OverflowError.
    """
    if isinstance(value, str) and ("-" in value[1:] or ":" in value or "T" in value):
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
