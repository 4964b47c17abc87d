"""At the door: tenants, tokens, bodies, cursors that nobody should send."""

import json
import sqlite3
import time
from contextlib import closing

import httpx2
import pytest
from asking import contents, document, happens, nothing_changes
from conftest import plan
from joserfc import jwt
from joserfc.jwk import RSAKey
from refusals import NIP, POSITION, bearer, refused

from tenants import birth
from tenants.realm import RealmState


@pytest.fixture(scope="module")
def trip(issue, someone):
    return issue(someone)["id"]


class TestTheDoor:
    VIEWER = {"query": "{ viewer { id } }"}

    @pytest.mark.parametrize(
        "slug",
        ["bontang", "Samarinda", "samarinda%00", "samarinda%20", "jejak_control", "%2e%2e", "🏝"],
    )
    def test_an_unknown_regency(self, http, people, slug):
        for headers in ({}, bearer(people.as_("operator").token)):
            answer = http.post(f"/{slug}/graphql", json=self.VIEWER, headers=headers)
            assert refused(answer) == (404, "UNKNOWN_TENANT")

    @pytest.mark.parametrize(
        "credentials",
        [
            "Bearer",
            "Bearer x",
            "Bearer a.b.c",
            "Bearer " + "x" * 7_000,
            "Basic eDp5",
            "x",
            "",
        ],
        ids=lambda value: value[:12],
    )
    def test_no_such_credentials(self, http, credentials):
        answer = http.post(
            "/samarinda/graphql", json=self.VIEWER, headers={"Authorization": credentials}
        )
        assert refused(answer) == (401, "NOT_SIGNED_IN")
        assert answer.headers["www-authenticate"] == "Bearer"

    def test_the_token_of_another_regency(self, http, people):
        for slug, other in (("samarinda", "balikpapan"), ("balikpapan", "samarinda")):
            token = people.as_("operator", other).token
            for place in (slug, "province"):
                answer = http.post(f"/{place}/graphql", json=self.VIEWER, headers=bearer(token))
                assert refused(answer) == (401, "NOT_SIGNED_IN")

    def test_an_expired_token(self, world, http, people):
        """Signed by the issuer's own key, so that nothing but its time is wrong."""
        genuine = people.as_("operator").token
        path = world.folder / "provider" / "provider.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as kept:
            ((keys,),) = kept.execute(
                "SELECT payload FROM kept WHERE issuer = 'samarinda' AND model = 'Keys'"
            ).fetchall()
        key = RSAKey.import_key(json.loads(keys)["jwks"]["keys"][0])
        known = jwt.decode(genuine, key)

        def asked(**times: float) -> httpx2.Response:
            token = jwt.encode(known.header, known.claims | times, key)
            return http.post("/samarinda/graphql", json=self.VIEWER, headers=bearer(token))

        now = int(time.time())
        assert asked(iat=now, exp=now + 60).json()["data"]["viewer"]
        for times in ({"iat": now - 7200, "exp": now - 3600}, {"exp": now - 31}, {"exp": 0}):
            assert refused(asked(**times)) == (401, "NOT_SIGNED_IN")

    def test_without_a_token_nothing_is_seen_or_done(self, http, trip):
        address = "/samarinda/graphql"
        assert http.post(address, json=self.VIEWER).json() == {"data": {"viewer": None}}
        for query in (
            "{ regions { code } }",
            "{ offices { id } }",
            "{ members { nodes { id } } }",
            "{ trips { nodes { id } } }",
            "{ deviations { nodes { id } } }",
            f'{{ trip(id: "{trip}") {{ id }} }}',
            f'{{ deviation(id: "{trip}") {{ id }} }}',
        ):
            assert refused(http.post(address, json={"query": query}))[1] == "NOT_SIGNED_IN", query
        given = {
            "id": trip,
            "tripId": trip,
            "letter": {"number": "x", "dated": "2026-01-01", "purpose": "x", "signedById": trip},
            "travellerId": trip,
            "plan": plan(),
            "reason": "x",
            "endsOn": "2027-01-01",
            "days": 1,
            "fixes": [{"time": "2026-01-01T00:00:00Z"} | POSITION],
            "device": "x",
            "body": "x",
            "upheld": True,
            "invitation": {"name": "x", "roles": ["TENANT_ADMIN"], "nip": NIP},
            "name": "x",
            "kind": "AGENCY",
        }
        with nothing_changes():
            for mutation in (
                *("issueTrip", "reviseTrip", "extendTrip", "cancelTrip", "startTrip"),
                *("finishTrip", "claimTrip", "recordTrack", "replyToDeviation"),
                *("ruleOnDeviation", "inviteMember", "addOffice"),
            ):
                answer = http.post(address, json={"query": document(mutation), "variables": given})
                assert refused(answer)[1] == "NOT_SIGNED_IN", mutation

    @pytest.mark.parametrize(
        ("content", "status", "code"),
        [
            (b"", 400, "BAD_REQUEST"),
            (b"{", 400, "BAD_REQUEST"),
            (b"\xff\xfe", 400, "BAD_REQUEST"),
            (b'{"query": "{viewer{id}}", "variables": {"x": NaN}}', 400, "BAD_REQUEST"),
            (b'{"query": "{viewer{id}}", "variables": {"x": "\\ud800"}}', 400, "BAD_REQUEST"),
            (b'{"query": ' + b"[" * 50_000, 400, "BAD_REQUEST"),
            (b"[]", 400, "BATCHING_NOT_ENABLED"),
            (b'{"query": "{viewer{id"}', 400, "GRAPHQL_PARSE_FAILED"),
            (b'{"query": "{viewer{password}}"}', 400, "GRAPHQL_VALIDATION_FAILED"),
            (b'{"query": "{viewer{id}}"}'.ljust(5_000_000), 413, "BODY_TOO_LARGE"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_bodies_that_cannot_be(self, http, operator, content, status, code):
        headers = bearer(operator.token) | {"Content-Type": "application/json"}
        with nothing_changes():
            answer = http.post("/samarinda/graphql", content=content, headers=headers)
        assert refused(answer) == (status, code)

    def test_a_suspended_regency(self, http, people):
        """Its addresses answer 404 within the time a catalogue is read again, and come back."""
        token = people.as_("operator", "balikpapan").token
        people.as_("operator", "balikpapan").ask("{ viewer { id } }")
        add = {
            "query": document("addOffice"),
            "variables": {"name": "Dinas", "kind": "AGENCY", "parentId": None},
        }

        def status() -> int:
            return http.post(
                "/balikpapan/graphql", json=self.VIEWER, headers=bearer(token)
            ).status_code

        before = contents("balikpapan")
        birth.set_state("balikpapan", RealmState.SUSPENDED)
        try:
            assert happens(lambda: status() == 404, 7)
            for asked in (self.VIEWER, add):
                answer = http.post("/balikpapan/graphql", json=asked, headers=bearer(token))
                assert refused(answer) == (404, "UNKNOWN_TENANT")
            assert http.post("/balikpapan/graphql", json=self.VIEWER).status_code == 404
            # The neighbour is served as ever.
            assert people.as_("operator").ask("{ viewer { id } }")
        finally:
            birth.set_state("balikpapan", RealmState.ACTIVE)
        assert happens(lambda: status() == 200, 7)
        assert contents("balikpapan") == before
