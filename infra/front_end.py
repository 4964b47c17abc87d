"""A front end of somebody else's: signs a person in as the public client and speaks GraphQL."""

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

RETURN_TO = "http://127.0.0.1/selesai"


class Refused(Exception):
    """The service answered with GraphQL errors or an HTTP error; the text is its own."""


class FrontEnd:
    """Signed in as one person of one realm. Not for use from two threads at once."""

    def __init__(self, base_url: str, slug: str, issuer_url: str, username: str) -> None:
        self._http = httpx2.Client(trust_env=False, timeout=30)
        self._address = f"{base_url}/{slug}/graphql"
        self.token = sign_in(issuer_url, username)
        self._http.headers["Authorization"] = f"Bearer {self.token}"

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The `data` of a query or mutation; raises `Refused`."""
        answer = self._http.post(self._address, json={"query": document, "variables": variables})
        try:
            body = answer.json()
        except ValueError:
            raise Refused(f"HTTP {answer.status_code}") from None
        if answer.is_error or body.get("errors"):
            raise Refused(str(body.get("errors") or answer.status_code))
        data: dict[str, Any] = body["data"]
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()


def sign_in(issuer_url: str, username: str) -> str:
    """An access token by authorization code and PKCE, as a person with a browser gets it."""
    verifier = secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "client_id": "front-end",
        "redirect_uri": RETURN_TO,
        "response_type": "code",
        "scope": "openid",
        "state": secrets.token_urlsafe(8),
        "nonce": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with httpx2.Client(trust_env=False, timeout=30) as browser:
        answer = browser.get(f"{issuer_url}/auth", params=asked)
        while True:
            if answer.is_redirect:
                location = str(answer.headers["location"])
                if location.startswith(RETURN_TO):
                    break
                answer = browser.get(answer.url.join(location))
            elif answer.is_success and answer.request.method == "GET":
                answer = browser.post(answer.url, data={"username": username})
            else:
                raise Refused(f"{username} could not sign in: HTTP {answer.status_code}")
        code = parse_qs(urlsplit(location).query)["code"][0]
        granted = browser.post(
            f"{issuer_url}/token",
            data={
                "grant_type": "authorization_code",
                "client_id": "front-end",
                "redirect_uri": RETURN_TO,
                "code": code,
                "code_verifier": verifier,
            },
        )
        token: str = granted.raise_for_status().json()["access_token"]
        return token
