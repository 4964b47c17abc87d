"""From uploads to verdicts, through the running workers."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import redis
from conftest import (
    BALIKPAPAN,
    SAMARINDA,
    SANGATTA,
    fixes_at,
    plan,
    record,
    today,
    verdict,
)
from sqlalchemy import func, select, text

from infra.world import World
from tenants import catalogue
from tenants.boundaries import current_version
from tenants.evidence import DeviationRecord, VerdictRecord
from tenants.models import TripProgress
from workers.evaluate import evaluate
from workers.gather import Versions

FINISH = """
mutation ($id: UUID!, $at: DateTime!, $days: Int!) {
  finishTrip(id: $id, finishedAt: $at) { __typename ... on Problem { message } }
  claimTrip(id: $id, days: $days) { __typename ... on Problem { message } }
}"""


def travel(people, issue, *, where, days=3, starts=-5, region="64.71", claim=None, send=record):
    """A trip that is over, spent at one place throughout; returns the traveller and its id."""
    someone = people.fresh()
    trip = issue(someone, plan(starts, days, region))
    first = today() + timedelta(days=starts)
    for day in range(days):
        fixes = fixes_at(where, first, 24 * day + 5, 24 * day + 22)
        assert send(someone.front_end, trip["id"], fixes)["accepted"] == len(fixes)
    if claim is not None:
        back = datetime.combine(first, datetime.min.time(), UTC) + timedelta(
            days=days - 1, hours=14
        )
        closed = someone.front_end.ask(FINISH, id=trip["id"], at=back.isoformat(), days=claim)
        assert {answer["__typename"] for answer in closed.values()} == {"Trip"}, closed
    return someone, trip["id"]


def test_never_left_with_the_rupiah_at_stake(people, issue):
    _, trip = travel(people, issue, where=SAMARINDA, claim=3)
    found = verdict(people.as_("inspektur"), trip)
    assert found["verdict"]["outcome"] == "DEVIATES"
    (deviation,) = found["deviations"]
    assert (deviation["kind"], deviation["state"]) == ("NEVER_LEFT", "OPEN")
    assert deviation["amount"] == "1290000.00"
    assert deviation["plannedRegionCode"] == "64.71"
    assert "Kota Balikpapan" in deviation["message"]
    assert deviation["message"] != deviation["messageEn"]
    assert {day["state"] for day in found["verdict"]["days"]} == {"HOME"}
    assert found["verdict"]["ruleset"] == 1


def test_evidence_names_the_chunks_that_prove_it(people, issue):
    _, trip = travel(people, issue, where=SANGATTA, region="64.71", claim=3)
    (deviation,) = verdict(people.as_("inspektur"), trip)["deviations"]
    assert (deviation["kind"], deviation["regionCode"]) == ("WRONG_REGION", "64.08")
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        digests = session.scalars(
            text("SELECT encode(digest, 'hex') FROM track_chunk WHERE trip_id = :id"), {"id": trip}
        ).all()
    assert deviation["evidence"]
    assert set(deviation["evidence"]) <= set(digests)


def test_present_where_sent_conforms(people, issue):
    _, trip = travel(people, issue, where=BALIKPAPAN, claim=3)
    found = verdict(people.as_("inspektur"), trip)
    assert (found["verdict"]["outcome"], found["deviations"]) == ("CONFORMS", [])
    assert found["verdict"]["observedDays"] == 3


def test_a_trip_nothing_is_known_of_accuses_nobody(people, issue):
    trip = issue(people.fresh(), plan(-3, 2))["id"]
    # Nothing ever arrives: only the clock makes it due, an hour after it began or was issued.
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        session.get_one(TripProgress, UUID(trip)).due_at = datetime.now(UTC)
    found = verdict(people.as_("inspektur"), trip)
    assert found["verdict"]["outcome"] == "UNVERIFIABLE"
    assert [(said["kind"], said["severity"]) for said in found["deviations"]] == [
        ("LOW_COVERAGE", "NOTE")
    ]
    assert found["verdict"]["coverage"] == 0


def test_late_fixes_withdraw_a_finding_and_the_old_verdict_is_kept(people, issue):
    someone, trip = travel(people, issue, where=SAMARINDA, days=2, claim=2)
    inspector = people.as_("inspektur")
    (before,) = verdict(inspector, trip)["deviations"]
    first = today() - timedelta(days=5)
    # A second phone had been in Balikpapan all along: it contradicts the first.
    late = [
        fix | {"accuracy": 8.0} for fix in fixes_at(BALIKPAPAN, first, 5.02, 38, every_minutes=5)
    ]
    assert record(someone.front_end, trip, late, device="ponsel kedua")["accepted"] > 0

    def withdrawn():
        shown = inspector.ask("query ($id: UUID!) { deviation(id: $id) { id } }", id=before["id"])
        return shown["deviation"] is None

    deadline = time.monotonic() + 30
    while not withdrawn():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with catalogue.tenant("samarinda").session(readonly=True) as session:
        kept = session.scalars(
            select(VerdictRecord)
            .where(VerdictRecord.trip_id == UUID(trip))
            .order_by(VerdictRecord.evaluated_at)
        ).all()
    assert [row.current for row in kept].count(True) == 1
    assert any(
        said["kind"] == "NEVER_LEFT" for row in kept[:-1] for said in row.detail["deviations"]
    )


def test_evaluating_again_changes_nothing(people, issue):
    _, trip = travel(people, issue, where=SANGATTA, claim=3)
    verdict(people.as_("inspektur"), trip)
    tenant = catalogue.tenant("samarinda")

    def rows():
        with tenant.session(readonly=True) as session:
            return (
                session.scalar(select(func.count()).where(VerdictRecord.trip_id == UUID(trip))),
                session.execute(
                    select(DeviationRecord.id, DeviationRecord.state).where(
                        DeviationRecord.trip_id == UUID(trip)
                    )
                ).all(),
            )

    before = rows()
    assert evaluate(tenant, UUID(trip), now=datetime.now(UTC)) == ()
    with tenant.session(readonly=False) as session:
        session.get_one(TripProgress, UUID(trip)).arrived += 1
    assert evaluate(tenant, UUID(trip), now=datetime.now(UTC)) == ()
    assert rows() == before


def test_a_new_ruleset_makes_another_verdict_and_keeps_the_old(world: World, people, issue):
    _, trip = travel(people, issue, where=BALIKPAPAN, claim=2, days=2)
    verdict(people.as_("inspektur"), trip)
    tenant = catalogue.tenant("samarinda")
    with tenant.session(readonly=False) as session:
        version = session.scalar(
            text(
                "INSERT INTO ruleset SELECT max(version) + 1, now(), 'Uji',"
                " CAST(:parameters AS jsonb) FROM ruleset RETURNING version"
            ),
            {"parameters": '{"min_coverage": 1.0}'},
        )
        session.get_one(TripProgress, UUID(trip)).arrived += 1
        boundary_set = current_version(session)
    try:
        evaluate(tenant, UUID(trip), now=datetime.now(UTC))
        assert verdict(people.as_("inspektur"), trip)["verdict"]["outcome"] == "CONFORMS"  # closed
        evaluate(tenant, UUID(trip), now=datetime.now(UTC), by=Versions(version, boundary_set))
        with tenant.session(readonly=True) as session:
            kept = session.scalars(
                select(VerdictRecord)
                .where(VerdictRecord.trip_id == UUID(trip), VerdictRecord.final)
                .order_by(VerdictRecord.ruleset, VerdictRecord.evaluated_at)
            ).all()
        assert [(row.ruleset, row.outcome, row.current) for row in kept[-2:]] == [
            (1, "CONFORMS", False),
            (version, "UNVERIFIABLE", True),
        ]
    finally:
        with tenant.session(readonly=False) as session:
            back = "UPDATE verdict SET ruleset = 1 WHERE ruleset = :version"
            session.execute(text(back), {"version": version})
        with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
            owner.execute("DELETE FROM ruleset WHERE version = %s", [version])


def test_every_trip_is_judged_although_redis_is_emptied_in_mid_flight(world: World, people, issue):
    emptying = threading.Event()
    broker = redis.Redis.from_url(world.redis.url)

    def empty() -> None:
        while not emptying.wait(0.002):
            broker.flushall()

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        trips = [
            travel(people, issue, where=where, claim=2, days=2)[1]
            for where in (SAMARINDA, BALIKPAPAN, SANGATTA)
        ]
    finally:
        emptying.set()
        thread.join()
        broker.flushall()
        broker.close()
    outcomes = [verdict(people.as_("inspektur"), trip)["verdict"]["outcome"] for trip in trips]
    assert outcomes == ["DEVIATES", "CONFORMS", "DEVIATES"]


def test_a_message_for_another_tenants_trip_does_nothing(people, issue):
    _, trip = travel(people, issue, where=BALIKPAPAN, days=2, claim=2)
    verdict(people.as_("inspektur"), trip)
    assert evaluate(catalogue.tenant("balikpapan"), UUID(trip), now=datetime.now(UTC)) == ()
    with catalogue.tenant("balikpapan").session(readonly=True) as session:
        assert session.scalar(select(func.count()).where(VerdictRecord.trip_id == UUID(trip))) == 0


def test_a_cancelled_trip_has_no_verdict(people, issue):
    someone = people.fresh()
    trip = issue(someone, plan(-3, 2))["id"]
    record(someone.front_end, trip, fixes_at(SAMARINDA, today() - timedelta(days=3), 6, 8))
    cancelled = people.as_("operator").ask(
        'mutation ($id: UUID!) { cancelTrip(id: $id, reason: "batal") { __typename } }', id=trip
    )
    assert cancelled["cancelTrip"]["__typename"] == "Trip"
    deadline = time.monotonic() + 20
    while True:
        with catalogue.tenant("samarinda").session(readonly=True) as session:
            progress = session.get_one(TripProgress, UUID(trip))
            standing = session.scalar(
                select(func.count()).where(
                    VerdictRecord.trip_id == UUID(trip), VerdictRecord.current
                )
            )
        if (progress.arrived, standing) == (progress.evaluated, 0):
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert progress.due_at is None
