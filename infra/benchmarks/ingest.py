"""`infra/bench ingest`: what phones send, against a bare binary COPY and two plain endpoints."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from time import perf_counter
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
CHUNK_BYTES: Final = """
SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('track_chunk')"""
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

    COPY writes the very same fixes, in commits of the same size. Beside the product's endpoint
    stand the same with a commit for each request, and one that parses and writes nothing. With
    `judged` the workers run and judge what arrives; each side begins when they have caught up.
    """
    phones = fleet(HOME, SINGLE)
    with _limit(running) as table, _peer(running, "each") as each, _peer(running, "bare") as bare:
        ingest = _Ingest(running, phones, table, judged)
        before, sent = ingest.chunk_bytes(), ingest.sent
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
        alternate([*http, (copy, ingest.by_copy)], rounds=rounds)
        row = table.execute(FIX_BYTES).fetchone()
        assert row is not None
        chunk = Measured(
            ("track_chunk, 100 titik", "track_chunk, 100 fixes"),
            "byte/fix",
            [(ingest.chunk_bytes() - before) / (ingest.sent - sent)],
        )
        rows = Measured(("tabel COPY", "COPY's table"), "byte/fix", [row[0] / ingest.copied])
        one, alone, plain = (
            Measured((f"{name_id}, 64 koneksi", f"{name_en}, 64 connections"), "req/s")
            for name_id, name_en in (
                ("1 titik", "1 fix"),
                ("1 titik, commit tiap permintaan", "1 fix, a commit each"),
                ("1 titik, tidak disimpan", "1 fix, not stored"),
            )
        )
        alternate(
            [
                (one, partial(ingest.singles, running.base_url, singles)),
                (alone, partial(ingest.singles, each, singles // 8)),
                (plain, partial(ingest.singles, bare, singles)),
            ],
            rounds=rounds,
        )
        answers = Measured(("p99 jawaban, setengah laju", "p99 of answers, half the rate"), "ms")
        answers.figures += [ingest.p99(one.median / 2, singles // 2) for _ in range(rounds)]
    best = max((side for side, _ in http), key=lambda side: side.median)
    return Report(
        [*(side for side, _ in http), copy, one, alone, plain, answers, chunk, rows],
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
            ("Rasio ruang, track_chunk : COPY", "Ratio of space, track_chunk : COPY"): (
                chunk.median / rows.median
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
        judged: bool,
    ) -> None:
        self._world, self._phones, self._table, self._judged = running, phones, table, judged
        self._uncopied: list[list[Row]] = []
        self.sent = self.copied = 0

    def uploads(self, connections: int, uploads: int) -> float:
        shares = []
        for phone in self._phones[:connections]:
            parts = [phone.fixes(UPLOAD) for _ in range(uploads // connections)]
            self._uncopied += [phone.rows(part) for part in parts]
            shares.append([phone.batch(part) for part in parts])
        self._await_judges()
        seconds = seconds_for(self._world.base_url, shares, proof=b"")
        fixes = sum(map(len, shares)) * UPLOAD
        self.sent += fixes
        return fixes / seconds

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
        self._await_judges()
        shares = self._singles(requests)
        return sum(map(len, shares)) / seconds_for(base_url, shares, proof=b"")

    def p99(self, rate: float, requests: int) -> float:
        """Milliseconds until 99 of 100 requests are answered that arrive at this rate."""
        waits = paced(self._world.base_url, self._singles(requests), rate)
        return 1e3 * float(np.percentile(waits, 99))

    def _singles(self, requests: int) -> list[list[bytes]]:
        each = range(requests // len(self._phones))
        return [[phone.form(phone.fixes(1)) for _ in each] for phone in self._phones]

    def chunk_bytes(self) -> int:
        database = self._world.cluster.dsn(names_of(HOME).database)
        with psycopg.connect(database) as connection:
            row = connection.execute(CHUNK_BYTES).fetchone()
            assert row is not None
            return int(row[0])

    def _await_judges(self) -> None:
        if self._judged:
            await_judges()
