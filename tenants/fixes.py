"""Fixes: where a phone was when, as it says itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tenants.problems import InvalidFix, TooManyFixes

MOST_FIXES: Final = 1_000
CLOCK_AHEAD: Final = timedelta(minutes=10)
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
EARTH_RADIUS_M: Final = 6_371_000

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


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
        """Those chosen, by a mask or by their indices in order."""
        if which.dtype == np.bool_ and which.all():
            return self
        return Fixes(*(getattr(self, name)[which] for name in self.__slots__))

    def parts(self) -> Iterator["Fixes"]:
        """The fixes in uploads no longer than one may be."""
        if len(self) <= MOST_FIXES:
            yield from (self,) if len(self) else ()
            return
        for start in range(0, len(self), MOST_FIXES):
            yield self.only(np.arange(start, min(start + MOST_FIXES, len(self))))

    @property
    def flagged(self) -> bool:
        """Whether the phone said of any fix that it is simulated, or how full its battery was."""
        return bool(self.flags.any())

    @property
    def flags(self) -> Bools:
        """Of which fixes the phone said so, bool (n,)."""
        return self.mock | ~np.isnan(self.battery)


NOTHING: Final = Fixes(*(np.zeros(0, dtype=kind) for kind in (*["f8"] * 5, "?", "f8")))


def joined(parts: Sequence[Fixes]) -> Fixes:
    """Fixes one after the other."""
    return Fixes(
        *(np.concatenate([getattr(each, name) for each in parts]) for name in Fixes.__slots__)
    )


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


def canonical(fixes: Fixes) -> Fixes:
    """By time, then position; exact repetitions once. The digest is over this form."""
    fixes = rounded(fixes)
    return fixes.only(canonical_order(fixes, np.zeros(len(fixes), dtype=np.intp)))


def rounded(fixes: Fixes) -> Fixes:
    """What is stored in four bytes rounded to them, so that what is read has the same digest."""
    return replace(
        fixes,
        accuracy=_single(fixes.accuracy),
        speed=_single(fixes.speed),
        battery=_single(fixes.battery),
    )


def canonical_order(fixes: Fixes, part: Ints) -> Ints:
    """The order of `rounded` fixes by the number of each one's part, then canonical.

    Of exact repetitions in a part, the first is in it.
    """

    def ascends(order: Ints) -> bool:
        parts, times = np.diff(part[order]), np.diff(fixes.time[order])
        return bool(((parts > 0) | ((parts == 0) & (times > 0))).all())

    if ascends(order := np.arange(len(fixes))) or ascends(order := np.lexsort((fixes.time, part))):
        return order
    order = np.lexsort((*_columns(fixes)[::-1], part))
    rows, part = table(fixes.only(order)), part[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1) | (part[1:] != part[:-1])
    return order[fresh]


def _single(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def _columns(fixes: Fixes) -> list[NDArray[Any]]:
    columns = (fixes.time, fixes.lon, fixes.lat, fixes.accuracy, fixes.speed)
    return [*columns, fixes.mock, fixes.battery]


PLAIN_BYTES: Final = 5 * 8


def table(fixes: Fixes) -> NDArray[np.uint8]:
    """One row of bytes a fix: little-endian doubles, zero and NaN in one spelling each.

    The first `PLAIN_BYTES` are without the flags: chunks where no fix has any keep the digest they
    always had.
    """
    columns = np.column_stack(_columns(fixes)).astype("<f8")
    columns = np.where(np.isnan(columns), np.nan, columns + 0.0)
    return np.ascontiguousarray(columns, dtype="<f8").view(np.uint8)


def time_of(seconds: float) -> datetime:
    """An aware UTC time of seconds since 1970."""
    return datetime.fromtimestamp(float(seconds), UTC)
