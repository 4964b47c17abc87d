"""Errors tell the caller's mistakes and our problems, and nothing else."""

import json
import logging

import httpx2
import pytest
from served import GRAPHQL, JSON


def test_not_a_number_is_never_sent(client: httpx2.Client) -> None:
    answer = client.get("?query={ratio}")
    assert "NaN" not in answer.text
    assert answer.json()["data"] == {"ratio": None}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{nam}", "GRAPHQL_VALIDATION_FAILED"),
        ("{echo(nuber:1)}", "GRAPHQL_VALIDATION_FAILED"),
        ("query Q($n:Int!){echo(number:$n)}", "BAD_USER_INPUT"),
        ("query Q($n:Int=2){echo(number:2147483648)}", "GRAPHQL_VALIDATION_FAILED"),
        ("{echo(number:" + "9" * 5000 + ")}", "GRAPHQL_VALIDATION_FAILED"),
    ],
    ids=lambda value: str(value[:30]),
)
@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
def test_mistakes_of_the_caller(
    client: httpx2.Client, query: str, code: str, accept: str, status: int
) -> None:
    answer = client.post("", json={"query": query}, headers={"Accept": accept})
    assert answer.status_code == status
    assert {e["extensions"]["code"] for e in answer.json()["errors"]} == {code}
    assert "data" not in answer.json()
    assert "Did you mean" not in answer.text
    # Said the same when it comes from the cache.
    again = client.post("", json={"query": query}, headers={"Accept": accept})
    assert again.json() == answer.json()


@pytest.mark.parametrize("number", [2**31, 2**53 + 1, 2**64, 1e400, "7", 1.5])
def test_numbers_are_exact_or_refused(client: httpx2.Client, number: float | str) -> None:
    body = json.dumps({"query": "query($n:Int){echo(number:$n)}", "variables": {"n": number}})
    answer = client.post("", content=body, headers={"Content-Type": JSON})
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] in ("BAD_USER_INPUT", "BAD_REQUEST")


def test_an_argument_that_cannot_be_null(client: httpx2.Client) -> None:
    answer = client.post(
        "", json={"query": "query($n:Int){required(number:$n)}", "variables": {"n": None}}
    ).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_problem_in_a_resolver(client: httpx2.Client) -> None:
    answer = client.get("?query={trip}", headers={"Accept": GRAPHQL})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["data"]) == (200, {"trip": None})
    assert error["message"] == "Perjalanan tidak ditemukan."
    assert error["path"] == ["trip"]
    assert error["extensions"] == {"code": "NOT_FOUND", "message_en": "Perjalanan not found."}


@pytest.mark.parametrize("field", ["broken", "unspoken", "bare"])
def test_what_nobody_expected_is_masked(
    client: httpx2.Client, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get(f"?query={{{field}}}", headers={"Accept": GRAPHQL})
    (error,) = answer.json()["errors"]
    assert answer.status_code == 200
    assert answer.json()["data"] == (None if field == "bare" else {field: None})
    assert error["message"] == "Terjadi kesalahan di server."
    assert error["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in answer.text
    assert error["extensions"]["id"] in caplog.text
    assert "hunter2" in caplog.text
    assert len(caplog.records) == 1


def test_an_error_that_names_its_code_passes(client: httpx2.Client) -> None:
    (error,) = client.get("?query={spoken}").json()["errors"]
    assert (error["message"], error["extensions"]) == ("Terlalu banyak.", {"code": "TOO_MANY"})
