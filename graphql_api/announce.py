"""After a phone's fixes are stored: the workers are told to look, and who watches is told."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from anyio import to_thread

from graphql_api.live import News
from tenants.realm import Tenant

HINT_SECONDS: Final = 2.0
"""A trip is hinted at so often at most: a phone may send each second, the sweep finds the rest."""


class Announcements:
    """Tells of trips with news, without keeping anybody waiting."""

    def __init__(self, news: News, look_at: Callable[[str, UUID], None]) -> None:
        self._news, self._look_at = news, look_at
        self._hinted: dict[UUID, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, tenant: Tenant, trip_ids: Collection[UUID]) -> None:
        """Trips of a tenant whose newest fixes were committed just now."""
        task = asyncio.create_task(self._tell(tenant.slug, trip_ids))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, slug: str, trip_ids: Collection[UUID]) -> None:
        await self._news.moved(slug, trip_ids)
        since = time.monotonic() - HINT_SECONDS
        self._hinted = {trip_id: at for trip_id, at in self._hinted.items() if at > since}
        due = [trip_id for trip_id in trip_ids if trip_id not in self._hinted]
        self._hinted |= dict.fromkeys(due, since + HINT_SECONDS)
        if due:
            await to_thread.run_sync(self._hint, slug, due)

    def _hint(self, slug: str, trip_ids: Collection[UUID]) -> None:
        for trip_id in trip_ids:
            self._look_at(slug, trip_id)
