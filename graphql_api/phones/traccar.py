"""Traccar Client of all versions, as its server takes it: query, form, flat or nested JSON.

Source: traccar.org/osmand and the clients. Times are ISO 8601, epoch s or ms. Flat: `speed` in
knots, `batt` in percent. Nested (9.x): `coords.speed` in m/s, `battery.level` from 0 to 1.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from graphql_api.phones.reading import (
    MOST_MEMBERS,
    PERCENT,
    Columns,
    Object,
    Reason,
    Upload,
    document,
    flag,
    form,
    inner,
    is_json,
    name,
    nothing,
    read_members,
    said,
    unusable,
)
from tenants.intake import Unusable

KNOTS: Final = 3_600 / 1_852  # in a metre a second
NAMES: Final = ("id", "deviceid", "device_id")


def read(body: bytes, query: Mapping[str, str], *, now: datetime) -> Upload:
    """The fixes in a request; a heartbeat without a position is none."""
    members = _members(body, query)
    if isinstance(members, Unusable):
        return nothing(members, device=name(_named(query)))
    if len(members) > MOST_MEMBERS:
        return unusable(Reason.TOO_LARGE, {"members": len(members)})
    flat: list[Any] = []
    nested: list[Object] = []
    others: list[Unusable] = []
    for member in members:
        location = member.get("location") if type(member) is dict else None
        if type(location) is dict:
            if location.get("coords"):
                nested.append(location)
            else:
                others.append(Unusable(Reason.NO_FIX, said(member)))
            continue
        kept = _flat(member, location) if type(member) is dict else member
        if isinstance(kept, Unusable):
            others.append(kept)
        else:
            flat.append(kept)
    device = _device(members, query)
    if not nested:
        return read_members(flat, _flat_columns, now=now, others=others, device=device)
    upload = read_members(flat, _flat_columns, now=now, device=device)
    return upload + read_members(nested, _nested_columns, now=now, others=others)


def _members(body: bytes, query: Mapping[str, str]) -> list[Any] | Unusable:
    """The flat or nested objects of a request; 9.x may put a list into `location`."""
    if not is_json(body):
        fields = form(body, query)
        return fields if isinstance(fields, Unusable) else [fields]
    held = document(body)
    if isinstance(held, Unusable):
        return held
    members: list[Any] = []
    for member in held if isinstance(held, list) else [held]:
        locations = member.get("location") if type(member) is dict else None
        if type(locations) is list:
            named = {key: member[key] for key in NAMES if key in member}
            members += [{"location": location, **named} for location in locations]
        else:
            members.append(member)
    return members


def _flat(member: Object, location: object) -> Object | Unusable:
    """The member if it is to be a fix, `location=lat,lon` taken apart."""
    if isinstance(location, str):
        lat, _, lon = location.partition(",")
        member = {**member, "lat": lat, "lon": lon}
    if member.get("lat") is None and member.get("lon") is None:
        return Unusable(Reason.NO_FIX, said(member))
    if "valid" in member and not flag(member["valid"]):
        return Unusable(Reason.NOT_VALID, said(member))
    return member


def _flat_columns(members: list[Object]) -> Columns:
    return Columns(
        time=[member.get("timestamp") for member in members],
        lon=[member.get("lon") for member in members],
        lat=[member.get("lat") for member in members],
        accuracy=[member.get("accuracy") for member in members],
        speed=[member.get("speed") for member in members],
        mock=[member.get("mock") for member in members],
        battery=[member.get("batt") for member in members],
        metre_a_second=KNOTS,
        full=PERCENT,
    )


def _nested_columns(locations: list[Object]) -> Columns:
    coords = inner(locations, "coords")
    return Columns(
        time=[location.get("timestamp") for location in locations],
        lon=[each.get("longitude") for each in coords],
        lat=[each.get("latitude") for each in coords],
        accuracy=[each.get("accuracy") for each in coords],
        speed=[each.get("speed") for each in coords],
        mock=[location.get("mock") for location in locations],
        battery=[each.get("level") for each in inner(locations, "battery")],
    )


def _device(members: Sequence[object], query: Mapping[str, str]) -> str | None:
    """The one device that the request names; None if it names several."""
    try:
        named = {_named(member) for member in members if type(member) is dict} - {None}
    except TypeError:  # a list or an object for a name
        return None
    if not named:
        return name(_named(query))
    return name(named.pop()) if len(set(map(str, named))) == 1 else None


def _named(said: Mapping[str, object]) -> object:
    return said.get("id") or said.get("deviceid") or said.get("device_id")


def answer() -> bytes:
    """Nothing: what a server says here, old clients do not read."""
    return b""
