"""`infra/bench evaluate`: judging a trip, against the stay detection of three libraries."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
import orjson
import shapely
from shapely.geometry.base import BaseGeometry

from infra.benchmarks.measure import HOME, Measured, Report, Trips, followed
from infra.front_end import Refused
from infra.stories import Traveller
from infra.world import World
from tenants import catalogue, tracks
from tenants.access import Viewer
from tenants.models import Member, Trip
from tenants.regions import shipped
from workers.case import Claim, Dossier, Fixes, Plan, PlannedLeg, Verdict
from workers.evaluate import evaluate
from workers.fold import State
from workers.judge import begin, conclude, fold, judge
from workers.ruleset import Ruleset
from workers.track import Floats, RegionIndex

PEERS: Final = {
    "trackintel": ["trackintel==1.4.2"],
    "movingpandas": ["movingpandas==0.23.0"],
    "scikit-mobility": ["scikit-mobility==1.3.1", "numpy<2", "shapely<2", "setuptools<81"],
}
VERTICES: Final = 5_000
CADENCE: Final = 30
UPLOAD: Final = 100
ZONE: Final = "Asia/Makassar"
OFFICE, HOTEL, MEETING = (117.146, -0.502), (116.831, -1.268), (116.86, -1.24)
TRIPS: Final = 64


def measure(running: World, travellers: Sequence[Traveller], *, rounds: int = 9) -> Report:
    """Memory: 8,640 fixes to the verdict, all told; a peer: to its stays, from its own frame.

    Incremental: an upload of 100 fixes folded, and the verdict. Database: from the first statement
    to the recorded verdict, nothing of the trip known before, on one core.
    """
    began = time.perf_counter()
    regions = RegionIndex(outlines(), shipped().tolerance_m)
    index = Measured(("Menyiapkan batas wilayah", "Preparing the outlines"), "ms")
    index.figures.append(1e3 * (time.perf_counter() - began))
    fixes, days = journey(3, seed=1), plan(3)
    ours = Measured(("8.640 titik sampai putusan", "8,640 fixes to the verdict"), "ms")
    for turn in range(rounds + 1):
        began = time.perf_counter()
        judge(days, Dossier(claim=Claim(3, None)), Ruleset(1), regions, fixes, as_of=after(days))
        if turn:
            ours.figures.append(1e3 * (time.perf_counter() - began))
    peers = [_peer(name, fixes, rounds) for name in followed(list(PEERS))]
    first, last = _incremental(regions)
    rate = _database(running, travellers)
    fastest = min(peers, key=lambda peer: peer.median)
    return Report(
        [ours, *peers, index, first, last, rate],
        {
            (
                f"{fastest.name[0]} : putusan",
                f"{fastest.name[1]} : verdict",
            ): fastest.median / ours.median,
            ("Unggahan terakhir : pertama", "Last upload : first"): last.median / first.median,
        },
    )


def outlines() -> list[tuple[str, str, BaseGeometry]]:
    """The ten shipped regions, each border broken into some 5,000 vertices that wiggle a little."""
    return [
        (region.code, region.name, shapely.make_valid(shapely.transform(dense, _wiggled)))
        for region in shipped().regions
        for dense in [shapely.segmentize(region.outline, region.outline.length / VERTICES)]
    ]


def _wiggled(at: Floats) -> Floats:
    """Positions moved by some metres, each always the same way, so that rings stay closed."""
    return np.asarray(at + 2e-5 * np.sin(at[:, ::-1] * 1e4))


def plan(days: int) -> Plan:
    """From Samarinda to Balikpapan for so many days."""
    first = date(2026, 6, 1)
    last = first + timedelta(days=days - 1)
    return Plan("64.72", ZONE, first, last, (PlannedLeg(1, "64.71", ZONE, first, last),))


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


def _peer(name: str, fixes: Fixes, rounds: int) -> Measured:
    """A library's stay detection, in an environment of its own that uv makes and keeps."""
    uv = shutil.which("uv") or str(Path(".uv/bin/uv").resolve())
    side = Measured((f"{name}: persinggahan", f"{name}: stays"), "ms")
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "track.npz"
        np.savez(track, time=fixes.time, lon=fixes.lon, lat=fixes.lat)
        wanted = [word for pin in PEERS[name] for word in ("--with", pin)]
        script = Path(__file__).with_name("stay_peers.py")
        command = [uv, "run", "--no-project", "--isolated", "--python", "3.11", *wanted, "python"]
        ran = subprocess.run(
            [*command, str(script), name, str(track), str(rounds)],
            check=False,
            capture_output=True,
            text=True,
        )
    if ran.returncode:
        raise Refused(f"{name}: {ran.stderr[-500:]}")
    side.figures.extend(1e3 * seconds for seconds in orjson.loads(ran.stdout))
    return side


def _incremental(regions: RegionIndex) -> tuple[Measured, Measured]:
    """The first twenty uploads of a 30-day trip, and the last twenty."""
    days, edge = plan(30), 20
    parts = uploads(journey(30, seed=2))
    first = Measured(("Unggahan pertama, 30 hari", "First uploads, 30 days"), "ms")
    last = Measured(("Unggahan terakhir, 30 hari", "Last uploads, 30 days"), "ms")
    state = begin(days, Ruleset(1), regions)
    for number, part in enumerate(parts):
        if number < edge or number >= len(parts) - edge:
            side = first if number < edge else last
            side.figures.append(min(_once(state, part)[0] for _ in range(9)))
        state = fold(state, part)
    return first, last


def _once(state: State, part: Fixes) -> tuple[float, Verdict]:
    heard = datetime.fromtimestamp(float(part.time[-1]), UTC)
    began = time.perf_counter()
    verdict = conclude(fold(state, part), Dossier(claim=Claim(30, None)), as_of=heard)
    return 1e3 * (time.perf_counter() - began), verdict


def _database(running: World, travellers: Sequence[Traveller]) -> Measured:
    tenant, issued = catalogue.tenant(HOME), Trips(running)
    side = Measured((f"Basis data, {TRIPS} perjalanan", f"Database, {TRIPS} trips"), "trips/s")
    trip_ids = []
    for number in followed(range(TRIPS)):
        case = issued.issue(travellers[number % len(travellers)])
        trip_id = UUID(case.trip_id)
        with tenant.session(readonly=False) as session:
            trip = session.get_one(Trip, trip_id)
            member = session.get_one(Member, trip.traveller_id)
            viewer = Viewer(member.id, member.name, frozenset(), None)
            start = datetime.combine(trip.starts_on, datetime.min.time(), UTC) - timedelta(hours=8)
            for part in uploads(journey(3, seed=100 + number, start=start, spread=0.01)):
                unknown = np.full(len(part.time), np.nan)
                sent = tracks.Fixes(
                    part.time,
                    part.lon,
                    part.lat,
                    part.accuracy.astype(np.float64),
                    unknown,
                    part.mock,
                    unknown,
                )
                tracks.record(
                    session, viewer, trip_id, sent, device="ukur", zone=ZONE, now=datetime.now(UTC)
                )
        trip_ids.append(trip_id)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        for batch in range(0, TRIPS, 8):
            began = time.perf_counter()
            for trip_id in trip_ids[batch : batch + 8]:
                evaluate(tenant, trip_id, now=datetime.now(UTC))
            side.figures.append(8 / (time.perf_counter() - began))
    finally:
        os.sched_setaffinity(0, cores)
    side.figures = side.figures[1:]  # the first warms up
    return side
