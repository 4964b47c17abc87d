"""Requests of phones wait for each other: what arrives while one commit runs shares the next.

A commit puts them into the regency's log, which is all that an acknowledgement waits for. After it
the log is settled: what it holds becomes part of the tracks.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, Final
from uuid import UUID

import numpy as np
from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import OperationalError

from tenants import devices, intake, settle
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

MOST_TURNS: Final = 3
"""A commit waits for more to share it as long as each turn of the loop brings some, so many at
most."""

PATIENCE: Final = 10.0
"""Seconds after which a phone is told to try again: what it sent may be stored by then."""


PAUSE: Final = 0.25
"""Seconds for which a database that did not answer is asked nothing more."""

MOST_UNSETTLED: Final = 2_000_000
"""Fixes in a regency's log from which it takes no more: some 80 MB."""

REST: Final = 20
LONGEST_REST: Final = 1.0
"""Settling rests so many times as long as it took, so many seconds at most: the fixes of a phone
that come meanwhile become one chunk. One that comes alone waits for nothing."""


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
    unsettled: int = 0
    settling: bool = False
    writers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(WRITERS))
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    settlers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))


class Intake:
    """One line a regency: the trouble of one keeps nobody else waiting.

    `announce(tenant, trip_ids)` is told which trips have news, after they were settled. A regency
    whose log holds `most_unsettled` fixes takes no more until they are.
    """

    def __init__(
        self,
        announce: Callable[[Tenant, Collection[UUID]], None],
        *,
        most_unsettled: int = MOST_UNSETTLED,
    ) -> None:
        self._announce, self._most_unsettled = announce, most_unsettled
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def take(self, tenant: Tenant, arrival: Arrival) -> Taken:
        """Log a request; returns when it is on disk. Raises `Busy` when that is not to be had."""
        line = self._line(tenant)
        full = line.weight >= MOST_WAITING or line.unsettled >= self._most_unsettled
        if full or time.monotonic() < line.closed_until:
            raise Busy
        told: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        line.waiting.append((arrival, told))
        line.weight += _weight(arrival)
        if line.running < WRITERS and not line.gathering:
            line.running += 1
            line.gathering = True
            self._begin(self._write(tenant, line))
        return await told

    async def recover(self, tenants: Iterable[Tenant]) -> None:
        """Settle what was left in these regencies' logs when a process ended."""
        for tenant in tenants:
            await self._pass(tenant, self._line(tenant))
            self.logged(tenant, 0)

    async def passphrase(self, tenant: Tenant, key: bytes) -> str | None:
        """That of the device with this hash of a token; raises `Busy` when it cannot be asked."""

        def call() -> str | None:
            with tenant.session(readonly=True) as session:
                return devices.passphrase(session, key=key)

        try:
            return await to_thread.run_sync(call, limiter=self._line(tenant).readers)
        except (Unavailable, OperationalError):
            raise Busy from None

    async def close(self) -> None:
        """Wait until what has been taken is on disk, and settled if that is to be had."""
        self._closing.set()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _line(self, tenant: Tenant) -> _Line:
        line = self._lines.get(tenant.slug)
        if line is None:
            line = self._lines[tenant.slug] = _Line()
        return line

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        known = zip(arrivals, found, strict=True)
        self.logged(tenant, sum(len(sent.fixes) for sent, taken in known if taken))

    def logged(self, tenant: Tenant, fixes: int) -> None:
        """So many fixes more are in the regency's log, about: they are settled soon."""
        line = self._line(tenant)
        line.unsettled += fixes
        if line.unsettled and not line.settling:
            line.settling = True
            self._begin(self._settle(tenant, line))

    async def _settle(self, tenant: Tenant, line: _Line) -> None:
        """Settle the log as long as anything is left in it."""
        try:
            while line.unsettled:
                rest = await self._pass(tenant, line)
                if self._closing.is_set():
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), rest)
        finally:
            line.settling = False

    async def _pass(self, tenant: Tenant, line: _Line) -> float:
        """Settle once; for how many seconds to rest before the next time."""
        began, before = time.monotonic(), line.unsettled
        try:
            settled = await to_thread.run_sync(settle.settle, tenant, limiter=line.settlers)
        except Exception as reason:  # noqa: BLE001
            # Nothing is lost. What went wrong may quote positions.
            log.warning("%s: its log is not settled: %s", tenant.slug, type(reason).__name__)
            return PAUSE
        line.unsettled += settled.left - before
        if settled.trip_ids:
            self._announce(tenant, settled.trip_ids)
        if settled.left >= settle.MOST_SETTLED:
            return 0.0
        took = time.monotonic() - began
        return LONGEST_REST if not settled.fixes else min(LONGEST_REST, REST * took)


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
    for _ in range(MOST_TURNS):
        before = len(line.waiting)
        await asyncio.sleep(0)
        if len(line.waiting) == before:
            return


def _weight(arrival: Arrival) -> int:
    return 1 + len(arrival.fixes) + len(arrival.unusable)


def stored(tenant: Tenant, arrivals: Sequence[Arrival]) -> list[Taken | None]:
    """What became of each, once it is in the log; None where the database does not answer."""
    try:
        with tenant.session(readonly=False) as session:
            return list(intake.take(session, arrivals, zone=tenant.zone, now=datetime.now(UTC)))
    except Exception as reason:  # noqa: BLE001
        if settle.gone(reason):
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
    return stored(tenant, [Arrival(arrival.token_hash, none, (Unusable(intake.REFUSED, said),))])
