"""News of cases at the province: they come by replication, so that its database is asked."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from tenants import province
from tenants.problems import Unavailable
from tenants.realm import Province

log = logging.getLogger(__name__)


class Arrivals:
    """Asks once for all subscribers of this process, while there are any.

    A subscriber that does not keep up is let go of when `BACKLOG` cases wait for it; it may
    subscribe again and read what it missed.
    """

    BACKLOG: Final = 256
    EVERY: Final = 1.0

    def __init__(self) -> None:
        self._inboxes: set[asyncio.Queue[UUID | None]] = set()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, realm: Province) -> AsyncIterator[asyncio.Queue[UUID | None]]:
        """An inbox of ids of cases; None in it says that it overflowed. Raises `Unavailable`."""
        inbox: asyncio.Queue[UUID | None] = asyncio.Queue(self.BACKLOG)
        self._inboxes.add(inbox)
        try:
            mark, _ = await to_thread.run_sync(_read, realm, None)
            if self._task is None:
                self._task = asyncio.create_task(self._ask(realm, mark))
            yield inbox
        finally:
            self._inboxes.discard(inbox)
            if not self._inboxes:
                await self.close()

    async def _ask(self, realm: Province, mark: int) -> None:
        heard: set[UUID] = set()
        while True:
            await asyncio.sleep(self.EVERY)
            try:
                mark, found = await to_thread.run_sync(_read, realm, mark)
            except (Unavailable, SQLAlchemyError) as reason:
                log.warning("news of cases cannot be read: %s", type(reason).__name__)
                continue
            for deviation_id in found:
                if deviation_id not in heard:
                    self._hand_out(deviation_id)
            heard = set(found)

    def _hand_out(self, deviation_id: UUID) -> None:
        for inbox in tuple(self._inboxes):
            try:
                inbox.put_nowait(deviation_id)
            except asyncio.QueueFull:
                self._inboxes.discard(inbox)
                inbox.get_nowait()
                inbox.put_nowait(None)

    async def close(self) -> None:
        """Ask no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _read(realm: Province, since: int | None) -> tuple[int, list[UUID]]:
    with realm.session(readonly=True) as session:
        return province.arrivals(session, since)
