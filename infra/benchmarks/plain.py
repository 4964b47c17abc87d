"""The peer of `infra/bench read`: the same page of trips as plain JSON, as one writes it by hand.

Run it with `python -m infra.benchmarks.plain PORT`; it is no part of the product.
"""

import sys
from functools import cache
from typing import Any

import orjson
import uvicorn
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.identity import viewer_of
from tenants import catalogue, trips
from tenants.access import Viewer
from tenants.realm import Realm


@cache
def _sent(realm: Realm, viewer: Viewer, first: int) -> tuple[str, Any]:
    """The SQL that the product sends for this page, to the letter, and its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    with realm.session(readonly=True) as session:
        event.listen(session.connection(), "before_cursor_execute", note)
        trips.page(session, viewer, wanted=trips.TripFilter(), after=None, first=first)
    (only,) = sent
    return only


def _nodes(realm: Realm, viewer: Viewer, first: int) -> list[dict[str, Any]]:
    statement, parameters = _sent(realm, viewer, first)
    with realm.session(readonly=True) as session:
        rows = session.connection().exec_driver_sql(statement, parameters).all()
    return [
        {
            "id": row.id_1,  # row.id is the traveller's, who comes first in it
            "startsOn": row.starts_on,
            "endsOn": row.ends_on,
            "state": row.state,
            "letter": {"number": row.number},
            "traveller": {"name": row.name},
        }
        for row in rows[:first]
    ]


async def _page(request: Request) -> Response:
    realm = await run_in_threadpool(catalogue.tenant, request.path_params["realm"])
    viewer = await viewer_of(request, realm)
    assert viewer is not None
    nodes = await run_in_threadpool(_nodes, realm, viewer, int(request.query_params["first"]))
    return Response(
        orjson.dumps({"data": {"trips": {"nodes": nodes}}}), media_type="application/json"
    )


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/health", _health), Route("/{realm}/trips", _page)])

if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        proxy_headers=False,
    )
