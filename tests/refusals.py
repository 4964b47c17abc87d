"""What the tests of bad input share: how a refusal looks, and what it must not tell."""

import re

import httpx2

GRAPHQL = "application/graphql-response+json"
LEAKS = re.compile(
    r"Traceback|SELECT|psycopg|sqlalchemy|DataError|postgres\w*:|redis:|File \"|\.py\b|jejak_"
)
POSITION = {"lon": 117.1482736, "lat": -0.4958217}
NIP = "199108172016031"
"""The first 15 digits of every NIP of this file; the others count up."""


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code, of an answer that tells no more than it should."""
    assert len(answer.content) < 5_000
    assert not LEAKS.search(answer.text), answer.text
    for number in (*POSITION.values(), NIP):
        assert str(number) not in answer.text, "quotes what is personal"
    body = answer.json()
    if "errors" in body:
        (error,) = body["errors"][:1]
        assert error["message"]
        assert not any((body.get("data") or {}).values())
        return answer.status_code, error["extensions"]["code"]
    (result,) = body["data"].values()
    assert result["message"]
    assert result["messageEn"]
    return answer.status_code, result["code"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
