"""Trips to be judged, made up: the outlines, the plan, the track and its uploads."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import shapely
from shapely import MultiPolygon

from tenants.regions import RegionSet, shipped
from workers.case import Fixes, Plan, PlannedLeg
from workers.track import Floats

VERTICES: Final = 5_000
CADENCE: Final = 30
UPLOAD: Final = 100
ZONE: Final = "Asia/Makassar"
HOME, DESTINATION = "64.01", "64.71"
"""Paser, and Balikpapan; the road between them crosses Penajam Paser Utara."""
OFFICE, HOTEL, MEETING = (116.19, -1.91), (116.831, -1.268), (116.86, -1.24)


def outlines() -> RegionSet:
    """The ten shipped regions, each border broken into some 5,000 vertices that wiggle a little."""
    regions = tuple(
        replace(region, outline=MultiPolygon(shapely.get_parts(wiggling).tolist()))
        for region in shipped().regions
        for dense in [shapely.segmentize(region.outline, region.outline.length / VERTICES)]
        for wiggling in [shapely.transform(dense, _wiggled)]
    )
    return replace(shipped(), source="ukur", regions=regions)


def _wiggled(at: Floats) -> Floats:
    """Positions moved by some metres, each always the same way, so that rings stay closed."""
    return np.asarray(at + 2e-5 * np.sin(at[:, ::-1] * 1e4))


def plan(days: int) -> Plan:
    """From Tana Paser to Balikpapan for so many days."""
    first = date(2026, 6, 1)
    last = first + timedelta(days=days - 1)
    return Plan(HOME, ZONE, first, last, (PlannedLeg(1, DESTINATION, ZONE, first, last),))


def after(days: Plan) -> datetime:
    """A time when the trip is over."""
    return datetime.combine(days.ends_on + timedelta(days=2), datetime.min.time(), UTC)


def journey(days: int, *, seed: int, start: datetime | None = None, spread: float = 0) -> Fixes:
    """A fix every 30 s: home, the road, nights at a hotel, meetings, jitter, one outlier in 100.

    `spread`: degrees by which a traveller's places are his own.
    """
    rng = np.random.default_rng(seed)
    office, hotel, meeting = (
        np.array(at) + rng.normal(0, spread, 2) for at in (OFFICE, HOTEL, MEETING)
    )
    hours = [0.0, 8.0, 10.0]
    places = [office, office, hotel]
    for day in range(1, days - 1):
        hours += [24.0 * day + hour for hour in (8, 8.5, 16, 16.5)]
        places += [hotel, meeting, meeting, hotel]
    hours += [24.0 * days - 10, 24.0 * days - 8, 24.0 * days]
    places += [hotel, office, office]
    n = days * 86_400 // CADENCE
    second = np.arange(n) * float(CADENCE)
    lon, lat = (np.interp(second / 3_600, hours, [at[i] for at in places]) for i in (0, 1))
    drift = np.cumsum(rng.normal(0, 1e-5, (2, n)), axis=1)
    drift -= np.linspace(0, 1, n) * drift[:, -1:]
    wild = rng.random(n) < 0.01
    noise = rng.normal(0, 5e-5, (2, n)) + wild * rng.normal(0, 0.02, (2, n))
    begins = start or datetime(2026, 5, 31, 16, tzinfo=UTC)
    return Fixes(
        time=np.asarray(begins.timestamp() + second, dtype=np.float64),
        lon=lon + drift[0] / 10 + noise[0],
        lat=lat + drift[1] / 10 + noise[1],
        accuracy=rng.gamma(2, 8, n).astype(np.float32),
        mock=np.zeros(n, dtype=np.bool_),
        battery=np.full(n, np.nan, dtype=np.float32),
        chunk=(np.arange(n) // UPLOAD).astype(np.int32),
        digests=tuple(i.to_bytes(4, "big") for i in range(n // UPLOAD + 1)),
    )


def uploads(fixes: Fixes) -> list[Fixes]:
    """The fixes in uploads of a hundred."""
    found = []
    for i in range(0, len(fixes.time), UPLOAD):
        part = fixes.only(np.arange(len(fixes.time)) // UPLOAD == i // UPLOAD)
        found.append(replace(part, chunk=np.zeros(len(part.time), np.int32), digests=(b"%d" % i,)))
    return found
