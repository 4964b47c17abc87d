"""GraphQL over HTTP, server-sent events and WebSockets, for any schema of ours."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, cast

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    SubscribeMessage,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    Message as SocketMessage,
)
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from strawberry.types.graphql import OperationType

from graphql_api.errors import (
    UNKNOWN_OPERATION,
    UNKNOWN_OPERATION_EN,
    Refusal,
    Schema,
    masked,
    spoken,
)
from graphql_api.http import (
    EVENTS,
    GRAPHQL,
    JSON,
    UNKNOWN_DOCUMENT,
    Parameters,
    check_content,
    decoded,
    json_answer,
    method_not_allowed,
    negotiate,
    not_same_site,
    problem_answer,
    refusal_answer,
)
from tenants.problems import Problem

ContextT = TypeVar("ContextT")

SLOWEST = 4096
"""Bytes per second: a phone on a weak link may take longer than `body_seconds`, if it keeps on."""


def _is_request_error(result: ExecutionResult) -> bool:
    """Whether nothing was executed: then the response has no `data`."""
    return bool(
        result.data is None and result.errors and all(e.path is None for e in result.errors)
    )


class Socket(BaseGraphQLTransportWSHandler[Any, None]):
    """One WebSocket speaking graphql-transport-ws, its messages checked before Strawberry acts."""

    view: "GraphQLView[Any]"
    max_subscriptions = 100

    async def handle_message(self, message: SocketMessage) -> None:
        """Close with 4400 at a message that the protocol does not have."""
        if not _is_message(message, self.view.trusted):
            await self.handle_invalid_message("Invalid message")
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Let the app judge the payload; its problems close the socket with 4403."""
        payload = message.get("payload") or {}
        if not self.connection_init_received and isinstance(payload, dict):
            try:
                await self.view.connect(self.context, payload)
            except Problem as problem:
                await self.websocket.close(4403, problem.code)
                return
            except Exception as failure:  # noqa: BLE001
                masked(failure, "connection_init")
                await self.websocket.close(4500, "INTERNAL")
                return
        await super().handle_connection_init({"type": "connection_init", "payload": payload})

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Refuse one operation too many; close when the caller may not ask any longer."""
        if self.connection_acknowledged:
            try:
                await self.view.admit(self.context)
            except Problem as problem:
                await self.websocket.close(4403, problem.code)
                return
        known = message["id"] in self.operations
        if not known and len(self.operations) >= self.max_subscriptions:
            entry = spoken(
                "TOO_MANY_SUBSCRIPTIONS",
                f"Paling banyak {self.max_subscriptions} operasi sekaligus.",
                f"At most {self.max_subscriptions} operations at a time.",
            )
            await self._refuse(message, entry)
            return
        try:
            parameters = Parameters.of(message["payload"], self.view.trusted)
        except Refusal as refusal:
            entry = spoken(refusal.code, refusal.message_id, refusal.message_en)
            await self._refuse(message, entry)
            return
        message["payload"]["query"] = parameters.query
        await super().handle_subscribe(message)

    async def _refuse(self, message: SubscribeMessage, entry: dict[str, Any]) -> None:
        await self.websocket.send_json({"id": message["id"], "type": "error", "payload": [entry]})

    @staticmethod
    def _get_pre_execution_close_reason(error: object) -> None:  # noqa: ARG004
        # Strawberry closes the whole socket for one document that does not parse, with a reason
        # that quotes the document and may be too long for a close frame.
        return None


def _is_message(message: object, trusted: Mapping[str, str]) -> bool:
    match message:
        case {"type": "subscribe", "id": str(key), "payload": dict(payload)}:
            try:
                return 0 < len(key.encode()) <= 80 and bool(Parameters.of(payload, trusted))
            except Refusal as refusal:
                return refusal.code == UNKNOWN_DOCUMENT  # of that, the operation is told
        case {"type": "complete", "id": str()}:
            return True
        case {"type": "connection_init" | "ping" | "pong"}:
            return True
    return False


class GraphQLView(GraphQL[ContextT, None]):
    """An ASGI app that answers GraphQL requests by a schema.

    `context_for` gives a request or a socket its context and may raise a `Problem`, as may
    `connect`, which sees a socket's context and the payload of its connection_init, and `admit`,
    which is asked before each operation of a socket. `same_site` tells whether a request without
    an Authorization header may bring a cookie. `trusted` are documents by the ids that stand for
    them. `max_body` is in bytes; reading a body may take
    `body_seconds` and what `SLOWEST` allows; a client that leaves an answer unread for
    `send_seconds` is dropped.
    """

    schema: Schema
    graphql_transport_ws_handler_class = Socket

    def __init__(
        self,
        schema: Schema,
        *,
        context_for: Callable[[HTTPConnection], Awaitable[ContextT]],
        connect: Callable[[ContextT, dict[str, object]], Awaitable[None]],
        admit: Callable[[ContextT], Awaitable[object]],
        same_site: Callable[[HTTPConnection], bool],
        trusted: Mapping[str, str] | None = None,
        max_body: int = 1_048_576,
        body_seconds: float = 30.0,
        send_seconds: float = 30.0,
        init_seconds: float = 10.0,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=timedelta(seconds=init_seconds),
            max_subscriptions_per_connection=None,  # ours answers with a code
        )
        self.context_for = context_for
        self.connect = connect
        self.admit = admit
        self.same_site = same_site
        self.trusted = trusted or {}
        self.max_body = max_body
        self.body_seconds = body_seconds
        self.send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket, for as long as the client reads what it is sent."""
        try:
            async with asyncio.timeout(None) as stalled:

                async def timely(message: Message) -> None:
                    try:
                        async with asyncio.timeout(self.send_seconds):
                            await send(message)
                    except TimeoutError:
                        stalled.reschedule(asyncio.get_running_loop().time())
                        raise

                if scope["type"] == "websocket":
                    await self._serve(WebSocket(scope, receive, timely))
                else:
                    await self._respond(Request(scope, receive), timely)
        except TimeoutError:
            if not stalled.expired():
                raise
        except ClientDisconnect:
            pass

    async def _respond(self, request: Request, send: Send) -> None:
        response = await self._answer(request)
        try:
            await response(request.scope, request.receive, send)
        finally:
            # Starlette leaves an interrupted stream to the garbage collector.
            if isinstance(response, StreamingResponse):
                await cast("AsyncGenerator[str]", response.body_iterator).aclose()

    async def _serve(self, socket: WebSocket) -> None:
        if not self._check_websocket_origin(socket) or not self.same_site(socket):
            await socket.send_denial_response(refusal_answer(not_same_site(), JSON))
            return
        try:
            context = await self.context_for(socket)
        except Problem as problem:
            await socket.send_denial_response(problem_answer(problem, JSON))
            return
        await self.run(socket, context=context)

    async def _answer(self, request: Request) -> Response:
        media = negotiate(request.headers.get("accept", "") or "*/*")
        shown = GRAPHQL if media == GRAPHQL else JSON
        try:
            if request.method not in ("GET", "POST"):
                raise method_not_allowed("GET, POST")
            if media is None:
                raise Refusal(
                    406,
                    "NOT_ACCEPTABLE",
                    f"Jawaban tersedia sebagai {JSON}, {GRAPHQL}, {EVENTS}.",
                    f"Answers come as {JSON}, {GRAPHQL}, {EVENTS}.",
                )
            if request.method == "POST":
                check_content(request)
                if "authorization" not in request.headers and not self.same_site(request):
                    raise not_same_site()
                declared = request.headers.get("content-length", "")[:20]
                self._check_size(int(declared) if declared.isdecimal() else 0)
            context = await self.context_for(request)
            if request.method == "GET":
                parameters = Parameters.of_url(request.scope["query_string"], self.trusted)
            else:
                parameters = Parameters.of(decoded(await self._body(request)), self.trusted)
            return await self._execute(request, media, parameters, context)
        except Refusal as refusal:
            return refusal_answer(refusal, shown)
        except Problem as problem:
            return problem_answer(problem, shown)
        except ClientDisconnect:
            raise
        except Exception as failure:  # noqa: BLE001
            return json_answer({"errors": [masked(failure, request.scope["path"])]}, shown, 500)

    def _check_size(self, size: int) -> None:
        if size > self.max_body:
            raise Refusal(
                413,
                "BODY_TOO_LARGE",
                f"Paling banyak {self.max_body} byte sekali kirim.",
                f"At most {self.max_body} bytes a request.",
            )

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        deadline = asyncio.get_running_loop().time() + self.body_seconds
        try:
            async with asyncio.timeout_at(deadline) as patience:
                async for chunk in request.stream():
                    body += chunk
                    self._check_size(len(body))
                    patience.reschedule(deadline + len(body) / SLOWEST)
        except TimeoutError:
            raise Refusal(
                408,
                "BODY_TOO_SLOW",
                "Kiriman terlalu lambat.",
                "The request came too slowly.",
                {"Connection": "close"},
            ) from None
        return bytes(body)

    async def _execute(
        self, request: Request, media: str, parameters: Parameters, context: ContextT
    ) -> Response:
        allowed = {OperationType.QUERY}
        if request.method == "POST":
            allowed.add(OperationType.MUTATION)
        if media == EVENTS:
            result_stream = await self.schema.stream(
                parameters.query,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operation_name,
                operation_extensions=parameters.extensions,
                allowed_operation_types=allowed | {OperationType.SUBSCRIPTION},
            )
            response = await self._create_streaming_response(
                request,
                cast("SubscriptionExecutionResult", result_stream),
                "sse",
                await self.get_sub_response(request),
            )
            response.headers["Cache-Control"] = "no-store, no-transform"
            return response
        try:
            result = await self.schema.execute(
                parameters.query,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operation_name,
                operation_extensions=parameters.extensions,
                allowed_operation_types=allowed,
            )
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                raise Refusal(
                    406,
                    "NOT_ACCEPTABLE",
                    f"Langganan dijawab sebagai {EVENTS} atau lewat WebSocket.",
                    f"Subscriptions are answered as {EVENTS} or over a WebSocket.",
                ) from None
            raise method_not_allowed("POST") from None
        except CannotGetOperationTypeError:
            entry = spoken("UNKNOWN_OPERATION", UNKNOWN_OPERATION, UNKNOWN_OPERATION_EN)
            return json_answer({"errors": [entry]}, media, 400 if media == GRAPHQL else 200)
        shown = await self.process_result(request, result)
        status = 200
        if _is_request_error(result):
            codes = {cast("dict[str, Any]", e.extensions)["code"] for e in result.errors or ()}
            status = 500 if "INTERNAL" in codes else 400 if media == GRAPHQL else 200
        return json_answer(shown, media, status)

    async def process_result(
        self,
        request: Request,  # noqa: ARG002
        result: ExecutionResult,
    ) -> GraphQLHTTPResponse:
        """The response map of a result: no `data` where nothing was executed."""
        shown: GraphQLHTTPResponse = {}
        if result.errors:
            shown["errors"] = [error.formatted for error in result.errors]
        if not _is_request_error(result):
            shown["data"] = result.data
        if result.extensions:
            shown["extensions"] = result.extensions
        return shown

    def decode_json(self, data: str | bytes) -> object:
        """For Strawberry: raises `json.JSONDecodeError`, as it expects."""
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        """For Strawberry, as text: graphql-transport-ws has no binary frames."""
        return orjson.dumps(data).decode()
