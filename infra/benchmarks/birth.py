"""`infra/bench birth`: adding a regency whole, against CREATE EXTENSION postgis alone."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from time import perf_counter
from typing import Final

import psycopg

from infra.benchmarks.measure import Measured, Report, alternate
from infra.front_end import Refused
from infra.processes import happens
from infra.stories import Traveller
from infra.world import World
from tenants import birth
from tenants.realm import Issuer
from tenants.resync import is_copied

EMPTY: Final = "jejak_bench_empty"
POSTGIS: Final = "CREATE EXTENSION postgis"
ISSUER: Final = Issuer("http://127.0.0.1:1/bench", "bench", None, "bench")


def measure(running: World, _travellers: Sequence[Traveller], *, rounds: int = 8) -> Report:
    """Milliseconds for a regency that takes part at once, step by step; dropped at the end."""
    births = _Births()
    with ExitStack() as stack:
        stack.callback(births.drop)
        server = stack.enter_context(psycopg.connect(running.cluster.admin_dsn, autocommit=True))
        whole = Measured(("kelahiran daerah", "birth of a regency"), "ms")
        extension = Measured((POSTGIS, POSTGIS), "ms")
        alternate(
            [
                (whole, births.one),
                (extension, lambda: _extension(server, running.cluster.dsn(EMPTY))),
            ],
            rounds=rounds,
        )
    steps = [
        Measured((f"  {name}", f"  {name}"), "ms", figures[1:])
        for name, figures in births.steps.items()
    ]
    ratio = (f"Rasio kelahiran : {POSTGIS}", f"Ratio birth : {POSTGIS}")
    return Report([whole, *steps, extension], {ratio: whole.median / extension.median})


class _Births:
    """Bears made-up regencies (63.01, 63.02, …) and notes how long each step took."""

    def __init__(self) -> None:
        self.steps: dict[str, list[float]] = defaultdict(list)
        self._born: list[str] = []

    def one(self) -> float:
        number = len(self._born) + 1
        slug = f"bench-{number}"
        moments = [("check", perf_counter())]
        birth.add_tenant(
            slug=slug,
            code=f"63.{number:02}",
            name=f"Daerah Uji {number}",
            zone="Asia/Makassar",
            issuer=ISSUER,
            on_step=lambda name: moments.append((name, perf_counter())),
        )
        moments.append(("", perf_counter()))
        self._born.append(slug)
        for (name, began), (_, ended) in pairwise(moments):
            self.steps[name].append((ended - began) * 1_000)
        return (moments[-1][1] - moments[0][1]) * 1_000

    def drop(self) -> None:
        for slug in self._born:
            await_province(slug)
            birth.drop_tenant(slug)


def await_province(slug: str) -> None:
    """Until the province has copied its tables, so that a drop interrupts no copying."""
    if not happens(lambda: is_copied(slug), seconds=60):
        raise Refused("the province does not receive the new regency")


def _extension(server: psycopg.Connection, dsn: str) -> float:
    server.execute(f"CREATE DATABASE {EMPTY} TEMPLATE template0")
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            began = perf_counter()
            connection.execute(POSTGIS)
            return (perf_counter() - began) * 1_000
    finally:
        server.execute(f"DROP DATABASE {EMPTY}")
