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


@lru_cache(maxsize=DOCUMENTS)
def _parsed(text: str, tokens: int, characters: int) -> DocumentNode:
    return parse(text, max_tokens=tokens, max_source_length=characters)


@lru_cache(maxsize=DOCUMENTS)
def _invalidities(
    schema: GraphQLSchema, text: str, limits: Limits, rules: tuple[type[ASTValidationRule], ...]
) -> list[GraphQLError]:
    # Keyed by the text: hashing a document costs more than much of what it would save.
    return validate(
        schema,
        _parsed(text, limits.tokens, limits.characters),
        (*rules, MaybeNullValidationRule, OneOfInputValidationRule),
        max_errors=20,
        hide_suggestions=True,
    )


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
        with suppress(GraphQLError):
            context.graphql_document = _parsed(
                context.query or "", self.limits.tokens, self.limits.characters
            )
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        assert context.graphql_document
        schema = context.schema._schema
        refused = _ambiguous(context.graphql_document, context._provided_operation_name) or excess(
            schema, context.graphql_document, context.variables or {}, self.limits
        )
        context.pre_execution_errors = (
            [refused]
            if refused
            else _invalidities(schema, context.query or "", self.limits, context.validation_rules)
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
