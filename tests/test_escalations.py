"""The province asks a regency about a case; each side writes its own database only."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from asking import ask, contents, nowhere, sql
from conftest import SANGATTA, verdict
from psycopg.conninfo import make_conninfo
from test_verdicts import travel

from infra.front_end import FrontEnd, Refused
from infra.play import until
from infra.world import World
from tenants import catalogue
from tenants.server import admin

PROBLEM = "... on Problem { code message messageEn }"
SHOWN = """id regencyCode deviationId question askedById askedAt state note closedById closedAt
  answers { id body answeredAt }"""
ESCALATE = f"""
mutation ($case: UUID!, $question: String!) {{
  escalateCase(deviationId: $case, question: $question) {{
    __typename ... on Escalation {{ {SHOWN} }} {PROBLEM} }} }}"""
CLOSE = f"""
mutation ($id: UUID!, $note: String) {{
  closeEscalation(id: $id, note: $note) {{
    __typename ... on Escalation {{ {SHOWN} }} {PROBLEM} }} }}"""
ASKED = f"""
query ($states: [EscalationState!], $code: String, $first: Int! = 100, $after: String) {{
  escalations(states: $states, regencyCode: $code, first: $first, after: $after) {{
    nodes {{ {SHOWN} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
RECEIVED = """
query ($closed: Boolean!, $first: Int! = 100, $after: String) {
  escalations(closed: $closed, first: $first, after: $after) {
    nodes { id state question askedAt note closedAt deviation { id kind }
            answers { memberId body answeredAt } }
    pageInfo { hasNextPage endCursor } } }"""
OF_CASE = """
query ($id: UUID!) { deviation(id: $id) { escalations { id state } } }"""


@pytest.fixture(scope="module")
def overseer(people) -> FrontEnd:
    return people.as_("pengawas", "province")


@pytest.fixture(scope="module")
def inspector(people) -> FrontEnd:
    return people.as_("inspektur")


@pytest.fixture(scope="module")
def case(people, issue, overseer) -> str:
    """A case of Samarinda that the province knows."""
    _, trip = travel(people, issue, where=SANGATTA, days=2, claim=2)
    (found,) = verdict(people.as_("inspektur"), trip)["deviations"]
    shared = "query ($id: UUID!) { deviation(id: $id) { id } }"
    assert until(lambda: overseer.ask(shared, id=found["id"])["deviation"] is not None)
    return found["id"]


@pytest.fixture
def escalation(overseer, case) -> dict[str, Any]:
    return overseer.ask(ESCALATE, case=case, question="Mengapa di Sangatta?")["escalateCase"]


def received(who: FrontEnd, *, closed: bool = False) -> dict[str, dict[str, Any]]:
    nodes = who.ask(RECEIVED, closed=closed)["escalations"]["nodes"]
    return {node["id"]: node for node in nodes}


def asked(overseer: FrontEnd, **given: Any) -> dict[str, dict[str, Any]]:
    nodes = overseer.ask(ASKED, **given)["escalations"]["nodes"]
    return {node["id"]: node for node in nodes}


def test_question_answer_and_closing(overseer, inspector, case, escalation):
    key = escalation["id"]
    assert (escalation["state"], escalation["regencyCode"]) == ("OPEN", "64.72")
    assert escalation["deviationId"] == case
    seen = received(inspector)[key]
    assert (seen["state"], seen["question"]) == ("OPEN", "Mengapa di Sangatta?")
    assert (seen["askedAt"], seen["deviation"]["id"]) == (escalation["askedAt"], case)
    assert key in asked(overseer, states=["OPEN"])
    assert key not in asked(overseer, states=["ANSWERED", "CLOSED"])

    answered = ask(inspector, "answerEscalation", id=key, body="Ada tugas tambahan.")
    assert (answered["state"], answered["deviation"]["id"]) == ("ANSWERED", case)
    assert [answer["body"] for answer in answered["answers"]] == ["Ada tugas tambahan."]
    assert until(lambda: key in asked(overseer, states=["ANSWERED"], code="64.72"))
    ask(inspector, "answerEscalation", id=key, body="Surat tugasnya menyusul.")
    assert until(lambda: len(asked(overseer)[key]["answers"]) == 2)
    told = asked(overseer)[key]["answers"]
    assert [answer["body"] for answer in told] == [
        "Ada tugas tambahan.",
        "Surat tugasnya menyusul.",
    ]
    assert told[0]["answeredAt"] > escalation["askedAt"]
    assert {"id": key, "state": "ANSWERED"} in overseer.ask(OF_CASE, id=case)["deviation"][
        "escalations"
    ]

    closed = overseer.ask(CLOSE, id=key, note="Cukup.")["closeEscalation"]
    assert (closed["state"], closed["note"], len(closed["answers"])) == ("CLOSED", "Cukup.", 2)
    assert key not in received(inspector)
    seen = received(inspector, closed=True)[key]
    assert (seen["state"], seen["note"]) == ("CLOSED", "Cukup.")
    assert key in asked(overseer, states=["CLOSED"])
    again = overseer.ask(CLOSE, id=key)["closeEscalation"]
    assert (again["__typename"], again["code"]) == ("WrongState", "WRONG_STATE")
    late = ask(inspector, "answerEscalation", id=key, body="Terlambat.")
    assert (late["__typename"], late["was"]) == ("WrongState", "CLOSED")


def test_each_side_keeps_its_own_record(overseer, inspector, people, escalation):
    key = escalation["id"]
    ask(inspector, "answerEscalation", id=key, body="Sudah dijelaskan.")
    (kept,) = sql(
        "SELECT question, asked_at, body, member_id::text FROM escalation_answer"
        " WHERE escalation_id = CAST(:id AS uuid)",
        id=key,
    )
    assert (kept.question, kept.body) == ("Mengapa di Sangatta?", "Sudah dijelaskan.")
    assert kept.member_id == people.id_of("Wahyu Inspektur")
    assert until(lambda: asked(overseer)[key]["answers"])
    with admin("jejak_province") as province:
        columns = province.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = 'escalation_answer'::regclass AND attnum > 0"
        ).fetchall()
        (log,) = province.execute(
            "SELECT asked_by_id IN (SELECT id FROM member) FROM escalation WHERE id = %s", [key]
        ).fetchone()
    # Which inspector answered is the regency's own matter.
    assert {name for (name,) in columns} == {
        *("id", "tenant", "escalation_id", "body", "answered_at"),
    }
    assert log


def test_another_regency_sees_and_answers_nothing(people, escalation):
    elsewhere = people.as_("inspektur", "balikpapan")
    assert escalation["id"] not in received(elsewhere)
    before = contents("balikpapan")
    refused = ask(elsewhere, "answerEscalation", id=escalation["id"], body="Bukan kami.")
    absent = ask(elsewhere, "answerEscalation", id=nowhere(), body="Bukan kami.")
    assert refused["code"] == absent["code"] == "NOT_FOUND"
    assert refused["message"] == absent["message"]
    assert contents("balikpapan") == before


@pytest.mark.parametrize("username", ["operator", "kepala", "admin"])
def test_only_inspectors_see_and_answer(people, escalation, username: str):
    who = people.as_(username)
    with pytest.raises(Refused, match="NOT_ALLOWED"):
        received(who)
    answer = ask(who, "answerEscalation", id=escalation["id"], body="Saya jawab.")
    assert (answer["__typename"], answer["allowed"]) == ("NotAllowed", ["INSPECTOR"])


def test_what_cannot_be_asked_or_answered(overseer, inspector, case, escalation):
    for question in ("", "   ", "x" * 4001, "a\x00b"):
        answer = overseer.ask(ESCALATE, case=case, question=question)["escalateCase"]
        assert answer["code"] == "INVALID_INPUT"
        assert answer["message"].startswith("question: ")
        answer = ask(inspector, "answerEscalation", id=escalation["id"], body=question)
        assert (answer["code"], answer["field"]) == ("INVALID_INPUT", "body")
    answer = overseer.ask(ESCALATE, case=nowhere(), question="Mengapa?")["escalateCase"]
    assert answer["code"] == "NOT_FOUND"
    assert overseer.ask(CLOSE, id=nowhere())["closeEscalation"]["code"] == "NOT_FOUND"
    answer = overseer.ask(CLOSE, id=escalation["id"], note="")["closeEscalation"]
    assert answer["code"] == "INVALID_INPUT"
    for who, document in ((overseer, ASKED), (inspector, RECEIVED)):
        with pytest.raises(Refused, match="INVALID_INPUT"):
            who.ask(document, closed=False, after="bukan")


def test_pages_follow_each_other(overseer, inspector, case):
    for number in range(3):
        overseer.ask(ESCALATE, case=case, question=f"Pertanyaan {number}?")
    for who, document, given in ((overseer, ASKED, {}), (inspector, RECEIVED, {"closed": False})):
        whole = [node["id"] for node in who.ask(document, **given)["escalations"]["nodes"]]
        seen, after = [], None
        while True:
            page = who.ask(document, first=1, after=after, **given)["escalations"]
            seen += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert len(seen) >= 3
        assert seen == whole


def test_the_logs_cannot_be_changed(world: World, escalation):
    with catalogue.province().session(readonly=False) as session:
        for table in ("escalation", "escalation_closing", "escalation_answer"):
            for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
                assert not may(session, table, privilege), (table, privilege)
        assert not may(session, "escalation_answer", "INSERT")
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
            assert not may(session, "escalation_answer", privilege)


def may(session, table: str, privilege: str) -> bool:
    asked = "SELECT has_table_privilege(current_user, %s, %s)"
    found = session.connection().exec_driver_sql(asked, (table, privilege))
    return bool(found.scalar_one())


@pytest.fixture
def reader(world: World) -> Iterator[psycopg.Connection]:
    dsn = catalogue.tenant("samarinda").province_dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def test_a_regency_reads_its_own_questions_only(overseer, escalation, reader):
    own = reader.execute("SELECT id::text FROM own_escalations()").fetchall()
    assert (escalation["id"],) in own
    for dsn in (catalogue.tenant("balikpapan").province_dsn, catalogue.province().dsn):
        with psycopg.connect(dsn) as elsewhere:
            assert elsewhere.execute("SELECT * FROM own_escalations()").fetchall() == []
    tables = reader.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'v', 'p')"
        " AND relname NOT LIKE 'geo%' AND relname <> 'spatial_ref_sys'"
        " AND has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE')"
    ).fetchall()
    assert {name for (name,) in tables} == {"travel_notice", "visum"}
    for function in ("note_receipts()", "regency_freshness()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT {function}")
    for statement in (
        "SET ROLE jejak_province",
        "SET SESSION AUTHORIZATION jejak_balikpapan_reader",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)


@pytest.mark.parametrize("database", ["jejak_samarinda", "jejak_balikpapan", "jejak_control"])
def test_its_role_there_leads_nowhere_else(world: World, database: str):
    dsn = make_conninfo(catalogue.tenant("samarinda").province_dsn, dbname=database)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(dsn).close()


def test_the_regency_goes_on_while_the_province_is_away(
    world: World, people, inspector, escalation
):
    with admin() as server:
        server.execute("ALTER DATABASE jejak_province CONNECTION LIMIT 0")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'jejak_samarinda_reader'"
        )
        try:
            with pytest.raises(Refused, match="PROVINCE_UNAVAILABLE"):
                received(inspector)
            late = ask(inspector, "answerEscalation", id=escalation["id"], body="Kami jawab.")
            assert late["__typename"] == "ProvinceUnavailable"
            assert inspector.ask("{ viewer { name } deviations(first: 1) { nodes { id } } }")
        finally:
            server.execute("ALTER DATABASE jejak_province CONNECTION LIMIT -1")
    assert escalation["id"] in received(inspector)
