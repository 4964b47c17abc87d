"""`infra/bench ingest`: uploads of 100 fixes to the public endpoint, against a bare binary COPY."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg

from infra import stories
from infra.benchmarks.measure import (
    HOME,
    Measured,
    Report,
    Trips,
    alternate,
    await_judges,
    request,
    seconds_for,
)
from infra.play import RECORD, ZONE, Case
from infra.stories import Traveller
from infra.world import World
from tenants.server import names_of

UPLOAD: Final = 100
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
    travellers: Sequence[Traveller],
    *,
    rounds: int = 5,
    uploads: int = 320,
    connections: Sequence[int] = (1, 4, 8),
    judged: bool = False,
) -> Report:
    """Fixes a second, `uploads` a round at each number of connections; bytes a fix on disk.

    COPY writes the very same fixes, in commits of the same size. With `judged` the workers run and
    judge what arrives; each side begins when they have caught up.
    """
    with _limit(running) as table:
        ingest = _Ingest(running, travellers, table, uploads, judged)
        chunks_before = ingest.chunk_bytes()
        http = [
            (
                Measured(
                    (f"recordTrack, {number} koneksi", f"recordTrack, {number} connections"),
                    "fix/s",
                ),
                lambda number=number: ingest.over_http(number),
            )
            for number in connections
        ]
        copy = Measured(("COPY BINARY, 1 koneksi", "COPY BINARY, 1 connection"), "fix/s")
        alternate([*http, (copy, ingest.by_copy)], rounds=rounds)
        row = table.execute(FIX_BYTES).fetchone()
        assert row is not None
        fixes = ingest.sent
        chunk = Measured(
            ("track_chunk", "track_chunk"),
            "byte/fix",
            [(ingest.chunk_bytes() - chunks_before) / fixes],
        )
        bare = Measured(("tabel COPY", "COPY's table"), "byte/fix", [row[0] / fixes])
    sides = [side for side, _ in http]
    best = max(side.median for side in sides)
    return Report(
        [*sides, copy, chunk, bare],
        {
            ("Rasio laju, recordTrack : COPY", "Ratio of rates, recordTrack : COPY"): (
                best / copy.median
            ),
            ("Rasio ruang, track_chunk : COPY", "Ratio of space, track_chunk : COPY"): (
                chunk.median / bare.median
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


class _Ingest:
    """Both sides; what went over HTTP in a round, COPY writes after it."""

    def __init__(
        self,
        running: World,
        travellers: Sequence[Traveller],
        table: psycopg.Connection,
        uploads: int,
        judged: bool,
    ) -> None:
        self._world = running
        self._travellers = travellers
        self._table = table
        self._uploads = uploads
        self._judged = judged
        self._trips = Trips(running)
        self._random = np.random.default_rng(1)
        self._tokens: dict[str, str] = {}
        self._uncopied: list[list[Row]] = []
        self.sent = 0

    def over_http(self, connections: int) -> float:
        shares = [
            self._share(traveller, self._uploads // connections)
            for traveller in self._travellers[:connections]
        ]
        if self._judged:
            await_judges()
        accepted = b'"accepted":%d}' % UPLOAD
        seconds = seconds_for(self._world.base_url, shares, proof=accepted)
        if self._judged:
            await_judges()
        return sum(map(len, shares)) * UPLOAD / seconds

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
        return fixes / seconds

    def chunk_bytes(self) -> int:
        database = self._world.cluster.dsn(names_of(HOME).database)
        with psycopg.connect(database) as connection:
            row = connection.execute(CHUNK_BYTES).fetchone()
            assert row is not None
            return int(row[0])

    def _share(self, traveller: Traveller, uploads: int) -> list[bytes]:
        """One connection's requests: a whole trip of the traveller."""
        case = self._trips.issue(traveller)
        token = self._token(traveller)
        fixes = self._fixes(case, uploads * UPLOAD)
        parts = [fixes[start : start + UPLOAD] for start in range(0, len(fixes), UPLOAD)]
        self._uncopied += [[_row(case.trip_id, fix) for fix in part] for part in parts]
        self.sent += len(fixes)
        return [
            request(
                "POST",
                f"/{HOME}/graphql",
                token,
                {"query": RECORD, "variables": {"trip": case.trip_id, "fixes": part}},
            )
            for part in parts
        ]

    def _token(self, traveller: Traveller) -> str:
        if traveller.username not in self._tokens:
            with self._world.sign_in(HOME, traveller.username) as phone:
                self._tokens[traveller.username] = phone.token
        return self._tokens[traveller.username]

    def _fixes(self, case: Case, number: int) -> list[Any]:
        """So many fixes along the story; accuracy and speed vary, as on a real phone."""
        story = case.story
        minutes = (story.home_after - story.journey[0][0]) * 60 / number
        fixes = stories.fixes(story, case.first_day, ZONE, every_minutes=minutes)[:number]
        varied = self._random.uniform((3, 0), (30, 25), (number, 2)).round(1).tolist()
        return [
            fix | {"accuracy": accuracy, "speed": speed}
            for fix, (accuracy, speed) in zip(fixes, varied, strict=True)
        ]


def _row(trip_id: str, fix: dict[str, Any]) -> Row:
    at = datetime.fromisoformat(fix["time"])
    return (UUID(trip_id), at, fix["lon"], fix["lat"], fix["accuracy"], fix["speed"])
