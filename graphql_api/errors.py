"""Errors as callers see them: always a code, and nothing that is not theirs to see."""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError
from graphql.language import ArgumentNode, ValueNode
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext

from tenants.problems import Problem

logger = logging.getLogger(__name__)

UNKNOWN_OPERATION = "Operasi yang diminta tidak ada di dokumen, atau namanya tidak disebut."
UNKNOWN_OPERATION_EN = "The document does not hold the operation, or its name is not given."

VALUE = re.compile(r"(, found|(?<!has invalid) value): .*", re.DOTALL)
QUOTED = 300
"""Characters of a message kept: enough for any of ours, too few to send a document back."""


@dataclass(eq=False)
class Refusal(Exception):
    """A request refused by the transport before GraphQL sees it; `status` is the HTTP answer."""

    status: int
    code: str
    message_id: str
    message_en: str
    headers: Mapping[str, str] = field(default_factory=dict)


def spoken(code: str, message_id: str, message_en: str) -> dict[str, Any]:
    """The failure as one entry of a GraphQL response's `errors`."""
    return {"message": message_id, "extensions": {"code": code, "message_en": message_en}}


def masked(failure: BaseException | None, where: object) -> dict[str, Any]:
    """Log the failure under an opaque id; the entry for `errors` tells that id and nothing else."""
    error_id = secrets.token_hex(8)
    logger.error("error %s at %s", error_id, where, exc_info=failure)
    entry = spoken("INTERNAL", "Terjadi kesalahan di server.", "Something went wrong here.")
    entry["extensions"]["id"] = error_id
    return entry


def _entry(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    match cause:
        case Problem():
            return spoken(cause.code, cause.message_id, cause.message_en)
        case CannotGetOperationTypeError():
            return spoken("UNKNOWN_OPERATION", UNKNOWN_OPERATION, UNKNOWN_OPERATION_EN)
        case InvalidOperationTypeError():
            return spoken(
                "METHOD_NOT_ALLOWED",
                "Jenis operasi ini tidak dilayani dengan cara ini.",
                "This kind of operation is not served this way.",
            )
    given = error.extensions or {}
    meant_for_callers = cause is None or isinstance(cause, GraphQLError)
    asked_wrongly = (
        # Of an exception that a scalar raised at a value, graphql-core makes an error at its node.
        any(isinstance(node, ArgumentNode | ValueNode) for node in error.nodes or ())
        if error.path is not None
        else bool(error.nodes) or meant_for_callers
    )
    if isinstance(error, GraphQLSyntaxError):
        code = "GRAPHQL_PARSE_FAILED"
    elif "code" in given and (meant_for_callers or asked_wrongly):
        code = given["code"]
    elif asked_wrongly:
        code = "BAD_USER_INPUT"
    else:
        return masked(cause or error, error.path)
    # graphql-core's suggestions tell names that introspection would refuse to tell, and it quotes
    # values: positions and NIPs among them.
    message = VALUE.sub("", error.message.partition(" Did you mean")[0])[:QUOTED]
    return {"message": message, "extensions": {**given, "code": code}}


class Schema(strawberry.Schema):
    """A schema whose errors are fit to be shown, over whichever protocol they leave.

    A `Problem` raised in a resolver keeps its code and its words; mistakes of the caller get
    `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`, `UNKNOWN_OPERATION` or `BAD_USER_INPUT`;
    a `GraphQLError` raised with an `extensions.code` passes; all else becomes `INTERNAL`.
    """

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,  # noqa: ARG002
    ) -> None:
        """Rewrite the errors in place: Strawberry calls this on every way out of an operation."""
        for error in errors:
            entry = _entry(error)
            error.message, error.extensions = entry["message"], entry["extensions"]
            # Read again where errors are processed twice: without a cause its code stands.
            error.original_error = error.cause = None
