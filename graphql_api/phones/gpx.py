"""A GPX file that somebody uploads: what a phone recorded without sending it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from graphql_api.phones.reading import (
    Columns,
    Object,
    Reason,
    Upload,
    checked,
    nothing,
    unusable,
)
from tenants.gathering import Gathering
from tenants.input_files import UnusableFile
from tenants.track_formats import read_gpx

MOST_BYTES: Final = 8 << 20  # some 60,000 points: two weeks, one every 20 seconds
MOST_POINTS: Final = 100_000


class _Full(Exception):
    """The file has more points than are read."""


class _Points(Gathering):
    """The points of a file as they stand in it, for one check of all."""

    def __init__(self) -> None:
        super().__init__("gpx", lambda _: None)
        self.points: list[Object] = []

    def add(
        self,
        place: int,
        series: int,  # noqa: ARG002
        *,
        time: object,
        lon: object,
        lat: object,
        accuracy: object = None,
        mock: object = None,  # noqa: ARG002
        battery: object = None,  # noqa: ARG002
    ) -> float | None:
        if len(self.points) == MOST_POINTS:
            raise _Full
        self.points.append(
            {"line": place, "time": time, "lon": lon, "lat": lat, "accuracy": accuracy}
        )
        return None


def read(
    body: bytes,
    _query: Mapping[str, str],
    *,
    now: datetime,
) -> Upload:
    """The track points of a file of at most 8 MiB; of a broken one, those before the fault.

    GPX has neither speeds nor batteries; an accuracy is its extension or 5 m for each of HDOP.
    """
    if len(body) > MOST_BYTES:
        return unusable(Reason.TOO_LARGE, {"bytes": len(body)})
    into, fault = _Points(), nothing()
    try:
        read_gpx(body, into)
    except UnusableFile as broken:
        fault = unusable(Reason.BAD_VALUE, {"error": broken.message_en})
    except _Full:
        return unusable(Reason.TOO_LARGE, {"points": MOST_POINTS})
    points = into.points
    raw = Columns(
        time=[point["time"] for point in points],
        lon=[point["lon"] for point in points],
        lat=[point["lat"] for point in points],
        accuracy=[point["accuracy"] for point in points],
    )
    return checked(points, raw, now=now) + fault
