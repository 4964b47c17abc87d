"""Plans from files: what auditors write of a trip, as JSON, read into a plan and a dossier."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from tenants import airports
from tenants.input_files import UnusableFile, contents
from tenants.regions import CODE, zone_of
from workers.case import (
    Assignment,
    Attendance,
    Claim,
    Dossier,
    Flight,
    LawfulPlace,
    Plan,
    PlannedLeg,
    Position,
    Silence,
    SilenceReason,
)
from workers.ruleset import Ruleset, UnknownParameter, ruleset

ZONE: Final = "Asia/Makassar"
YEARS: Final = (date(2000, 1, 1), date(2099, 12, 31))
LONGEST_TRIP: Final = timedelta(days=366)
MOST_DAYS: Final = 10_000
RUPIAH: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")

REVERSED: Final = ("berakhir sebelum dimulai", "ends before it starts")


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A trip as a file tells it; `ruleset` is the product's own with what the file changes."""

    traveller: str
    plan: Plan
    dossier: Dossier
    ruleset: Ruleset


def read_plan(path: Path) -> PlanFile:
    """Reads a plan; raises `UnusableFile` for one that is none or contradicts itself."""
    return _plan_file(_Object(str(path), "", _json(path)))


class _Twice(Exception):
    """A key that an object has more than once."""


def _json(path: Path) -> Any:
    file = str(path)
    try:
        return json.loads(
            contents(path).decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as broken:
        where = (f"baris {broken.lineno}", f"line {broken.lineno}")
        raise UnusableFile(file, ("bukan JSON", "is no JSON"), where) from broken
    except _Twice as twice:
        reason = ("kunci ini ada dua kali", "this key occurs twice")
        raise UnusableFile(file, reason, (str(twice), str(twice))) from twice
    except (ValueError, RecursionError) as broken:
        raise UnusableFile(file, ("bukan JSON", "is no JSON")) from broken


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Object:
    """A JSON object: each key is taken once, with its type; null is as good as absent."""

    def __init__(self, file: str, path: str, value: Any) -> None:
        self.file = file
        self.path = path
        if not isinstance(value, dict):
            self.refuse("", "harus objek JSON", "must be a JSON object")
        self.left = {name: one for name, one in value.items() if one is not None}

    def refuse(self, key: str, reason_id: str, reason_en: str) -> NoReturn:
        where = ".".join(filter(None, (self.path, key)))
        raise UnusableFile(self.file, (reason_id, reason_en), (where, where) if where else None)

    def done(self) -> None:
        """Refuse keys that nobody took: a misspelt one must not pass for an absent one."""
        for key in self.left:
            self.refuse(key, "kunci ini tidak dikenal", "this key is unknown")

    def take(self, key: str, *, needed: bool = False) -> Any:
        value = self.left.pop(key, None)
        if value is None and needed:
            self.refuse(key, "wajib diisi", "is required")
        return value

    def text(self, key: str, *, needed: bool = False) -> str | None:
        value = self.take(key, needed=needed)
        if value is not None and not (isinstance(value, str) and value.strip()):
            self.refuse(key, "harus teks", "must be text")
        return value

    def code(self, key: str) -> str:
        return self._code(key, self.take(key, needed=True))

    def codes(self, key: str) -> frozenset[str]:
        return frozenset(self._code(key, value) for value in self._list(key))

    def _code(self, key: str, value: Any) -> str:
        if not (isinstance(value, str) and CODE.fullmatch(value)):
            self.refuse(key, "bukan kode wilayah seperti 64.72", "is no region's code like 64.72")
        return value

    def zone(self, key: str, default: str) -> str:
        name = self.text(key) or default
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            self.refuse(key, "bukan zona waktu IANA", "is no IANA time zone")
        return name

    def day(self, key: str, zone: str, *, needed: bool = False) -> date | None:
        """A date, or the date in this zone of a time; a time that names no zone is in it."""
        text = self.text(key, needed=needed)
        if text is None:
            return None
        try:
            if len(text) <= 10:
                day = date.fromisoformat(text)
            else:
                moment = datetime.fromisoformat(text)
                day = (moment.astimezone(ZoneInfo(zone)) if moment.tzinfo else moment).date()
        except (ValueError, OverflowError):
            self.refuse(key, "bukan tanggal seperti 2026-11-24", "is no date like 2026-11-24")
        if not YEARS[0] <= day <= YEARS[1]:
            self.refuse(key, "di luar 2000-2099", "is not within 2000 to 2099")
        return day

    def needed_day(self, key: str, zone: str) -> date:
        day = self.day(key, zone, needed=True)
        assert day is not None
        return day

    def moment(self, key: str) -> datetime:
        text = self.text(key, needed=True)
        assert text is not None
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            self.refuse(key, "bukan waktu ISO 8601", "is no time in ISO 8601")
        if moment.tzinfo is None:
            self.refuse(key, "waktu tanpa zona", "is a time without a zone")
        if not YEARS[0] <= moment.date() <= YEARS[1]:
            self.refuse(key, "di luar 2000-2099", "is not within 2000 to 2099")
        return moment

    def number(self, key: str, most: float) -> float:
        value = self.take(key, needed=True)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < inf:
            self.refuse(key, "harus angka", "must be a number")
        if abs(value) > most:
            self.refuse(
                key, f"di luar -{most:g} sampai {most:g}", f"is beyond -{most:g} to {most:g}"
            )
        return float(value)

    def object(self, key: str) -> "_Object | None":
        value = self.take(key)
        return None if value is None else _Object(self.file, self._under(key), value)

    def objects(self, key: str) -> Iterator["_Object"]:
        """Those of a list; unknown keys in one are refused once it was read."""
        for number, value in enumerate(self._list(key)):
            one = _Object(self.file, self._under(f"{key}[{number}]"), value)
            yield one
            one.done()

    def _list(self, key: str) -> list[Any]:
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            self.refuse(key, "harus daftar", "must be a list")
        return value or []

    def _under(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _plan_file(said: _Object) -> PlanFile:
    traveller = said.text("traveller") or ""
    home = said.code("home_region")
    zone = said.zone("zone", _zone(home, ZONE))
    starts_on, ends_on = said.needed_day("starts_on", zone), said.needed_day("ends_on", zone)
    if ends_on < starts_on:
        said.refuse("ends_on", *REVERSED)
    if ends_on - starts_on > LONGEST_TRIP:
        said.refuse("ends_on", "lebih dari setahun", "is more than a year after the start")
    plan = Plan(
        home=home,
        home_zone=zone,
        starts_on=starts_on,
        ends_on=ends_on,
        legs=_legs(said, zone, starts_on, ends_on),
        lawful_places=tuple(
            LawfulPlace(place.code("region"), *_days(place, zone, "from", "until"))
            for place in said.objects("lawful_places")
        ),
        transit=said.codes("transit"),
        flights=tuple(_flight(flight) for flight in said.objects("flights")),
        finished_at=said.moment("finished_at") if "finished_at" in said.left else None,
    )
    if plan.finished_at and plan.finished_at.astimezone(ZoneInfo(zone)).date() < starts_on:
        said.refuse("finished_at", "sebelum perjalanan dimulai", "is before the trip starts")
    found = PlanFile(traveller, plan, _dossier(said, zone, starts_on), _ruleset(said))
    said.done()
    return found


def _zone(code: str, default: str) -> str:
    try:
        return zone_of(code)
    except ValueError:
        return default


def _legs(said: _Object, home_zone: str, starts_on: date, ends_on: date) -> tuple[PlannedLeg, ...]:
    """The legs in order. Dates not told are those of the legs beside, at the ends the trip's."""
    read = list(_each_leg(said, home_zone))
    if not read:
        said.refuse("legs", "tidak ada tujuan", "has no destination")
    legs: list[PlannedLeg] = []
    left: list[tuple[str, date]] = []
    earliest = starts_on
    for number, (region, zone, arrive, depart, lodging) in enumerate(read):
        following = read[number + 1][2] if number + 1 < len(read) else None
        first, last = arrive or earliest, depart or following or ends_on
        key = f"legs[{number}]"
        if not (starts_on <= first <= ends_on and starts_on <= last <= ends_on):
            said.refuse(key, "di luar tanggal perjalanan", "is outside the trip's dates")
        if last < first:
            said.refuse(key, "berangkat sebelum tiba", "departs before it arrives")
        if legs and first < legs[-1].arrive_on:
            said.refuse(key, "tidak berurutan", "is out of order")
        if any(other != region and first < min(until, last) for other, until in left):
            said.refuse(
                key,
                "malamnya sudah direncanakan di wilayah lain",
                "spends a night that is planned in another region",
            )
        legs.append(PlannedLeg(number + 1, region, zone, first, last, lodging))
        left.append((region, depart or first))
        earliest = max(earliest, depart or first)
    return tuple(legs)


def _each_leg(
    said: _Object, home_zone: str
) -> Iterator[tuple[str, str, date | None, date | None, Position | None]]:
    for leg in said.objects("legs"):
        region = leg.code("region")
        zone = leg.zone("zone", _zone(region, home_zone))
        lodging = leg.object("lodging")
        arrive, depart = leg.day("arrive", zone), leg.day("depart", zone)
        yield region, zone, arrive, depart, None if lodging is None else _position(lodging)


def _position(said: _Object) -> Position:
    said.text("name")
    position = Position(lon=said.number("lon", 180), lat=said.number("lat", 90))
    said.done()
    return position


def _flight(said: _Object) -> Flight:
    flight = Flight(
        number=said.text("number", needed=True) or "",
        origin=_airport(said, "from"),
        destination=_airport(said, "to"),
        departs_at=said.moment("departs_at"),
        arrives_at=said.moment("arrives_at"),
    )
    if flight.arrives_at <= flight.departs_at:
        said.refuse("arrives_at", "mendarat sebelum berangkat", "lands before it departs")
    return flight


def _airport(said: _Object, key: str) -> Position:
    """An airport by its IATA code, or wherever its position says it is."""
    if isinstance(said.left.get(key), str):
        code = said.text(key) or ""
        known = airports.position(code.strip().upper())
        if known is None:
            said.refuse(key, "bukan kode IATA yang dikenal", "is no known IATA code")
        return Position(lon=known[0], lat=known[1])
    at = said.object(key)
    if at is None:
        said.refuse(key, "wajib diisi", "is required")
    return _position(at)


def _dossier(said: _Object, zone: str, starts_on: date) -> Dossier:
    claim = said.object("claim")
    reported_on = said.day("reported_on", zone)
    if reported_on and reported_on < starts_on:
        said.refuse("reported_on", "sebelum perjalanan dimulai", "is before the trip starts")
    return Dossier(
        claim=None if claim is None else _claim(claim),
        reported_on=reported_on,
        assignments=tuple(
            Assignment(
                other.text("number", needed=True) or "",
                other.text("office", needed=True) or "",
                *_days(other, zone, "starts_on", "ends_on"),
            )
            for other in said.objects("assignments")
        ),
        attendance=tuple(Attendance(*_times(present)) for present in said.objects("attendance")),
        silences=tuple(
            Silence(*_times(silence), _reason(silence)) for silence in said.objects("silences")
        ),
    )


def _claim(said: _Object) -> Claim:
    days, allowance = said.take("days", needed=True), said.take("daily_allowance")
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= MOST_DAYS:
        said.refuse("days", "harus bilangan bulat mulai 0", "must be a whole number from 0")
    if allowance is not None and (
        isinstance(allowance, bool)
        or not isinstance(allowance, int | float | str)
        or not RUPIAH.fullmatch(str(allowance))
    ):
        said.refuse("daily_allowance", "harus rupiah seperti 430000", "must be rupiah like 430000")
    said.done()
    return Claim(days, None if allowance is None else Decimal(str(allowance)))


def _reason(said: _Object) -> SilenceReason:
    name = said.text("reason") or SilenceReason.UNKNOWN
    if name not in set(SilenceReason):
        reasons = ", ".join(SilenceReason)
        said.refuse("reason", f"bukan {reasons}", f"is none of {reasons}")
    return SilenceReason(name)


def _days(said: _Object, zone: str, first: str, last: str) -> tuple[date, date]:
    begins, ends = said.needed_day(first, zone), said.needed_day(last, zone)
    if ends < begins:
        said.refuse(last, *REVERSED)
    return begins, ends


def _times(said: _Object) -> tuple[datetime, datetime]:
    begins, ends = said.moment("from"), said.moment("until")
    if ends < begins:
        said.refuse("until", *REVERSED)
    return begins, ends


def _ruleset(said: _Object) -> Ruleset:
    changes = said.object("ruleset")
    try:
        return ruleset(0, changes.left if changes else {})
    except UnknownParameter as unknown:
        name, _, reason = str(unknown).partition(": ")
        said.refuse(f"ruleset.{name}", "bukan parameter atau nilainya tidak sah", reason)
