"""Attendance data, kept by the thousand: what it costs, and whose trips it concerns."""

from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from asking import ask
from conftest import plan, today
from sqlalchemy import event, text

from tenants import catalogue, records
from tenants.access import Viewer
from tenants.models import Role
from tenants.problems import NotFound
from tenants.records import MOST_ENTRIES, Presence

DAYS = 13
"""So many days before today is the first of the attendance data."""


@pytest.fixture
def admin(people):
    return Viewer(
        UUID(people.id_of("Yuli Admin")), "Yuli Admin", frozenset({Role.TENANT_ADMIN}), None
    )


@pytest.fixture
def session():
    """A transaction of which nothing stays."""
    with catalogue.tenant("samarinda").session(readonly=False) as session:
        yield session
        session.rollback()


@contextmanager
def statements(session):
    sent = []

    def note(_connection, _cursor, statement, *_):
        sent.append(statement)

    event.listen(session.connection(), "before_cursor_execute", note)
    yield sent
    event.remove(session.connection(), "before_cursor_execute", note)


def present(member_id, day):
    """A morning at the office, so many days before today."""
    start = datetime.combine(today() - timedelta(days=day), time(), UTC)
    return Presence(UUID(str(member_id)), start, start + timedelta(hours=4))


def recorded(session, admin, entries):
    return records.record_attendance(
        session, admin, entries, source="Presensi", now=datetime.now(UTC)
    )


def test_a_thousand_entries_cost_as_many_statements_as_a_few(people, issue, session, admin):
    travellers = [people.fresh() for _ in range(2)]
    trips = {UUID(issue(who, plan(-5, 3))["id"]) for who in travellers}
    own = {who.id for who in travellers}
    everybody = session.scalars(text("SELECT id FROM member ORDER BY id LIMIT 200")).all()
    others = [member for member in everybody if str(member) not in own]
    few = [present(member, 4) for member in own]
    many = [present(member, 1 + day) for day in range(DAYS) for member in (*own, *others)]
    many = many[: MOST_ENTRIES - len(few)]
    with statements(session) as sent:
        assert set(recorded(session, admin, few).trip_ids) == trips
    cost = len(sent)
    with statements(session) as sent:
        result = recorded(session, admin, few + many)
    assert (result.recorded, result.known) == (len(many) - len(few), 2 * len(few))
    assert trips <= set(result.trip_ids)
    assert len(sent) == cost <= 6


def test_which_trips_it_concerns(people, issue, session, admin):
    someone, colleague = people.fresh(), people.fresh()
    before, on, _ = (issue(someone, plan(starts, 2))["id"] for starts in (-12, -8, -2))
    issue(colleague, plan(-8, 2))
    gone = issue(someone, plan(-5, 2))["id"]
    ask(people.as_("operator"), "cancelTrip", id=gone, reason="Batal")
    assert recorded(session, admin, [present(someone.id, 8)]).trip_ids == (UUID(on),)
    # Dates are local ones somewhere: those beside are looked at as well.
    assert recorded(session, admin, [present(someone.id, 9)]).trip_ids == (UUID(on),)
    assert recorded(session, admin, [present(someone.id, 5)]).trip_ids == ()
    # What is known concerns no trip again.
    both = recorded(session, admin, [present(someone.id, 8), present(someone.id, 12)])
    assert (both.recorded, both.known, both.trip_ids) == (1, 1, (UUID(before),))


def test_days_claimed_past_the_plan_are_concerned_too(people, issue, session, admin):
    someone = people.fresh()
    trip = UUID(issue(someone, plan(-12, 2))["id"])
    session.execute(text("UPDATE trip SET claimed_days = 6 WHERE id = :id"), {"id": trip})
    assert recorded(session, admin, [present(someone.id, 7)]).trip_ids == (trip,)
    assert recorded(session, admin, [present(someone.id, 5)]).trip_ids == ()


def test_one_stranger_among_them_is_not_found(people, session, admin):
    known = UUID(people.fresh().id)
    with pytest.raises(NotFound):
        recorded(session, admin, [present(known, 8), present(uuid4(), 8)])
    assert recorded(session, admin, [present(known, 8)]).recorded == 1
