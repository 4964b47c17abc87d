"""Refusing what is too much, and telling browsers what they may do with an answer."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from typing import cast

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    validate,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.execution import ParseOptions

from graphql_api.errors import UNKNOWN_OPERATION, UNKNOWN_OPERATION_EN
from graphql_api.weight import Limits, excess

DOCUMENTS = 256
"""Documents kept parsed and validated: each at most some hundred kB."""


class TrustedDocument(str):
    """The text of a document that came with the service: parsed and validated once for all."""

    __slots__ = ()


def _parse(text: str, limits: Limits) -> DocumentNode:
    return parse(text, max_tokens=limits.tokens, max_source_length=limits.characters)


def _validate(
    schema: GraphQLSchema, text: str, limits: Limits, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    return validate(
        schema,
        _parse(text, limits),
        (*rules, MaybeNullValidationRule, OneOfInputValidationRule),
        max_errors=20,
        hide_suggestions=True,
    )


# Keyed by the text: hashing a parsed document costs more than much of what it would save.
_parsed = lru_cache(DOCUMENTS)(_parse)
_invalidities = lru_cache(DOCUMENTS)(_validate)
# No stranger's documents push out those of our own console.
_kept_parsed = lru_cache(None)(_parse)
_kept_invalidities = lru_cache(None)(_validate)


class Guard(SchemaExtension):
    """Parses and validates once for many requests, but weighs each: variables bear on the cost."""

    def __init__(self, limits: Limits, *, introspection: bool) -> None:
        self.limits = limits
        self.introspection = introspection

    def on_operation(self) -> Iterator[None]:
        context = self.execution_context
        context.parse_options = cast(
            "ParseOptions",
            {"max_tokens": self.limits.tokens, "max_source_length": self.limits.characters},
        )
        if not self.introspection:
            context.validation_rules += (NoSchemaIntrospectionCustomRule,)
        yield

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        # Without a document Strawberry parses again, by the same options, and reports the error;
        # one raised here would end a subscription without a word.
        text = context.query or ""
        parsed = _kept_parsed if isinstance(text, TrustedDocument) else _parsed
        with suppress(GraphQLError):
            context.graphql_document = parsed(text, self.limits)
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        assert context.graphql_document
        schema, text = context.schema._schema, context.query or ""
        refused = _ambiguous(context.graphql_document, context._provided_operation_name) or excess(
            schema, context.graphql_document, context.variables or {}, self.limits
        )
        kept = isinstance(text, TrustedDocument)
        invalidities = _kept_invalidities if kept else _invalidities
        context.pre_execution_errors = (
            [refused]
            if refused
            else invalidities(schema, text, self.limits, context.validation_rules)
        )
        for error in context.pre_execution_errors:
            if not error.extensions:
                error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
        yield


def _ambiguous(document: DocumentNode, name: str | None) -> GraphQLError | None:
    """Strawberry would run the first of several operations; the specification refuses to guess."""
    operations = sum(isinstance(each, OperationDefinitionNode) for each in document.definitions)
    if name is not None or operations == 1:
        return None
    return GraphQLError(
        UNKNOWN_OPERATION,
        extensions={"code": "UNKNOWN_OPERATION", "message_en": UNKNOWN_OPERATION_EN},
    )


def guards(
    limits: Limits | None = None, *, introspection: bool = True
) -> list[Callable[[], SchemaExtension]]:
    """The extensions that a schema needs to refuse what is too much, before it runs."""
    return [partial(Guard, limits or Limits(), introspection=introspection)]


class SecurityHeaders:
    """ASGI middleware: what every HTTP answer of the app says to browsers, unless it says its own.

    A page must name its own `Content-Security-Policy`; whatever names none may load nothing.
    """

    defaults = (
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"permissions-policy", b"camera=(), microphone=()"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                said = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self.defaults if header[0] not in said),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
