"""The visum from the host's desk to the sender's verdict, over two PostgreSQL servers."""

import os
import signal
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from asking import ask, nothing_changes, sql
from conftest import SAMARINDA, fixes_at, plan, record, today, verdict
from visa import CODE, by_list, incoming, local, sent, told

from infra.front_end import FrontEnd, Refused
from infra.play import until
from infra.services import Cluster
from infra.world import CLIENT_ID, World
from tenants import birth, catalogue, people
from tenants.models import Role
from tenants.people import Invitation
from tenants.realm import Issuer, RealmState

BONTANG, BALIKPAPAN = "64.74", "64.71"


@pytest.fixture(scope="module")
def other_server() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)
        with Cluster(Path(folder), durable=False) as cluster:
            yield cluster


@pytest.fixture(scope="module")
def bontang(world: World, other_server: Cluster) -> Iterator[FrontEnd]:
    """The host desk of a regency whose database is on another server."""
    of = world.issuers["balikpapan"]
    issuer = Issuer(of.url, CLIENT_ID, of.client_secret, of.audience)
    birth.add_tenant(
        slug="bontang",
        code=BONTANG,
        name="Kota Bontang",
        zone="Asia/Makassar",
        issuer=issuer,
        server=other_server.admin_dsn,
    )
    try:
        receiver = Invitation("Tuti Penerima", frozenset({Role.HOST_DESK}), invited_as="penerima")
        with catalogue.tenant("bontang").session(readonly=False) as session:
            people.add_member(session, receiver, today=today())
        with FrontEnd(world.base_url, "bontang", of.url, "penerima") as front_end:
            assert until(lambda: answers(front_end)), "the API never heard of it"
            yield front_end
    finally:
        birth.drop_tenant("bontang", other_server.admin_dsn)


def answers(front_end: FrontEnd) -> bool:
    try:
        return bool(front_end.ask("{ viewer { id } }")["viewer"])
    except Refused:
        return False


def test_the_regency_is_on_the_other_one(bontang, other_server):
    assert f"port={other_server.port}" in catalogue.tenant("bontang").dsn


def test_a_visum_suffices_where_no_phone_tracked(people, issue, bontang):
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3, region=BONTANG))
    node = told(bontang, trip)
    assert {name: node[name] for name in ("leg", "senderCode", "state", "visa")} == {
        "leg": 1,
        "senderCode": "64.72",
        "state": "EXPECTED",
        "visa": [],
    }
    assert node["senderName"] == "Kota Samarinda"
    assert (node["traveller"], node["position"]) == (someone.name, "Pelaksana")
    assert node["office"] == "Sekretariat Daerah Kota Samarinda"
    assert node["letterNumber"] == trip["letter"]["number"]

    arrived = by_list(bontang, "Arrival", trip, local(-3, 10))
    assert arrived["state"] == "ARRIVED"
    departed = by_list(bontang, "Departure", trip, local(-1, 15))
    assert departed["state"] == "DEPARTED"
    assert [one["event"] for one in departed["visa"]] == ["ARRIVAL", "DEPARTURE"]

    inspector = people.as_("inspektur")
    assert until(lambda: len(sent(inspector, trip)["visa"]) == 2), "it never came back"
    found = verdict(inspector, trip["id"])
    assert (found["verdict"]["outcome"], found["deviations"]) == ("CONFORMS", [])
    shown = sent(inspector, trip)
    assert [
        (one["regionCode"], one["leg"], one["event"], one["method"]) for one in shown["visa"]
    ] == [(BONTANG, 1, "ARRIVAL", "LIST"), (BONTANG, 1, "DEPARTURE", "LIST")]
    assert {(day["state"], day["knownBy"]) for day in shown["timeline"]} == {("AWAY", "VISUM")}
    assert [day["seen"] for day in shown["verdict"]["days"]] == [[BONTANG]] * 3
    assert {day["knownBy"] for day in shown["verdict"]["days"]} == {"VISUM"}
    assert shown["verdict"]["coverage"] == 0
    assert shown["verdict"]["visumCoverage"] == pytest.approx(53 / 72)


def test_a_code_is_checked_without_the_sender(people, issue, bontang):
    someone = people.fresh()
    trip = issue(someone, plan(starts=0, region=BONTANG))
    told(bontang, trip)
    code = someone.front_end.ask(CODE, trip=trip["id"], leg=None)["visumCode"]
    assert (code["leg"], code["regionCode"], len(code["code"])) == (1, BONTANG, 8)
    assert code["qr"].startswith("<svg")
    confirmed = ask(bontang, "confirmArrival", code=code["code"])
    assert (confirmed["tripId"], confirmed["state"]) == (trip["id"], "ARRIVED")
    assert [one["method"] for one in confirmed["visa"]] == ["CODE"]


def test_one_that_is_served_later_is_told_of_what_is_due(people, issue, world, bontang):
    # One that is told of already: that it goes shows who has heard.
    told(bontang, issue(people.fresh(), plan(starts=1, region=BONTANG)))
    birth.set_state("bontang", RealmState.SUSPENDED)
    try:
        assert until(lambda: not answers(bontang))
        assert until(lambda: not sql("SELECT 1 FROM travel_notice WHERE destination = '64.74'"))
        someone = people.fresh()
        trip = issue(someone, plan(starts=1, region=BONTANG))
        assert not sql("SELECT 1 FROM travel_notice WHERE destination = '64.74'")
    finally:
        birth.set_state("bontang", RealmState.ACTIVE)
    assert until(lambda: answers(bontang))
    told(bontang, trip)


def test_another_host_finds_nothing(desk, here, bontang):
    _, trip = here
    told(desk, trip)
    assert incoming(bontang, trip) == []
    assert by_list(bontang, "Arrival", trip)["code"] == "NOT_FOUND"


def test_dropping_asks_for_its_server(world, bontang):
    with pytest.raises(birth.InvalidInput, match="server"):
        birth.drop_tenant("bontang")
    assert catalogue.tenant("bontang").code == BONTANG


def test_withdrawn_it_no_longer_counts(people, issue, desk):
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3))
    told(desk, trip)
    arrived = by_list(desk, "Arrival", trip, local(-3, 10))
    departed = by_list(desk, "Departure", trip, local(-1, 15))
    inspector = people.as_("inspektur")
    assert until(lambda: len(sent(inspector, trip)["visa"]) == 2)
    assert verdict(inspector, trip["id"])["verdict"]["outcome"] == "CONFORMS"

    arrival, departure = (one["id"] for one in departed["visa"])
    assert arrival == arrived["visa"][0]["id"]
    assert ask(desk, "withdrawVisum", id=arrival, reason="Salah")["was"] == "DEPARTED"
    for one in (departure, arrival):
        taken = ask(desk, "withdrawVisum", id=one, reason="Salah orang")
        assert taken["id"] == one
        assert taken["withdrawnAt"]
        again = ask(desk, "withdrawVisum", id=one, reason="Salah orang")
        assert again["code"] == "NOT_FOUND"
    assert incoming(desk, trip)[0]["state"] == "EXPECTED"
    assert until(lambda: all(one["withdrawnAt"] for one in sent(inspector, trip)["visa"]))
    found = verdict(inspector, trip["id"])
    assert found["verdict"]["outcome"] == "UNVERIFIABLE"
    assert by_list(desk, "Arrival", trip, local(-3, 11))["state"] == "ARRIVED"


def test_a_track_that_contradicts_it_is_for_a_human(people, issue, desk):
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3))
    told(desk, trip)
    home = fixes_at(SAMARINDA, today() - timedelta(days=3), 0, 71.5, every_minutes=30)
    assert record(someone.front_end, trip["id"], home)["accepted"] == len(home)
    inspector = people.as_("inspektur")
    (never_left,) = verdict(inspector, trip["id"])["deviations"]
    assert never_left["kind"] == "NEVER_LEFT"
    by_list(desk, "Arrival", trip, local(-3, 10))
    departed = by_list(desk, "Departure", trip, local(-1, 15))

    def kinds() -> list[str]:
        return [one["kind"] for one in sent(inspector, trip)["deviations"]]

    assert until(lambda: len(sent(inspector, trip)["visa"]) == 2)
    assert until(lambda: kinds() == ["VISUM_MISMATCH"]), kinds()
    (mismatch,) = verdict(inspector, trip["id"])["deviations"]
    assert (mismatch["severity"], mismatch["regionCode"], mismatch["plannedRegionCode"]) == (
        "HIGH",
        "64.72",
        BALIKPAPAN,
    )
    assert mismatch["evidence"]
    for one in reversed(departed["visa"]):
        ask(desk, "withdrawVisum", id=one["id"], reason="Tidak pernah datang")
    assert until(lambda: kinds() == ["NEVER_LEFT"]), kinds()


@pytest.fixture
def province_down(world: World) -> Iterator[None]:
    """Nobody but the administrator gets into the province's database."""
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        try:
            admin.execute("ALTER DATABASE jejak_province CONNECTION LIMIT 0")
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = 'jejak_province' AND usename LIKE '%\\_reader'"
            )
            yield
        finally:
            admin.execute("ALTER DATABASE jejak_province CONNECTION LIMIT -1")


def test_while_the_province_is_away(people, issue, desk, world, request):
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3))
    told(desk, trip)
    by_list(desk, "Arrival", trip, local(-3, 10))
    inspector = people.as_("inspektur")
    assert until(lambda: len(sent(inspector, trip)["visa"]) == 1)
    request.getfixturevalue("province_down")
    with pytest.raises(Refused, match="PROVINCE_UNAVAILABLE"):
        incoming(desk)
    with nothing_changes("balikpapan"):
        assert by_list(desk, "Departure", trip)["code"] == "PROVINCE_UNAVAILABLE"
        assert ask(desk, "confirmDeparture", code="12345678")["code"] == "PROVINCE_UNAVAILABLE"
    # Trips are judged all the same, and what a host confirms meanwhile comes later.
    home = fixes_at(SAMARINDA, today() - timedelta(days=3), 0, 3)
    record(someone.front_end, trip["id"], home)
    assert verdict(inspector, trip["id"])["verdict"]["coverage"] > 0
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        admin.execute("ALTER DATABASE jejak_province CONNECTION LIMIT -1")
    assert until(lambda: incoming_again(desk, trip))
    by_list(desk, "Departure", trip, local(-1, 15))
    assert until(lambda: len(sent(inspector, trip)["visa"]) == 2)


def test_a_province_that_hangs_keeps_nobody(people, issue, desk, world):
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3))
    told(desk, trip)
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        readers = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'jejak_balikpapan_reader'"
        ).fetchall()
    assert readers
    try:
        for (pid,) in readers:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Refused, match="PROVINCE_UNAVAILABLE"):
            incoming(desk)
        home = fixes_at(SAMARINDA, today() - timedelta(days=3), 0, 3)
        record(someone.front_end, trip["id"], home)
        assert verdict(people.as_("inspektur"), trip["id"])["verdict"]["coverage"] > 0
    finally:
        for (pid,) in readers:
            os.kill(pid, signal.SIGCONT)
    assert until(lambda: incoming_again(desk, trip))


def incoming_again(desk: FrontEnd, trip: dict) -> bool:
    try:
        return bool(incoming(desk, trip))
    except Refused:
        return False


def test_a_regency_of_an_earlier_version_is_joined(people, issue, world, desk):
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as regency:
        columns = dict(
            regency.execute(
                "SELECT tablename, array_to_string(attnames, ',') FROM pg_publication_tables"
                " WHERE tablename IN ('travel_notice', 'visum')"
            ).fetchall()
        )
        regency.execute("ALTER PUBLICATION visum DROP TABLE travel_notice, visum")
    with psycopg.connect(world.cluster.dsn("jejak_province"), autocommit=True) as province:
        province.execute("ALTER SUBSCRIPTION jejak_samarinda REFRESH PUBLICATION")
        province.execute("DELETE FROM travel_notice WHERE tenant = '64.72'")
        province.execute("DROP OWNED BY jejak_samarinda_reader")
        province.execute("DROP ROLE jejak_samarinda_reader")
    with psycopg.connect(world.cluster.dsn("jejak_control"), autocommit=True) as control:
        control.execute("UPDATE realm SET province_dsn = NULL WHERE slug = 'samarinda'")
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as regency:
        for table, named in columns.items():
            regency.execute(f"ALTER PUBLICATION visum ADD TABLE {table} ({named})")
    came_of_it = dict(birth.migrate_all())
    assert came_of_it["samarinda"] is True
    assert came_of_it["balikpapan"] is False
    assert dict(birth.migrate_all())["samarinda"] is False
    someone = people.fresh()
    trip = issue(someone, plan(starts=-3))
    told(desk, trip)
    by_list(desk, "Arrival", trip, local(-3, 10))
    inspector = people.as_("inspektur")
    assert until(lambda: len(sent(inspector, trip)["visa"]) == 1)
