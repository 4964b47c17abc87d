"""What phones send, in one form whatever application sent it; bad input never raises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isnan, nan
from typing import Any, Final
from urllib.parse import unquote_plus

import numpy as np
import orjson

from tenants.fixes import CLOCK_AHEAD, EARTH_RADIUS_M, NOTHING, Fixes, Floats, joined
from tenants.gathering import EARLIEST, MILLISECONDS, seconds
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
            fixes = self.fixes
        elif not len(self.fixes):
            fixes = other.fixes
        else:
            fixes = joined([self.fixes, other.fixes])
        return Upload(fixes, self.unusable + other.unusable, self.device)


@dataclass(slots=True)
class Columns:
    """Values as phones have them, side by side, each of any type; None where a format has none.

    Accuracy in metres. `metre_a_second` and `full`: how a format writes that speed, and the charge
    of a full battery.
    """

    time: Sequence[Any]
    lon: Sequence[Any]
    lat: Sequence[Any]
    accuracy: Sequence[Any]
    speed: Sequence[Any] | None = None
    mock: Sequence[Any] | None = None
    battery: Sequence[Any] | None = None
    metre_a_second: float = 1
    full: float = 1


Read = Callable[[list[Object]], Columns]
"""Reads objects of one format into columns of as many."""


def numbers(values: Sequence[Any]) -> Floats:
    """Numbers as `number` reads them, one by one where not all are numbers."""
    try:
        column = np.array(values, dtype=np.float64)
        if column.ndim == 1:
            return column
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([number(value) for value in values])


def number(value: Any) -> float:
    """A number, also one written as text, NaN for anything else.

    An Indonesian phone may write a decimal comma.
    """
    try:
        return float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return nan


def moments(values: Sequence[Any]) -> Floats:
    """Times as `moment` reads them, together where all are numbers."""
    if set(map(type, values)) <= {int, float}:
        column = numbers(values)
        return np.where(np.abs(column) > MILLISECONDS, column / 1000, column)
    try:
        return np.array([seconds(value) for value in values])
    except (TypeError, ValueError, OverflowError):
        return np.array([moment(value) for value in values])


def moment(value: Any) -> float:
    """Epoch seconds of ISO 8601 with a zone, of epoch seconds or milliseconds; else NaN."""
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


def read_members(
    members: list[Any],
    read: Read,
    *,
    now: datetime,
    others: Sequence[Unusable] = (),
    device: str | None = None,
) -> Upload:
    """The members of a batch; what is wrong with one costs none of the others.

    `others`: what is known to be no fix. `device`: see `Upload`.
    """
    objects = [member for member in members if type(member) is dict]
    upload = checked(objects, read(objects), now=now)
    wrong = (
        [Unusable(Reason.BAD_VALUE, said(each)) for each in members if type(each) is not dict]
        if len(objects) < len(members)
        else ()
    )
    return Upload(upload.fixes, (*upload.unusable, *wrong, *others), device)


def checked(members: Sequence[object], raw: Columns, *, now: datetime) -> Upload:
    """The fixes among as many members; what is wrong but for position and time is unknown."""
    if not members:
        return nothing()
    latest = (now + CLOCK_AHEAD).timestamp()
    if len(members) == 1 and (one := _one(raw, latest)):
        return Upload(one)
    time, lon, lat = moments(raw.time), numbers(raw.lon), numbers(raw.lat)
    unknown = np.full(len(time), nan)
    placed, timed = _placed(lon, lat), _timed(time, latest)
    fixes = Fixes(
        time,
        lon,
        lat,
        _known(numbers(raw.accuracy), EARTH_RADIUS_M),
        unknown
        if raw.speed is None
        else _known(numbers(raw.speed) / raw.metre_a_second, EARTH_RADIUS_M),
        np.array([flag(value) for value in raw.mock])
        if raw.mock and any(raw.mock)
        else np.zeros(len(time), dtype=np.bool_),
        unknown if raw.battery is None else _known(numbers(raw.battery) / raw.full, 1),
    )
    good = placed & timed
    if good.all():
        return Upload(fixes)
    unusable = tuple(
        Unusable(
            _reason(time[at], lon=lon[at], lat=lat[at], placed=bool(placed[at])),
            said(members[at]),
            float(time[at]) if timed[at] else None,
        )
        for at in np.flatnonzero(~good).tolist()
    )
    return Upload(fixes.only(good), unusable)


def _one(raw: Columns, latest: float) -> Fixes | None:
    """The only fix, None if it is none: most requests have one, for which columns cost too much."""
    time, lon, lat = moment(raw.time[0]), number(raw.lon[0]), number(raw.lat[0])
    if not (_placed(lon, lat) and _timed(time, latest)):
        return None
    accuracy = number(raw.accuracy[0])
    speed = number(raw.speed[0]) / raw.metre_a_second if raw.speed else nan
    battery = number(raw.battery[0]) / raw.full if raw.battery else nan
    six = np.array(
        (
            time,
            lon,
            lat,
            accuracy if _sane(accuracy, EARTH_RADIUS_M) else nan,
            speed if _sane(speed, EARTH_RADIUS_M) else nan,
            battery if _sane(battery, 1) else nan,
        )
    ).reshape(6, 1)
    mock = np.array([flag(raw.mock[0]) if raw.mock else False])
    return Fixes(six[0], six[1], six[2], six[3], six[4], mock, six[5])


# Numbers or columns of them: the rules are the same.


def _placed(lon: Any, lat: Any) -> Any:
    """A position of zeros is what a receiver says that has found nothing yet."""
    return (abs(lon) <= 180) & (abs(lat) <= 90) & ((lon != 0) | (lat != 0))


def _timed(time: Any, latest: float) -> Any:
    return (time >= EARLIEST) & (time <= latest)


def _sane(values: Any, most: float) -> Any:
    return (values >= 0) & (values <= most)


def _known(values: Floats, most: float) -> Floats:
    return np.where(_sane(values, most), values, nan)


def _reason(time: float, *, lon: float, lat: float, placed: bool) -> Reason:
    if not placed:
        nowhere = isnan(lon) or isnan(lat) or lon == lat == 0
        return Reason.NO_POSITION if nowhere else Reason.BAD_POSITION
    return Reason.NO_TIME if isnan(time) else Reason.BAD_TIME


def nothing(*unusable: Unusable, device: str | None = None) -> Upload:
    """No fix, for these reasons."""
    return Upload(NOTHING, unusable, device)


def unusable(reason: Reason, what: object = None) -> Upload:
    """A request without a fix, for one reason."""
    return nothing(Unusable(reason, said(what)))


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
    if body.count(b"&") >= MOST_FIELDS:
        return Unusable(Reason.BAD_VALUE, {"bytes": len(body)})
    return {**query, **fields(body)}


def fields(said: bytes) -> dict[str, str]:
    """The fields of a form or query that have a value, the last where there are several.

    The same as `urllib.parse.parse_qsl`, which takes several times as long.
    """
    text = said.decode(errors="replace")
    read = unquote_plus if "%" in text or "+" in text else str
    pairs = [pair.partition("=") for pair in text.split("&")]
    return {read(name): read(value) for name, _, value in pairs if value}


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
