"""What one document may ask for: refused before it runs, and quickly."""

import asyncio
import time
from collections.abc import Callable

import httpx2
import pytest
from graphql import get_introspection_query, parse
from served import GRAPHQL, RAN, SCHEMA, nested, schema_with

from graphql_api.weight import Limits, Scales

BOMB = "query{...F0}" + "".join(
    f"fragment F{n} on Query{{...F{n + 1} ...F{n + 1}}}" for n in range(40)
)
TOO_MUCH = {
    "1000 aliases": ("{" + " ".join(f"a{n}:me{{name}}" for n in range(1000)) + "}", None),
    "31 aliases": ("{" + " ".join(f"a{n}:ratio" for n in range(31)) + "}", "TOO_MANY_ALIASES"),
    "aliases by fragments": (
        "{...A ...A} fragment A on Query{...B ...B ...B ...B} fragment B on Query{"
        + " ".join(f"a{n}:ratio" for n in range(4))
        + "}",
        "TOO_MANY_ALIASES",
    ),
    "repeated fields": ("{" + "me{name} " * 400 + "}", "TOO_MANY_ALIASES"),
    "depth 11": (nested(11), "TOO_DEEP"),
    "depth by inline fragments": ("{me" + "{...{boss" * 9 + "{name" + "}" * 20, "TOO_DEEP"),
    "depth by named fragments": (
        "{me{...F0}}"
        + "".join(f"fragment F{n} on Person{{boss{{...F{n + 1}}}}}" for n in range(9))
        + "fragment F9 on Person{name}",
        "TOO_DEEP",
    ),
    "nesting of nothing": ("{" + "...{" * 60 + "ratio" + "}" * 61, "TOO_DEEP"),
    "10,000 directives": ("{ratio" + " @include(if:true)" * 10_000 + "}", None),
    "51 directives": ("{ratio" + " @include(if:true)" * 51 + "}", "TOO_MANY_DIRECTIVES"),
    "directives on a variable": (
        "query($n:Int" + " @include(if:true)" * 51 + "){ratio}",
        "TOO_MANY_DIRECTIVES",
    ),
    "50,000 fields": ("{" + "name " * 50_000 + "}", None),
    "lists in lists": (
        "{people(first:1000){edges{node{friends(first:1000){friends(first:1000){name}}}}}}",
        "TOO_COSTLY",
    ),
    "lists in fragments": (
        "{people(first:50){edges{node{...P}}}} fragment P on Person{friends(first:50){name}}",
        "TOO_COSTLY",
    ),
    "a page of 100,000": ("{people(first:100000){edges{cursor}}}", "TOO_COSTLY"),
    "a page of all": ("{people(first:-1){edges{node{friends(first:0){name}}}}}", "TOO_COSTLY"),
    "a page of many digits": ("{people(first:" + "9" * 5000 + "){edges{cursor}}}", "TOO_COSTLY"),
    "cost in the operation not run": (
        "query A{ratio} query B{people(first:9999){edges{cursor}}}",
        "TOO_COSTLY",
    ),
    "a fragment bomb": (BOMB + "fragment F40 on Query{ratio}", "TOO_MANY_FIELDS"),
    "an empty fragment bomb": (BOMB + "fragment F40 on Query{}", "TOO_MANY_FIELDS"),
    "an unused fragment bomb": (
        BOMB.replace("...F0}", "ratio}", 1) + "fragment F40 on Query{ratio}",
        "TOO_MANY_FIELDS",
    ),
    "a bomb in the introspection": (
        "{__schema{...F0}}"
        + "".join(f"fragment F{n} on __Schema{{...F{n + 1} ...F{n + 1}}}" for n in range(40))
        + "fragment F40 on __Schema{types{name}}",
        "TOO_MANY_FIELDS",
    ),
    "introspection in a circle": (
        "{__schema{types" + "{fields{type" * 5 + "{name" + "}" * 13,
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a long chain of fragments": (
        "{...F0}"
        + "".join(f"fragment F{n} on Query{{...F{n + 1}}}" for n in range(49))
        + "fragment F49 on Query{echo}",
        "TOO_DEEP",
    ),
    "51 fragments": (
        "{echo}" + "".join(f"fragment F{n} on Query{{echo}}" for n in range(51)),
        "TOO_MANY_FRAGMENTS",
    ),
    "a cycle of fragments": (
        "{...A} fragment A on Query{...B} fragment B on Query{...A}",
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a comment of 900 kB": ("{ratio} #" + "x" * 900_000, None),
    "5,000 comments": ("{echo}" + "#\n" * 5000, None),
    "900 kB of whitespace": (" " * 900_000 + "{echo}", None),
}


@pytest.mark.parametrize(("query", "code"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_is_refused_before_it_runs(
    client: httpx2.Client, query: str, code: str | None
) -> None:
    RAN.clear()
    name = "A" if "query A" in query else None
    answer = client.post(
        "", json={"query": query, "operationName": name}, headers={"Accept": GRAPHQL}
    )
    assert answer.status_code == 400
    found = {error["extensions"]["code"] for error in answer.json()["errors"]}
    assert (found, RAN) == ({code or "GRAPHQL_PARSE_FAILED"}, [])
    assert len(answer.content) < 5_000


def fastest(times: int, run: Callable[[int], object]) -> float:
    """CPU seconds of the fastest of so many runs, each told its number."""

    def seconds(number: int) -> float:
        started = time.thread_time()
        run(number)
        return time.thread_time() - started

    return min(map(seconds, range(times)))


@pytest.fixture(scope="module")
def pace() -> float:
    """What this machine needs to read a document of a thousand fields, which nobody refuses."""
    return fastest(5, lambda _number: parse("{" + "name " * 1000 + "}"))


@pytest.mark.parametrize(("query", "code"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_is_refused_quickly(pace: float, query: str, code: str | None) -> None:
    def refuse(number: int) -> None:
        """A document not seen before."""
        result = asyncio.run(SCHEMA.execute(f"{query}#{number}", operation_name=operation))
        assert result.errors

    operation = "A" if "query A" in query else None
    assert fastest(3, refuse) < 10 * pace


@pytest.mark.parametrize(
    "query",
    [
        "{" + " ".join(f"x{n}" for n in range(990)) + "}",
        "{" + "me{name boss{name boss{name}}} " * 30 + "}",
        "{" + "echo(number:1) " * 30 + "".join(f"...F{n}" for n in range(50)) + "}"
        + "".join(f"fragment F{n} on Query{{echo(number:1) me{{name}}}}" for n in range(50)),
    ],
    ids=["unknown fields", "repeated fields", "fragments that overlap"],
)  # fmt: skip
def test_the_slowest_documents_within_the_limits(pace: float, query: str) -> None:
    def execute(number: int) -> None:
        result = asyncio.run(SCHEMA.execute(f"{query}#{number}"))
        assert not any("TOO" in str(error.extensions) for error in result.errors or ())

    assert fastest(3, execute) < 25 * pace


def test_a_document_just_within_the_limits_runs(client: httpx2.Client) -> None:
    aliases = " ".join(f"a{n}:echo" for n in range(30))
    query = f"{nested(10)[:-1]} {aliases} echo}}"
    assert "errors" not in client.post("", json={"query": query}).json()


def values_in(data: object) -> int:
    match data:
        case dict():
            return sum(values_in(each) or 1 for each in data.values()) + sum(
                isinstance(each, dict) for each in data.values()
            )
        case list():
            return sum(1 + values_in(each) for each in data)
    return 0


@pytest.mark.parametrize(
    "query",
    [
        "{echo}",
        "{me{name boss{name}}}",
        "{people{edges{cursor node{name}}pageInfo{more}}}",
        "{people(first:7){edges{cursor node{name friends(first:3){name boss{name}}}}}}",
        "{people(first:4){...P pageInfo{more}}} fragment P on People{edges{node{tags{word}}}}",
        "{me{...A}} fragment A on Person{...B name} fragment B on Person{boss{tags{word}}}",
        "{me{tags{word} friends{tags{word}}}}",
        "query($n:Int!,$m:Int=2){people(first:$n){edges{node{friends(first:$m){name}}}}}",
    ],
)
def test_the_cost_is_the_number_of_values_in_the_answer(query: str) -> None:
    variables = {"n": 5} if "$n" in query else {}
    result = asyncio.run(schema_with().execute(query, variables))
    weight = Scales(SCHEMA._schema, parse(query), variables, Limits()).total()
    assert result.errors is None
    assert weight.cost == values_in(result.data)


def test_variables_bear_on_the_cost_of_a_document_known_already(client: httpx2.Client) -> None:
    body = {"query": "query($n:Int!){people(first:$n){edges{cursor}}}"}
    for first, refused in ((10, False), (100_000, True), (11, False), (-1, False)):
        answer = client.post("", json={**body, "variables": {"n": first}}).json()
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert (codes == ["TOO_COSTLY"]) is refused


def test_introspection(client: httpx2.Client, host: str) -> None:
    asked = {"query": get_introspection_query()}
    assert client.post("", json=asked).json()["data"]["__schema"]["queryType"]["name"] == "Query"
    closed = client.post(f"http://{host}/secret/", json=asked).json()
    assert {e["extensions"]["code"] for e in closed["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    assert client.post(f"http://{host}/secret/", json={"query": "{__typename}"}).json() == {
        "data": {"__typename": "Query"}
    }
