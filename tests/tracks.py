"""Small worlds and tracks for judging: places, a walk between them, a plan."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from shapely import box

from workers.case import (
    Claim,
    DayState,
    Deviation,
    DeviationKind,
    Dossier,
    Fixes,
    LawfulPlace,
    Outcome,
    Plan,
    PlannedLeg,
    Severity,
    Verdict,
)
from workers.judge import judge
from workers.ruleset import Ruleset
from workers.track import RegionIndex

HOME, CITY, NEXT, BIG, FAR, ISLE = "64.72", "64.71", "64.01", "64.02", "64.03", "31.71"
WITA, WIB = "Asia/Makassar", "Asia/Jakarta"

# Squares of half a degree (55 km): NEXT lies west of CITY, CITY south of HOME, and east of HOME
# BIG, 222 km wide, before FAR. ISLE has no outline.
SQUARES = RegionIndex(
    [
        (HOME, "Kota Samarinda", box(117.0, -0.5, 117.5, 0.0)),
        (CITY, "Kota Balikpapan", box(117.0, -1.0, 117.5, -0.5)),
        (NEXT, "Kabupaten Paser", box(116.5, -1.0, 117.0, -0.5)),
        (BIG, "Kabupaten Kutai Kartanegara", box(117.5, -0.5, 119.5, 0.0)),
        (FAR, "Kabupaten Berau", box(119.5, -0.5, 120.0, 0.0)),
    ],
    tolerance_m=1_000,
)

Place = tuple[float, float]
OFFICE: Place = (117.25, -0.25)
HOTEL: Place = (117.25, -0.75)
VILLAGE: Place = (116.75, -0.75)
INN: Place = (118.5, -0.25)
PORT: Place = (119.75, -0.25)
ABROAD: Place = (108.0, -6.0)

START = date(2026, 11, 24)
MIDNIGHT = datetime(2026, 11, 23, 16, tzinfo=UTC)
ALLOWANCE = Decimal(430_000)


def at(hour: float) -> datetime:
    """An hour of the trip, counted from its first midnight in WITA."""
    return MIDNIGHT + timedelta(hours=hour)


def walk(
    *stops: tuple[float, Place],
    every: float = 300,
    silent: Sequence[tuple[float, float]] = (),
    accuracy: float = 20,
    chunk: int = 50,
) -> Fixes:
    """Fixes along straight lines between places at hours, but none in the silent hours."""
    hours, places = [hour for hour, _ in stops], [place for _, place in stops]
    t = np.arange(hours[0], hours[-1] + 1e-9, every / 3600)
    for start, end in silent:
        t = t[(t <= start) | (t >= end)]
    n = len(t)
    digests = tuple(i.to_bytes(2, "big") for i in range(n // chunk + 1))
    return Fixes(
        time=MIDNIGHT.timestamp() + t * 3600,
        lon=np.interp(t, hours, [lon for lon, _ in places]),
        lat=np.interp(t, hours, [lat for _, lat in places]),
        accuracy=np.full(n, accuracy, dtype=np.float32),
        mock=np.zeros(n, dtype=np.bool_),
        battery=np.full(n, np.nan, dtype=np.float32),
        chunk=(np.arange(n) // chunk).astype(np.int32),
        digests=digests,
    )


def silence() -> Fixes:
    """A phone that was never heard of."""
    none = np.zeros(0)
    short = none.astype(np.float32)
    return Fixes(none, none, none, short, none.astype(np.bool_), short, none.astype(np.int32), ())


def moved(fixes: Fixes, change: Callable[[Fixes], None]) -> Fixes:
    """A copy, after a change to its arrays."""
    copy = Fixes(
        fixes.time.copy(),
        fixes.lon.copy(),
        fixes.lat.copy(),
        fixes.accuracy.copy(),
        fixes.mock.copy(),
        fixes.battery.copy(),
        fixes.chunk.copy(),
        fixes.digests,
    )
    change(copy)
    return copy


def trip(
    *regions: str,
    days: int = 3,
    zone: str = WITA,
    home: str = HOME,
    lawful: Sequence[LawfulPlace] = (),
    transit: Sequence[str] = (),
    finished: float | None = None,
) -> Plan:
    """A plan from START with a leg over all its days for each region."""
    last = START + timedelta(days=days - 1)
    return Plan(
        home=home,
        home_zone=WITA,
        starts_on=START,
        ends_on=last,
        legs=tuple(PlannedLeg(i + 1, code, zone, START, last) for i, code in enumerate(regions)),
        lawful_places=tuple(lawful),
        transit=frozenset(transit),
        finished_at=None if finished is None else at(finished),
    )


def claim(days: int) -> Claim:
    """A claim at the allowance of Kalimantan Timur."""
    return Claim(days, ALLOWANCE)


def verdict(
    plan: Plan,
    fixes: Fixes,
    claimed: Claim | None = None,
    *,
    hour: float = 1000,
    regions: RegionIndex = SQUARES,
) -> Verdict:
    """The verdict at an hour of the trip, by default long after it."""
    dossier = Dossier(claim=claimed, reported_on=START)
    return judge(plan, dossier, Ruleset(version=7), regions, fixes, as_of=at(hour))


IDLE = walk((0, OFFICE), (72, OFFICE))
HONEST = walk((0, OFFICE), (8, OFFICE), (10, HOTEL), (58, HOTEL), (60, OFFICE), (72, OFFICE))


def accusations(judged: Verdict) -> list[Deviation]:
    """Its deviations but for notes."""
    return [found for found in judged.deviations if found.severity is not Severity.NOTE]


def conforms(judged: Verdict) -> bool:
    return judged.outcome is Outcome.CONFORMS and accusations(judged) == []


def unverifiable(judged: Verdict) -> bool:
    return judged.outcome is Outcome.UNVERIFIABLE and accusations(judged) == []


def states(judged: Verdict) -> list[DayState]:
    return [day.state for day in judged.days]


def only_kind(judged: Verdict) -> DeviationKind:
    (deviation,) = accusations(judged)
    return deviation.kind
