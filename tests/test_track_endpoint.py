"""What phones send is kept as evidence of the trip it was made on, and answered as each needs."""

import base64
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx2
import pytest
from asking import ask, settled, sql, unlogged
from conftest import Someone, plan
from nacl.secret import SecretBox

from infra.world import World
from tenants import catalogue, chunks

TRACK = """
query ($id: UUID!) { trip(id: $id) { state track { geojson } } }"""
HOTEL = (116.831, -1.268)


@dataclass
class Phone:
    """A paired phone, and how it speaks."""

    base: str
    client: str
    pairing: dict[str, Any]

    def send(self, method: str = "POST", path: str = "", **request: Any) -> httpx2.Response:
        url = f"{self.base}/{path or self.client.lower()}"
        return httpx2.request(method, url, trust_env=False, **request)

    def fixes(self, times: list[datetime], *, lon: float = HOTEL[0]) -> httpx2.Response:
        """Positions at these times, in the client's own format."""
        token, device = self.pairing["token"], self.pairing["device"]["id"]
        points = [(int(at.timestamp()), lon + i * 1e-4, HOTEL[1]) for i, at in enumerate(times)]
        match self.client:
            case "OWNTRACKS":
                body = [
                    {"_type": "location", "tst": at, "lon": x, "lat": y, "acc": 12, "vel": 36}
                    for at, x, y in points
                ]
                return self.send(json=body, auth=(device, token))
            case "TRACCAR":
                body = [{"id": token, "timestamp": at, "lon": x, "lat": y} for at, x, y in points]
                return self.send(json=body)
            case "OVERLAND":
                features = [
                    {
                        "type": "Feature",
                        "geometry": {"type": "Point", "coordinates": [x, y]},
                        "properties": {
                            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
                            "horizontal_accuracy": 8,
                        },
                    }
                    for at, x, y in points
                ]
                bearer = {"Authorization": f"Bearer {token}"}
                return self.send(json={"locations": features}, headers=bearer)
        for at, x, y in points:
            query = urlencode({"lat": y, "lon": x, "acc": 5, "time": at})
            answer = self.send(path=f"gpslogger?{query}", auth=(device, token))
        return answer


@pytest.fixture(scope="module")
def paired(world: World) -> Callable[..., Phone]:
    def pair(who: Someone, client: str = "TRACCAR", **given: Any) -> Phone:
        made = ask(who.front_end, "pairDevice", client=client, name="Ponsel", **given)
        return Phone(f"{world.base_url}/{who.slug}/track", client, made)

    return pair


@pytest.fixture(scope="module")
def trip_of(people, issue) -> Callable[..., tuple[Someone, dict[str, Any]]]:
    def make(**planned: Any) -> tuple[Someone, dict[str, Any]]:
        who = people.fresh()
        return who, issue(who, plan(**planned))

    return make


def hours(trip: dict[str, Any], *at: float) -> list[datetime]:
    """Times on the trip, in hours from the midnight in WITA that it begins with."""
    first = datetime.combine(date.fromisoformat(trip["startsOn"]), datetime.min.time(), UTC)
    return [first - timedelta(hours=8) + timedelta(hours=hour) for hour in at]


def stored(who: Someone, trip: dict[str, Any]) -> chunks.Track | None:
    unlogged(who.slug)
    with catalogue.tenant(who.slug).session(readonly=True) as session:
        return chunks.read(session, [UUID(trip["id"])]).get(UUID(trip["id"]))


def quarantined(phone: Phone) -> list[dict[str, Any]]:
    return [
        row._asdict()
        for row in sql(
            "SELECT reason, said FROM quarantine WHERE device_id = CAST(:id AS uuid) ORDER BY id",
            id=phone.pairing["device"]["id"],
        )
    ]


@pytest.mark.parametrize(
    ("client", "body"),
    [("OWNTRACKS", b"[]"), ("TRACCAR", b""), ("OVERLAND", b'{"result":"ok"}'), ("GPSLOGGER", b"")],
)
def test_each_client_is_kept_and_answered(trip_of, paired, client, body):
    who, trip = trip_of()
    phone = paired(who, client)
    at = hours(trip, 10, 11, 12)
    for _ in range(2):  # All of them send again what they are not sure of.
        answer = phone.fixes(at)
        assert (answer.status_code, answer.content) == (200, body)
    track = stored(who, trip)
    assert track is not None
    assert track.fixes.time.tolist() == [each.timestamp() for each in at]
    seen = who.front_end.ask(TRACK, id=trip["id"])["trip"]
    assert seen["state"] == "ACTIVE"
    (line,) = seen["track"]["geojson"]["geometry"]["coordinates"]
    assert len(line) == 3
    settled(trip["id"])


def test_an_encrypted_message_is_opened_with_the_pairing_s_passphrase(trip_of, paired):
    who, trip = trip_of()
    phone = paired(who, "OWNTRACKS")
    (at,) = hours(trip, 10)
    message = {"_type": "location", "tst": at.timestamp(), "lon": HOTEL[0], "lat": HOTEL[1]}

    def send(passphrase: str) -> int:
        box = SecretBox(passphrase.encode().ljust(32, b"\0"))
        data = base64.b64encode(bytes(box.encrypt(json.dumps(message).encode()))).decode()
        auth = (phone.pairing["device"]["id"], phone.pairing["token"])
        return phone.send(json={"_type": "encrypted", "data": data}, auth=auth).status_code

    assert send("another") == 200
    assert stored(who, trip) is None
    assert [row["reason"] for row in quarantined(phone)] == ["ENCRYPTED"]
    assert send(phone.pairing["passphrase"]) == 200
    assert len(stored(who, trip).fixes) == 1


def test_outside_an_assignment_no_position_is_kept(trip_of, paired):
    who, trip = trip_of()
    phone = paired(who)
    before, inside, after = hours(trip, -1, 1, 73)
    assert phone.fixes([before, inside, after]).status_code == 200
    assert phone.fixes([before]).status_code == 200
    assert stored(who, trip).fixes.time.tolist() == [inside.timestamp()]
    assert quarantined(phone) == [{"reason": "OUTSIDE_ASSIGNMENT", "said": None}]


def test_a_phone_of_one_trip_sends_for_no_other(people, issue, paired):
    who = people.fresh()
    first, second = issue(who, plan(starts=-10)), issue(who, plan(starts=-5))
    phone = paired(who, tripId=second["id"])
    assert phone.fixes([*hours(first, 10), *hours(second, 10)]).status_code == 200
    assert stored(who, first) is None
    assert len(stored(who, second).fixes) == 1


def test_one_request_may_hold_fixes_of_several_trips(people, issue, paired):
    who = people.fresh()
    trips = [issue(who, plan(starts=starts)) for starts in (-10, -5)]
    assert paired(who).fixes([at for trip in trips for at in hours(trip, 9, 10)]).is_success
    assert [len(stored(who, trip).fixes) for trip in trips] == [2, 2]


def test_one_bad_fix_costs_no_other_and_is_set_apart(trip_of, paired):
    who, trip = trip_of()
    phone = paired(who)
    token, (good, bad) = phone.pairing["token"], hours(trip, 10, 11)
    batch = [
        {"id": token, "timestamp": bad.timestamp(), "lon": 1e9, "lat": 2, "accuracy": 3},
        {"id": token, "timestamp": good.timestamp(), "lon": HOTEL[0], "lat": HOTEL[1]},
        {"id": token, "timestamp": "kemarin", "lon": HOTEL[0], "lat": HOTEL[1]},
    ]
    assert phone.send(json=batch).status_code == 200
    assert stored(who, trip).fixes.time.tolist() == [good.timestamp()]
    apart = quarantined(phone)
    assert [row["reason"] for row in apart] == ["BAD_POSITION", "NO_TIME"]
    assert apart[0]["said"]["lon"] == 1e9, "on the trip it is kept as it came"
    assert "lon" not in apart[1]["said"], "of no time at all, it is of no assignment"
    assert token not in json.dumps(apart)


def test_a_revoked_phone_and_a_stranger_get_the_same_answer_and_keep_what_they_have(
    trip_of, paired, world
):
    who, trip = trip_of()
    phone = paired(who)
    at = hours(trip, 10)
    ask(who.front_end, "revokeDevice", id=phone.pairing["device"]["id"])
    revoked = phone.fixes(at)
    phone.pairing["token"] = "nobody"
    stranger = phone.fixes(at)
    assert revoked.status_code == stranger.status_code == 503
    assert revoked.content == stranger.content
    assert revoked.headers["retry-after"] == stranger.headers["retry-after"]
    assert stored(who, trip) is None


def test_another_regency_knows_no_such_phone(trip_of, paired, world):
    who, trip = trip_of()
    phone = paired(who)
    phone.base = f"{world.base_url}/balikpapan/track"
    assert phone.fixes(hours(trip, 10)).status_code == 503
    assert stored(who, trip) is None
    phone.base = f"{world.base_url}/nusantara/track"
    assert phone.fixes(hours(trip, 10)).status_code == 404


def test_fixes_of_a_pause_are_not_kept(people, issue, paired):
    who = people.fresh()
    trip = issue(who, plan(starts=0))
    phone = paired(who)
    now = datetime.now(UTC)
    assert phone.fixes([now - timedelta(seconds=30)]).is_success
    ask(who.front_end, "pauseTracking", tripId=trip["id"], reason="Ibadah")
    assert phone.fixes([datetime.now(UTC) + timedelta(seconds=2)]).is_success
    assert len(stored(who, trip).fixes) == 1
    assert [row["reason"] for row in quarantined(phone)] == ["PAUSED"]


@pytest.fixture(scope="module")
def silent(trip_of, paired) -> tuple[Someone, dict[str, Any], Phone]:
    """Somebody whose phone never sends a fix."""
    who, trip = trip_of()
    return who, trip, paired(who)


@pytest.mark.parametrize("path", ["overland", "traccar", "owntracks", "gpslogger", "gpx"])
@pytest.mark.parametrize("body", [b"", b"{", b"[1,2]", b"\xff" * 40, b"null", b'{"a":' * 2000])
def test_nonsense_is_no_error(silent, path, body):
    who, trip, phone = silent
    token = phone.pairing["token"]
    answer = phone.send(path=path, content=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert stored(who, trip) is None


def test_an_unknown_format_is_absent(paired, people):
    phone = paired(people.fresh())
    assert phone.send(path="telepati").status_code == 404
    assert phone.send("DELETE").status_code == 405
    assert phone.send(path="traccar/1").status_code == 404


def test_a_path_that_ends_in_a_slash_is_the_same(trip_of, paired):
    who, trip = trip_of()
    phone = paired(who)
    (at,) = hours(trip, 10)
    query = {"id": phone.pairing["token"], "timestamp": int(at.timestamp()), "lon": 117.1, "lat": 0}
    assert phone.send(path=f"traccar/?{urlencode(query)}").status_code == 200
    assert len(stored(who, trip).fixes) == 1


@pytest.mark.parametrize("path", ["traccar", "telepati"])
def test_browsers_are_told_to_load_nothing(paired, people, path):
    answer = paired(people.fresh()).send(path=path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("given", [b"Basic \xe9", b"Basic a", b"Basic", b"Bearer", b"\xff", b""])
def test_what_nobody_signs_in_with(paired, people, given):
    phone = paired(people.fresh(), "OWNTRACKS")
    answer = phone.send(content=b"[]", headers={b"Authorization": given})
    assert answer.status_code == 503


def test_of_a_request_that_is_cut_off_nothing_is_kept(trip_of, paired):
    who, trip = trip_of()
    phone = paired(who)
    first, second = hours(trip, 10, 11)
    token, at = phone.pairing["token"], int(first.timestamp())
    address, _, path = phone.base.removeprefix("http://").partition("/")
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /{path}/traccar HTTP/1.1\r\nHost: {host}\r\nContent-Length: 200\r\n\r\n"
            f"id={token}&timestamp={at}&lat=-1.268&lon=11".encode()
        )
        time.sleep(0.2)  # until it is being read: what comes with the end is not read at all
    time.sleep(0.2)
    assert phone.fixes([second]).status_code == 200
    assert stored(who, trip).fixes.time.tolist() == [second.timestamp()]
