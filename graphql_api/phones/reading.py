"""What phones send, in one form whatever application sent it; bad input never raises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from math import nan
from typing import Any, Final
from urllib.parse import parse_qsl

import numpy as np
import orjson
from numpy.typing import NDArray

from tenants.fixes import CLOCK_AHEAD, EARLIEST, EARTH_RADIUS_M, Fixes, Floats
from tenants.gathering import seconds
from tenants.intake import Unusable

MOST_MEMBERS: Final = 5_000
MOST_FIELDS: Final = 64
MOST_SAID: Final = 4_096
LONGEST_NAME: Final = 256
CREDENTIALS: Final = frozenset(("id", "deviceid", "device_id", "token"))
"""Fields by which a phone proves who it is; they are kept nowhere."""
PERCENT: Final = 100
KMH: Final = 3.6  # in a metre a second

Object = dict[str, Any]
Columns = Callable[[list[Object]], Fixes]
"""Reads objects of one format into columns of as many, NaN where one says nothing."""


class Reason(StrEnum):
    """Why a part of a request is no fix. NO_FIX is no fault: what it says is not a position."""

    NO_FIX = "NO_FIX"
    NO_POSITION = "NO_POSITION"
    BAD_POSITION = "BAD_POSITION"
    NO_TIME = "NO_TIME"
    BAD_TIME = "BAD_TIME"
    NOT_VALID = "NOT_VALID"
    NOT_JSON = "NOT_JSON"
    BAD_VALUE = "BAD_VALUE"
    ENCRYPTED = "ENCRYPTED"
    TOO_LARGE = "TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request holds: every part is a fix or unusable.

    Each of `fixes.parts()` passes `tenants.fixes.check`. `device`: who sent it, where the format
    says so in what it sends; nothing of that is proven.
    """

    fixes: Fixes
    unusable: tuple[Unusable, ...] = ()
    device: str | None = None

    def __add__(self, other: "Upload") -> "Upload":
        if not len(other.fixes):
            return replace(self, unusable=self.unusable + other.unusable)
        one, two = self.fixes, other.fixes
        columns = (
            np.concatenate([getattr(one, name), getattr(two, name)]) for name in Fixes.__slots__
        )
        return Upload(Fixes(*columns), self.unusable + other.unusable)


def columns(
    *,
    time: Sequence[object],
    lon: Sequence[object],
    lat: Sequence[object],
    accuracy: Sequence[object],
    speed: Floats | None = None,
    mock: Sequence[bool] | None = None,
    battery: Floats | None = None,
) -> Fixes:
    """Values as phones have them in columns, NaN for what is no number; nothing is checked.

    Accuracy in metres, speed in metres a second, battery from 0 to 1.
    """
    count = len(time)
    unknown = np.full(count, nan)
    return Fixes(
        time=moments(time),
        lon=numbers(lon),
        lat=numbers(lat),
        accuracy=numbers(accuracy),
        speed=unknown if speed is None else speed,
        mock=np.zeros(count, dtype=np.bool_) if mock is None else np.array(mock, dtype=np.bool_),
        battery=unknown if battery is None else battery,
    )


def numbers(values: Sequence[object]) -> Floats:
    """Numbers, also those written as text, one by one where not all are numbers."""
    try:
        column = np.array(values, dtype=np.float64)
        if column.ndim == 1:
            return column
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: object) -> float:
    """A number, NaN for anything else; an Indonesian phone may write a decimal comma."""
    try:
        if isinstance(value, str):
            return float(value.replace(",", "."))
        return float(value) if isinstance(value, int | float) else nan
    except (ValueError, OverflowError):
        return nan


def moments(values: Sequence[object]) -> Floats:
    """Epoch seconds of ISO 8601 with a zone, of epoch seconds or milliseconds; else NaN."""
    try:
        return np.array([seconds(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array([_moment(value) for value in values], dtype=np.float64)


def _moment(value: object) -> float:
    try:
        return seconds(value)
    except (TypeError, ValueError, OverflowError):
        return nan


def inner(objects: list[Object], name: str) -> list[Object]:
    """The objects within objects, empty where there is none."""
    found = [each.get(name) for each in objects]
    return [each if type(each) is dict else {} for each in found]


def flag(value: object) -> bool:
    """What JSON and forms have for true."""
    return value == 1 or (isinstance(value, str) and value.lower() in {"true", "1"})


def read_members(members: list[Any], read: Columns, *, now: datetime) -> Upload:
    """The members of a batch; what is wrong with one costs none of the others."""
    objects = [member for member in members if type(member) is dict]
    upload = checked(objects, read(objects), now=now)
    if len(objects) == len(members):
        return upload
    others = (member for member in members if type(member) is not dict)
    return replace(
        upload,
        unusable=(*upload.unusable, *(Unusable(Reason.BAD_VALUE, said(each)) for each in others)),
    )


def checked(members: Sequence[object], raw: Fixes, *, now: datetime) -> Upload:
    """The fixes among as many members; what is wrong but for position and time is unknown.

    A position of zeros is what a receiver says that has found nothing yet.
    """
    latest = (now + CLOCK_AHEAD).timestamp()
    placed = (np.abs(raw.lon) <= 180) & (np.abs(raw.lat) <= 90) & ((raw.lon != 0) | (raw.lat != 0))
    timed = (raw.time >= EARLIEST.timestamp()) & (raw.time <= latest)
    fixes = replace(
        raw,
        accuracy=_known(raw.accuracy, EARTH_RADIUS_M),
        speed=_known(raw.speed, EARTH_RADIUS_M),
        battery=_known(raw.battery, 1),
    )
    good = placed & timed
    if good.all():
        return Upload(fixes)
    bad = np.flatnonzero(~good).tolist()
    return Upload(
        fixes.only(good),
        tuple(
            Unusable(
                _reason(raw, at, placed=bool(placed[at])),
                said(members[at]),
                float(raw.time[at]) if timed[at] else None,
            )
            for at in bad
        ),
    )


def _known(values: Floats, most: float) -> NDArray[np.float64]:
    return np.where((values >= 0) & (values <= most), values, nan)


def _reason(raw: Fixes, at: int, *, placed: bool) -> Reason:
    lon, lat = raw.lon[at], raw.lat[at]
    if not placed:
        nowhere = np.isnan(lon) or np.isnan(lat) or lon == lat == 0
        return Reason.NO_POSITION if nowhere else Reason.BAD_POSITION
    return Reason.NO_TIME if np.isnan(raw.time[at]) else Reason.BAD_TIME


def nothing() -> Upload:
    """Neither a fix nor anything unusable."""
    return Upload(columns(time=(), lon=(), lat=(), accuracy=()))


def unusable(reason: Reason, what: object = None) -> Upload:
    """A request without a fix, for one reason."""
    return replace(nothing(), unusable=(Unusable(reason, said(what)),))


def document(body: bytes) -> Any | Unusable:
    """The JSON of a body."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return Unusable(Reason.NOT_JSON, {"bytes": len(body)})


def is_json(body: bytes) -> bool:
    """Whether a body begins as an object or array does; phones say wrong media types."""
    return body.lstrip()[:1] in {b"{", b"["}


def form(body: bytes, query: Mapping[str, str]) -> dict[str, str] | Unusable:
    """The fields of a query and a form together; the form's count where both have one."""
    try:
        fields = parse_qsl(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        return Unusable(Reason.BAD_VALUE, {"bytes": len(body)})
    return {**query, **dict(fields)}


def name(value: object) -> str | None:
    """What a phone calls itself or its user; None if that can be no name."""
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        return None
    return value if value.isprintable() else None


def said(what: object) -> Object | None:
    """What can be kept of what was sent: no credentials, no more than 4,096 bytes, no NUL."""
    if what is None:
        return None
    if isinstance(what, dict):
        kept = {key: value for key, value in what.items() if key.lower() not in CREDENTIALS}
    else:
        kept = {"value": what}
    try:
        text = orjson.dumps(kept)
    except orjson.JSONEncodeError:
        return None
    if len(text) > MOST_SAID:
        return {"bytes": len(text)}
    return dict(orjson.loads(text.replace(rb"\u0000", rb"\ufffd")))
