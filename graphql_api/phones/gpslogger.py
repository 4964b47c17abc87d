"""GPSLogger for Android with a custom URL: one line of its log a request, by query or form.

Source: its documentation of custom URLs. We tell people to configure
`?lat=%LAT&lon=%LON&acc=%ACC&spd=%SPD&time=%TIMESTAMP&batt=%BATT`: degrees, m, m/s, epoch s (or
%TIME, ISO 8601) and percent. Whatever else the URL says is ignored.
"""

from collections.abc import Mapping
from datetime import datetime

from graphql_api.phones.reading import (
    PERCENT,
    Columns,
    Object,
    Reason,
    Upload,
    form,
    nothing,
    read_members,
    unusable,
)
from tenants.intake import Unusable


def read(body: bytes, query: Mapping[str, str], *, now: datetime) -> Upload:
    """The fix of a request."""
    fields = form(body, query)
    if isinstance(fields, Unusable):
        return nothing(fields)
    if not fields:
        return unusable(Reason.NO_FIX)
    return read_members([fields], _columns, now=now)


def _columns(requests: list[Object]) -> Columns:
    return Columns(
        time=[fields.get("time") for fields in requests],
        lon=[fields.get("lon") for fields in requests],
        lat=[fields.get("lat") for fields in requests],
        accuracy=[fields.get("acc") for fields in requests],
        speed=[fields.get("spd") for fields in requests],
        battery=[fields.get("batt") for fields in requests],
        full=PERCENT,
    )


def answer() -> bytes:
    """Nothing: only the status counts."""
    return b""
