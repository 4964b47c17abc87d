"""Sharing agreements: what is agreed is shared, by PostgreSQL's doing, and nothing beside it."""

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import psycopg
import pytest
from asking import ask, enter, held, nothing_changes, sql, threads
from conftest import SAMARINDA, SANGATTA, today, verdict
from psycopg.sql import SQL, Identifier
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from test_verdicts import travel
from typer.testing import CliRunner

from infra.cli import app
from infra.front_end import FrontEnd
from infra.processes import happens
from infra.world import World
from tenants import birth, catalogue, pseudonyms
from tenants.subscriptions import SHARED

SHARING = """{ sharing { regencyCode agreement { number validFrom validUntil level severity
  travellers } refused { relation reason times } } }"""
CASES = """query ($code: String) { deviations(regencyCode: $code, first: 100) { nodes {
  id severity pseudonym travellerName travellerNip } } }"""
FIGURES = """{ regencies { nodes { code trips openDeviations amountAtStake
  verdicts { trips } } } }"""
IN_FORCE = "{ sharingAgreement { number level severity travellers declaredBy } }"
HISTORY = "{ sharingAgreements { number declaredBy withdrawnAt withdrawnBy withdrawalReason } }"
CASES_FROM_NOTE = {"level": "CASES", "severity": "NOTE", "travellers": "PSEUDONYMOUS"}
SOME = SQL("SELECT 1 FROM {} WHERE tenant = %s")
_numbers = count(1)
SECONDS = 8.0
"""A round of the sweep, and replication, on a busy machine."""


@pytest.fixture(scope="module")
def admin(people) -> FrontEnd:
    return people.as_("admin")


@pytest.fixture(scope="module")
def overseer(people) -> FrontEnd:
    return people.as_("pengawas", "province")


def declare(admin: FrontEnd, **terms) -> dict:
    agreement = {"number": f"PBD/{next(_numbers)}", "validFrom": str(today())} | terms
    return ask(admin, "declareSharingAgreement", agreement=agreement)


@pytest.fixture(autouse=True)
def as_at_first(admin) -> Iterator[None]:
    """What a test agreed to is replaced by what a regency agrees to at first."""
    yield
    assert declare(admin, **CASES_FROM_NOTE)["__typename"] == "SharingAgreement"


def sharing(overseer: FrontEnd, code: str = "64.72") -> dict:
    return next(row for row in overseer.ask(SHARING)["sharing"] if row["regencyCode"] == code)


def cases(overseer: FrontEnd, code: str = "64.72") -> dict[str, dict]:
    return {node["id"]: node for node in overseer.ask(CASES, code=code)["deviations"]["nodes"]}


def figures(overseer: FrontEnd, code: str = "64.72") -> dict:
    return next(row for row in overseer.ask(FIGURES)["regencies"]["nodes"] if row["code"] == code)


def own_figures() -> tuple[int, int]:
    """Trips and open deviations, counted in the regency's own database."""
    ((trips, opened),) = sql(
        "SELECT (SELECT count(*) FROM trip WHERE state <> 'CANCELLED'),"
        " (SELECT count(*) FROM deviation WHERE state IN ('OPEN', 'ANSWERED'))"
    )
    return trips, opened


def received(world: World, code: str = "64.72") -> set[str]:
    """The tables of the province in which it has rows of a regency."""
    with psycopg.connect(world.cluster.dsn("jejak_province")) as province:
        return {
            table
            for table in SHARED
            if province.execute(SOME.format(Identifier(table)), [code]).fetchone()
        }


def nip_of_nobody() -> str:
    return f"19850817201003{1}{next(_numbers):03}"


@contextmanager
def as_superuser(world: World, database: str) -> Iterator[psycopg.Connection]:
    """A connection that no trigger and no foreign key concerns, as a host of its own may have."""
    with psycopg.connect(world.cluster.dsn(database), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


@pytest.fixture(scope="module")
def known(people, issue) -> dict:
    """Somebody with a NIP, in the wrong region, and somebody who never left; what was found."""
    someone, trip = travel(people, issue, where=SANGATTA, claim=3)
    _, other = travel(people, issue, where=SAMARINDA, days=2)
    nip = nip_of_nobody()
    enter("UPDATE member SET nip = :nip WHERE name = :name", nip=nip, name=someone.name)
    (found,) = verdict(people.as_("inspektur"), trip)["deviations"]
    verdict(people.as_("inspektur"), other)
    return {"name": someone.name, "nip": nip, "trip": trip, "case": found["id"]}


def test_a_regency_begins_with_an_agreement_that_all_may_read(people, overseer, admin):
    in_force = people.fresh().front_end.ask(IN_FORCE)["sharingAgreement"]
    assert {key: in_force[key] for key in CASES_FROM_NOTE} == CASES_FROM_NOTE
    first = admin.ask(HISTORY)["sharingAgreements"][-1]
    assert (first["number"], first["declaredBy"]) == ("Perjanjian awal", "jejak tenant add")
    assert sharing(overseer)["agreement"]["level"] == "CASES"


def test_what_is_agreed_is_shared_and_no_more(admin, overseer, known, world):
    """From wide to narrow: at each step what the next agreement lacks is gone in seconds."""
    case, name, nip = known["case"], known["name"], known["nip"]

    def shows(said_name: str | None, said_nip: str | None) -> bool:
        shared = cases(overseer).get(case)
        return shared is not None and (shared["travellerName"], shared["travellerNip"]) == (
            said_name,
            said_nip,
        )

    assert happens(lambda: shows(None, None), seconds=SECONDS)
    pseudonym = hmac.new(pseudonyms.key(), nip.encode(), "sha256").hexdigest()
    assert happens(lambda: cases(overseer)[case]["pseudonym"] == pseudonym, seconds=SECONDS)

    declare(admin, level="CASES", severity="NOTE", travellers="NAMED")
    assert happens(lambda: shows(name, nip), seconds=SECONDS)
    declare(admin, level="CASES", severity="HIGH", travellers="PSEUDONYMOUS")
    assert happens(lambda: shows(None, None), seconds=SECONDS)
    assert {shared["severity"] for shared in cases(overseer).values()} == {"HIGH"}
    assert sharing(overseer)["agreement"]["severity"] == "HIGH"

    declare(admin, level="FIGURES")
    only = {"shared_agreement", "shared_month", "shared_finding"}
    assert happens(lambda: received(world) == only, seconds=SECONDS)
    told = figures(overseer)
    assert (told["trips"], told["openDeviations"]) == own_figures()
    assert float(told["amountAtStake"]) > 0
    assert sum(row["trips"] for row in told["verdicts"]) >= 2

    withdrawn = ask(admin, "withdrawSharingAgreement", reason="Dicabut bupati.")
    assert (withdrawn["level"], withdrawn["withdrawnBy"]) == ("FIGURES", "Yuli Admin")
    assert happens(lambda: received(world) == set(), seconds=SECONDS)
    assert sharing(overseer)["agreement"] is None
    assert figures(overseer)["trips"] == 0
    assert admin.ask(IN_FORCE)["sharingAgreement"] is None
    newest, *_ = admin.ask(HISTORY)["sharingAgreements"]
    assert newest["withdrawalReason"] == "Dicabut bupati."

    declare(admin, **CASES_FROM_NOTE)
    assert happens(lambda: shows(None, None), seconds=SECONDS)


@contextmanager
def stream(world: World) -> Iterator[Callable[[], bytearray]]:
    """Give what reads all that PostgreSQL has sent to a subscriber since the block began."""
    said = bytearray()
    with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as reader:
        reader.execute("SELECT pg_create_logical_replication_slot('pipit', 'pgoutput')")

        def read() -> bytearray:
            rows = reader.execute(
                "SELECT data FROM pg_logical_slot_get_binary_changes('pipit', NULL, NULL,"
                " 'proto_version', '2', 'publication_names', 'province')"
            )
            said.extend(b"".join(bytes(data) for (data,) in rows))
            return said

        try:
            yield read
        finally:
            reader.execute("SELECT pg_drop_replication_slot('pipit')")


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"level": "FIGURES"}, set()),
        (CASES_FROM_NOTE, {"trip", "pseudonym"}),
        (CASES_FROM_NOTE | {"travellers": "NAMED"}, {"trip", "pseudonym", "name", "nip"}),
    ],
)
def test_the_stream_tells_what_is_agreed_and_no_track(people, issue, admin, world, terms, told):
    declare(admin, **terms)
    nip = nip_of_nobody()
    with stream(world) as read:
        someone, trip = travel(people, issue, where=SANGATTA)
        enter("UPDATE member SET nip = :nip WHERE name = :name", nip=nip, name=someone.name)
        assert verdict(people.as_("inspektur"), trip)["deviations"]
        told_again = "SELECT 1 FROM outdated_member"
        with psycopg.connect(world.cluster.dsn("jejak_samarinda"), autocommit=True) as owner:
            assert happens(lambda: not owner.execute(told_again).fetchone(), seconds=SECONDS)
        # What is written last is sent last.
        last = declare(admin, **terms)["number"].encode()
        assert happens(lambda: last in read(), seconds=SECONDS)
        said = read()
    secrets = {
        "trip": trip,
        "pseudonym": hmac.new(pseudonyms.key(), nip.encode(), "sha256").hexdigest(),
        "name": someone.name,
        "nip": nip,
    }
    assert {key for key, secret in secrets.items() if secret.encode() in said} == told
    assert b"shared_month" in said
    for never in (someone.id, "UJI/", "117.5", "track_chunk", "member", "assignment"):
        assert never.encode() not in said, never


OPERATOR = "(SELECT id FROM member WHERE 'OPERATOR' = ANY(roles) LIMIT 1)"
DECLARE = (
    "INSERT INTO sharing_agreement (number, valid_from, zone, level, declared_by, declared_by_id)"
    " VALUES ('1', '2026-01-01', 'UTC', 'FIGURES', 'x', {})"
)
WITHDRAW = (
    "UPDATE sharing_agreement SET withdrawn_by = 'x', withdrawal_reason = 'x', withdrawn_by_id = {}"
    " WHERE {}"
)
FORBIDDEN = [
    *(f"TABLE {table}" for table in (*SHARED, "person_key", "sharable_trip")),
    *(f"DELETE FROM {table}" for table in (*SHARED, "sharing_agreement")),  # noqa: S608
    "INSERT INTO shared_trip SELECT id, tenant FROM trip",
    "UPDATE sharing_agreement SET travellers = 'NAMED'",
    "UPDATE sharing_agreement SET withdrawn_at = NULL",
    DECLARE.format("NULL"),
    DECLARE.format(OPERATOR),
    WITHDRAW.format("NULL", "withdrawn_at IS NULL"),
    WITHDRAW.format(OPERATOR, "withdrawn_at IS NULL"),
    "SELECT share_everything()",
    "SELECT share_trips(ARRAY(SELECT id FROM trip))",
    "ALTER PUBLICATION province SET TABLE trip",
    "ALTER TABLE trip DISABLE TRIGGER shared",
    "SET session_replication_role = replica",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_service_cannot_share_otherwise(world: World, statement: str):
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner|only an admin"):
        enter(statement)


def test_what_was_withdrawn_stays_so(admin, world):
    ask(admin, "withdrawSharingAgreement", reason="Dicabut.")
    with pytest.raises(DBAPIError, match="stays so"):
        enter(WITHDRAW.format(OPERATOR.replace("OPERATOR", "TENANT_ADMIN"), "true"))
    gone = ask(admin, "withdrawSharingAgreement", reason="Lagi.")
    assert gone["code"] == "NOT_FOUND"


LATER = SQL(
    "UPDATE sharing_agreement SET {} = %s WHERE id = (SELECT max(id) FROM sharing_agreement)"
)


def newest_is(world: World, **dates: str) -> None:
    """Let the newest agreement have other dates, as if days had passed: no trigger runs."""
    with as_superuser(world, "jejak_samarinda") as owner:
        for column, value in dates.items():
            owner.execute(LATER.format(Identifier(column)), [value])


def test_an_agreement_ends_and_begins_with_its_days(admin, overseer, known, world):
    yesterday, tomorrow = (str(today() + timedelta(days=days)) for days in (-1, 1))
    number = declare(admin, validUntil=str(today()), **CASES_FROM_NOTE)["number"]
    assert happens(lambda: number in str(sharing(overseer)), seconds=SECONDS)
    assert sharing(overseer)["agreement"]["validUntil"] == str(today())
    assert known["case"] in cases(overseer)
    newest_is(world, valid_from=yesterday, valid_until=yesterday)
    assert happens(lambda: received(world) == set(), seconds=SECONDS)
    # Whatever happens in between, what ended shares nothing.
    enter("UPDATE trip SET state = state WHERE id = CAST(:id AS uuid)", id=known["trip"])
    later = declare(admin, validFrom=tomorrow, **CASES_FROM_NOTE)
    assert admin.ask(IN_FORCE)["sharingAgreement"] is None
    assert received(world) == set()
    newest_is(world, valid_from=str(today()))
    assert happens(lambda: later["number"] in str(sharing(overseer)), seconds=SECONDS)
    assert known["case"] in cases(overseer)


def test_nothing_written_meanwhile_slips_out(admin, known, world):
    touch = "UPDATE trip SET state = state WHERE id = CAST(:id AS uuid)"
    with threads(1) as submit:
        with held(touch, id=known["trip"]) as waiting:
            withdrawing = submit(ask, admin, "withdrawSharingAgreement", reason="Dicabut.")
            waiting(1)
        assert withdrawing.result()["__typename"] == "SharingAgreement"
    with psycopg.connect(world.cluster.dsn("jejak_samarinda")) as owner:
        for table in SHARED:
            assert not owner.execute(SOME.format(Identifier(table)), ["64.72"]).fetchone(), table
    assert happens(lambda: received(world) == set(), seconds=SECONDS)


def test_cases_of_one_trip_and_its_traveller_change_at_once(people, issue):
    """Sharing makes nobody wait for another: only who changes the same row does."""
    other = (
        "INSERT INTO deviation (id, trip_id, verdict_id, kind, severity, state, started_at,"
        " ended_at, coverage, evidence, message_id, message_en) SELECT gen_random_uuid(), trip_id,"
        " verdict_id, 'LATE_START', severity, 'OPEN', started_at, ended_at, coverage, evidence,"
        " 'Terlambat.', 'Late.' FROM deviation WHERE id = CAST(:id AS uuid)"
    )
    someone, trip = travel(people, issue, where=SANGATTA, days=2)
    (found,) = verdict(people.as_("inspektur"), trip)["deviations"]
    first = "UPDATE deviation SET region_code = '64.03' WHERE id = CAST(:id AS uuid)"
    second = "UPDATE deviation SET state = 'ANSWERED' WHERE kind = 'LATE_START' AND trip_id ="
    third = "UPDATE member SET nip = :nip WHERE name = :name"
    samarinda = catalogue.tenant("samarinda")
    with samarinda.session(readonly=False) as one, samarinda.session(readonly=False) as another:
        one.execute(text(first), {"id": found["id"]})
        another.execute(text(other), {"id": found["id"]})
        another.execute(text(f"{second} CAST(:id AS uuid)"), {"id": trip})
        another.execute(text(third), {"nip": nip_of_nobody(), "name": someone.name})
        # It would not be what the judge found.
        another.rollback()
        one.rollback()


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"level": "FIGURES", "severity": "HIGH"}, "severity"),
        ({"level": "FIGURES", "travellers": "NAMED"}, "travellers"),
        ({"level": "CASES", "travellers": "NAMED"}, "severity"),
        ({"level": "CASES", "severity": "HIGH"}, "travellers"),
        ({"level": "FIGURES", "number": " "}, "number"),
        ({"level": "FIGURES", "number": "x" * 101}, "number"),
        ({"level": "FIGURES", "number": "\x00"}, "number"),
        ({"level": "FIGURES", "validUntil": "2020-01-01"}, "validUntil"),
        ({"level": "FIGURES", "validFrom": "2026-01-02", "validUntil": "2026-01-03"}, "validUntil"),
    ],
)
def test_terms_that_cannot_be_are_refused(admin, terms, field):
    with nothing_changes():
        refused = declare(admin, **terms)
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)


def test_only_an_admin_declares_and_withdraws(people):
    for who in ("operator", "kepala", "inspektur"):
        with nothing_changes():
            refused = declare(people.as_(who), level="FIGURES")
            kept = ask(people.as_(who), "withdrawSharingAgreement", reason="Tidak boleh.")
        assert {refused["code"], kept["code"]} == {"NOT_ALLOWED"}
        assert refused["allowed"] == ["TENANT_ADMIN"]


def jejak(*arguments: str, code: int = 0) -> str:
    ran = CliRunner().invoke(app, ["agreement", *arguments], env={"COLUMNS": "200"})
    assert ran.exit_code == code, (ran.output, ran.exception)
    return ran.output


def test_who_runs_the_service_declares_too(admin, overseer, world):
    """By the owner's role, for a suspended regency as well: nothing is shared behind its back."""
    by = ("--by", "Sekda Samarinda")
    jejak("set", "samarinda", "--number", "PBD/CLI", "--level", "FIGURES", *by)
    shown = jejak("list", "samarinda")
    assert "* │ PBD/CLI" in shown
    assert "Sekda" in shown
    assert admin.ask(IN_FORCE)["sharingAgreement"]["declaredBy"] == "Sekda Samarinda"
    jejak("set", "samarinda", "--number", "PBD/X", "--valid-until", "2020-01-01", code=1)
    jejak("list", "entah", code=1)
    birth.set_state("samarinda", birth.RealmState.SUSPENDED)
    try:
        assert "PBD/CLI withdrawn" in jejak("withdraw", "samarinda", "--reason", "Dicabut", *by)
        assert happens(lambda: received(world) == set(), seconds=SECONDS)
    finally:
        birth.set_state("samarinda", birth.RealmState.ACTIVE)


def test_another_key_makes_other_pseudonyms_everywhere(known, overseer, world):
    assert happens(lambda: known["case"] in cases(overseer), seconds=SECONDS)
    old = cases(overseer)[known["case"]]["pseudonym"]
    with psycopg.connect(world.cluster.dsn("jejak_control"), autocommit=True) as control:
        control.execute("UPDATE realm SET person_key = NULL WHERE kind = 'PROVINCE'")
    assert set(dict(birth.migrate_all()).values()) == {False}
    new = hmac.new(pseudonyms.key(), known["nip"].encode(), "sha256").hexdigest()
    assert new != old
    assert happens(lambda: cases(overseer)[known["case"]]["pseudonym"] == new, seconds=SECONDS)
    with psycopg.connect(world.cluster.dsn("jejak_control")) as control:
        (kept,) = control.execute("SELECT person_key FROM realm WHERE kind = 'PROVINCE'").fetchone()
    assert pseudonyms.key().hex() not in kept
