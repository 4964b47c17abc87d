"""Who looked at whose data is kept beside the reading: nobody waits for it."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from tenants import access, accesses
from tenants.access import Viewer
from tenants.accesses import AccessKind, Look
from tenants.problems import BeingMoved, Unavailable
from tenants.realm import Tenant

log = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.1
AGAIN_SECONDS: Final = 2.0
"""How long to wait when a regency takes no writes: it is being moved, or away."""
PATIENCE: Final = timedelta(minutes=10)


class Looks:
    """Looks that wait to be kept, a regency's together; what was kept in this hour is known.

    So the same look costs a look-up in memory until the hour is over. What waits is lost when the
    process is killed: the first looks of a tenth of a second, or those of a regency that took no
    writes, which are given up after `PATIENCE`.
    """

    def __init__(self) -> None:
        self._hour = accesses.hour_of(datetime.now(UTC))
        self._known: set[tuple[str, UUID, AccessKind, UUID]] = set()
        self._waiting: dict[str, list[Look]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    def note(
        self, tenant: Tenant, viewer: Viewer, kind: AccessKind, trip_ids: Sequence[UUID]
    ) -> None:
        """The viewer was shown something of these trips just now."""
        if not access.sees_others(viewer):
            return
        now = datetime.now(UTC)
        if (hour := accesses.hour_of(now)) != self._hour:
            self._hour = hour
            self._known.clear()
        new = tuple(
            trip_id
            for trip_id in trip_ids
            if (tenant.slug, viewer.member_id, kind, trip_id) not in self._known
        )
        if not new:
            return
        self._known.update((tenant.slug, viewer.member_id, kind, trip_id) for trip_id in new)
        self._waiting.setdefault(tenant.slug, []).append(Look(viewer, kind, new, now))
        if tenant.slug not in self._tasks:
            self._tasks[tenant.slug] = asyncio.create_task(self._keep(tenant))

    async def _keep(self, tenant: Tenant) -> None:
        pause = GATHER_SECONDS
        try:
            while tenant.slug in self._waiting:
                await self._rest(pause)
                looks = self._waiting.pop(tenant.slug)
                try:
                    await to_thread.run_sync(_kept, tenant, looks)
                    pause = GATHER_SECONDS
                except (Unavailable, BeingMoved, SQLAlchemyError) as reason:
                    log.warning("who looked cannot be kept: %s", type(reason).__name__)
                    since = datetime.now(UTC) - PATIENCE
                    looks = [look for look in looks if look.at > since]
                    if self._closing.is_set() or not looks:
                        continue
                    self._waiting[tenant.slug] = looks + self._waiting.get(tenant.slug, [])
                    pause = AGAIN_SECONDS
        finally:
            del self._tasks[tenant.slug]

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def close(self) -> None:
        """Keep what waits, and end."""
        self._closing.set()
        await asyncio.gather(*self._tasks.values())


def _kept(tenant: Tenant, looks: Sequence[Look]) -> None:
    with tenant.session(readonly=False) as session:
        accesses.record(session, looks)
