"""Paired phones: who pairs and sees them, what is kept of their secrets, what configures them."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import segno
from asking import ask, codes, enter, held, nothing_changes, nowhere, sql, threads
from conftest import plan

from infra.front_end import Refused
from tenants import access, catalogue, devices
from tenants.models import Member, PhoneClient
from tenants.problems import NotAllowed, NotFound

SHOWN = """
query ($member: UUID) {
  devices(memberId: $member) { id name client revokedAt lastSeenAt member { id } trip { id } }
}"""
UNUSABLE = """
query ($device: UUID!, $first: Int!) {
  quarantined(deviceId: $device, first: $first) { receivedAt reason said }
}"""
OFFICERS = ("operator", "kepala", "inspektur")


@pytest.fixture(scope="module")
def admin(people):
    return people.as_("admin")


@pytest.fixture(scope="module")
def owner(people):
    return people.fresh()


@pytest.fixture(scope="module")
def colleague(people):
    return people.fresh()


def pair(who, client="OWNTRACKS", name="Ponsel", **given):
    return ask(who, "pairDevice", client=client, name=name, **given)


def seen(who, member=None):
    return who.ask(SHOWN, member=member)["devices"]


def kept(device):
    (row,) = sql("SELECT * FROM device WHERE id = CAST(:id AS uuid)", id=device["id"])
    return row


def viewer_of(session, key):
    return access.viewer_of(session.get_one(Member, UUID(key)))


class TestPairing:
    def test_a_traveller_pairs_her_own_phone(self, someone):
        made = pair(someone.front_end, name=" Ponsel dinas ")
        device = made["device"]
        assert (device["name"], device["client"]) == ("Ponsel dinas", "OWNTRACKS")
        assert device["member"] == {"id": someone.id, "name": someone.name}
        assert device["trip"] is device["revokedAt"] is device["lastSeenAt"] is None
        (shown,) = seen(someone.front_end)
        assert shown["id"] == device["id"]
        assert str(kept(device).paired_by_id) == someone.id

    def test_of_the_token_only_a_hash_is_kept_and_the_passphrase_is_encrypted(self, someone):
        made = pair(someone.front_end)
        for secret in (made["token"], made["passphrase"]):
            assert re.fullmatch(r"[A-Za-z0-9_-]{32}", secret)
        row = kept(made["device"])
        assert bytes(row.token_hash) == hashlib.sha256(made["token"].encode()).digest()
        assert devices.token_hash(made["token"]) == bytes(row.token_hash)
        assert catalogue.decrypt(row.encryption_key) == made["passphrase"]
        (text,) = sql("SELECT string_agg(d::text, '') AS whole FROM device d")
        assert made["token"] not in text.whole
        assert made["passphrase"] not in text.whole

    @pytest.mark.parametrize("client", ["TRACCAR", "OVERLAND", "GPSLOGGER", "BROWSER"])
    def test_only_owntracks_has_a_passphrase(self, someone, client):
        made = pair(someone.front_end, client)
        assert made["passphrase"] is None
        assert kept(made["device"]).encryption_key is None

    def test_to_one_trip_of_hers(self, people, issue, owner, colleague):
        trip, foreign = issue(owner)["id"], issue(colleague)["id"]
        assert pair(owner.front_end, tripId=trip)["device"]["trip"] == {"id": trip}
        with nothing_changes():
            for absent in (foreign, nowhere()):
                assert pair(owner.front_end, tripId=absent)["code"] == "NOT_FOUND"
            # Whoever sees the trip is told that it is another's.
            refused = pair(people.as_("operator"), tripId=foreign)
            assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "tripId")
        assert ask(people.as_("operator"), "cancelTrip", id=trip, reason="Batal")["state"]
        with nothing_changes():
            refused = pair(owner.front_end, tripId=trip)
        assert (refused["code"], refused["was"]) == ("WRONG_STATE", "CANCELLED")

    def test_an_admin_pairs_for_a_member(self, people, issue, admin, owner, colleague):
        trip, foreign = (issue(each, plan(starts=-40))["id"] for each in (owner, colleague))
        made = pair(admin, memberId=owner.id, tripId=trip)
        assert made["device"]["member"]["id"] == owner.id
        assert str(kept(made["device"]).paired_by_id) == people.id_of("Yuli Admin") != owner.id
        assert made["device"]["id"] in [device["id"] for device in seen(owner.front_end)]
        with nothing_changes():
            assert pair(admin, memberId=owner.id, tripId=foreign)["field"] == "tripId"
            assert pair(admin, memberId=nowhere())["code"] == "NOT_FOUND"

    def test_nobody_else_does(self, people, owner, colleague):
        with nothing_changes():
            assert pair(colleague.front_end, memberId=owner.id)["code"] == "NOT_FOUND"
            for officer in OFFICERS:
                refused = pair(people.as_(officer), memberId=owner.id)
                assert (refused["code"], refused["allowed"]) == ("NOT_ALLOWED", ["TENANT_ADMIN"])
            for abroad in ("operator", "admin"):
                refused = pair(people.as_(abroad, "balikpapan"), memberId=owner.id)
                assert refused["code"] == "NOT_FOUND"

    def test_not_for_a_suspended_member(self, admin, owner):
        change = "UPDATE member SET suspended_at = :at WHERE id = CAST(:id AS uuid)"
        enter(change, at=datetime.now(UTC), id=owner.id)
        with nothing_changes():
            assert pair(admin, memberId=owner.id)["field"] == "memberId"
        enter(change, at=None, id=owner.id)

    def test_ten_at_most_of_those_that_are_not_revoked(self, people, admin):
        who = people.fresh()
        made = [pair(who.front_end, name=f"Ponsel {number}") for number in range(10)]
        with nothing_changes():
            for someone, member in ((who.front_end, None), (admin, who.id)):
                refused = pair(someone, memberId=member)
                assert (refused["code"], refused["limit"]) == ("TOO_MANY_DEVICES", 10)
        assert ask(who.front_end, "revokeDevice", id=made[0]["device"]["id"])["revokedAt"]
        assert pair(who.front_end)["token"]
        names = [device["name"] for device in seen(who.front_end)]
        assert names == ["Ponsel", *(f"Ponsel {number}" for number in reversed(range(10)))]

    def test_of_two_at_once_one_is_the_tenth(self, people, admin):
        who = people.fresh()
        key = who.id
        for _ in range(9):
            pair(who.front_end)
        lock = "SELECT 1 FROM member WHERE id = CAST(:id AS uuid) FOR UPDATE"
        with threads(2) as submit:
            with held(lock, id=key) as waiting:
                racing = [submit(pair, each, memberId=key) for each in (who.front_end, admin)]
                waiting(2)
            answers = [each.result() for each in racing]
        assert codes(*answers) == ["Pairing", "TOO_MANY_DEVICES"]


class TestSeeing:
    def test_another_members_phone_is_not_there(self, people, owner, colleague):
        device = pair(owner.front_end)["device"]["id"]
        abroad = people.as_("admin", "balikpapan")
        phones = (colleague.front_end, *map(people.as_, OFFICERS), abroad)
        with nothing_changes():
            for viewer in phones:
                assert seen(viewer, owner.id) == seen(viewer, nowhere()) == []
                refused = ask(viewer, "revokeDevice", id=device)
                absent = ask(viewer, "revokeDevice", id=nowhere())
                assert refused == absent
                assert refused["code"] == "NOT_FOUND"
                with pytest.raises(Refused, match="NOT_FOUND"):
                    viewer.ask(UNUSABLE, device=device, first=1)

    def test_an_admin_sees_and_revokes_it(self, admin, owner):
        device = pair(owner.front_end)["device"]["id"]
        assert device in [each["id"] for each in seen(admin, owner.id)]
        revoked = ask(admin, "revokeDevice", id=device)
        assert revoked["revokedAt"]
        with nothing_changes():
            assert ask(owner.front_end, "revokeDevice", id=device) == revoked
        (shown,) = [each for each in seen(owner.front_end) if each["id"] == device]
        assert shown["revokedAt"] == revoked["revokedAt"]

    def test_nobody_is_told_the_token_again(self, admin, owner):
        made = pair(owner.front_end)
        shown = str(seen(owner.front_end)) + str(seen(admin, owner.id))
        assert made["token"] not in shown
        for field in ("token", "tokenHash", "passphrase", "encryptionKey"):
            with pytest.raises(Refused, match="VALIDATION"):
                owner.front_end.ask(f"{{ devices {{ {field} }} }}")

    def test_what_could_not_be_used(self, admin, owner):
        device = pair(owner.front_end)["device"]["id"]
        for number in range(3):
            enter(
                "INSERT INTO quarantine (device_id, reason, said)"
                " VALUES (CAST(:id AS uuid), :reason, '{\"lat\": 95}')",
                id=device,
                reason=f"alasan {number}",
            )
        newest = owner.front_end.ask(UNUSABLE, device=device, first=2)["quarantined"]
        assert [(row["reason"], row["said"]) for row in newest] == [
            ("alasan 2", {"lat": 95}),
            ("alasan 1", {"lat": 95}),
        ]
        # Who keeps order among phones needs no positions.
        told = admin.ask(UNUSABLE, device=device, first=100)["quarantined"]
        assert [row["said"] for row in told] == [None] * 3
        for first in (0, 101):
            with pytest.raises(Refused, match="INVALID_INPUT"):
                admin.ask(UNUSABLE, device=device, first=first)

    def test_by_the_domain_alone(self, people, owner, colleague):
        """The functions that the GraphQL resolvers call, asked directly."""
        now = datetime(2026, 11, 20, tzinfo=UTC)
        with catalogue.tenant("samarinda").session(readonly=False) as session:
            hers, other, officer = (
                viewer_of(session, key)
                for key in (owner.id, colleague.id, people.id_of("Rina Operator"))
            )
            given = {"name": "Ponsel", "now": now}
            paired = devices.pair(session, hers, PhoneClient.TRACCAR, **given)
            assert paired.device.paired_at == now
            assert paired.device in devices.devices(session, hers)
            assert devices.devices(session, other, hers.member_id) == []
            with pytest.raises(NotFound):
                devices.revoke(session, other, paired.device.id, now)
            with pytest.raises(NotAllowed):
                devices.pair(
                    session, officer, PhoneClient.TRACCAR, member_id=hers.member_id, **given
                )
            assert devices.revoke(session, hers, paired.device.id, now).revoked_at == now


def matrix(svg):
    """The modules of a QR code as its SVG draws them: horizontal strokes, row by row."""
    side = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])
    rows = [bytearray(side) for _ in range(side)]
    x = y = 0.0
    for step, numbers in re.findall(
        r"([Mmh])([-\d. ]+)", re.search(r'stroke="#000" d="([^"]+)', svg)[1]
    ):
        first, *rest = map(float, numbers.split())
        match step:
            case "M":
                x, y = first, rest[0]
            case "m":
                x, y = x + first, y + rest[0]
            case "h":
                rows[int(y)][int(x) : int(x + first)] = b"\1" * int(first)
                x += first
    return tuple(map(bytes, rows))


def says(svg, text):
    """Whether the SVG is the QR code of a text, with the quiet border around it."""
    code = segno.make_qr(text, error="l")
    return matrix(svg) == tuple(map(bytes, code.matrix_iter(border=4)))


class TestSetup:
    @pytest.fixture(scope="class")
    @classmethod
    def paired(cls, colleague):
        return {client.value: pair(colleague.front_end, client.value) for client in PhoneClient}

    def test_owntracks(self, world, paired):
        made = paired["OWNTRACKS"]
        device = made["device"]["id"]
        scheme, _, query = made["link"].partition("?inline=")
        assert scheme == "owntracks:///config"
        assert not re.search(r"[+/=]", query), "a plus sign would be read as a space"
        (inline,) = parse_qs(f"inline={query}")["inline"]
        said = json.loads(base64.b64decode(inline, validate=True))
        assert said["_type"] == "configuration"
        assert (said["mode"], said["auth"], said["monitoring"]) == (3, True, 1)
        assert said["url"] == made["url"] == f"{world.base_url}/samarinda/track/owntracks"
        assert (said["username"], said["password"]) == (device, made["token"])
        assert made["username"] == said["deviceId"] == device
        assert said["encryptionKey"] == made["passphrase"]
        assert len(said["tid"]) == 2
        assert says(made["qr"], made["link"])

    def test_traccar(self, world, paired):
        made = paired["TRACCAR"]
        address = f"{world.base_url}/samarinda/track/traccar"
        assert made["url"] == address
        assert made["username"] is None
        link = urlsplit(made["link"])
        assert (link.scheme, link.netloc) == ("org.traccar.client", "config")
        said = {name: values[0] for name, values in parse_qs(link.query).items()}
        assert said.pop("url") == address
        assert said["id"] == made["token"]
        assert int(said["interval"]) == 300
        assert 0 < int(said["heartbeat"]) <= 3600
        # What the application's own scanner takes has the server's address itself.
        assert says(made["qr"], f"{address}?{link.query.partition('&')[2]}")

    def test_overland(self, world, paired):
        made = paired["OVERLAND"]
        link = urlsplit(made["link"])
        assert (link.scheme, link.netloc) == ("overland", "setup")
        assert parse_qs(link.query) == {
            "url": [f"{world.base_url}/samarinda/track/overland"],
            "token": [made["token"]],
            "device_id": [made["device"]["id"]],
            "unique_id": ["yes"],
        }
        assert says(made["qr"], made["link"])

    def test_gpslogger(self, http, world, paired):
        made = paired["GPSLOGGER"]
        address = f"{world.base_url}/samarinda/track/gpslogger"
        assert (made["url"], made["username"]) == (address, made["device"]["id"])
        for steps in (made["instructions"], made["instructionsEn"]):
            assert f"URL: {address}" in steps
            assert any(
                "lat=%LAT&lon=%LON&acc=%ACC&spd=%SPD&time=%TIMESTAMP" in step for step in steps
            )
        assert says(made["qr"], made["link"])
        profile = made["link"].removeprefix("gpslogger://properties/")
        answer = http.get(profile)
        assert answer.headers["cache-control"] == "no-store"
        said = dict(line.split("=", 1) for line in answer.text.splitlines())
        assert said["log_customurl_url"] == address
        assert said["log_customurl_method"] == "POST"
        assert said["log_customurl_basicauth_username"] == made["device"]["id"]
        assert said["log_customurl_basicauth_password"] == made["token"]
        assert said["log_customurl_headers"] == "Content-Type: application/x-www-form-urlencoded"
        assert parse_qs(said["log_customurl_body"])["lon"] == ["%LON"]

    @pytest.mark.parametrize(
        ("slug", "token"),
        [("samarinda", "x%0Alog_gpx=true"), ("samarinda", "x=y"), ("tiada", "x" * 32)],
    )
    def test_a_profile_says_nothing_else(self, http, slug, token):
        answer = http.get(f"/{slug}/track/gpslogger/{nowhere()}/{token}/jejak-dinas.properties")
        assert answer.status_code == 404
        assert "log_" not in answer.text

    def test_a_page_has_nothing_but_its_token(self, paired):
        made = paired["BROWSER"]
        assert made["token"]
        assert {made[name] for name in ("link", "qr", "url", "username", "passphrase")} == {None}

    @pytest.mark.parametrize("client", PhoneClient)
    def test_in_both_languages(self, paired, client):
        made = paired[client.value]
        assert len(made["instructions"]) == len(made["instructionsEn"]) > 0
        assert made["instructions"] != made["instructionsEn"]
        assert made["token"] not in str(made["instructions"] + made["instructionsEn"])
