"""`infra/bench chain`: sealing what is new, and verifying all, against hashing alone."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import psycopg

from infra.benchmarks.measure import HOME, Measured, Report, followed
from infra.benchmarks.phones import Phone, fleet
from infra.front_end import Refused
from infra.stories import Traveller
from infra.world import World
from tenants import catalogue, chunks, seals
from tenants.chunks import Source
from tenants.fixes import Fixes, joined
from tenants.realm import Tenant

TRIPS: Final = 1_000
UPLOADS: Final = 100
FIXES: Final = 10
AT_ONCE: Final = 50
COMMAND: Final = Path(sys.executable).parent / "jejak"
RAW: Final = "COPY (SELECT * FROM track_chunk) TO STDOUT (FORMAT BINARY)"


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 5,
    trips: int = TRIPS,
    uploads: int = UPLOADS,
) -> Report:
    """Milliseconds of a seal, seconds and MB of `jejak chain verify` with its start."""
    tenant = catalogue.tenant(HOME)
    phones = fleet(HOME, trips)
    batches = iter(phones)
    for batch in followed([list(islice(batches, AT_ONCE)) for _ in range(0, trips, AT_ONCE)]):
        _send(tenant, batch, uploads - rounds)
    _sealed(tenant)
    moved = Measured((f"Segel, {trips} perjalanan baru", f"Seal, {trips} trips moved"), "ms")
    idle = Measured(("Segel, tak ada yang baru", "Seal, nothing new"), "ms")
    verified = Measured(("jejak chain verify", "jejak chain verify"), "s")
    cpu = Measured(("  waktu CPU-nya", "  its CPU time"), "s")
    memory = Measured(("  memori terbanyak", "  most memory"), "MB")
    raw = Measured(("COPY dan SHA-256 saja", "COPY and SHA-256 alone"), "s")
    for _ in followed(range(rounds)):
        _send(tenant, phones, 1)
        moved.figures.append(_sealed(tenant))
        idle.figures.append(_sealed(tenant))
        for side, figure in zip((verified, cpu, memory), _verified(tenant), strict=True):
            side.figures.append(figure)
        raw.figures.append(_hashed(running.cluster.dsn(f"jejak_{HOME}")))
    return Report(
        [moved, idle, verified, cpu, memory, raw],
        {
            ("Rasio verifikasi : COPY dan SHA-256", "Ratio verifying : COPY and SHA-256"): (
                verified.median / raw.median
            ),
            ("Potongan diverifikasi tiap detik", "Chunks verified a second"): (
                trips * uploads / verified.median
            ),
        },
    )


def _send(tenant: Tenant, phones: Sequence[Phone], uploads: int) -> None:
    """So many uploads of each, stored as they are when they come."""
    sources = [Source(phone.trip_id, "ukur") for phone in phones]
    source = np.repeat(np.arange(len(phones)), FIXES)
    with tenant.session(readonly=False) as session:
        chains = chunks.lock(session, [phone.trip_id for phone in phones])
        for _ in range(uploads):
            sent = joined([_fixes(phone) for phone in phones])
            if sum(chunks.append(session, sent, source, sources, chains)) != len(sent):
                raise Refused("not all was stored")


def _fixes(phone: Phone) -> Fixes:
    at, lon, lat, accuracy, speed = (
        np.array(column, dtype=np.float64) for column in zip(*phone.fixes(FIXES), strict=True)
    )
    unknown = np.full(FIXES, np.nan)
    return Fixes(at, lon, lat, accuracy, speed, np.zeros(FIXES, dtype=np.bool_), unknown)


def _sealed(tenant: Tenant) -> float:
    began = perf_counter()
    with tenant.session(readonly=False) as session:
        seals.seal(session)
    return 1e3 * (perf_counter() - began)


def _verified(tenant: Tenant) -> tuple[float, float, float]:
    began = perf_counter()
    command = [str(COMMAND), "chain", "verify", tenant.slug]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ran:
        _, status, used = os.wait4(ran.pid, 0)
        ran.returncode = os.waitstatus_to_exitcode(status)
    if ran.returncode:
        raise Refused(f"jejak chain verify: exit {ran.returncode}")
    seconds = perf_counter() - began
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _hashed(dsn: str) -> float:
    began = perf_counter()
    digest = hashlib.sha256()
    with psycopg.connect(dsn) as connection, connection.cursor().copy(RAW) as rows:
        for row in rows:
            digest.update(row)
    return perf_counter() - began
