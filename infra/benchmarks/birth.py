"""`infra/bench birth`: adding a regency whole, against CREATE EXTENSION postgis alone."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count, pairwise
from time import perf_counter
from typing import Final

import psycopg

from infra.benchmarks.measure import Measured, Report, alternate, said
from infra.stories import Traveller
from infra.world import World
from tenants import birth
from tenants.realm import Issuer

EMPTY: Final = "jejak_bench_empty"
ISSUER: Final = Issuer("http://127.0.0.1:1/bench", "bench", None, "bench")


def measure(running: World, _travellers: Sequence[Traveller], *, rounds: int = 8) -> Report:
    """Milliseconds for a regency that takes part at once, step by step; each is dropped again."""
    births = _Births()
    with psycopg.connect(running.cluster.admin_dsn, autocommit=True) as server:
        whole = Measured(said("kelahiran daerah", "birth of a regency"), "ms")
        extension = Measured("CREATE EXTENSION postgis", "ms")
        alternate(
            [
                (whole, births.one),
                (extension, lambda: _extension(server, running.cluster.dsn(EMPTY))),
            ],
            rounds=rounds,
        )
    steps = [Measured(f"  {name}", "ms", figures[1:]) for name, figures in births.steps.items()]
    ratio = f"{said('kelahiran', 'birth')} : CREATE EXTENSION postgis"
    return Report([whole, *steps, extension], {ratio: whole.median / extension.median})


class _Births:
    """Bears made-up regencies (63.01, 63.02, …) and notes how long each step took."""

    def __init__(self) -> None:
        self.steps: dict[str, list[float]] = defaultdict(list)
        self._numbers = count(1)

    def one(self) -> float:
        number = next(self._numbers)
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
        birth.drop_tenant(slug)
        for (name, began), (_, ended) in pairwise(moments):
            self.steps[name].append((ended - began) * 1_000)
        return (moments[-1][1] - moments[0][1]) * 1_000


def _extension(server: psycopg.Connection, dsn: str) -> float:
    server.execute(f"CREATE DATABASE {EMPTY} TEMPLATE template0")
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            began = perf_counter()
            connection.execute("CREATE EXTENSION postgis")
            return (perf_counter() - began) * 1_000
    finally:
        server.execute(f"DROP DATABASE {EMPTY}")
