"""A small schema served by uvicorn, for the tests of the transport."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from strawberry.schema.config import StrawberryConfig

from graphql_api.errors import Schema
from graphql_api.limits import SecurityHeaders, guards
from graphql_api.transport import GraphQLView
from graphql_api.weight import Limits
from tenants.problems import NotFound, NotSignedIn, UnknownTenant

SECRET = "postgresql://jejak:hunter2@db/jejak at 117.1537,-0.5022"
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


@dataclass
class Caller:
    """The context: by which token somebody calls."""

    token: str | None


RAN: list[str] = []
"""Root fields resolved, in this process."""
CLOSED: list[int] = []
"""Sizes of the ticks whose generators ended, in this process."""


@strawberry.type
class Person:
    name: str = "Sari"

    @strawberry.field
    def boss(self) -> "Person":
        return Person()

    @strawberry.field
    def friends(self, first: int = 20) -> list["Person"]:
        return [Person()] * first

    @strawberry.field
    def tags(self) -> list["Tag"]:
        return [Tag()] * Limits().items


@strawberry.type
class Tag:
    word: str = "dinas"


@strawberry.type
class Edge:
    cursor: str
    node: Person


@strawberry.type
class PageInfo:
    more: bool = False


@strawberry.type
class People:
    edges: list[Edge]
    page_info: PageInfo


@strawberry.type
class Query:
    @strawberry.field
    def me(self) -> Person:
        RAN.append("me")
        return Person()

    @strawberry.field
    def people(self, first: int = 20) -> People:
        RAN.append("people")
        return People(edges=[Edge(cursor="c", node=Person())] * first, page_info=PageInfo())

    @strawberry.field
    def whose(self, info: strawberry.Info[Caller, None]) -> str | None:
        return info.context.token

    @strawberry.field
    def echo(self, number: int | None = None, text: str = "") -> str:
        return f"{number}{text}"

    @strawberry.field
    def required(self, number: int = 3) -> int:
        return number

    @strawberry.field
    def ratio(self) -> float | None:
        return float("nan")

    @strawberry.field
    def trip(self) -> str | None:
        raise NotFound("Perjalanan")

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    def unspoken(self) -> str | None:
        raise GraphQLError(SECRET)

    @strawberry.field
    def spoken(self) -> str | None:
        raise GraphQLError("Terlalu banyak.", extensions={"code": "TOO_MANY"})

    @strawberry.field
    def bare(self) -> str:
        raise RuntimeError(SECRET)


@strawberry.input
class Fix:
    lon: float
    lat: float
    accuracy: float
    speed: float
    at: float


@strawberry.type
class Mutation:
    @strawberry.mutation
    def rename(self, name: str) -> str:
        RAN.append("rename")
        return name

    @strawberry.mutation
    def upload(self, fixes: list[Fix]) -> int:
        return len(fixes)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, gap: float = 0.001, size: int = 1) -> AsyncGenerator[str, None]:
        RAN.append("ticks")
        try:
            while True:
                yield "t" * size
                await asyncio.sleep(gap)
        finally:
            CLOSED.append(size)

    @strawberry.subscription
    async def breaking(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError(SECRET)


def schema_with(**options: Any) -> Schema:
    return Schema(
        Query,
        Mutation,
        Subscription,
        extensions=guards(**options),
        config=StrawberryConfig(disable_field_suggestions=True),
    )


SCHEMA = schema_with()


async def context_for(connection: HTTPConnection) -> Caller:
    if connection.query_params.get("tenant") == "nowhere":
        raise UnknownTenant
    authorization = connection.headers.get("authorization")
    if authorization == "Bearer expired":
        raise NotSignedIn
    return Caller(authorization)


async def connect_hook(context: Caller, payload: dict[str, object]) -> None:
    match payload.get("token"):
        case "expired":
            raise NotSignedIn
        case "crash":
            raise RuntimeError(SECRET)
        case str(token):
            context.token = token


async def admit(context: Caller) -> None:
    if context.token == "revoked":
        raise NotSignedIn


def same_site(connection: HTTPConnection) -> bool:
    return connection.headers.get("sec-fetch-site") != "cross-site"


def view(schema: Schema, **options: Any) -> GraphQLView[Caller]:
    return GraphQLView(
        schema,
        context_for=context_for,
        connect=connect_hook,
        admit=admit,
        same_site=same_site,
        **options,
    )


def nested(levels: int) -> str:
    """A query of fields in fields."""
    return "{me" + "{boss" * (levels - 2) + "{name" + "}" * levels


@contextmanager
def serving() -> Iterator[str]:
    """The host and port of a server, run as production runs it, of:

    /graphql/; /secret/, which has no introspection; /impatient/, whose patience is 0.3 s.
    """
    app = Starlette(
        routes=[
            Mount("/graphql", view(SCHEMA)),
            Mount("/secret", view(schema_with(introspection=False))),
            Mount(
                "/impatient",
                view(SCHEMA, body_seconds=0.3, send_seconds=0.3, init_seconds=0.3, max_body=100),
            ),
        ]
    )
    app.add_middleware(SecurityHeaders)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="critical",
            lifespan="off",
            server_header=False,
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
        )
    )
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()
