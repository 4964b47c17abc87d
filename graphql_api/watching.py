"""Who watches positions in this process: what moved is read once for all of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from tenants import positions
from tenants.positions import Position, Sight
from tenants.problems import Unavailable
from tenants.realm import Tenant

log = logging.getLogger(__name__)

BACKLOG: Final = 2 * positions.MOST
"""Trips that may wait for one subscriber: all that are shown at first, and as many again."""


class TooSlow(Exception):
    """The subscriber did not keep up; it may subscribe again, and begins with the present."""


class Watch:
    """What waits for one subscriber: of each trip its newest position, in order of arrival.

    A position is handed out once, and none that is older than one handed out before.
    """

    def __init__(self) -> None:
        self._sight = Sight(None, [])
        self._waiting: dict[UUID, Position] = {}
        self._sent: dict[UUID, datetime] = {}
        self._news = asyncio.Event()
        self._too_slow = False

    def renew(self, sight: Sight) -> None:
        """What the subscriber may see from now on; until the first time nothing is asked for."""
        self._sight = sight
        waiting, self._waiting = self._waiting, {}
        present = {position.trip.id for position in sight.present}
        self._sent = {trip_id: at for trip_id, at in self._sent.items() if trip_id in present}
        for position in (*waiting.values(), *sight.present):
            self.offer(position)
        if not self._waiting and not self._too_slow:
            self._news.clear()

    def offer(self, position: Position) -> None:
        """Let it wait, if the subscriber may see it and knows none as new."""
        trip_id, travellers = position.trip.id, self._sight.travellers
        unseen = travellers is not None and position.trip.traveller_id not in travellers
        if unseen or self._too_slow:
            return
        waiting = self._waiting.get(trip_id)
        known = waiting.at if waiting else self._sent.get(trip_id)
        if known is not None and position.at <= known:
            return
        if waiting is None and len(self._waiting) >= BACKLOG:
            self._too_slow = True
            self._waiting.clear()
        else:
            self._waiting[trip_id] = position
        self._news.set()

    async def next(self, until: float) -> Position | None:
        """The next position; None once the loop's time is `until`. Raises `TooSlow`."""
        try:
            async with asyncio.timeout_at(until):
                await self._news.wait()
        except TimeoutError:
            return None
        if self._too_slow:
            raise TooSlow
        trip_id = next(iter(self._waiting))
        position = self._waiting.pop(trip_id)
        self._sent[trip_id] = position.at
        if not self._waiting:
            self._news.clear()
        return position


@dataclass(slots=True)
class _Crowd:
    """Those who watch trips of one regency: one trip (by its id), or any (by None)."""

    tenant: Tenant
    watches: dict[UUID | None, set[Watch]] = field(default_factory=dict)
    moved: set[UUID] = field(default_factory=set)
    task: asyncio.Task[None] | None = None

    def watching(self, trip_id: UUID) -> Iterator[Watch]:
        for key in (trip_id, None):
            yield from tuple(self.watches.get(key, ()))

    def discard(self, trip_id: UUID | None, watch: Watch) -> None:
        watches = self.watches.get(trip_id, set())
        watches.discard(watch)
        if not watches:
            self.watches.pop(trip_id, None)


class Hub:
    """Hands the positions of trips that moved to those who watch them.

    While one reading of a regency runs, what moves meanwhile waits for the next: no position is
    read twice, however many watch it.
    """

    def __init__(self) -> None:
        self._crowds: dict[str, _Crowd] = {}

    @asynccontextmanager
    async def watching(self, tenant: Tenant, trip_id: UUID | None) -> AsyncIterator[Watch]:
        """A watch over one trip, or over all of a regency; it is to be renewed at once."""
        crowd = self._crowds.setdefault(tenant.slug, _Crowd(tenant))
        watch = Watch()
        crowd.watches.setdefault(trip_id, set()).add(watch)
        try:
            yield watch
        finally:
            crowd.discard(trip_id, watch)
            if not crowd.watches and self._crowds.get(tenant.slug) is crowd:
                del self._crowds[tenant.slug]

    def moved(self, slug: str, trip_ids: Collection[UUID]) -> None:
        """These trips of a regency have newer positions, to be read if anybody watches them."""
        crowd = self._crowds.get(slug)
        if crowd is None:
            return
        everything = None in crowd.watches
        crowd.moved |= {each for each in trip_ids if everything or each in crowd.watches}
        if crowd.moved and crowd.task is None:
            crowd.task = asyncio.create_task(self._hand_out(crowd))

    async def _hand_out(self, crowd: _Crowd) -> None:
        try:
            while crowd.moved:
                moved, crowd.moved = crowd.moved, set()
                try:
                    found = await to_thread.run_sync(_read, crowd.tenant, moved)
                except (Unavailable, SQLAlchemyError) as reason:
                    # Whoever watches sees them when the watch is renewed.
                    log.warning("positions cannot be read: %s", type(reason).__name__)
                    continue
                for position in found:
                    for watch in crowd.watching(position.trip.id):
                        watch.offer(position)
                    await asyncio.sleep(0)
        finally:
            crowd.task = None

    async def close(self) -> None:
        """Read no more."""
        tasks = [crowd.task for crowd in self._crowds.values() if crowd.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _read(tenant: Tenant, trip_ids: Collection[UUID]) -> list[Position]:
    with tenant.session(readonly=True) as session:
        return positions.of_trips(session, trip_ids, zone=tenant.zone, now=datetime.now(UTC))
