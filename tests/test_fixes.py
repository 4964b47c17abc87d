"""Fixes that can be none, and the chain of those that were kept."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import numpy as np
import pytest
from asking import (
    document,
    nothing_changes,
    sql,
)
from conftest import SAMARINDA, plan, record
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from uploads import FAR_AWAY, fix, fixes, midnight, receipt, stored

from tenants import catalogue, links
from tenants.realm import sqlalchemy_url

BAD_FIXES = {
    "east of 180": {"lon": 180.0001},
    "west of 180": {"lon": -180.0001},
    "north of the pole": {"lat": 90.0001},
    "south of the pole": {"lat": -90.0001},
    "1e308": {"lon": 1e308},
    "negative accuracy": {"accuracy": -1},
    "accuracy beyond the earth": {"accuracy": 6_371_001},
    "accuracy 1e308": {"accuracy": 1e308},
    "negative speed": {"speed": -0.1},
    "speed 1e308": {"speed": 1e308},
    "year 1": {"time": "0001-01-01T00:00:00Z"},
    "1970": {"time": "1970-01-01T00:00:00Z"},
    "year 9999": {"time": "9999-12-31T23:59:59Z"},
    "in a year": {"time": "+8760"},
    "in a day": {"time": "+24"},
    "in 11 minutes": {"time": "+0.183333"},
}


@pytest.mark.parametrize("wrong", BAD_FIXES.values(), ids=BAD_FIXES)
def test_what_can_be_no_fix(phone, trip, wrong):
    if wrong.get("time", "").startswith("+"):
        ahead = datetime.now(UTC) + timedelta(hours=float(wrong["time"]))
        wrong = {"time": ahead.isoformat()}
    sent = fixes(trip, 9)
    sent[4] |= wrong
    with nothing_changes():
        refused = record(phone, trip["id"], sent)
    assert (refused["code"], refused["index"]) == ("INVALID_FIX", 4)
    assert "5" in refused["message"]
    # The position stays with her who sent it.
    assert "116.8" not in str(refused)


def test_a_clock_somewhat_ahead_is_forgiven(people, issue):
    traveller = people.fresh()
    trip = issue(traveller, plan(starts=0, days=2))
    ahead = datetime.now(UTC) + timedelta(minutes=9)
    assert record(traveller.front_end, trip["id"], [fix(ahead)]) == receipt(1)


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("lon: 1e999, lat: 0", "INVALID_FIX"),
        ("lon: 0, lat: -1e999", "INVALID_FIX"),
        ("lon: 0, lat: 0, accuracy: 1e999", "INVALID_FIX"),
        ("lon: 0, lat: 0, speed: 1e999", "INVALID_FIX"),
        ("lon: NaN, lat: 0", "GRAPHQL_VALIDATION_FAILED"),
        ("lon: Infinity, lat: 0", "GRAPHQL_VALIDATION_FAILED"),
        ('lon: "NaN", lat: 0', "GRAPHQL_VALIDATION_FAILED"),
        ('lon: "POINT(117 0)", lat: 0', "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_numbers_that_json_does_not_have(world, phone, trip, literal, code):
    at = midnight(trip["startsOn"]).isoformat()
    query = (
        f'mutation {{ recordTrack(tripId: "{trip["id"]}", fixes: [{{time: "{at}", {literal}}}])'
        " { __typename ... on Problem { code } } }"
    )
    with nothing_changes():
        answer = httpx2.post(
            f"{world.base_url}/samarinda/graphql",
            json={"query": query},
            headers={"Authorization": f"Bearer {phone.token}"},
            trust_env=False,
        ).json()
    found = (
        answer["errors"][0]["extensions"] if "errors" in answer else answer["data"]["recordTrack"]
    )
    assert found["code"] == code


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_json_has_no_such_number(world, phone, trip, number):
    body = (
        f'{{"query": "{document("recordTrack")}", "variables": {{"tripId": "{trip["id"]}",'
        f' "device": "x", "fixes": [{{"time": "2026-01-01T00:00:00Z", "lon": {number},'
        ' "lat": 0}]}}'
    ).replace("\n", " ")
    with nothing_changes():
        answer = httpx2.post(
            f"{world.base_url}/samarinda/graphql",
            content=body,
            headers={
                "Authorization": f"Bearer {phone.token}",
                "Content-Type": "application/json",
            },
            trust_env=False,
        )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("device", ["", "x" * 65, "ponsel\x00"], ids=["none", "long", "NUL"])
def test_a_device_without_a_name(phone, trip, device):
    with nothing_changes():
        refused = record(phone, trip["id"], fixes(trip, 1), device=device)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "device")


def test_the_chain_can_be_computed_again(phone, trip):
    """Whoever has the rows can prove that none was changed, taken out or put in between."""
    start = midnight(trip["startsOn"])
    odd = [
        fix(start + timedelta(hours=9), lon=-0.0, lat=-0.0, accuracy=12.3, speed=0.1),
        fix(start + timedelta(hours=9, microseconds=250), accuracy=1e-9),
    ]
    record(phone, trip["id"], fixes(trip, 30))
    record(phone, trip["id"], odd, device="ponsel 📱")
    record(phone, trip["id"], fixes(trip, 1, SAMARINDA, accuracy=None))
    rows = stored(trip)
    assert [len(row.accuracy) for row in rows] == [30, 2, 1]
    link = b""
    for row in rows:
        # EWKB: byte order, type, SRID, for a line the number of points; then lon, lat, seconds.
        path = bytes(row.path)
        points = np.frombuffer(path[9 if len(row.accuracy) == 1 else 13 :], "<f8").reshape(-1, 3)
        single = [
            np.asarray(column, dtype=np.float32).astype(float)
            for column in (row.accuracy, row.speed)
        ]
        digest = hashlib.sha256(UUID(trip["id"]).bytes)
        device = row.device.encode()
        digest.update(len(device).to_bytes(2, "little") + device)
        for (lon, lat, at), accuracy, speed in zip(points, *single, strict=True):
            digest.update(struct.pack("<5d", at, lon + 0.0, lat + 0.0, accuracy, speed))
        assert bytes(row.digest) == digest.digest()
        link = hashlib.sha256(link + digest.digest()).digest()
        assert bytes(row.link) == link
        assert row.started_at.timestamp() == pytest.approx(points[0][2], abs=1e-6)
        assert row.ended_at.timestamp() == pytest.approx(points[-1][2], abs=1e-6)
    ((head, arrived),) = sql(
        "SELECT chain_head, arrived FROM trip_progress WHERE trip_id = CAST(:id AS uuid)",
        id=trip["id"],
    )
    assert bytes(head) == link
    assert [row.arrival for row in rows] == [2, 3, 4]
    assert arrived == 4


TAMPERED = {
    "a fix was moved": "path = ST_Translate(path, 1e-7, 0) WHERE arrival = 3",
    "a device was renamed": "device = 'tablet' WHERE arrival = 3",
    "an accuracy was bettered": "accuracy = ARRAY[1]::real[] WHERE arrival = 4",
    "an accuracy is none": "accuracy = ARRAY[NULL]::real[] WHERE arrival = 4",
    "an accuracy is missing": "accuracy = ARRAY[1]::real[] WHERE arrival = 3",
    "two changed places": "arrival = 7 - arrival WHERE arrival IN (3, 4)",
    "the last one is hidden": "trip_id = gen_random_uuid() WHERE arrival = 4",
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_the_chain_tells_what_was_changed(world, phone, trip, change):
    for part in (fixes(trip, 30), fixes(trip, 2, FAR_AWAY), fixes(trip, 1, SAMARINDA)):
        record(phone, trip["id"], part)
    owner = create_engine(sqlalchemy_url(world.cluster.dsn("jejak_samarinda")), poolclass=NullPool)
    with owner.connect() as connection, Session(connection) as session:
        assert links.broken(session, [UUID(trip["id"])]) == set()
        session.execute(text("SET LOCAL session_replication_role = replica"))
        changed = text(f"UPDATE track_chunk SET {change} AND trip_id = :id")  # noqa: S608
        assert session.execute(changed, {"id": trip["id"]}).rowcount
        assert links.broken(session, [UUID(trip["id"])]) == {UUID(trip["id"])}
        session.rollback()


def test_no_fix_no_chain(world, trip):
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        assert links.broken(session, [UUID(trip["id"])]) == set()
