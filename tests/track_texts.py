"""The same small track written in each format that phones and services export, and read again."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tenants.input_files import UnusableFile
from tenants.track_files import TrackFile, read_track

START = datetime(2026, 11, 24, 1, tzinfo=UTC)
HERE, THERE = (117.148, -0.495), (116.845, -1.262)
Fix = tuple[float, float, float]
FIXES: list[Fix] = [(i * 600.0, HERE[0] + i / 1000, HERE[1]) for i in range(12)]
HEADER = "time,lon,lat,accuracy"
NESTED = "<extensions><a:b><a:accuracy>12</a:accuracy></a:b></extensions>"
LATER = [(t + 300, x, y) for t, x, y in FIXES]
# Of 400 rows, 1 % are 4.
LONG = [(i * 60.0, HERE[0] + i / 10_000, HERE[1]) for i in range(396)]


def iso(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


def csv(fixes: Sequence[Fix] = FIXES, header: str = HEADER, extra: Sequence[str] = ()) -> str:
    cells = [f",{value}" for value in extra] or [""] * len(fixes)
    rows = [f"{iso(t)},{x},{y},12{c}" for (t, x, y), c in zip(fixes, cells, strict=True)]
    return "\n".join([header, *rows])


def trkpt(t: float, x: float, y: float, more: str = "") -> str:
    return f'<trkpt lat="{y}" lon="{x}"><time>{iso(t)}</time>{more}</trkpt>\n'


def gpx(*segments: Sequence[Fix], more: str = "", head: str = "") -> str:
    parts = [
        f"<trk><trkseg>{''.join(trkpt(*fix, more) for fix in fixes)}</trkseg></trk>"
        for fixes in segments
    ]
    space = 'xmlns="http://www.topografix.com/GPX/1/1"'
    wpt = '<wpt lat="1" lon="1"><name>Kantor</name></wpt><rte><rtept lat="1" lon="1"/></rte>'
    return f'<?xml version="1.0"?>{head}\n<gpx version="1.1" {space}>{wpt}{"".join(parts)}</gpx>'


def point(fix: Fix, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [fix[1], fix[2]]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def line(fixes: Sequence[Fix], **properties: Any) -> dict[str, Any]:
    geometry = {"type": "LineString", "coordinates": [[x, y] for _, x, y in fixes]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


def rec(fixes: Sequence[Fix] = FIXES, topic: str | None = "owntracks/sri/ponsel") -> str:
    said = [
        {"_type": "location", "lon": x, "lat": y, "acc": 12, "batt": 71, "m": 1}
        for _, x, y in fixes
    ]
    return "".join(
        f"{iso(t).replace('+00:00', 'Z')}\t*                 \t"
        + json.dumps(
            one | {"tst": int(START.timestamp() + t)} | ({"topic": topic} if topic else {})
        )
        + "\n"
        for (t, *_), one in zip(fixes, said, strict=True)
    )


def bad(count: int, lon: float, lat: float) -> list[Fix]:
    return [(90_000.0 + i, lon, lat) for i in range(count)]


def devices(*names: str, header: str = "device") -> str:
    return csv(header=f"{HEADER},{header}", extra=names)


def read(folder: Path, name: str, text: str | bytes, **options: Any) -> TrackFile:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_track(path, **({"latest": START + timedelta(days=9)} | options))


def refused(folder: Path, name: str, text: str | bytes, **options: Any) -> UnusableFile:
    with pytest.raises(UnusableFile) as caught:
        read(folder, name, text, **options)
    return caught.value


def same(found: TrackFile, fixes: Sequence[Fix] = FIXES, accuracy: float = 12) -> None:
    t, x, y = (np.array(column) for column in zip(*fixes, strict=True))
    np.testing.assert_allclose(found.time, START.timestamp() + t)
    np.testing.assert_allclose(found.lon, x)
    np.testing.assert_allclose(found.lat, y)
    np.testing.assert_allclose(found.accuracy, np.full(len(fixes), accuracy))
    for column in ("accuracy", "mock", "battery"):
        assert len(getattr(found, column)) == len(fixes)
