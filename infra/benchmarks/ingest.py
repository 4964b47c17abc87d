"""`infra/bench ingest`: what phones send, against a bare binary COPY and two plain endpoints."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from time import perf_counter, sleep
from typing import Final
from uuid import UUID

import httpx2
import numpy as np
import psycopg

from infra.benchmarks.measure import (
    HOME,
    Measured,
    Report,
    alternate,
    await_judges,
    paced,
    seconds_for,
)
from infra.benchmarks.phones import Phone, fleet
from infra.processes import Process, port, step
from infra.stories import Traveller
from infra.world import World
from tenants.server import names_of

UPLOAD: Final = 100
UPLOADING: Final = (1, 16, 64)
SINGLE: Final = 64
DATABASE: Final = "jejak_bench"
# What a table of positions usually is: a row a fix, found by trip and time. No geometry and no
# other index, which would only slow the limit down.
TABLE: Final = """
CREATE TABLE fix (
    trip uuid, at timestamptz, lon float8, lat float8, accuracy float4, speed float4,
    PRIMARY KEY (trip, at)
)"""
TYPES: Final = ("uuid", "timestamptz", "float8", "float8", "float4", "float4")
BYTES: Final = """
SELECT sum(pg_total_relation_size(relid)) + pg_total_relation_size('intake_log')
FROM pg_partition_tree('track_chunk')"""
UNSETTLED: Final = "SELECT 1 FROM intake_log LIMIT 1"
POLL: Final = 0.005
FIX_BYTES: Final = "SELECT pg_total_relation_size('fix')"

Row = tuple[UUID, datetime, float, float, float, float]


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 5,
    uploads: int = 1_280,
    singles: int = 6_400,
    judged: bool = False,
) -> Report:
    """Fixes a second in uploads of 100, and requests a second of one fix each.

    What is timed is the acknowledgements; "settled" is the same fixes until they are in the tracks,
    and each side begins when those before are. COPY writes the very same fixes, in commits of the
    same size. Beside the product's endpoint stand the same with a commit for each request, and one
    that parses and writes nothing. With `judged` the workers run and judge what arrives; each side
    begins when they have caught up. Space is that of the chunks and of the log, which is vacuumed
    first, as autovacuum does each minute.
    """
    phones = fleet(HOME, SINGLE)
    database = running.cluster.dsn(names_of(HOME).database)
    with (
        _limit(running) as table,
        psycopg.connect(database, autocommit=True) as tenant,
        _peer(running, "each") as each,
        _peer(running, "bare") as bare,
    ):
        ingest = _Ingest(running, phones, table, tenant, judged)
        http = [
            (
                Measured(
                    (f"100 titik, {number} koneksi", f"100 fixes, {number} connections"), "fix/s"
                ),
                partial(ingest.uploads, number, uploads),
            )
            for number in UPLOADING
        ]
        copy = Measured(("COPY BINARY, 1 koneksi", "COPY BINARY, 1 connection"), "fix/s")
        tracked = Measured(("- sampai di jejak", "- until in the tracks"), "fix/s")
        chunk = Measured(("- ruang", "- space"), "byte/fix")
        after = [(tracked, ingest.rate_settled), (chunk, ingest.space)]
        alternate([*http, *after, (copy, ingest.by_copy)], rounds=rounds)
        row = table.execute(FIX_BYTES).fetchone()
        assert row is not None
        rows = Measured(("tabel COPY", "COPY's table"), "byte/fix", [row[0] / ingest.copied])
        one, settled, alone, plain = (
            Measured((f"{name_id}, 64 koneksi", f"{name_en}, 64 connections"), "req/s")
            for name_id, name_en in (
                ("1 titik", "1 fix"),
                ("1 titik sampai di jejak", "1 fix until in the tracks"),
                ("1 titik, commit tiap permintaan", "1 fix, a commit each"),
                ("1 titik, tidak disimpan", "1 fix, not stored"),
            )
        )
        single = Measured(("ruang, 1 titik", "space, 1 fix"), "byte/fix")
        alternate(
            [
                (one, partial(ingest.singles, running.base_url, singles)),
                (settled, ingest.rate_settled),
                (single, ingest.space),
                (alone, partial(ingest.singles, each, singles // 8)),
                (plain, partial(ingest.singles, bare, singles)),
            ],
            rounds=rounds,
        )
        answers = Measured(("p99 jawaban, setengah laju", "p99 of answers, half the rate"), "ms")
        answers.figures += [ingest.p99(one.median / 2, singles // 2) for _ in range(rounds)]
    best = max((side for side, _ in http), key=lambda side: side.median)
    sides = (tracked, chunk, copy, rows, one, settled, single, alone, plain, answers)
    return Report(
        [*(side for side, _ in http), *sides],
        {
            ("Rasio laju, 100 titik : COPY", "Ratio of rates, 100 fixes : COPY"): (
                best.median / copy.median
            ),
            ("Rasio laju, 1 titik : commit tiap permintaan", "Ratio, 1 fix : a commit each"): (
                one.median / alone.median
            ),
            ("Rasio laju, 1 titik : tidak disimpan", "Ratio, 1 fix : not stored"): (
                one.median / plain.median
            ),
            ("Rasio ruang, 100 titik : COPY", "Ratio of space, 100 fixes : COPY"): (
                chunk.median / rows.median
            ),
            ("Rasio ruang, 1 titik : COPY", "Ratio of space, 1 fix : COPY"): (
                single.median / rows.median
            ),
        },
    )


@contextmanager
def _limit(running: World) -> Iterator[psycopg.Connection]:
    """A table of its own for COPY, in a database of its own on the same cluster."""
    with psycopg.connect(running.cluster.admin_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        try:
            with psycopg.connect(running.cluster.dsn(DATABASE)) as connection:
                connection.execute(TABLE)
                connection.commit()
                yield connection
        finally:
            server.execute(f"DROP DATABASE {DATABASE}")


@contextmanager
def _peer(running: World, kind: str) -> Iterator[str]:
    """A plain endpoint in a process of its own, like the API; its address."""
    at = port(running.folder, kind)
    base_url = f"http://127.0.0.1:{at}"
    command = [sys.executable, "-m", "infra.benchmarks.ingest_peers", kind, str(at)]

    def answers() -> bool:
        try:
            return httpx2.get(f"{base_url}/health", trust_env=False).is_success
        except httpx2.TransportError:
            return False

    with Process(running.folder, kind, command, ports=[at]) as process:
        with step(f"Pembanding: {kind}", f"Peer: {kind}"):
            process.wait_until(answers)
        yield base_url


class _Ingest:
    """All sides; what went over HTTP in uploads, COPY writes after it."""

    def __init__(
        self,
        running: World,
        phones: Sequence[Phone],
        table: psycopg.Connection,
        database: psycopg.Connection,
        judged: bool,
    ) -> None:
        self._world, self._phones, self._table, self._judged = running, phones, table, judged
        self._uncopied: list[list[Row]] = []
        self.copied = 0
        self._rate_settled = 0.0
        self._space = 0.0
        self._database = database

    def uploads(self, connections: int, uploads: int) -> float:
        shares = []
        for phone in self._phones[:connections]:
            parts = [phone.fixes(UPLOAD) for _ in range(uploads // connections)]
            self._uncopied += [phone.rows(part) for part in parts]
            shares.append([phone.batch(part) for part in parts])
        return UPLOAD * self._sent(self._world.base_url, shares, UPLOAD)

    def by_copy(self) -> float:
        fixes = sum(map(len, self._uncopied))
        began = perf_counter()
        with self._table.cursor() as cursor:
            for rows in self._uncopied:
                with cursor.copy("COPY fix FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(TYPES)
                    for row in rows:
                        copy.write_row(row)
                self._table.commit()
        seconds = perf_counter() - began
        self._uncopied.clear()
        self.copied += fixes
        return fixes / seconds

    def singles(self, base_url: str, requests: int) -> float:
        return self._sent(base_url, self._singles(requests), 1)

    def p99(self, rate: float, requests: int) -> float:
        """Milliseconds until 99 of 100 requests are answered that arrive at this rate."""
        waits = paced(self._world.base_url, self._singles(requests), rate)
        return 1e3 * float(np.percentile(waits, 99))

    def space(self) -> float:
        """Bytes a fix of what was sent last, in the tracks and what it left in the log."""
        return self._space

    def rate_settled(self) -> float:
        """Fixes a second of what was sent last, until they were in the tracks."""
        return self._rate_settled

    def _sent(self, base_url: str, shares: Sequence[Sequence[bytes]], fixes: int) -> float:
        """Requests a second, of so many fixes each."""
        if self._judged:
            await_judges()
        before, began = self._bytes(), perf_counter()
        seconds = seconds_for(base_url, shares, proof=b"")
        while self._database.execute(UNSETTLED).fetchone():
            sleep(POLL)
        requests = sum(map(len, shares))
        self._rate_settled = requests * fixes / (perf_counter() - began)
        self._space = (self._bytes() - before) / (requests * fixes)
        return requests / seconds

    def _bytes(self) -> int:
        self._database.execute("VACUUM intake_log")
        row = self._database.execute(BYTES).fetchone()
        assert row is not None
        return int(row[0])

    def _singles(self, requests: int) -> list[list[bytes]]:
        each = range(requests // len(self._phones))
        return [[phone.form(phone.fixes(1)) for _ in each] for phone in self._phones]
