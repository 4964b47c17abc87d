"""The queue: a message only hints that a trip may need a look; the database knows which do.

Run the workers with `dramatiq workers.queue`.
"""

import logging
from datetime import UTC, datetime
from uuid import UUID

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tenants import catalogue
from tenants.problems import Unavailable, UnknownTenant
from tenants.settings import settings
from workers.evaluate import evaluate
from workers.news import deviation_channel

log = logging.getLogger(__name__)

# No second try: a hint that waits for Redis would keep an upload's answer waiting with it.
client = redis.Redis.from_url(
    settings().redis_url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=1, socket_timeout=5
)
broker = RedisBroker(client=client, namespace="jejak:queue")  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor(
    queue_name="evaluate",
    max_retries=3,
    max_age=600_000,
    time_limit=60_000,
    throws=(UnknownTenant, Unavailable),
)
def evaluate_trip(slug: str, trip_id: str) -> None:
    """Judge a trip if it needs it, then tell who listens. The tenant is looked up anew each time:
    a message cannot reach one that is gone or suspended, nor another's trip.
    """
    tenant = catalogue.tenant(slug)
    for deviation_id in evaluate(tenant, UUID(trip_id), now=datetime.now(UTC)):
        try:
            client.publish(deviation_channel(slug), str(deviation_id))
        except redis.RedisError:
            log.warning("no news of a deviation: Redis does not answer")


def look_at(slug: str, trip_id: UUID) -> None:
    """Hint that something arrived for a trip. Never fails: the sweep finds what a hint missed."""
    try:
        evaluate_trip.send(slug, str(trip_id))
    except (redis.RedisError, BrokerConnectionError):
        log.warning("no hint sent: Redis does not answer")
