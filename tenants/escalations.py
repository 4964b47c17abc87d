"""Escalations (*permintaan penjelasan*): the province asks about a case, the regency answers.

The question is a row of the province's database, the answer a row of the regency's, which is
published. Neither side writes the other's database, no row is ever changed, and the state follows
from which rows there are: who asked, answered and closed, and when, is the record itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    Text,
    Uuid,
    column,
    exists,
    false,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tenants import access, province
from tenants.access import Viewer
from tenants.evidence import DeviationRecord, EscalationAnswer
from tenants.models import Role
from tenants.plans import text_of
from tenants.problems import NotFound, WrongState
from tenants.province import Escalation, EscalationClosing, SharedAnswer

KIND: Final = "Permintaan penjelasan"
LONGEST: Final = 4000
"""Characters of a question, an answer or a note."""


class EscalationState(StrEnum):
    """From question to answer to the province's word that it is enough."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    CLOSED = "CLOSED"


def _state(closed_at: datetime | None, answers: Sequence[object]) -> EscalationState:
    if closed_at is not None:
        return EscalationState.CLOSED
    return EscalationState.ANSWERED if answers else EscalationState.OPEN


@dataclass(frozen=True, slots=True)
class Asked:
    """An escalation as the province sees it; `answers` are those that have arrived, in order."""

    row: Escalation
    closing: EscalationClosing | None
    answers: list[SharedAnswer]

    @property
    def state(self) -> EscalationState:
        return _state(self.closing.closed_at if self.closing else None, self.answers)


ANSWERED: Final = exists().where(
    SharedAnswer.escalation_id == Escalation.id, SharedAnswer.tenant == Escalation.tenant
)
CLOSED: Final = EscalationClosing.escalation_id.is_not(None)
IN_STATE: Final = {
    EscalationState.OPEN: ~CLOSED & ~ANSWERED,
    EscalationState.ANSWERED: ~CLOSED & ANSWERED,
    EscalationState.CLOSED: CLOSED,
}
ESCALATIONS: Final = select(Escalation, EscalationClosing).outerjoin(
    EscalationClosing, EscalationClosing.escalation_id == Escalation.id
)


def escalate(session: Session, viewer: Viewer, deviation_id: UUID, *, question: str) -> Asked:
    """The overseer asks the regency for more about a case that it shares."""
    case = province.case(session, viewer, deviation_id)
    row = Escalation(
        tenant=case.tenant,
        deviation_id=case.id,
        question=text_of("question", question, LONGEST),
        asked_by_id=viewer.member_id,
    )
    session.add(row)
    session.flush()
    return Asked(row, None, [])


def close(session: Session, viewer: Viewer, escalation_id: UUID, *, note: str | None) -> Asked:
    """The overseer needs to know no more, answered or not."""
    viewer.require(Role.OVERSEER)
    said = None if note is None else text_of("note", note, LONGEST)
    found = _shown(session, ESCALATIONS.where(Escalation.id == escalation_id))
    if not found:
        raise NotFound(KIND)
    closing = EscalationClosing(
        escalation_id=escalation_id, note=said, closed_by_id=viewer.member_id
    )
    session.add(closing)
    try:
        session.flush()
    except IntegrityError:
        raise WrongState(EscalationState.CLOSED) from None
    return Asked(found[0].row, closing, found[0].answers)


def page(
    session: Session,
    viewer: Viewer,
    *,
    tenant: str | None,
    states: Sequence[EscalationState] | None,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[Asked]:
    """Up to `first` + 1 escalations of all regencies, newest first."""
    viewer.require(Role.OVERSEER)
    query = ESCALATIONS
    if tenant is not None:
        query = query.where(Escalation.tenant == tenant)
    if states is not None:
        query = query.where(_any_of(states))
    if after is not None:
        query = query.where(tuple_(Escalation.asked_at, Escalation.id) < after)
    newest = query.order_by(Escalation.asked_at.desc(), Escalation.id.desc())
    return _shown(session, newest.limit(first + 1))


def _any_of(states: Sequence[EscalationState]) -> ColumnElement[bool]:
    return or_(false(), *(IN_STATE[state] for state in states))


def of_cases(session: Session, deviation_ids: Sequence[UUID]) -> Mapping[UUID, list[Asked]]:
    """The escalations of each case, oldest first; the caller has seen to access."""
    found: dict[UUID, list[Asked]] = {key: [] for key in deviation_ids}
    query = ESCALATIONS.where(Escalation.deviation_id.in_(deviation_ids))
    for asked in _shown(session, query.order_by(Escalation.asked_at, Escalation.id)):
        found[asked.row.deviation_id].append(asked)
    return found


def _shown(session: Session, query: Select[Escalation, EscalationClosing]) -> list[Asked]:
    found = [Asked(row, closing, []) for row, closing in session.execute(query)]
    by_id = {asked.row.id: asked for asked in found}
    answers = select(SharedAnswer).where(SharedAnswer.escalation_id.in_(by_id))
    for answer in session.scalars(answers.order_by(SharedAnswer.answered_at, SharedAnswer.id)):
        asked = by_id[answer.escalation_id]
        # Whoever else publishes an answer to it was not asked.
        if answer.tenant == asked.row.tenant:
            asked.answers.append(answer)
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """An escalation as the regency reads it at the province."""

    id: UUID
    deviation_id: UUID
    question: str
    asked_at: datetime
    note: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Received:
    """A question with the regency's own answers, in order, and the case if it still stands."""

    question: Question
    answers: list[EscalationAnswer]
    deviation: DeviationRecord | None

    @property
    def state(self) -> EscalationState:
        return _state(self.question.closed_at, self.answers)


OWN: Final = func.own_escalations().table_valued(
    column("id", Uuid),
    column("deviation_id", Uuid),
    column("question", Text),
    column("asked_at", DateTime(timezone=True)),
    column("note", Text),
    column("closed_at", DateTime(timezone=True)),
)


def questions(
    session: Session,
    viewer: Viewer,
    *,
    closed: bool,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[Question]:
    """Up to `first` + 1 questions to the inspector's regency, newest first; at the province."""
    viewer.require(Role.INSPECTOR)
    query = select(OWN).where(OWN.c.closed_at.is_not(None) if closed else OWN.c.closed_at.is_(None))
    if after is not None:
        query = query.where(tuple_(OWN.c.asked_at, OWN.c.id) < after)
    newest = query.order_by(OWN.c.asked_at.desc(), OWN.c.id.desc()).limit(first + 1)
    return [Question(*row) for row in session.execute(newest)]


def question(session: Session, viewer: Viewer, escalation_id: UUID) -> Question:
    """One question to the inspector's regency; raises `NotFound`; at the province."""
    viewer.require(Role.INSPECTOR)
    row = session.execute(select(OWN).where(OWN.c.id == escalation_id)).one_or_none()
    if row is None:
        raise NotFound(KIND)
    return Question(*row)


def received(session: Session, viewer: Viewer, asked: Sequence[Question]) -> list[Received]:
    """The questions with what the regency's own database holds of them."""
    cases = {each.deviation_id for each in asked}
    standing = access.deviations(viewer).where(DeviationRecord.id.in_(cases))
    by_id = {row.id: row for row in session.scalars(standing)}
    found = {each.id: Received(each, [], by_id.get(each.deviation_id)) for each in asked}
    answers = select(EscalationAnswer).where(EscalationAnswer.escalation_id.in_(found))
    in_order = answers.order_by(EscalationAnswer.answered_at, EscalationAnswer.id)
    for answer in session.scalars(in_order):
        found[answer.escalation_id].answers.append(answer)
    return list(found.values())


def answer(session: Session, viewer: Viewer, asked: Question, *, body: str) -> Received:
    """An inspector answers, and may add to it until the province closes the escalation."""
    viewer.require(Role.INSPECTOR)
    if asked.closed_at is not None:
        raise WrongState(EscalationState.CLOSED)
    session.add(
        EscalationAnswer(
            escalation_id=asked.id,
            deviation_id=asked.deviation_id,
            question=asked.question,
            asked_at=asked.asked_at,
            member_id=viewer.member_id,
            body=text_of("body", body, LONGEST),
        )
    )
    session.flush()
    return received(session, viewer, [asked])[0]
