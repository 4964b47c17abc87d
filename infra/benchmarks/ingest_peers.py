"""The peers of `infra/bench ingest`: the endpoint of phones with a commit for each request, and one
that only parses.

Run with `python -m infra.benchmarks.ingest_peers each|bare PORT`; it is no part of the product.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.intake import Busy, Intake, stored
from graphql_api.phones import traccar
from graphql_api.track import Track
from tenants.intake import Arrival, Taken
from tenants.realm import Tenant


class CommitEach(Intake):
    """Logs each request alone, as many at once as GraphQL's requests are."""

    def __init__(self) -> None:
        super().__init__(lambda _tenant, _trips: None)
        self._threads = CapacityLimiter(12)

    async def take(self, tenant: Tenant, arrival: Arrival) -> Taken:
        (taken,) = await to_thread.run_sync(stored, tenant, [arrival], limiter=self._threads)
        if taken is None:
            raise Busy
        self.logged(tenant, len(arrival.fixes))
        return taken


@asynccontextmanager
async def _each(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"intake": CommitEach()}


async def _bare(request: Request) -> Response:
    upload = traccar.read(await request.body(), dict(request.query_params), now=datetime.now(UTC))
    assert len(upload.fixes)
    return Response(traccar.answer())


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok")


def app(kind: str) -> Starlette:
    """The peer of this kind."""
    health = Route("/health", _health)
    if kind == "each":
        return Starlette(routes=[health], middleware=[Middleware(Track)], lifespan=_each)
    bare = Route("/{realm}/track/{format}", _bare, methods=["POST"])
    return Starlette(routes=[health, bare])


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    uvicorn.run(
        app(sys.argv[1]),
        port=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        proxy_headers=False,
    )
