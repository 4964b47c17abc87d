"""HTTP as GraphQL uses it: which media type, which parameters, which answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from graphql_api.errors import Refusal, spoken
from tenants.problems import Problem

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
UNKNOWN_DOCUMENT = "UNKNOWN_DOCUMENT"

STATUSES = {
    "UNKNOWN_TENANT": 404,
    "NOT_SIGNED_IN": 401,
    "UNAVAILABLE": 503,
    "BEING_MOVED": 503,
    "ISSUER_UNAVAILABLE": 503,
}
"""HTTP statuses of problems met before GraphQL; any other is 403."""
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


def negotiate(accept: str) -> str | None:
    """The media type to answer in, None if the client takes none of ours.

    Event streams are only for those who name them; `*/*` gets application/json.
    """
    asked: dict[str, float] = {}
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
            elif name == "charset" and value.strip('"') != "utf-8":
                quality = 0.0
        asked[media] = quality

    def quality_of(media: str) -> float:
        for name in (media, "application/*", "*/*"):
            if name in asked:
                return asked[name]
        return 0.0

    # Equally welcome types: the first named, then the first of ours.
    offers = [media for media in asked if media in (JSON, GRAPHQL, EVENTS)] + [JSON, GRAPHQL]
    best = max(offers, key=quality_of)
    return best if quality_of(best) > 0 else None


def check_content(request: Request) -> None:
    """Raise `Refusal` (415) for anything but JSON in UTF-8."""
    media, *parameters = (
        part.strip().lower() for part in request.headers.get("content-type", "").split(";")
    )
    charsets = [value for value in parameters if value.startswith("charset=")]
    if (
        media != JSON
        or any(value.partition("=")[2].strip('"') != "utf-8" for value in charsets)
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Refusal(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Kirim application/json dalam UTF-8, tanpa kompresi.",
            "Send application/json in UTF-8, not compressed.",
        )


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a GraphQL request, of the types they must have."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None

    @classmethod
    def of(cls, data: object, trusted: Mapping[str, str]) -> "Parameters":
        """Return the parameters in a decoded request; raises `Refusal` (400).

        A `documentId` stands for the trusted document of that id.
        """
        if isinstance(data, list):
            raise Refusal(
                400,
                "BATCHING_NOT_ENABLED",
                "Satu permintaan, satu operasi.",
                "Batching is not enabled: one operation a request.",
            )
        if not isinstance(data, dict):
            raise _malformed("bukan objek JSON", "not a JSON object")
        query, name = data.get("query"), data.get("operationName")
        document_id = data.get("documentId")
        variables, extensions = data.get("variables"), data.get("extensions")
        if isinstance(document_id, str) and query is None:
            query = trusted.get(document_id)
            if query is None:
                raise Refusal(
                    400,
                    UNKNOWN_DOCUMENT,
                    "Halaman ini dari versi lain layanan; muat ulang halaman.",
                    "This page is of another version of the service; reload it.",
                )
        elif document_id is not None:
            raise _malformed(
                "`documentId` harus teks, tanpa `query`",
                "`documentId` must be a string, without `query`",
            )
        if not isinstance(query, str) or not query:
            raise _malformed("`query` harus teks", "`query` must be a string")
        if not isinstance(variables, dict | None):
            raise _malformed("`variables` harus objek", "`variables` must be an object")
        if not isinstance(extensions, dict | None):
            raise _malformed("`extensions` harus objek", "`extensions` must be an object")
        if not isinstance(name, str | None) or len(name or "") > 256:
            raise _malformed("`operationName` harus nama", "`operationName` must be a name")
        return cls(query, variables, name, extensions)

    @classmethod
    def of_url(cls, query_string: bytes, trusted: Mapping[str, str]) -> "Parameters":
        """Return the parameters of a GET request; raises `Refusal` (400)."""
        try:
            pairs = parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=32)
        except ValueError:
            raise _malformed("URL tidak terbaca", "the URL cannot be read") from None
        data: dict[str, Any] = dict(pairs)
        for name in ("variables", "extensions"):
            if name in data:
                data[name] = decoded(data[name])
        return cls.of(data, trusted)


def _malformed(reason_id: str, reason_en: str) -> Refusal:
    return Refusal(
        400,
        "BAD_REQUEST",
        f"Permintaan tidak sah: {reason_id}.",
        f"Malformed request: {reason_en}.",
    )


def decoded(data: str | bytes) -> object:
    """The JSON in it; raises `Refusal` (400), also for depths beyond orjson's 1,024."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _malformed("JSON tidak terbaca", "the JSON cannot be read") from None


def method_not_allowed(allow: str) -> Refusal:
    """The refusal (405) that names the methods allowed."""
    return Refusal(
        405,
        "METHOD_NOT_ALLOWED",
        f"Gunakan {allow}.",
        f"Use {allow}.",
        {"Allow": allow},
    )


def not_same_site() -> Refusal:
    """The refusal (403) of what another site's page makes a browser send."""
    return Refusal(
        403,
        "CROSS_SITE",
        "Permintaan dari situs lain ditolak.",
        "Requests of other sites are refused.",
    )


def json_answer(data: object, media: str, status: int) -> Response:
    """A response map in the media type, for nobody to keep."""
    return Response(
        orjson.dumps(data),
        status,
        {"Cache-Control": "no-store", "Vary": "Accept"},
        f"{media}; charset=utf-8",
    )


def refusal_answer(refusal: Refusal, media: str) -> Response:
    """The refusal as a response map without data."""
    entry = spoken(refusal.code, refusal.message_id, refusal.message_en)
    response = json_answer({"errors": [entry]}, media, refusal.status)
    response.headers.update(refusal.headers)
    return response


def problem_answer(problem: Problem, media: str) -> Response:
    """The problem, met before GraphQL, as a response map without data."""
    status = STATUSES.get(problem.code, 403)
    headers = HEADERS.get(status, {})
    return refusal_answer(
        Refusal(status, problem.code, problem.message_id, problem.message_en, headers), media
    )
