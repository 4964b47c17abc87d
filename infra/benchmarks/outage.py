"""`infra/bench outage`: the province's server is gone for a while, and a regency's phones go on.

With it goes the catalogue of realms, which is on the same server. The regency is on another one.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
import psycopg

from infra.benchmarks.birth import ISSUER, await_province
from infra.benchmarks.measure import Measured, Report, followed, paced
from infra.benchmarks.phones import Phone, fleet
from infra.front_end import Refused
from infra.processes import happens
from infra.services import Cluster
from infra.stories import Traveller
from infra.world import World
from tenants import birth
from tenants.server import names_of

SLUG: Final = "bench-outage"
PHONES: Final = 16
RATE: Final = 200.0
"""Requests a second."""
SLICE: Final = 10.0
"""Seconds for which one figure is taken."""
MEGABYTE: Final = 1 << 20

KEPT: Final = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), pg_current_wal_lsn()::text,
    (SELECT setting::float FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
FROM pg_replication_slots WHERE slot_name = %s"""
FOLLOWED: Final = """
SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"""


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 6,
    minutes: float = 5,
    seconds: float = SLICE,
) -> Report:
    """95 of 100 answers come within so many ms; what the regency keeps; how it is caught up."""
    before = Measured(("p95, provinsi ada", "p95, the province is there"), "ms")
    during = Measured(("p95, provinsi mati", "p95, the province is gone"), "ms")
    kept = Measured(("log yang disimpan", "log that is kept"), "MB")
    again = Measured(("menyusul", "catching up"), "s")
    turns = max(1, round(minutes * 60 / seconds))
    with ExitStack() as stack:
        folder = running.folder / "outage"
        folder.mkdir(mode=0o711)
        elsewhere = stack.enter_context(Cluster(folder))
        phones = stack.enter_context(_regency(elsewhere.admin_dsn))
        there = stack.enter_context(psycopg.connect(elsewhere.admin_dsn, autocommit=True))
        for turn in followed(range(rounds + turns)):
            if turn == rounds:
                running.cluster.process.kill()
                stack.callback(_start_again, running)
            waits = paced(running.base_url, _requests(phones, seconds), RATE)
            side = before if turn < rounds else during
            side.figures.append(1e3 * float(np.percentile(waits, 95)))
        bytes_kept, reached, most = _one(there, KEPT, names_of(SLUG).slot)
        kept.figures.append(float(bytes_kept) / MEGABYTE)
        running.cluster.start()
        began = time.perf_counter()
        slot = names_of(SLUG).slot
        if not happens(lambda: _one(there, FOLLOWED, reached, slot) == (True,), seconds=600):
            raise Refused("the province does not catch up")
        again.figures.append(time.perf_counter() - began)
    hour = kept.median / (turns * seconds) * 3_600
    return Report(
        [before, during, kept, again],
        {
            ("Rasio p95", "Ratio of p95"): during.median / before.median,
            ("Log dalam satu jam, MB", "Log of an hour, MB"): hour,
            ("Batas log yang disimpan, MB", "Bound of the log that is kept, MB"): most,
        },
    )


@contextmanager
def _regency(server: str) -> Iterator[list[Phone]]:
    """A made-up regency on another server, and its phones."""
    birth.add_tenant(
        slug=SLUG,
        code="63.91",
        name="Daerah Uji",
        zone="Asia/Makassar",
        issuer=ISSUER,
        server=server,
    )
    try:
        await_province(SLUG)
        yield fleet(SLUG, PHONES)
    finally:
        birth.drop_tenant(SLUG, server=server)


def _start_again(running: World) -> None:
    if not running.cluster.process.running:
        running.cluster.start()


def _requests(phones: Sequence[Phone], seconds: float) -> list[list[bytes]]:
    each = range(max(1, round(seconds * RATE / len(phones))))
    return [[phone.form(phone.fixes(1)) for _ in each] for phone in phones]


def _one(connection: psycopg.Connection, query: str, *parameters: Any) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise Refused("the regency's slot is gone")
    return row
