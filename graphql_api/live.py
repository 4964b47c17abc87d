"""News from the workers: Redis publishes ids, each process hands them to its own subscribers."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import redis.asyncio
from redis.exceptions import RedisError

from graphql_api.arrivals import Arrivals
from graphql_api.watching import Hub
from workers.news import deviation_channel, position_channel

log = logging.getLogger(__name__)

Inbox = asyncio.Queue[UUID | None]


class News:
    """One connection to Redis for all subscribers; a subscriber hears of one tenant only.

    `positions` reads what moved for those who watch it, `cases` what came to the province.

    A subscriber that does not keep up is let go of when `BACKLOG` items wait for it, so that memory
    stays bounded; it may subscribe again and read what it missed.
    """

    BACKLOG: Final = 256
    PATIENCE: Final = 1.0

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url)
        self._inboxes: dict[str, set[Inbox]] = defaultdict(set)
        self.positions = Hub()
        self.cases = Arrivals()

    @asynccontextmanager
    async def listening(self, slug: str) -> AsyncIterator[Inbox]:
        """An inbox of ids of deviations of a tenant; None in it says that it overflowed."""
        inbox: Inbox = asyncio.Queue(self.BACKLOG)
        inboxes = self._inboxes[deviation_channel(slug)]
        inboxes.add(inbox)
        try:
            yield inbox
        finally:
            inboxes.discard(inbox)

    async def moved(self, slug: str, trip_ids: Collection[UUID]) -> None:
        """Tell all processes that these trips of a tenant have newer positions."""
        try:
            async with asyncio.timeout(self.PATIENCE):
                await self._redis.publish(position_channel(slug), " ".join(map(str, trip_ids)))
        except (RedisError, TimeoutError):
            log.warning("no live positions: Redis does not answer")

    async def run(self) -> None:
        """Receive for ever; when Redis goes away, until it is back."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.psubscribe(deviation_channel("*"), position_channel("*"))
                    async for message in pubsub.listen():
                        if message["type"] == "pmessage":
                            self._received(message["channel"].decode(), message["data"].decode())
            except RedisError:
                log.warning("no live news: Redis does not answer")
                await asyncio.sleep(1)

    def _received(self, channel: str, data: str) -> None:
        slug = channel.split(":")[1]
        if channel == position_channel(slug):
            self.positions.moved(slug, [UUID(each) for each in data.split()])
        else:
            self._hand_out(channel, UUID(data))

    def _hand_out(self, channel: str, deviation_id: UUID) -> None:
        for inbox in tuple(self._inboxes.get(channel, ())):
            try:
                inbox.put_nowait(deviation_id)
            except asyncio.QueueFull:
                self._inboxes[channel].discard(inbox)
                inbox.get_nowait()
                inbox.put_nowait(None)

    async def close(self) -> None:
        await self.positions.close()
        await self.cases.close()
        await self._redis.aclose()
