"""Verdicts and deviations as people meet them: read, replied to, ruled on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from tenants import access
from tenants.access import Viewer
from tenants.evidence import (
    DeviationRecord,
    DeviationReply,
    DeviationRuling,
    DeviationState,
    VerdictRecord,
)
from tenants.models import Role, RulesetVersion, Trip
from tenants.plans import text_of
from tenants.problems import NotAllowed, NotFound, WrongState


def current(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, VerdictRecord | None]:
    """The verdict in force on each trip that has one; the caller has seen to access."""
    records = session.scalars(
        select(VerdictRecord).where(VerdictRecord.trip_id.in_(trip_ids), VerdictRecord.current)
    )
    return {record.trip_id: record for record in records}


def rulesets(session: Session, verdict_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """The version of the rules behind each verdict; the caller has seen to access."""
    query = select(VerdictRecord.id, VerdictRecord.ruleset).where(VerdictRecord.id.in_(verdict_ids))
    return dict(session.execute(query).all())


def legal_bases(session: Session, verdict_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """The legal basis of the rules behind each verdict; the caller has seen to access."""
    query = (
        select(VerdictRecord.id, RulesetVersion.legal_basis)
        .join(RulesetVersion, RulesetVersion.version == VerdictRecord.ruleset)
        .where(VerdictRecord.id.in_(verdict_ids))
    )
    return dict(session.execute(query).tuples().all())


def standing(session: Session, trip_ids: Sequence[UUID]) -> Mapping[UUID, list[DeviationRecord]]:
    """The deviations that stand on each trip, oldest first; the caller has seen to access."""
    found: dict[UUID, list[DeviationRecord]] = {trip_id: [] for trip_id in trip_ids}
    records = select(DeviationRecord).where(
        DeviationRecord.trip_id.in_(trip_ids), DeviationRecord.state != DeviationState.WITHDRAWN
    )
    for record in session.scalars(records.order_by(DeviationRecord.started_at, DeviationRecord.id)):
        found[record.trip_id].append(record)
    return found


@dataclass(frozen=True, slots=True)
class DeviationFilter:
    """Conditions that all must hold; None asks for nothing."""

    kinds: Sequence[str] | None = None
    states: Sequence[str] | None = None
    severities: Sequence[str] | None = None
    trip_id: UUID | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.kinds is not None:
            yield DeviationRecord.kind.in_(self.kinds)
        if self.states is not None:
            yield DeviationRecord.state.in_(self.states)
        if self.severities is not None:
            yield DeviationRecord.severity.in_(self.severities)
        if self.trip_id is not None:
            yield DeviationRecord.trip_id == self.trip_id


def find(
    session: Session, viewer: Viewer, deviation_id: UUID, wanted: DeviationFilter
) -> DeviationRecord | None:
    """A deviation when it stands, is the viewer's to see and meets the filter."""
    query = access.deviations(viewer).where(
        DeviationRecord.id == deviation_id, *wanted.conditions()
    )
    return session.scalar(query)


def page(
    session: Session,
    viewer: Viewer,
    *,
    wanted: DeviationFilter,
    after: tuple[datetime, UUID] | None,
    first: int,
    oldest_first: bool = False,
) -> list[DeviationRecord]:
    """Up to `first` + 1 deviations, by the time they were found."""
    query = access.deviations(viewer).where(*wanted.conditions())
    keys = (DeviationRecord.found_at, DeviationRecord.id)
    if after is not None:
        query = query.where(tuple_(*keys) > after if oldest_first else tuple_(*keys) < after)
    order = keys if oldest_first else [key.desc() for key in keys]
    return list(session.scalars(query.order_by(*order).limit(first + 1)))


def reply(session: Session, viewer: Viewer, deviation_id: UUID, *, body: str) -> DeviationRecord:
    """The traveller's answer (*hak jawab*), kept with the deviation for whoever rules on it."""
    deviation = locked(session, viewer, deviation_id)
    traveller_id = session.scalar(select(Trip.traveller_id).where(Trip.id == deviation.trip_id))
    if traveller_id != viewer.member_id:
        raise NotAllowed((Role.TRAVELLER,))
    session.add(
        DeviationReply(
            deviation_id=deviation.id, member_id=viewer.member_id, body=text_of("body", body, 4000)
        )
    )
    if deviation.state is DeviationState.OPEN:
        deviation.state = DeviationState.ANSWERED
    session.flush()
    return deviation


def rule(
    session: Session, viewer: Viewer, deviation_id: UUID, *, upheld: bool, reason: str
) -> DeviationRecord:
    """An inspector's decision; nobody rules on a trip of her own (four eyes)."""
    viewer.require(Role.INSPECTOR)
    deviation = locked(session, viewer, deviation_id)
    traveller_id = session.scalar(select(Trip.traveller_id).where(Trip.id == deviation.trip_id))
    if traveller_id == viewer.member_id:
        raise NotAllowed((Role.INSPECTOR,))
    session.add(
        DeviationRuling(
            deviation_id=deviation.id,
            member_id=viewer.member_id,
            upheld=upheld,
            reason=text_of("reason", reason, 4000),
        )
    )
    deviation.state = DeviationState.UPHELD if upheld else DeviationState.EXCUSED
    session.flush()
    return deviation


def locked(session: Session, viewer: Viewer, deviation_id: UUID) -> DeviationRecord:
    """A finding that stands and is the viewer's to see, while nobody else decides on it."""
    access.deviation(session, viewer, deviation_id)
    found = session.scalar(
        select(DeviationRecord)
        .where(DeviationRecord.id == deviation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("Temuan")
    if found.state is DeviationState.WITHDRAWN:
        raise WrongState(found.state)
    return found


def replies(session: Session, deviation_ids: Sequence[UUID]) -> Mapping[UUID, list[DeviationReply]]:
    found: dict[UUID, list[DeviationReply]] = {key: [] for key in deviation_ids}
    query = select(DeviationReply).where(DeviationReply.deviation_id.in_(deviation_ids))
    for row in session.scalars(query.order_by(DeviationReply.replied_at)):
        found[row.deviation_id].append(row)
    return found


def rulings(
    session: Session, deviation_ids: Sequence[UUID]
) -> Mapping[UUID, list[DeviationRuling]]:
    found: dict[UUID, list[DeviationRuling]] = {key: [] for key in deviation_ids}
    query = select(DeviationRuling).where(DeviationRuling.deviation_id.in_(deviation_ids))
    for row in session.scalars(query.order_by(DeviationRuling.ruled_at)):
        found[row.deviation_id].append(row)
    return found
