"""From the acknowledgement to the track: what the intake's log holds is settled once, rightly."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx2
import numpy as np
import psycopg
import pytest
from asking import ask, happens, held, sql, threads, unlogged
from conftest import People, Someone, plan
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pauses import by_domain
from test_track_endpoint import Phone, hours, paired, quarantined, trip_of  # noqa: F401

from graphql_api.intake import Busy, Intake
from infra.world import World
from tenants import catalogue, chunks, devices, journal, links
from tenants.fixes import Fixes, canonical, joined, table
from tenants.intake import Arrival
from tenants.settle import SETTLER, settle

# ruff: noqa: F811

Trip = dict[str, Any]
KEPT = "SELECT coalesce(sum(ST_NPoints(path)), 0) FROM track_chunk WHERE trip_id = :trip"
LOGGED = "SELECT count(*) FROM intake_log"


@pytest.fixture(scope="module")
def pair_of(trip_of, paired) -> Callable[[], tuple[Someone, Trip, Phone]]:
    """Somebody on a trip, with a phone."""

    def make() -> tuple[Someone, Trip, Phone]:
        who, trip = trip_of()
        return who, trip, paired(who)

    return make


@contextmanager
def unsettled() -> Iterator[Callable[[int], None]]:
    """Let nothing be settled during the block: what is acknowledged stays in the log."""
    unlogged()
    with held(f"SELECT pg_advisory_xact_lock({SETTLER})") as waiting:
        yield waiting


def logged() -> int:
    return sql(LOGGED)[0][0]


def kept(trip: Trip) -> int:
    """How many fixes of a trip are stored, repetitions counted."""
    return sql(KEPT, trip=UUID(trip["id"]))[0][0]


def times_of(trip: Trip) -> list[float]:
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        track = chunks.read(session, [UUID(trip["id"])]).get(UUID(trip["id"]))
    return [] if track is None else track.fixes.time.tolist()


def test_what_is_acknowledged_is_in_the_log_and_what_is_settled_is_not(pair_of):
    who, trip, phone = pair_of()
    with unsettled():
        assert phone.fixes(hours(trip, 10, 11)).status_code == 200
        assert phone.fixes(hours(trip, -1, 80)).status_code == 200
        assert (logged(), kept(trip)) == (1, 0), "what is outside is not even logged"
    assert happens(lambda: kept(trip) == 2, 10)
    assert logged() == 0
    assert ask(who.front_end, "startTrip", id=trip["id"])["was"] == "ACTIVE"


def test_a_trip_has_begun_with_what_is_acknowledged(people: People, issue, paired):
    who = people.fresh()
    trip = issue(who, plan(starts=0))
    phone = paired(who)
    with unsettled():
        assert phone.fixes([datetime.now(UTC) - timedelta(seconds=30)]).status_code == 200
        paused = ask(who.front_end, "pauseTracking", tripId=trip["id"], reason="Ibadah")
        assert "id" in paused, "what has not begun cannot be paused"


def test_a_phone_s_requests_become_one_chunk(pair_of):
    _, trip, phone = pair_of()
    at = hours(trip, *range(10, 20))
    with unsettled():
        for each in at:
            assert phone.fixes([each]).status_code == 200
    unlogged()
    assert times_of(trip) == [each.timestamp() for each in at]
    found = sql("SELECT count(*) FROM track_chunk WHERE trip_id = :trip", trip=UUID(trip["id"]))
    assert found[0][0] == 1
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        assert links.broken(session, [UUID(trip["id"])]) == set()


def test_the_sweep_settles_what_a_killed_api_left(world: World, pair_of):
    _, trip, phone = pair_of()
    api = world.processes["api"]
    try:
        with unsettled():
            assert phone.fixes(hours(trip, 10, 11)).status_code == 200
            api.kill()
        assert happens(lambda: kept(trip) == 2, 20)
    finally:
        api.stop()
        api.start()
        assert happens(lambda: answers(world), 30)


def test_an_api_settles_what_it_finds_when_it_starts(world: World, pair_of):
    _, trip, phone = pair_of()
    api, sweep = world.processes["api"], world.processes["sweep"]
    sweep.stop()
    try:
        with unsettled():
            assert phone.fixes(hours(trip, 10)).status_code == 200
            api.kill()
        assert kept(trip) == 0
        api.stop()
        api.start()
        assert happens(lambda: kept(trip) == 1, 60)
    finally:
        sweep.start()
        assert happens(lambda: answers(world), 30)


def answers(world: World) -> bool:
    try:
        return httpx2.get(f"{world.base_url}/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def test_what_ended_before_it_was_settled_takes_no_more(pair_of):
    who, trip, phone = pair_of()
    assert ask(who.front_end, "startTrip", id=trip["id"])["state"] == "ACTIVE"
    before, back, after = hours(trip, 9, 10, 11)
    with unsettled():
        assert phone.fixes([before, after]).status_code == 200
        ended = ask(who.front_end, "finishTrip", id=trip["id"], finishedAt=back.isoformat())
        assert ended["state"] == "FINISHED"
    unlogged()
    assert times_of(trip) == [before.timestamp()]
    assert quarantined(phone) == [{"reason": "OUTSIDE_ASSIGNMENT", "said": None}]


def test_what_was_called_off_before_it_was_settled_takes_none(pair_of, operator):
    _, trip, phone = pair_of()
    with unsettled():
        assert phone.fixes(hours(trip, 9)).status_code == 200
        assert ask(operator, "cancelTrip", id=trip["id"], reason="Batal")["state"] == "CANCELLED"
    unlogged()
    assert times_of(trip) == []
    assert quarantined(phone) == [{"reason": "OUTSIDE_ASSIGNMENT", "said": None}]


def test_a_pause_that_is_known_before_it_is_settled_holds(people: People, issue, paired):
    who = people.fresh()
    trip = issue(who, plan(starts=-1))
    phone = paired(who)
    now = datetime.now(UTC).replace(microsecond=0)
    assert ask(who.front_end, "startTrip", id=trip["id"])["state"] == "ACTIVE"
    with unsettled():
        times = [now - timedelta(minutes=minutes) for minutes in (30, 10)]
        assert phone.fixes(times).status_code == 200
        assert "id" in by_domain(who.id, trip["id"], now=now - timedelta(minutes=20))
    unlogged()
    assert times_of(trip) == [times[0].timestamp()]
    assert quarantined(phone) == [{"reason": "PAUSED", "said": None}]


def test_each_fix_is_stored_once_however_it_is_sent_again(pair_of, paired):
    who, trip, phone = pair_of()
    another = paired(who)
    at = hours(trip, *np.arange(8, 18, 0.5))
    points = [(each, 116.831 + 1e-4 * number) for number, each in enumerate(at)]
    assert phone.fixes(at[:10]).is_success
    unlogged()
    for sender, again in (
        (another, points[5:15]),
        (phone, points),
        (phone, points[::-1]),
        (phone, points[3:4]),
    ):
        assert send(sender, again)
    unlogged()
    assert sorted(times_of(trip)) == [each.timestamp() for each in at]
    with unsettled():
        for first, last in pairwise((0, 3, 11, 20)):
            assert send(phone, points[first:last])
            assert send(another, points[first:last][::-1])
    unlogged()
    assert kept(trip) == len(at)


def send(phone: Phone, points: list[tuple[datetime, float]]) -> bool:
    body = [
        {"id": phone.pairing["token"], "timestamp": int(at.timestamp()), "lon": lon, "lat": -1.268}
        for at, lon in points
    ]
    return phone.send(json=body).is_success


def test_of_two_who_settle_one_does(pair_of):
    _, trip, phone = pair_of()
    tenant = catalogue.tenant("samarinda")
    with unsettled():
        assert phone.fixes(hours(trip, 9, 10)).status_code == 200
        left = settle(tenant)
        assert (left.fixes, left.trip_ids) == (0, set())
        assert left.left > 0
    with threads(4) as submit:
        racing = [submit(settle, tenant) for _ in range(8)]
        assert sum(each.result().fixes for each in racing) <= 2
    unlogged()
    assert kept(trip) == 2


def test_what_the_database_refuses_is_set_apart_and_keeps_nobody_waiting(world, pair_of):
    _, trip, phone = pair_of()
    _, theirs, other = pair_of()
    device = phone.pairing["device"]["id"]
    at = hours(trip, 10, 11)
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
        owner.execute(
            f"ALTER TABLE track_chunk ADD CONSTRAINT refused CHECK (device <> '{device}') NOT VALID"
        )
        try:
            with unsettled():
                assert phone.fixes(at).is_success
                assert other.fixes(hours(theirs, 10)).is_success
            unlogged()
        finally:
            owner.execute("ALTER TABLE track_chunk DROP CONSTRAINT refused")
    assert (kept(trip), kept(theirs)) == (0, 1)
    rows = quarantined(phone)
    assert [row["reason"] for row in rows] == ["REFUSED"] * 2
    assert [row["said"]["time"] for row in rows] == [[each.timestamp()] for each in at]
    # It was acknowledged: all of it is here.
    assert [row["said"]["lon"] for row in rows] == [[116.831], [116.831 + 1e-4]]
    assert quarantined(other) == []


def test_one_fix_that_is_refused_costs_no_other_of_its_phone(world, pair_of):
    _, trip, phone = pair_of()
    at = hours(trip, *range(8, 18))
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
        owner.execute(
            "ALTER TABLE track_chunk ADD CONSTRAINT refused CHECK (trip_id <>"
            f" '{trip['id']}' OR NOT '{at[6].isoformat()}' BETWEEN started_at AND ended_at)"
            " NOT VALID"
        )
        try:
            assert phone.fixes(at).is_success
            unlogged()
        finally:
            owner.execute("ALTER TABLE track_chunk DROP CONSTRAINT refused")
    assert sorted(times_of(trip)) == [each.timestamp() for each in at if each != at[6]]
    assert [row["said"]["time"] for row in quarantined(phone)] == [[at[6].timestamp()]]
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        assert links.broken(session, [UUID(trip["id"])]) == set()


def test_a_statement_that_is_cancelled_is_tried_again(world, pair_of):
    _, trip, phone = pair_of()
    cancel = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY track_chunk%'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    database = world.cluster.dsn("jejak_samarinda")
    with (
        psycopg.connect(database) as holder,
        psycopg.connect(database, autocommit=True) as admin,
    ):
        holder.execute("LOCK TABLE track_chunk IN SHARE MODE")
        assert phone.fixes(hours(trip, 10)).status_code == 200, "an answer waits for the log alone"
        assert happens(lambda: admin.execute(cancel).fetchall() == [(True,)], 10)
        assert logged() == 1
    unlogged()
    assert kept(trip) == 1
    assert quarantined(phone) == []


def test_no_more_is_taken_than_can_be_settled(pair_of):
    _, trip, phone = pair_of()
    tenant = catalogue.tenant("samarinda")
    key = devices.token_hash(phone.pairing["token"])
    start = hours(trip, 10)[0].timestamp()

    async def send() -> None:
        moved: list[set[UUID]] = []
        intake = Intake(lambda _tenant, trip_ids: moved.append(set(trip_ids)), most_unsettled=3)
        with unsettled():
            for second in range(3):
                assert (await intake.take(tenant, Arrival(key, at(start + second)))).device_id
            with pytest.raises(Busy):
                await intake.take(tenant, Arrival(key, at(start + 3)))
        while not moved:
            await asyncio.sleep(0.01)
        assert (await intake.take(tenant, Arrival(key, at(start + 3)))).device_id
        await intake.close()
        assert set().union(*moved) == {UUID(trip["id"])}

    asyncio.run(asyncio.wait_for(send(), 30))
    unlogged()
    assert kept(trip) == 4


def at(*times: float) -> Fixes:
    n = len(times)
    unknown = np.full(n, np.nan)
    place = (np.full(n, 117.1), np.full(n, -0.5))
    return Fixes(np.array(times), *place, unknown, unknown, np.zeros(n, dtype=bool), unknown)


SECONDS = st.integers(0, 400).map(lambda second: second * 30.0)
PLACES = st.sampled_from((117.0, 117.1, -0.0, 0.0))
SAID = st.sampled_from((np.nan, 5.0, 0.1))
FIX = st.tuples(SECONDS, PLACES, PLACES, SAID, SAID, st.booleans(), SAID.map(lambda x: x / 10))
BATCHES = st.lists(st.lists(st.tuples(FIX, st.integers(0, 2)), min_size=1, max_size=30), max_size=6)


@pytest.fixture(scope="module")
def empty(trip_of) -> tuple[UUID, float]:
    """A trip of which nothing is stored, and when it begins."""
    _, trip = trip_of()
    return UUID(trip["id"]), hours(trip, 0)[0].timestamp()


@settings(deadline=None, max_examples=60)
@given(BATCHES, st.data())
def test_however_it_is_divided_each_fix_is_stored_once(empty, batches, data):
    """Batches, some of them again and through the log, come to what one upload comes to."""
    trip_id, start = empty
    again = data.draw(st.lists(st.sampled_from(batches), max_size=3) if batches else st.just([]))
    sources = [trip_id.bytes + UUID(int=number).bytes for number in range(3)]
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        undone = session.begin_nested()
        chains = chunks.lock(session, [trip_id])
        counted = 0
        for batch in (*batches, *again):
            source = np.array([number for _, number in batch], dtype=np.intp)
            journal.write(session, fixes_of(batch, start), source, sources)
            read = journal.read(session, most=10**9)
            counted += sum(chunks.append(session, read.fixes, read.source, read.sources, chains))
            journal.remove(session, read.ids)
        track = chunks.read(session, [trip_id]).get(trip_id)
        assert links.broken(session, [trip_id]) == set()
        undone.rollback()
    if track is None:
        assert not batches
        return
    whole = table(canonical(joined([fixes_of(batch, start) for batch in batches])))
    assert counted == len(track.fixes) == len(whole)
    assert np.array_equal(table(canonical(track.fixes)), whole)


def fixes_of(batch: list[tuple[tuple[float, ...], int]], start: float) -> Fixes:
    time, lon, lat, accuracy, speed, mock, battery = (
        np.array(column) for column in zip(*(fix for fix, _ in batch), strict=True)
    )
    return Fixes(time + start, lon, lat, accuracy, speed, mock.astype(bool), battery)
