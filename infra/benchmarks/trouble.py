"""`infra/bench trouble`: whether one regency's stopped database slows another's phones down."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from infra.benchmarks.measure import HOME, Measured, Report, Wire, followed, paced
from infra.benchmarks.phones import Phone, fleet
from infra.front_end import Refused
from infra.stories import Traveller
from infra.world import World
from tenants.server import names_of

OTHER: Final = "balikpapan"
PHONES: Final = 16
RATE: Final = 200.0
"""Requests a second of the regency that is well, and nearly as many of the other one."""

PAUSE: Final = 0.1

STOP: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"""


def measure(
    running: World, _travellers: Sequence[Traveller], *, rounds: int = 5, requests: int = 1_600
) -> Report:
    """95 of 100 answers to one regency's phones come within so many milliseconds."""
    well, ill = fleet(HOME, PHONES), fleet(OTHER, PHONES)
    before = Measured(("p95, semua sehat", "p95, all is well"), "ms")
    during = Measured(("p95, basis data lain mati", "p95, another's database stopped"), "ms")
    for turn in followed(range(rounds + 1)):
        for side, stopped in ((before, False), (during, True)):
            with _stopped(running) if stopped else _nothing(), _sending(running, ill):
                waits = paced(running.base_url, _requests(well, requests), RATE)
            if turn:
                side.figures.append(1e3 * float(np.percentile(waits, 95)))
    return Report(
        [before, during],
        {("Rasio p95", "Ratio of p95"): during.median / before.median},
    )


def _requests(phones: Sequence[Phone], number: int) -> list[list[bytes]]:
    each = range(number // len(phones))
    return [[phone.form(phone.fixes(1)) for _ in each] for phone in phones]


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _stopped(running: World) -> Iterator[None]:
    """The other regency's database takes no connection and has none."""
    database = names_of(OTHER).database
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(running.cluster.admin_dsn, autocommit=True) as server:
        server.execute(allow.format(sql.Identifier(database), sql.Literal(False)))
        server.execute(STOP, [database])
        try:
            yield
        finally:
            server.execute(allow.format(sql.Identifier(database), sql.Literal(True)))


@contextmanager
def _sending(running: World, phones: Sequence[Phone]) -> Iterator[None]:
    """The phones send meanwhile, whatever the answer."""
    enough = Event()

    def send(phone: Phone) -> None:
        while not enough.wait(PAUSE):
            with suppress(Refused, OSError), Wire(running.base_url) as wire:
                wire.ask(phone.form(phone.fixes(1)))

    threads = [Thread(target=send, args=(phone,)) for phone in phones]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()
