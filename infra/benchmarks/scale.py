"""`infra/bench scale`: with few regencies and with all of Indonesia, each a database of its own.

They are born as by `jejak tenant add`, on as many PostgreSQL servers as they need, and the province
follows each. What is seen of them at the province came by replication. The sweep, to which 514
regencies on two cores are work for most of one, runs while memory and connections are counted, and
rests while births and pages are timed. Births are timed at rest, as one joins a service that runs:
when what 500 births in a row left to the servers is done, and the province holds what the regency
before published.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx2
import psycopg

from infra.benchmarks.birth import ISSUER, await_province
from infra.benchmarks.measure import Measured, Report, Text, followed
from infra.benchmarks.province import ALL, FEW, made_up, pages, publish
from infra.front_end import Refused
from infra.processes import happens
from infra.services import Cluster
from infra.stories import Traveller
from infra.world import PROVINCE, World
from tenants import birth
from tenants.server import admin, names_of, prepare_server

SHARED_BY: Final = 50
"""Regencies on one server: each one's sender reads the log of all, also while one is born."""
LAST: Final = 8
"""The births whose median is taken, up to the one that is named."""
ROUND: Final = 20.0
"""Seconds in which the sweep has been to the first hundred regencies at least."""
REST: Final = 60.0
"""Seconds after which the servers have vacuumed, and told each other, what births brought."""
TRIPS: Final = 100
MEGABYTE: Final = 1 << 20


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 40,
    regencies: tuple[int, int] = (FEW, ALL),
    shared_by: int = SHARED_BY,
    seconds: float = ROUND,
    rest: float = REST,
    drop: bool = True,
) -> Report:
    """What a page, a birth and a regency at rest cost with few regencies and with all.

    Without `drop`, for servers that go themselves, the regencies are left there.
    """
    few, every = regencies
    timed = {number - before for number in regencies for before in range(LAST)}
    pages_of: dict[int, list[Measured]] = {}
    taken: dict[int, list[tuple[Text, str, float]]] = {}
    with ExitStack() as stack:
        overseer = stack.enter_context(running.sign_in(PROVINCE.slug, "pengawas"))
        sweep = running.processes["sweep"]
        sweep.stop()
        stack.callback(lambda: None if sweep.running else sweep.start())
        born = stack.enter_context(_Regencies(running, shared_by, drop=drop))
        for number in followed(range(1, every + 1)):
            if number in timed:
                _await_figures(number - 1)
                if number - 1 not in timed:
                    time.sleep(rest)
            born.one_more()
            if number in regencies:
                _await_figures(number)
                _analyse()
                pages_of[number] = pages(overseer, number, rounds)
                sweep.start()
                _ask_each(running, number)
                time.sleep(seconds)
                taken[number] = born.take()
                sweep.stop()
    sides = [*pages_of[few], *pages_of[every]]
    results: dict[Text, float] = {}
    named = (
        ("Rasio halaman pertama", "Ratio first page"),
        ("Rasio halaman penuh", "Ratio full page"),
        ("Rasio peringkat", "Ratio ranking"),
    )
    for name, early, late in zip(named, pages_of[few], pages_of[every], strict=True):
        results[name] = late.median / early.median
    births = [
        Measured(
            (f"kelahiran, sampai ke-{number}", f"birth, up to number {number}"),
            "ms",
            born.births[max(0, number - LAST) : number],
        )
        for number in regencies
    ]
    results["Rasio kelahiran", "Ratio birth"] = births[1].median / births[0].median
    sides += births
    for (what, unit, little), (_, _, much) in zip(taken[few], taken[every], strict=True):
        sides += [
            Measured((f"{what[0]}, {number} daerah", f"{what[1]}, {number}"), unit, [found])
            for number, found in ((few, little), (every, much))
        ]
        measured = f", {unit}" if unit else ""
        each = (f"Tiap daerah, {what[0]}{measured}", f"A regency, {what[1]}{measured}")
        results[each] = (much - little) / (every - few)
    return Report(sides, results)


class _Regencies:
    """Made-up regencies and the servers that they need; both are gone when the block ends."""

    def __init__(self, running: World, shared_by: int, *, drop: bool) -> None:
        self._drop = drop
        self.births: list[float] = []
        """Milliseconds of each."""
        self._folder = running.folder
        self._clusters = [running.cluster]
        self._shared_by = shared_by
        self._servers = ExitStack()

    def __enter__(self) -> "_Regencies":
        return self

    def __exit__(self, *_: object) -> None:
        with self._servers:
            for number in range(1, len(self.births) + 1 if self._drop else 1):
                slug = made_up(number)[1]
                await_province(slug)
                birth.drop_tenant(slug, server=self._server(number))

    def one_more(self) -> None:
        number = len(self.births) + 1
        code, slug, name = made_up(number)
        server = self._server(number)
        began = time.perf_counter()
        birth.add_tenant(
            slug=slug, code=code, name=name, zone="Asia/Makassar", issuer=ISSUER, server=server
        )
        self.births.append((time.perf_counter() - began) * 1_000)
        with psycopg.connect(birth.owner_dsn(slug), autocommit=True) as owner:
            publish(owner, [code], TRIPS)

    def _server(self, number: int) -> str:
        """The administrator's DSN of where a regency is; a server not there yet is started."""
        place = (number - 1) // self._shared_by
        if place == len(self._clusters):
            folder = self._folder / f"server-{place}"
            folder.mkdir(mode=0o711)
            cluster = Cluster(folder, regencies=self._shared_by)
            self._clusters.append(self._servers.enter_context(cluster))
            prepare_server(cluster.admin_dsn)
        return self._clusters[place].admin_dsn

    def take(self) -> list[tuple[Text, str, float]]:
        """What PostgreSQL takes for all regencies and the province, each with its unit."""
        kinds, disk, memory = Counter[str](), 0.0, 0
        for cluster in self._clusters:
            with psycopg.connect(cluster.admin_dsn) as server:
                kinds.update(
                    kind
                    for (kind,) in server.execute(
                        "SELECT coalesce(backend_type, '') FROM pg_stat_activity"
                    ).fetchall()
                )
                (size,) = server.execute(
                    "SELECT sum(pg_database_size(datname)) FROM pg_database"
                ).fetchone() or (0,)
                disk += float(size)
            memory += sum(map(_proportional, cluster.process.children))
        return [
            (("memori", "memory"), "MB", memory / MEGABYTE),
            (("cakram", "disk"), "MB", disk / MEGABYTE),
            (("koneksi klien", "client connections"), "", kinds["client backend"]),
            (("pengirim replikasi", "senders"), "", kinds["walsender"]),
            (("penerima replikasi", "receivers"), "", kinds["logical replication worker"]),
        ]


def _await_figures(number: int) -> None:
    """Until the province holds the figures of all: so they came through the slots of all."""
    with admin(names_of(PROVINCE.slug).database) as province:

        def received() -> bool:
            row = province.execute(
                "SELECT count(DISTINCT tenant) FROM shared_finding JOIN regency ON code = tenant"
                " WHERE slug LIKE 'ukur-%'"
            ).fetchone()
            return row == (number,)

        if not happens(received, seconds=600):
            raise Refused("the province does not receive all regencies")


def _analyse() -> None:
    with admin(names_of(PROVINCE.slug).database) as province:
        province.execute("VACUUM ANALYZE")


def _ask_each(running: World, number: int) -> None:
    """A phone that nobody paired asks each regency, so that the API has been connected to all."""
    with httpx2.Client(base_url=running.base_url, timeout=30) as client:
        for asked in range(1, number + 1):
            slug = made_up(asked)[1]
            client.get(f"/{slug}/track/traccar", params={"id": "tidak-dikenal"})


def _proportional(pid: int) -> int:
    """Bytes of a process, what it shares with others divided among them; 0 if it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    (line,) = (line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024
