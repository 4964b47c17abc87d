"""The application: sign-in, the regencies' GraphQL, the province's GraphQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypedDict

from anyio import to_thread
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from graphql_api import province, schema
from graphql_api.announce import Announcements
from graphql_api.context import Context, ProvinceContext, TenantContext
from graphql_api.export import OF_PROVINCE, OF_REGENCY, export_routes
from graphql_api.front import console_routes, trusted_documents
from graphql_api.identity import bearer_viewer, same_site, viewer_of
from graphql_api.intake import Intake
from graphql_api.limits import SecurityHeaders
from graphql_api.live import News
from graphql_api.login import login_routes
from graphql_api.looks import Looks
from graphql_api.pairing import profile_route
from graphql_api.track import Track
from graphql_api.transport import GraphQLView
from tenants import catalogue
from tenants.access import Viewer
from tenants.problems import NotSignedIn, Unavailable
from tenants.realm import close_engines
from tenants.settings import settings
from workers.queue import look_at


class State(TypedDict):
    """What lives as long as the process."""

    news: News
    intake: Intake
    looks: Looks


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[State]:
    news = News(settings().redis_url)
    receiving = asyncio.create_task(news.run())
    intake = Intake(Announcements(news, look_at))
    recovering = asyncio.create_task(_recover(intake))
    looks = Looks()
    try:
        yield {"news": news, "intake": intake, "looks": looks}
    finally:
        recovering.cancel()
        with suppress(asyncio.CancelledError):
            await recovering
        await intake.close()
        await looks.close()
        receiving.cancel()
        with suppress(asyncio.CancelledError):
            await receiving
        await news.close()
        close_engines()
        catalogue.close()


async def _recover(intake: Intake) -> None:
    try:
        tenants = await to_thread.run_sync(catalogue.tenants)
    except (DBAPIError, Unavailable):
        return  # the sweep does it
    await intake.recover(tenants)


async def _tenant_context(connection: HTTPConnection) -> TenantContext:
    """Raises `UnknownTenant` before any database work, `NotSignedIn` for bad credentials."""
    tenant = await to_thread.run_sync(catalogue.tenant, connection.path_params["realm"])

    async def authenticate() -> Viewer | None:
        return await viewer_of(connection, tenant)

    return TenantContext(
        realm=tenant,
        viewer=await authenticate(),
        authenticate=authenticate,
        news=connection.state.news,
        look_at=look_at,
        looks=connection.state.looks,
    )


async def _province_context(connection: HTTPConnection) -> ProvinceContext:
    province_realm = await to_thread.run_sync(catalogue.province)

    async def authenticate() -> Viewer | None:
        return await viewer_of(connection, province_realm)

    return ProvinceContext(
        realm=province_realm,
        viewer=await authenticate(),
        authenticate=authenticate,
        news=connection.state.news,
    )


async def _connect(context: Context[Any], payload: dict[str, object]) -> None:
    """A socket's connection_init may carry the token that its headers cannot: `authorization`."""
    given = payload.get("authorization") or payload.get("Authorization")
    if given is not None:
        scheme, _, token = str(given).partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn

        async def authenticate() -> Viewer | None:
            return await bearer_viewer(token.strip(), context.realm)

        context.authenticate = authenticate
        context.viewer = await authenticate()
    if context.viewer is None:
        raise NotSignedIn


async def _health(_request: object) -> Response:
    return PlainTextResponse("ok")


def create_app() -> Starlette:
    """The one application: what is tested is what runs."""
    of_tenant = GraphQLView(
        schema.schema,
        context_for=_tenant_context,
        connect=_connect,
        admit=TenantContext.still_signed_in,
        same_site=same_site,
        trusted=trusted_documents("tenant"),
    )
    of_province = GraphQLView(
        province.schema,
        context_for=_province_context,
        connect=_connect,
        admit=ProvinceContext.still_signed_in,
        same_site=same_site,
        trusted=trusted_documents("province"),
    )
    app = Starlette(
        routes=[
            Route("/health", _health),
            *login_routes(),
            *console_routes(),
            profile_route(),
            *export_routes("province", OF_PROVINCE, _province_context),
            *export_routes("{realm}", OF_REGENCY, _tenant_context),
            Route("/province/graphql", of_province),
            WebSocketRoute("/province/graphql", of_province),
            Route("/{realm}/graphql", of_tenant),
            WebSocketRoute("/{realm}/graphql", of_tenant),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(Track)
    app.add_middleware(SecurityHeaders)  # of Track's answers too: the last is the outermost
    return app


app = create_app()
