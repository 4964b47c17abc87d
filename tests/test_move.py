"""A regency moves to another server while its phones report, and nothing of it is lost."""

import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count, takewhile
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import psycopg
import pytest
from asking import happens, unlogged
from conftest import TRAVELLERS
from psycopg.conninfo import make_conninfo
from sqlalchemy import text
from test_tenancy import everything

from infra.benchmarks.phones import fleet
from infra.chaos_ingest import Found, compare
from infra.chaos_phones import Phone
from infra.front_end import FrontEnd, Refused
from infra.play import until
from infra.services import Cluster
from infra.world import World
from tenants import birth, catalogue, moving, tracks
from tenants.access import viewer_of
from tenants.copying import CannotMove
from tenants.models import Member, Role, Trip
from tenants.people import Invitation, add_member
from tenants.problems import BeingMoved, InvalidInput, UnknownTenant
from tenants.realm import WRITES, Issuer
from tenants.server import is_at
from tenants.soundness import verify

SLUG, CODE, DATABASE = "penajam", "64.09", "jejak_penajam"
PHONES = 4
TRAVELLER = TRAVELLERS[0].username
RECORD = """
mutation ($trip: UUID!, $fixes: [FixInput!]!) {
  recordTrack(tripId: $trip, fixes: $fixes, device: "ponsel") {
    ... on TrackReceipt { accepted duplicates } ... on Problem { code }
  }
}"""


@pytest.fixture(scope="module")
def elsewhere(world: World) -> Iterator[Cluster]:
    """Another PostgreSQL server, with nothing on it."""
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder), durable=False) as cluster:
            yield cluster


@pytest.fixture
def regency(world: World, elsewhere: Cluster) -> Iterator[str]:
    """A regency whose people sign in where Samarinda's do; it is dropped where it then is."""
    there = world.issuers["samarinda"]
    issuer = Issuer(there.url, there.client_id, there.client_secret, there.audience)
    birth.add_tenant(slug=SLUG, code=CODE, name="Penajam", zone="Asia/Makassar", issuer=issuer)
    yield SLUG
    moved = is_at(catalogue.tenant(SLUG).dsn, elsewhere.admin_dsn)
    birth.drop_tenant(SLUG, server=elsewhere.admin_dsn if moved else None)
    with psycopg.connect(elsewhere.admin_dsn, autocommit=True) as admin:
        assert leftovers(admin) == []


def leftovers(admin: psycopg.Connection) -> list[str]:
    """What a move made on a server: databases, roles, slots."""
    found = admin.execute(
        "SELECT datname FROM pg_database WHERE datname LIKE 'jejak\\_penajam%'"
        " UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'jejak\\_penajam%'"
        " UNION ALL SELECT slot_name FROM pg_replication_slots"
        " WHERE slot_name LIKE 'jejak\\_penajam%' OR database LIKE 'jejak\\_penajam%'"
        " UNION ALL SELECT subname FROM pg_subscription WHERE subname LIKE 'jejak\\_penajam%'"
    ).fetchall()
    return [name for (name,) in found]


class Reporter:
    """A traveller's own front end, which reports over GraphQL and tells when it was refused."""

    def __init__(self, world: World, trip_id: UUID, first: int) -> None:
        self._front_end = FrontEnd(world.base_url, SLUG, world.issuers["samarinda"].url, TRAVELLER)
        self._trip_id, self._first = trip_id, first
        self.accepted: list[int] = []
        self.refused: Counter[str] = Counter()

    def report(self, home: Event) -> None:
        for number in takewhile(lambda _: not home.is_set(), count()):
            at = datetime.fromtimestamp(self._first + 2 * number, UTC).isoformat()
            fix = {"time": at, "lon": 116.7, "lat": -1.2, "accuracy": 9}
            while not self._sent(fix):
                time.sleep(0.05)
            self.accepted.append(self._first + 2 * number)
            time.sleep(0.02)
        self._front_end.close()

    def _sent(self, fix: dict) -> bool:
        try:
            told = self._front_end.ask(RECORD, trip=str(self._trip_id), fixes=[fix])["recordTrack"]
        except Refused as refusal:
            self.refused.update(re.findall("'code': '(.*?)'", str(refusal)) or [str(refusal)])
            return False
        assert told["accepted"] + told["duplicates"] == 1, told
        return True


@contextmanager
def load(world: World) -> Iterator[tuple[list[Phone], Reporter]]:
    """Phones and a front end that send during the block, and then all that they still hold."""
    paired = fleet(SLUG, PHONES + 1)
    phones = [
        Phone(world.base_url, SLUG, each.token, each.trip_id, first=each.second, most=1)
        for each in paired[:PHONES]
    ]
    tenant = catalogue.tenant(SLUG)
    with tenant.session(readonly=False) as session:
        trip = session.get_one(Trip, paired[PHONES].trip_id)
        member = session.get_one(Member, trip.traveller_id)
        member.invited_as = TRAVELLER
    reporter = Reporter(world, paired[PHONES].trip_id, paired[PHONES].second)
    home, off = Event(), Event()
    threads = [Thread(target=phone.travel, args=(home, off)) for phone in phones]
    threads.append(Thread(target=reporter.report, args=(home,)))
    for thread in threads:
        thread.start()
    try:
        assert happens(lambda: len(reporter.accepted) > 5, 30)
        # The service reads of a new regency within seconds; what it refused till then is no matter.
        for each in (reporter, *phones):
            each.refused.clear()
        yield phones, reporter
    finally:
        home.set()
        for thread in threads:
            thread.join(60)
        off.set()


def lost(phones: list[Phone], reporter: Reporter, trip_id: UUID) -> Found:
    """What the regency's database lacks of what was acknowledged, or has and nobody sent."""
    found = Found(seed=0)
    tenant = catalogue.tenant(SLUG)
    unlogged(SLUG)
    with tenant.session(readonly=True) as session:
        for trip in [*{phone.trip_id for phone in phones}, trip_id]:
            member = session.get_one(Member, session.get_one(Trip, trip).traveller_id)
            fixes = tracks.of_trip(session, viewer_of(member), trip, zone=tenant.zone)
            assert fixes is not None
            if trip == trip_id:
                assert Counter(fixes.time.tolist()) == Counter(map(float, reporter.accepted))
            else:
                columns = (fixes.time, fixes.lon, fixes.lat)
                read = Counter(zip(*(column.tolist() for column in columns), strict=True))
                compare(read, [phone for phone in phones if phone.trip_id == trip], found)
    found.broken = verify(tenant, catalogue.province()).found
    return found


def chain() -> set[tuple[UUID, bytes, bytes]]:
    with catalogue.tenant(SLUG).session(readonly=True) as session:
        rows = session.execute(text("SELECT trip_id, digest, link FROM track_chunk")).all()
    return {(row.trip_id, bytes(row.digest), bytes(row.link)) for row in rows}


def shared(world: World) -> set[tuple]:
    with psycopg.connect(world.cluster.dsn("jejak_province")) as province:
        return set(province.execute(SHARED, [CODE] * 3).fetchall())


SHARED = """
SELECT id::text, state FROM shared_trip WHERE tenant = %s
UNION ALL SELECT id::text, outcome FROM shared_verdict WHERE tenant = %s
UNION ALL SELECT trip_id::text, destination FROM travel_notice WHERE tenant = %s"""
OWN = text("""
SELECT id::text, state FROM trip
UNION ALL SELECT id::text, outcome FROM verdict WHERE current
UNION ALL SELECT trip_id::text, destination FROM travel_notice""")


def own() -> set[tuple]:
    with catalogue.tenant(SLUG).session(readonly=True) as session:
        return {tuple(row) for row in session.execute(OWN)}


def test_it_moves_under_load_and_back(world: World, regency: str, elsewhere: Cluster) -> None:
    made = everything(world)
    with load(world) as (phones, reporter):
        held = catalogue.tenant(SLUG)  # as a socket holds it
        with psycopg.connect(world.cluster.dsn(DATABASE), autocommit=True) as admin:
            admin.execute(
                "CREATE TABLE track_chunk_2025_01 PARTITION OF track_chunk"
                " FOR VALUES FROM ('2025-01-01T00:00Z') TO ('2025-02-01T00:00Z')"
            )
            admin.execute("SELECT setval('quarantine_id_seq', 41)")
        before = chain()
        steps: list[str] = []
        copied: list[float] = []
        moved = moving.move_tenant(
            SLUG, to=elsewhere.admin_dsn, on_step=steps.append, on_copied=copied.append
        )
        assert steps == ["checks", "database", "copying", "sharing", "switching", "tidying up"]
        assert copied[-1] == 1.0
        assert moved.left == ()
        served = time.monotonic()
        assert happens(lambda: all(phone.served_at > served for phone in phones), 20)
        so_far = len(reporter.accepted)
        assert happens(lambda: len(reporter.accepted) > so_far + 3, 20)
        assert is_at(catalogue.tenant(SLUG).dsn, elsewhere.admin_dsn)
        with held.session(readonly=True) as session:
            assert session.scalar(text("SELECT inet_server_port()")) == elsewhere.port
            assert session.scalar(text("SELECT to_regclass('track_chunk_2025_01')")) is not None
        with psycopg.connect(elsewhere.dsn(DATABASE)) as there:
            assert there.execute("SELECT last_value FROM quarantine_id_seq").fetchone() == (41,)
        assert before < chain()
        # What is written at the new place reaches the province, and nothing twice.
        assert until(lambda: shared(world) == own() and own())
    assert set(reporter.refused) <= {"BEING_MOVED", "UNAVAILABLE"}
    assert set().union(*(phone.refused for phone in phones)) <= {"503"}
    assert lost(phones, reporter, reporter._trip_id) == Found(seed=0)

    # The old database is kept, but is nobody's who could write to it.
    with psycopg.connect(world.cluster.dsn(moved.kept)) as kept:
        assert kept.execute("SELECT count(*) FROM track_chunk").fetchone()[0] >= len(before)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            kept.execute("DELETE FROM track_chunk")
    gone = {name.removeprefix("database ") for name in made - everything(world)}
    assert gone == {DATABASE, f"slot {DATABASE}"} | {
        f"role {DATABASE}{role}" for role in ("", "_owner", "_share")
    }
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {moved.kept}")

    back = moving.move_tenant(
        SLUG, to=world.cluster.admin_dsn, source=elsewhere.admin_dsn, drop=True
    )
    assert (back.left, back.kept) == ((), None)
    with held.session(readonly=False) as session:
        assert session.scalar(text("SELECT inet_server_port()")) == world.cluster.port
    assert lost(phones, reporter, reporter._trip_id) == Found(seed=0)
    assert everything(world) == made
    assert until(lambda: shared(world) == own())


def test_a_target_that_dies_in_the_middle_undoes_the_move(
    world: World, regency: str, elsewhere: Cluster
) -> None:
    made = everything(world)
    with load(world) as (phones, reporter):

        def dies(share: float) -> None:
            elsewhere.process.kill()

        try:
            with pytest.raises(psycopg.OperationalError):
                moving.move_tenant(SLUG, to=elsewhere.admin_dsn, on_copied=dies)
        finally:
            elsewhere.start()
        so_far = len(reporter.accepted)
        assert happens(lambda: len(reporter.accepted) > so_far + 3, 20)
        assert is_at(catalogue.tenant(SLUG).dsn, world.cluster.admin_dsn)
        assert everything(world) == made
        with psycopg.connect(elsewhere.admin_dsn, autocommit=True) as admin:
            # What a dead server keeps is named when the move is tried again.
            assert DATABASE in leftovers(admin)
            with pytest.raises(CannotMove, match=DATABASE):
                moving.move_tenant(SLUG, to=elsewhere.admin_dsn)
            with psycopg.connect(elsewhere.dsn(DATABASE), autocommit=True) as inside:
                for (name,) in inside.execute("SELECT subname FROM pg_subscription").fetchall():
                    for statement in ("DISABLE", "SET (slot_name = NONE)"):
                        inside.execute(f"ALTER SUBSCRIPTION {name} {statement}")
                    inside.execute(f"DROP SUBSCRIPTION {name}")
            admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
            for role in ("", "_owner", "_share"):
                admin.execute(f"DROP ROLE {DATABASE}{role}")
    assert not reporter.refused
    assert lost(phones, reporter, reporter._trip_id) == Found(seed=0)


@pytest.mark.parametrize(
    "step",
    ["make_alike", "replicate", "_share_from_there", "_caught_up", "set_sequences", "_close"],
)
def test_what_fails_before_the_switch_is_undone(
    world: World, regency: str, elsewhere: Cluster, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made, real = everything(world), getattr(moving, step)

    def fails_after(*args, **kwargs):
        real(*args, **kwargs)
        raise ConnectionError(step)

    monkeypatch.setattr(moving, step, fails_after)
    with pytest.raises(ConnectionError, match=step):
        moving.move_tenant(SLUG, to=elsewhere.admin_dsn)
    assert everything(world) == made
    with psycopg.connect(elsewhere.admin_dsn) as admin:
        assert leftovers(admin) == []
    with catalogue.tenant(SLUG).session(readonly=False) as session:
        invitation = Invitation("Masih Di Sini", frozenset({Role.OPERATOR}))
        add_member(session, invitation, today=datetime.now(UTC).date())
        assert session.scalar(text("SELECT inet_server_port()")) == world.cluster.port


def test_a_catalogue_that_refuses_the_switch_keeps_the_regency_here(
    world: World, regency: str, elsewhere: Cluster
) -> None:
    made = everything(world)
    with psycopg.connect(world.cluster.dsn("jejak_control"), autocommit=True) as control:
        control.execute(
            f"ALTER TABLE realm ADD CONSTRAINT stays CHECK (slug <> '{SLUG}') NOT VALID"
        )
        try:
            with pytest.raises(psycopg.errors.CheckViolation):
                moving.move_tenant(SLUG, to=elsewhere.admin_dsn)
        finally:
            control.execute("ALTER TABLE realm DROP CONSTRAINT stays")
    assert everything(world) == made
    with catalogue.tenant(SLUG).session(readonly=False) as session:
        assert session.scalar(text("SELECT inet_server_port()")) == world.cluster.port


def test_writes_pause_and_reads_go_on(world: World, regency: str) -> None:
    tenant = catalogue.tenant(SLUG)
    (phone,) = fleet(SLUG, 1)
    with psycopg.connect(world.cluster.dsn(DATABASE)) as pause:
        pause.execute("SELECT pg_advisory_xact_lock(%s)", [WRITES])
        with pytest.raises(BeingMoved), tenant.session(readonly=False):
            pass
        with tenant.session(readonly=True) as session:
            assert session.scalar(text("SELECT count(*) FROM trip")) == 1
        sender = Phone(world.base_url, SLUG, phone.token, phone.trip_id, first=phone.second, most=1)
        home, off = Event(), Event()
        home.set()
        sender.recorded = [(float(phone.second), 116.8, -1.2)]
        thread = Thread(target=sender.travel, args=(home, off))
        thread.start()
        assert happens(lambda: sender.refused["503"] > 2, 20)
        assert sender.acknowledged == 0
        pause.rollback()  # as when whoever moves it is killed
        thread.join(20)
    assert sender.acknowledged == 1


def test_a_write_past_the_sessions_is_waited_for(
    world: World, regency: str, elsewhere: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does not ask for the lock cannot write behind the copy's back either."""
    monkeypatch.setattr(moving, "ATTEMPTS", 2)
    with psycopg.connect(birth.owner_dsn(SLUG)) as owner:

        def writes(step: str) -> None:
            if step == "switching":
                owner.execute("UPDATE ruleset SET legal_basis = 'lain'")

        with pytest.raises(CannotMove, match="writes took too long"):
            moving.move_tenant(SLUG, to=elsewhere.admin_dsn, on_step=writes)
    with catalogue.tenant(SLUG).session(readonly=True) as session:
        assert session.scalar(text("SELECT legal_basis FROM ruleset")) == "lain"


def test_what_cannot_be_is_refused_beforehand(
    world: World, regency: str, elsewhere: Cluster
) -> None:
    made = everything(world)
    with pytest.raises(UnknownTenant):
        moving.move_tenant("tidak-ada", to=elsewhere.admin_dsn)
    with pytest.raises(InvalidInput, match="already"):
        moving.move_tenant(SLUG, to=world.cluster.admin_dsn)
    with pytest.raises(InvalidInput, match="not where"):
        moving.move_tenant(SLUG, to=elsewhere.admin_dsn, source=elsewhere.admin_dsn)
    with pytest.raises(InvalidInput) as refusal:
        moving.move_tenant(SLUG, to="host rahasia")
    assert "rahasia" not in str(refusal.value)
    nowhere = make_conninfo(elsewhere.admin_dsn, port=1)
    with pytest.raises(psycopg.OperationalError):
        moving.move_tenant(SLUG, to=nowhere)
    with (
        psycopg.connect(world.cluster.dsn(DATABASE), autocommit=True) as admin,
        pytest.raises(CannotMove, match="tanpa_kunci"),
    ):
        admin.execute("CREATE TABLE tanpa_kunci (x int)")
        try:
            moving.move_tenant(SLUG, to=elsewhere.admin_dsn)
        finally:
            admin.execute("DROP TABLE tanpa_kunci")
    with (
        psycopg.connect(world.cluster.dsn(DATABASE)) as migrating,
        pytest.raises(CannotMove, match="migrated"),
    ):
        migrating.execute("SELECT pg_advisory_xact_lock(%s)", [moving.LOCK])
        moving.move_tenant(SLUG, to=elsewhere.admin_dsn)
    assert everything(world) == made
