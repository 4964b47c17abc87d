"""Hundreds who watch in one process: what is read, what waits for them, and how long."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from asking import enter
from conftest import BALIKPAPAN, People, plan, record
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from graphql_api import positions, watching
from graphql_api.context import TenantContext
from graphql_api.live import News
from graphql_api.looks import Looks
from graphql_api.schema import schema
from graphql_api.watching import TooSlow, Watch
from tenants import access, catalogue
from tenants.access import Viewer
from tenants.models import Member, Role, Trip
from tenants.positions import Position, Sight
from tenants.realm import Tenant, close_engines

MOVES = "subscription ($trip: UUID) { positions(tripId: $trip) { lon trip { id } } }"
LIVE = "{ livePositions { lon at trip { id letter { number } } traveller { name } deviceId } }"
MANY = 300


@contextmanager
def statements() -> Iterator[list[str]]:
    """Statements that begin in this process, to whatever database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def trip(people: People, issue) -> str:
    """Somebody's active trip, with one fix."""
    who = people.fresh()
    trip = issue(who, plan(starts=-1))["id"]
    fix = {"time": datetime.now(UTC).isoformat(), "lon": BALIKPAPAN[0], "lat": BALIKPAPAN[1]}
    assert record(who.front_end, trip, [fix | {"accuracy": 5.0}])["accepted"] == 1
    return trip


@pytest.fixture(scope="module")
def inspector(people: People) -> Viewer:
    key = people.id_of("Wahyu Inspektur")
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        return access.viewer_of(session.get_one(Member, UUID(key)))


@pytest.fixture
def news() -> Iterator[News]:
    yield News("redis://127.0.0.1:1")
    close_engines()


class Clients:
    """Who asks in this process, as a socket's context would."""

    def __init__(self, news: News, viewer: Viewer) -> None:
        self.news, self.viewer = news, viewer
        self.signed_in: Viewer | None = viewer
        self.looks = Looks()

    def context(self) -> TenantContext:
        async def authenticate() -> Viewer | None:
            return self.signed_in

        return TenantContext(
            realm=catalogue.tenant("samarinda"),
            viewer=self.viewer,
            authenticate=authenticate,
            news=self.news,
            look_at=lambda _slug, _trip_id: None,
            looks=self.looks,
        )

    async def subscribe(self, trip_id: str | None = None) -> AsyncGenerator[Any]:
        return await schema.subscribe(
            MOVES, variable_values={"trip": trip_id}, context_value=self.context()
        )


def move(trip: str, lon: float) -> None:
    """What an upload leaves behind."""
    enter(
        "UPDATE trip_progress SET last_lon = :lon, last_fix_at = greatest(:at,"
        " last_fix_at + interval '1 ms') WHERE trip_id = CAST(:id AS uuid)",
        lon=lon,
        at=datetime.now(UTC),
        id=trip,
    )


async def heard(stream: AsyncGenerator[Any], seconds: float = 60) -> float:
    """The longitude of the next position."""
    async with asyncio.timeout(seconds):
        result = await anext(stream)
    assert not result.errors, result.errors
    lon: float = result.data["positions"]["lon"]
    return lon


def test_hundreds_on_one_trip_cost_one_reading_a_position(news, inspector, trip):
    async def watch() -> list[list[str]]:
        clients = Clients(news, inspector)
        streams = [await clients.subscribe(trip) for _ in range(MANY)]
        assert set(await asyncio.gather(*map(heard, streams))) == {BALIKPAPAN[0]}
        await clients.looks.close()  # that somebody looks is kept once, and no more in this hour
        readings = []
        for lon in (116.5, 116.6, 116.7):
            move(trip, lon)
            with statements() as sent:
                hearing = [asyncio.ensure_future(heard(stream)) for stream in streams]
                await asyncio.sleep(0)
                news.positions.moved("samarinda", [UUID(trip), uuid4()])
                assert set(await asyncio.gather(*hearing)) == {lon}
            readings.append(sent)
        for stream in streams:
            await stream.aclose()
        assert news.positions._crowds == {}
        return readings

    readings = asyncio.run(watch())
    assert [len(sent) for sent in readings] == [1, 1, 1], readings


def test_what_nobody_watches_is_not_read(news, inspector, trip):
    async def watch() -> list[str]:
        clients = Clients(news, inspector)
        stream = await clients.subscribe(trip)
        await heard(stream)
        await clients.looks.close()
        with statements() as sent:
            news.positions.moved("samarinda", [uuid4()])
            news.positions.moved("balikpapan", [UUID(trip)])
            await asyncio.sleep(0.3)
        await stream.aclose()
        return sent

    assert asyncio.run(watch()) == []


def test_what_moves_during_a_reading_shares_the_next(news, inspector, trip, monkeypatch):
    readings: list[set[UUID]] = []
    read = watching._read

    def slow(tenant: Tenant, trip_ids: set[UUID]) -> list[Position]:
        readings.append(trip_ids)
        time.sleep(0.2)
        return read(tenant, trip_ids)

    monkeypatch.setattr(watching, "_read", slow)
    others = [uuid4() for _ in range(50)]

    async def watch() -> None:
        stream = await Clients(news, inspector).subscribe()
        await heard(stream)
        for moved in (UUID(trip), *others):
            news.positions.moved("samarinda", [moved])
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.6)
        await stream.aclose()

    asyncio.run(watch())
    assert readings == [{UUID(trip)}, set(others)]


@pytest.mark.parametrize("becomes", ["suspended", "operator"])
def test_rights_are_checked_again(news, inspector, trip, monkeypatch, becomes):
    monkeypatch.setattr(positions, "RECHECK_SECONDS", 0.2)

    async def watch() -> None:
        clients = Clients(news, inspector)
        stream = await clients.subscribe(trip)
        await heard(stream)
        if becomes == "suspended":
            clients.signed_in = None
            async with asyncio.timeout(30):
                result = await anext(stream)
            assert result.errors[0].extensions["code"] == "NOT_SIGNED_IN"
            return
        clients.signed_in = replace(inspector, roles=frozenset({Role.OPERATOR}))
        hearing = asyncio.ensure_future(heard(stream))
        await asyncio.sleep(0.5)
        move(trip, 116.9)
        news.positions.moved("samarinda", [UUID(trip)])
        await asyncio.sleep(0.5)
        assert not hearing.done()
        hearing.cancel()

    asyncio.run(watch())


def test_what_could_not_be_read_is_seen_at_the_next_check(news, inspector, trip, monkeypatch):
    monkeypatch.setattr(positions, "RECHECK_SECONDS", 0.5)

    def broken(_tenant: Tenant, _trip_ids: set[UUID]) -> list[Position]:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(watching, "_read", broken)

    async def watch() -> None:
        stream = await Clients(news, inspector).subscribe(trip)
        await heard(stream)
        move(trip, 116.4)
        news.positions.moved("samarinda", [UUID(trip)])
        assert await heard(stream, 30) == 116.4
        await stream.aclose()

    asyncio.run(watch())


def test_an_upload_waits_a_moment_only_for_a_redis_that_hangs():
    async def tell(port: int) -> float:
        news = News(f"redis://127.0.0.1:{port}")
        began = time.monotonic()
        await news.moved("samarinda", [uuid4()])
        took = time.monotonic() - began
        await news.close()
        return took

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        assert asyncio.run(tell(deaf.getsockname()[1])) < 2


@pytest.mark.usefixtures("trip")
def test_all_positions_come_of_one_statement(news, inspector):
    async def ask() -> list[str]:
        context = Clients(news, inspector).context()
        with statements() as sent:
            result = await schema.execute(LIVE, context_value=context)
        assert not result.errors
        assert result.data["livePositions"]
        return sent

    assert len(asyncio.run(ask())) == 1


class TestWaiting:
    """What one slow subscriber holds, without a database."""

    NOW = datetime(2026, 11, 25, tzinfo=UTC)

    def position(self, trip: Trip, second: int) -> Position:
        return Position(trip, 117.0, -1.0, None, self.NOW + timedelta(seconds=second), None)

    def trip(self) -> Trip:
        return Trip(id=uuid4(), traveller_id=uuid4())

    @pytest.fixture
    @classmethod
    def taken(cls) -> Iterator[Callable[[Watch], Position | None]]:
        """Takes the next that waits."""

        async def take(watch: Watch) -> Position | None:
            return await watch.next(asyncio.get_running_loop().time() + 0.05)

        with asyncio.Runner() as runner:
            yield lambda watch: runner.run(take(watch))

    def test_of_one_trip_the_newest(self, taken):
        one, other, watch = self.trip(), self.trip(), Watch()
        for trip, second in ((one, 1), (other, 1), (one, 3), (one, 2)):
            watch.offer(self.position(trip, second))
        assert taken(watch) == self.position(one, 3)
        assert taken(watch) == self.position(other, 1)
        watch.offer(self.position(one, 3))
        watch.offer(self.position(other, 0))
        assert taken(watch) is None

    def test_of_those_she_may_see(self, taken):
        hers, another, watch = self.trip(), self.trip(), Watch()
        for trip in (hers, another):
            watch.offer(self.position(trip, 2))
        present = [self.position(hers, 1)]
        watch.renew(Sight(frozenset({hers.traveller_id}), present))
        watch.offer(self.position(another, 3))
        assert taken(watch) == self.position(hers, 2)
        assert taken(watch) is None
        watch.renew(Sight(frozenset(), []))
        watch.offer(self.position(hers, 4))
        assert taken(watch) is None

    def test_not_without_bound(self, taken, monkeypatch):
        monkeypatch.setattr(watching, "BACKLOG", 3)
        watch, trips = Watch(), [self.trip() for _ in range(4)]
        for second in range(5):
            for trip in trips[:3]:
                watch.offer(self.position(trip, second))
        assert taken(watch) == self.position(trips[0], 4)
        watch.offer(self.position(trips[0], 5))
        watch.offer(self.position(trips[3], 0))
        for _ in range(2):
            with pytest.raises(TooSlow):
                taken(watch)
            watch.renew(Sight(None, [self.position(trips[3], 9)]))
