"""The provider for trying out: a real one, so the login and the tokens we accept are real too."""

import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jwk import KeySet

from infra.processes import free_port
from infra.services import Issuer, Person, Provider

VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"
CALLBACK = "http://127.0.0.1:9/samarinda/login"
FRONT_END = "http://127.0.0.1/selesai"
PHONE = "id.jejakdinas:/selesai"


def issuer(name: str, *, access_token_seconds: int = 3600) -> Issuer:
    return Issuer(
        name=name,
        title=f"Kota {name}",
        port=free_port(),
        audience=f"http://127.0.0.1:9/{name}",
        client_id="jejak-dinas",
        client_secret=f"rahasia-{name}",
        redirect_uris=(CALLBACK,),
        people=(
            Person("siti.rahma", "Siti <Rahma>", "Pelaku perjalanan"),
            Person("budi", "Budi Santoso", "Bendahara"),
        ),
        front_end_redirect_uris=(FRONT_END, PHONE),
        access_token_seconds=access_token_seconds,
    )


@pytest.fixture(scope="module")
def issuers() -> Iterator[dict[str, Issuer]]:
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        both = [issuer("samarinda", access_token_seconds=7), issuer("kutai-timur")]
        with Provider(Path(folder), both):
            yield {one.name: one for one in both}


@pytest.fixture
def browser() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as client:
        yield client


def ask(browser: httpx2.Client, at: Issuer, **changes: str) -> httpx2.Response:
    """Ask to sign in; follow what a browser would until a page, or a redirect to the client."""
    challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    wanted = {
        "client_id": at.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "asal",
        "nonce": "sekali",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    } | changes
    address = f"{at.url}/auth"
    asked = browser.get(address, params={key: word for key, word in wanted.items() if word})
    return follow(browser, asked)


def follow(browser: httpx2.Client, answer: httpx2.Response) -> httpx2.Response:
    while answer.is_redirect and answer.next_request and answer.next_request.url.port != 9:
        if not str(answer.next_request.url).startswith("http://127.0.0.1:"):
            break
        answer = browser.send(answer.next_request)
    return answer


def arrived(answer: httpx2.Response) -> dict[str, str]:
    assert answer.is_redirect, answer.text
    return {
        key: words[0] for key, words in parse_qs(urlsplit(answer.headers["location"]).query).items()
    }


def sign_in(browser: httpx2.Client, at: Issuer, username: str, **changes: str) -> dict[str, str]:
    page = ask(browser, at, **changes)
    assert page.status_code == 200, page.text
    return arrived(follow(browser, browser.post(page.url, data={"username": username})))


def redeem(browser: httpx2.Client, at: Issuer, code: str, **changes: str) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK} | changes
    public = "client_id" in changes
    return browser.post(
        f"{at.url}/token",
        data={"code_verifier": VERIFIER} | form,
        auth=httpx2.USE_CLIENT_DEFAULT if public else (at.client_id, at.client_secret),
    )


def keys(browser: httpx2.Client, at: Issuer) -> KeySet:
    return KeySet.import_key_set(browser.get(f"{at.url}/jwks").json())


def test_issuer_publishes_what_it_is(browser: httpx2.Client, issuers: dict[str, Issuer]) -> None:
    at = issuers["samarinda"]
    metadata = browser.get(f"{at.url}/.well-known/openid-configuration").json()
    assert metadata["issuer"] == at.url
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize("redirect", [None, "http://127.0.0.1:9/selesai", PHONE])
def test_code_flow(
    browser: httpx2.Client, issuers: dict[str, Issuer], redirect: str | None
) -> None:
    at = issuers["samarinda"]
    public = {"client_id": "front-end", "redirect_uri": redirect} if redirect else {}
    back = sign_in(browser, at, "siti.rahma", **public)
    assert (back["state"], back["iss"]) == ("asal", at.url)
    tokens = redeem(browser, at, back["code"], **public).json()
    assert tokens["expires_in"] == 7

    access = jwt.decode(tokens["access_token"], keys(browser, at), algorithms=["RS256"])
    assert access.header["typ"] == "at+jwt"
    client = public.get("client_id", at.client_id)
    expected = {"iss": at.url, "aud": at.audience, "client_id": client}
    assert expected.items() <= access.claims.items()
    assert access.claims["exp"] - access.claims["iat"] == 7

    identity = jwt.decode(tokens["id_token"], keys(browser, at), algorithms=["RS256"]).claims
    expected = {"iss": at.url, "aud": client, "nonce": "sekali", "sub": access.claims["sub"]}
    assert expected.items() <= identity.items()
    assert (identity["preferred_username"], identity["name"]) == ("siti.rahma", "Siti <Rahma>")

    assert redeem(browser, at, back["code"], **public).json()["error"] == "invalid_grant"


def test_sign_in_page_shows_the_people_and_nothing_from_elsewhere(
    browser: httpx2.Client, issuers: dict[str, Issuer]
) -> None:
    page = ask(browser, issuers["samarinda"])
    assert re.findall(r'name="username" value="([^"]*)"', page.text) == ["siti.rahma", "budi"]
    assert "Siti &#60;Rahma&#62;" in page.text
    assert "Bendahara" in page.text
    assert "://" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("username", ["orang.lain", "", "__proto__"])
def test_only_listed_people_sign_in(
    browser: httpx2.Client, issuers: dict[str, Issuer], username: str
) -> None:
    page = ask(browser, issuers["samarinda"])
    refused = browser.post(page.url, data={"username": username})
    assert (refused.status_code, "location" in refused.headers) == (403, False)
    assert arrived(ask(browser, issuers["samarinda"], prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": "", "code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"resource": "http://127.0.0.1:9/kutai-timur"}, "invalid_target"),
    ],
)
def test_what_the_issuer_refuses(
    browser: httpx2.Client, issuers: dict[str, Issuer], change: dict[str, str], error: str
) -> None:
    back = ask(browser, issuers["samarinda"], **change)
    assert error in (back.headers.get("location") or back.text)
    assert "code=" not in back.headers.get("location", "")


def test_clients_prove_themselves(browser: httpx2.Client, issuers: dict[str, Issuer]) -> None:
    at = issuers["samarinda"]
    assert ask(browser, at, redirect_uri="http://127.0.0.1:9/lain").status_code == 400
    code = sign_in(browser, at, "budi")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    wrong = browser.post(f"{at.url}/token", data=form, auth=(at.client_id, "salah"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    stolen = redeem(browser, at, code, code_verifier=VERIFIER[::-1])
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")


def test_issuers_share_nothing(browser: httpx2.Client, issuers: dict[str, Issuer]) -> None:
    here, there = issuers["samarinda"], issuers["kutai-timur"]
    token = redeem(browser, here, sign_in(browser, here, "budi")["code"]).json()["access_token"]
    with pytest.raises((BadSignatureError, InvalidKeyIdError, ValueError)):
        jwt.decode(token, keys(browser, there), algorithms=["RS256"])
    # Both are 127.0.0.1 to the browser's cookies, yet signed in here is not signed in there.
    assert "code" in arrived(ask(browser, here, prompt="none"))
    assert arrived(ask(browser, there, prompt="none"))["error"] == "login_required"
    assert "code" in sign_in(browser, there, "siti.rahma")
    assert "code" in arrived(ask(browser, here, prompt="none"))


def test_refresh_tokens_rotate(browser: httpx2.Client, issuers: dict[str, Issuer]) -> None:
    at = issuers["kutai-timur"]
    public = {"client_id": "front-end", "redirect_uri": PHONE}
    back = sign_in(browser, at, "budi", scope="openid offline_access", prompt="consent", **public)
    first = redeem(browser, at, back["code"], **public).json()

    def refresh(token: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "front-end"}
        return browser.post(f"{at.url}/token", data=form)

    second = refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    claims = jwt.decode(second["access_token"], keys(browser, at), algorithms=["RS256"]).claims
    assert claims["aud"] == at.audience
    assert refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    # Used twice, it may be stolen: the whole family is void.
    assert refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
