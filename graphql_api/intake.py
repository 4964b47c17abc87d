"""Requests of phones wait for each other: what arrives while one commit runs shares the next."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Final
from uuid import UUID

import numpy as np
from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import DBAPIError, OperationalError

from tenants import devices, intake
from tenants.intake import Arrival, Taken, Unusable
from tenants.problems import Unavailable
from tenants.realm import Tenant

log = logging.getLogger(__name__)


MOST_TOGETHER: Final = 20_000
"""Fixes in one transaction, and a request more."""

MOST_WAITING: Final = 100_000
"""Fixes and requests that wait for a regency's database in this process: some 20 MB."""

WRITERS: Final = 2
"""Transactions of a regency at once: while one waits for the disk another takes its form."""

WAIT: Final = 0.001
MOST_WAITS: Final = 3
"""A commit waits for more to share it, milliseconds as long as more come, so many at most."""

PATIENCE: Final = 10.0
"""Seconds after which a phone is told to try again: what it sent may be stored by then."""


PAUSE: Final = 0.25
"""Seconds for which a database that did not answer is asked nothing more."""


class Busy(Exception):
    """The regency's database is slow or gone: try again later."""


@dataclass(slots=True)
class _Line:
    """What waits for one regency's database, which a few threads write to."""

    waiting: deque[tuple[Arrival, asyncio.Future[Taken]]] = field(default_factory=deque)
    weight: int = 0
    running: int = 0
    gathering: bool = False
    closed_until: float = 0.0
    writers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(WRITERS))
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))


class Intake:
    """One line a regency: the trouble of one keeps nobody else waiting.

    `announce(tenant, trip_ids)` is told after each commit which trips have news.
    """

    def __init__(self, announce: Callable[[Tenant, Collection[UUID]], None]) -> None:
        self._announce = announce
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, tenant: Tenant, arrival: Arrival) -> Taken:
        """Store a request; returns when it is on disk. Raises `Busy` when that is not to be had."""
        line = self._lines.setdefault(tenant.slug, _Line())
        if line.weight >= MOST_WAITING or time.monotonic() < line.closed_until:
            raise Busy
        told: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        line.waiting.append((arrival, told))
        line.weight += _weight(arrival)
        if line.running < WRITERS and not line.gathering:
            line.running += 1
            line.gathering = True
            task = asyncio.create_task(self._write(tenant, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await told

    async def passphrase(self, tenant: Tenant, key: bytes) -> str | None:
        """That of the device with this hash of a token; raises `Busy` when it cannot be asked."""

        def call() -> str | None:
            with tenant.session(readonly=True) as session:
                return devices.passphrase(session, key=key)

        line = self._lines.setdefault(tenant.slug, _Line())
        try:
            return await to_thread.run_sync(call, limiter=line.readers)
        except (Unavailable, OperationalError):
            raise Busy from None

    async def close(self) -> None:
        """Wait until what has been taken is stored."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self, tenant: Tenant, line: _Line) -> None:
        try:
            while line.waiting:
                line.gathering = True
                await _gathered(line)
                line.gathering = False
                batch, fixes = [], 0
                while line.waiting and fixes < MOST_TOGETHER:
                    arrival, told = line.waiting.popleft()
                    line.weight -= _weight(arrival)
                    if not told.done():
                        batch.append((arrival, told))
                        fixes += _weight(arrival)
                if batch:
                    await self._store(tenant, line, batch)
        finally:
            # Before anything else can run: who comes next must not count on this task.
            line.gathering = False
            line.running -= 1

    async def _store(
        self, tenant: Tenant, line: _Line, batch: Sequence[tuple[Arrival, asyncio.Future[Taken]]]
    ) -> None:
        arrivals = [arrival for arrival, _ in batch]
        running = asyncio.ensure_future(
            to_thread.run_sync(stored, tenant, arrivals, limiter=line.writers)
        )
        await asyncio.wait([running], timeout=PATIENCE)
        if not running.done():
            for _, told in (*batch, *line.waiting):
                _tell(told, None)
            line.closed_until = inf
        found = await running
        line.closed_until = 0.0 if any(found) else time.monotonic() + PAUSE
        for (_, told), taken in zip(batch, found, strict=True):
            _tell(told, taken)
        news = {trip_id for taken in found if taken for trip_id in taken.trip_ids}
        if news:
            self._announce(tenant, news)


def _tell(told: asyncio.Future[Taken], taken: Taken | None) -> None:
    """Nobody is told twice, and who has gone not at all."""
    if told.done():
        return
    if taken is None:
        told.set_exception(Busy())
    else:
        told.set_result(taken)


async def _gathered(line: _Line) -> None:
    """Wait for those who come together, as phones do whose last answers came together."""
    for _ in range(MOST_WAITS):
        before = len(line.waiting)
        await asyncio.sleep(WAIT)
        if len(line.waiting) == before:
            return


def _weight(arrival: Arrival) -> int:
    return 1 + len(arrival.fixes) + len(arrival.unusable)


def stored(tenant: Tenant, arrivals: Sequence[Arrival]) -> list[Taken | None]:
    """What became of each; None where the database does not answer."""
    try:
        with tenant.session(readonly=False) as session:
            return list(intake.take(session, arrivals, zone=tenant.zone, now=datetime.now(UTC)))
    except (Unavailable, OperationalError):
        return [None] * len(arrivals)
    except Exception as reason:  # noqa: BLE001
        if isinstance(reason, DBAPIError) and reason.connection_invalidated:
            return [None] * len(arrivals)
        # What went wrong may quote positions.
        log.error("phones' requests cannot be stored: %s", type(reason).__name__)  # noqa: TRY400
    if len(arrivals) > 1:
        return [taken for arrival in arrivals for taken in stored(tenant, [arrival])]
    (arrival,) = arrivals
    if not len(arrival.fixes):
        return [None]
    # One that the database refuses must not keep the rest of a phone's queue from coming.
    said = {"fixes": len(arrival.fixes), "time": arrival.fixes.time.tolist()}
    none = arrival.fixes.only(np.zeros(len(arrival.fixes), dtype=np.bool_))
    return stored(tenant, [Arrival(arrival.token_hash, none, (Unusable("REFUSED", said),))])
