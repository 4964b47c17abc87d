"""Seals: what is new is sealed, whatever commits when, and the province keeps the heads."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from chained import born, issued, judged, seal, send
from conftest import BALIKPAPAN, SAMARINDA, SANGATTA, record
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from infra.benchmarks.birth import await_province
from infra.front_end import Refused
from infra.play import until
from infra.world import World
from tenants import birth, catalogue, migrate, seals, subscriptions
from tenants.evidence import VerdictRecord
from tenants.province import KeptHead
from tenants.realm import Tenant
from tenants.seals import Seal
from tenants.soundness import Checked, verify
from workers.evaluate import evaluate

HEAD = "{ evidenceHead { number head sealedAt } }"
KEPT = """{ regencies { nodes { code conflictingHeads
  evidenceHead { number head sealedAt receivedAt } } } }"""


@pytest.fixture(scope="module")
def paser(world: World) -> Iterator[Tenant]:
    """A regency with a judged trip."""
    tenant = born("paser", "64.01")
    trip_id, traveller = issued(tenant, "SEGEL/1")
    send(tenant, trip_id, traveller, range(6, 22), SANGATTA)
    send(tenant, trip_id, traveller, range(30, 66), SANGATTA)
    assert until(lambda: judged(tenant))
    seal(tenant)
    yield tenant
    birth.drop_tenant("paser")


def checked(tenant: Tenant) -> Checked:
    return verify(tenant, catalogue.province())


def newest(tenant: Tenant) -> Seal:
    with tenant.session(readonly=True) as session:
        found = seals.newest(session)
    assert found is not None
    return found


def kept(tenant: Tenant) -> list[KeptHead]:
    with catalogue.province().session(readonly=True) as session:
        mine = select(KeptHead).where(KeptHead.tenant == tenant.code)
        return list(session.scalars(mine.order_by(KeptHead.number, KeptHead.received_at)))


def arrived(tenant: Tenant) -> bool:
    with tenant.session(readonly=True) as session:
        mine = session.execute(select(Seal.number, Seal.head).order_by(Seal.number)).all()
    return [(head.number, head.head) for head in kept(tenant)] == [tuple(row) for row in mine]


def test_nothing_new_makes_no_seal(paser: Tenant) -> None:
    with paser.session(readonly=False) as session:
        assert seals.seal(session) is None


def test_the_sweep_seals_within_a_minute_and_the_province_has_it(people, issue) -> None:
    inspector, overseer = people.as_("inspektur"), people.as_("pengawas", "province")
    before = inspector.ask(HEAD)["evidenceHead"]
    someone = people.fresh()
    trip = issue(someone)
    at = datetime.now(UTC) - timedelta(days=4)
    fix = {"time": at.isoformat(), "lon": SAMARINDA[0], "lat": SAMARINDA[1], "accuracy": 9.0}
    assert record(someone.front_end, trip["id"], [fix])["accepted"] == 1
    began = monotonic()
    while True:
        now = inspector.ask(HEAD)["evidenceHead"]
        (there,) = (
            row for row in overseer.ask(KEPT)["regencies"]["nodes"] if row["code"] == "64.72"
        )
        newer = now is not None and (before is None or now["number"] > before["number"])
        if newer and (there["evidenceHead"] or {}).get("head") == now["head"]:
            break
        assert monotonic() - began < 60
        sleep(0.5)
    assert there["conflictingHeads"] == 0
    assert there["evidenceHead"]["number"] == now["number"]
    assert (
        there["evidenceHead"]["sealedAt"] == now["sealedAt"] <= there["evidenceHead"]["receivedAt"]
    )


@pytest.mark.parametrize("username", ["operator", "kepala", "admin"])
def test_the_head_is_for_the_inspectorate(people, username: str) -> None:
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        people.as_(username).ask(HEAD)


def test_what_commits_late_is_sealed_then(paser: Tenant) -> None:
    """Of two transactions the one that began first commits last, with the lower numbers."""
    other, companion = issued(paser, "SEGEL/LAMBAT")
    before = newest(paser).number
    with paser.session(readonly=True) as session:
        (case_id,) = session.scalars(text("SELECT id FROM deviation")).all()
        author = session.scalars(text("SELECT traveller_id FROM trip LIMIT 1")).one()
    with paser.session(readonly=False) as late:
        late.execute(
            text(
                "INSERT INTO deviation_reply (id, deviation_id, member_id, body)"
                " VALUES (gen_random_uuid(), :case, :author, 'Terlambat.')"
            ),
            {"case": case_id, "author": author},
        )
        late.flush()
        send(paser, other, companion, range(6, 9), BALIKPAPAN)
        with paser.session(readonly=False) as session:
            seals.seal(session)
        assert newest(paser).number > before
        assert checked(paser).found == 0
    between = newest(paser).number
    assert checked(paser).unsealed >= 1
    seal(paser)
    with paser.session(readonly=True) as session:
        in_seal = session.scalars(text("SELECT seal FROM sealed WHERE kind = 'REPLY'")).all()
    assert in_seal == [between + 1]
    assert checked(paser).found == 0
    assert until(lambda: judged(paser))


def test_uploads_do_not_wait_for_a_seal_nor_it_for_them(paser: Tenant) -> None:
    trip_id, traveller = issued(paser, "SEGEL/SERENTAK")
    with paser.session(readonly=False) as sealing:
        send(paser, trip_id, traveller, range(6, 8), BALIKPAPAN)
        made = seals.seal(sealing)
        send(paser, trip_id, traveller, range(8, 10), BALIKPAPAN)
        assert made is not None
        with paser.session(readonly=False) as other:
            assert seals.seal(other) is None, "one seals at a time"
    seal(paser)
    assert checked(paser).found == 0
    assert until(lambda: judged(paser))


def test_many_sealers_make_one_chain(paser: Tenant) -> None:
    trip_id, traveller = issued(paser, "SEGEL/BANYAK")

    def work(hour: int) -> None:
        send(paser, trip_id, traveller, range(hour, hour + 1), BALIKPAPAN)
        for _ in range(5):
            with paser.session(readonly=False) as session:
                seals.seal(session)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6, 18)))
    seal(paser)
    assert until(lambda: judged(paser))
    seal(paser)
    found = checked(paser)
    assert (found.found, found.unsealed) == (0, 0)


def test_a_refreshed_verdict_is_sealed_again_and_is_no_fault(paser: Tenant) -> None:
    with paser.session(readonly=True) as session:
        verdict = session.scalars(
            select(VerdictRecord).where(VerdictRecord.current, VerdictRecord.final).limit(1)
        ).one()

    def versions() -> int:
        with paser.session(readonly=True) as session:
            of = text("SELECT count(*) FROM sealed WHERE kind = 'CLOSED_VERDICT' AND id = :id")
            return session.scalars(of, {"id": verdict.id}).one()

    before = versions()
    assert before
    with paser.session(readonly=False) as session:
        again = text("UPDATE trip_progress SET arrived = arrived + 1 WHERE trip_id = :id")
        session.execute(again, {"id": verdict.trip_id})
    evaluate(paser, verdict.trip_id, now=datetime.now(UTC))
    assert checked(paser).found == 0
    seal(paser)
    assert versions() > before
    assert checked(paser).found == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seal SET head = ''",
        "DELETE FROM seal",
        "UPDATE sealed SET digest = ''",
        "DELETE FROM sealed",
        "INSERT INTO unsealed (kind, id) VALUES ('REPLY', gen_random_uuid())",
        "ALTER TABLE deviation_reply DISABLE TRIGGER unsealed",
    ],
)
def test_the_service_cannot_unseal(paser: Tenant, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
        paser.session(readonly=False) as session,
    ):
        session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE kept_head SET head = ''",
        "DELETE FROM kept_head",
        "INSERT INTO kept_head VALUES ('64.72', 1, '', now(), now(), false)",
        "INSERT INTO seal VALUES (1, now(), '')",
    ],
)
def test_the_provinces_service_can_only_read_heads(world: World, statement: str) -> None:
    with (
        pytest.raises(DBAPIError, match="permission denied"),
        catalogue.province().session(readonly=False) as session,
    ):
        session.execute(text(statement))


def test_the_province_keeps_what_a_regency_takes_back(paser: Tenant, world: World, people) -> None:
    seal(paser)
    assert until(lambda: arrived(paser))
    before = [(head.number, head.head, head.received_at) for head in kept(paser)]
    owner = psycopg.connect(birth.owner_dsn("paser"), autocommit=True)
    admin = psycopg.connect(world.cluster.dsn("jejak_paser"), autocommit=True)
    with owner, admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [seals.LOCK])
        owner.execute("CREATE TABLE mine AS TABLE seal")
        owner.execute("UPDATE seal SET head = sha256(head)")
        owner.execute("DELETE FROM seal")
        owner.execute("TRUNCATE seal")
        # Another head for a number, and another regency's name, which the row cannot claim.
        owner.execute(
            "INSERT INTO seal SELECT number, sealed_at, previous, digest, sha256(head) FROM mine"
            " WHERE number = 2"
        )
        assert until(lambda: len(kept(paser)) == len(before) + 1)
        owner.execute("DELETE FROM seal")
        owner.execute("INSERT INTO seal TABLE mine")
        owner.execute("DROP TABLE mine")
        found = checked(paser)
        (fault,) = found.faults
        assert (fault.seal, fault.what) == (2, "ALTERED")
        assert "2 different heads" in fault.why
    # Nothing is held up by it, and what was there stayed as it was.
    trip_id, traveller = issued(paser, "SEGEL/LAGI")
    send(paser, trip_id, traveller, range(6, 8), BALIKPAPAN)
    seal(paser)
    assert until(lambda: kept(paser)[-1].head == newest(paser).head)
    after = kept(paser)
    assert set(before) <= {(head.number, head.head, head.received_at) for head in after}
    assert [head.number for head in after if head.conflicts] == [2]
    (row,) = (
        row
        for row in people.as_("pengawas", "province").ask(KEPT)["regencies"]["nodes"]
        if row["code"] == "64.01"
    )
    assert row["conflictingHeads"] == 1
    assert row["evidenceHead"]["head"] == newest(paser).head.hex()


@pytest.fixture
def from_before(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """A regency to which seals come after all else, with a judged trip of the time before."""
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(migrate.MIGRATIONS, before)
    seals_come, follows = (before / f"tenant/tenant_000{number}.py" for number in (6, 7))
    # Check-ins are sealed: they come after the seals.
    check_ins = before / "tenant/tenant_0011.py"
    sealed = check_ins.read_text().replace("tenant_0010", "tenant_last")
    check_ins.unlink()
    further = before / "tenant/tenant_0012.py"
    further.write_text(further.read_text().replace("tenant_0011", "tenant_0010"))
    newest = max(before.glob("tenant/tenant_*.py")).stem
    late = seals_come.read_text().replace("tenant_0006", "tenant_last")
    seals_come.unlink()
    follows.write_text(follows.read_text().replace("tenant_0006", "tenant_0005"))
    sharing = before / "tenant/tenant_0009.py"
    sharing.write_text(sharing.read_text().replace(",\n    seal (number, sealed_at, head)", ""))
    shutil.copytree(before, after)
    (after / "tenant/tenant_last.py").write_text(late.replace("tenant_0005", newest))
    (after / "tenant/tenant_0011.py").write_text(sealed)
    with monkeypatch.context() as then:
        then.setattr(migrate, "MIGRATIONS", before)
        tenant = born("mahakam", "64.11")
    upgrade = birth.upgrade

    def upgrade_to_last(schema: migrate.Schema, dsn: str, **names: str) -> bool:
        with monkeypatch.context() as then:
            if "mahakam" in dsn:
                then.setattr(migrate, "MIGRATIONS", after)
            return upgrade(schema, dsn, **names)

    monkeypatch.setattr(birth, "upgrade", upgrade_to_last)
    try:
        await_province("mahakam")
        trip_id, traveller = issued(tenant, "LAMA/1")
        send(tenant, trip_id, traveller, range(6, 66), SANGATTA)
        assert until(lambda: judged(tenant))
        yield tenant
    finally:
        birth.drop_tenant("mahakam")


def test_a_regency_from_before_takes_part_after_the_upgrade(from_before: Tenant) -> None:
    with pytest.raises(DBAPIError, match="does not exist"):
        seal(from_before)
    with psycopg.connect(birth.owner_dsn("mahakam"), autocommit=True) as owner:
        # What a regency adds by itself is not taken up with the seals.
        owner.execute("ALTER PUBLICATION province ADD TABLE member (id, roles)")
        (came_of_it,) = [came for slug, came in birth.migrate_all() if slug == "mahakam"]
        assert isinstance(came_of_it, subscriptions.UnexpectedPublication)
        assert "member" in str(came_of_it)
        owner.execute("ALTER PUBLICATION province DROP TABLE member")
    assert dict(birth.migrate_all())["mahakam"] is True
    seal(from_before)
    assert until(lambda: kept(from_before) != [] and arrived(from_before))
    found = checked(from_before)
    assert (found.found, found.unsealed, found.unpublished, found.chunks) == (0, 0, 0, 1)
    assert found.rows >= 3, "what was there before is sealed too"
    assert dict(birth.migrate_all())["mahakam"] is False
    assert arrived(from_before)
