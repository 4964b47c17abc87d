"""Proposals (*usulan perjalanan dinas*): what an operator asks the head of office to approve.

A proposal is kept beside the trips and is none: nobody is tracked, judged or published by it. Only
its approval issues the trip (*penerbitan surat tugas oleh pemberi tugas*).
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, Select, func, select, tuple_
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship

from tenants import access, plans, trips
from tenants.access import ISSUERS, Viewer
from tenants.letters import Letter
from tenants.models import Base, Member, Role
from tenants.plans import TripPlan, text_of
from tenants.problems import InvalidInput, NotFound, WrongState


class ProposalState(StrEnum):
    WAITING = "WAITING"
    APPROVED = "APPROVED"
    RETURNED = "RETURNED"
    WITHDRAWN = "WITHDRAWN"


class TripProposal(Base):
    """One traveller's trip under a letter that is to be signed; `trip_id` is what became of it."""

    __tablename__ = "trip_proposal"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    letter_number: Mapped[str]
    dated: Mapped[date]
    purpose: Mapped[str]
    signed_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    traveller_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    spd_number: Mapped[str | None]
    plan: Mapped[dict[str, Any]]
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    proposed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    state: Mapped[ProposalState] = mapped_column(default=ProposalState.WAITING)
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    trip_id: Mapped[UUID | None] = mapped_column(ForeignKey("trip.id"), unique=True)

    traveller: Mapped[Member] = relationship(lazy="raise", foreign_keys=[traveller_id])
    __table_args__ = (Index("trip_proposal_newest", "proposed_at", "id"),)


def propose(
    session: Session,
    viewer: Viewer,
    *,
    letter: Letter,
    traveller_id: UUID,
    plan: TripPlan,
    spd_number: str | None,
    home_zone: str,
    now: datetime,
) -> TripProposal:
    """Ask for a trip that could be issued now; raises what issuing it would raise."""
    # Issued, looked at and undone: so a proposal is checked by the very rules of a trip.
    with session.begin_nested() as trial:
        trip = trips.issue(
            session,
            viewer,
            letter=letter,
            traveller_id=traveller_id,
            plan=plan,
            spd_number=spd_number,
            home_zone=home_zone,
            now=now,
        )
        proposal = TripProposal(
            letter_number=trip.letter.number,
            dated=trip.letter.dated,
            purpose=trip.letter.purpose,
            signed_by_id=trip.letter.signed_by_id,
            traveller_id=traveller_id,
            spd_number=trip.spd_number,
            plan=plans.snapshot(trip),
            proposed_by_id=viewer.member_id,
            state=ProposalState.WAITING,
        )
        trial.rollback()
    session.add(proposal)
    session.flush()
    session.refresh(proposal, ["proposed_at", "traveller"])
    return proposal


def approve(
    session: Session, viewer: Viewer, proposal_id: UUID, *, home_zone: str, now: datetime
) -> TripProposal:
    """Issue what was proposed; raises `OverlappingTrip` when the days were taken meanwhile."""
    proposal = _to_decide(session, viewer, proposal_id)
    trip = trips.send(
        session,
        proposal.traveller,
        issued_by=proposal.proposed_by_id,
        letter=Letter(
            proposal.letter_number, proposal.dated, proposal.purpose, proposal.signed_by_id
        ),
        plan=plans.kept(proposal.plan).again(),
        spd_number=proposal.spd_number,
        home_zone=home_zone,
        now=now,
    )
    proposal.trip_id = trip.id
    _decide(session, proposal, viewer, ProposalState.APPROVED, now)
    return proposal


def send_back(
    session: Session, viewer: Viewer, proposal_id: UUID, *, reason: str, now: datetime
) -> TripProposal:
    """Refuse a proposal for a reason; the operator may propose anew."""
    proposal = _to_decide(session, viewer, proposal_id)
    proposal.reason = text_of("reason", reason)
    _decide(session, proposal, viewer, ProposalState.RETURNED, now)
    return proposal


def withdraw(session: Session, viewer: Viewer, proposal_id: UUID, *, now: datetime) -> TripProposal:
    """Take back what nobody has decided yet, as an operator who could propose it."""
    viewer.require(*ISSUERS)
    proposal = _waiting(session, viewer, proposal_id)
    _decide(session, proposal, viewer, ProposalState.WITHDRAWN, now)
    return proposal


def _to_decide(session: Session, viewer: Viewer, proposal_id: UUID) -> TripProposal:
    """What waits for the viewer, locked: as who signs, or as head of that office."""
    viewer.require(Role.HEAD_OF_OFFICE)
    found = _waiting(session, viewer, proposal_id)
    if found.traveller_id == viewer.member_id:
        raise InvalidInput("id", "usulan untuk diri sendiri", "is for yourself")
    return found


def _waiting(session: Session, viewer: Viewer, proposal_id: UUID) -> TripProposal:
    """A proposal that the viewer may see and that waits, locked."""
    found = session.scalar(
        _seen(viewer).where(TripProposal.id == proposal_id).with_for_update(of=TripProposal)
    )
    if found is None:
        raise NotFound("Usulan")
    if found.state is not ProposalState.WAITING:
        raise WrongState(found.state)
    return found


def _decide(
    session: Session, proposal: TripProposal, viewer: Viewer, state: ProposalState, now: datetime
) -> None:
    proposal.state, proposal.decided_by_id, proposal.decided_at = state, viewer.member_id, now
    session.flush()


def _seen(viewer: Viewer) -> Select[TripProposal]:
    """The proposals that the viewer may see, with their travellers."""
    return (
        select(TripProposal)
        .join(TripProposal.traveller)
        .where(access.proposed(viewer, TripProposal.signed_by_id))
        .options(contains_eager(TripProposal.traveller))
    )


def one(session: Session, viewer: Viewer, proposal_id: UUID) -> TripProposal | None:
    """A proposal; None when it is absent or not the viewer's to see."""
    return session.scalar(_seen(viewer).where(TripProposal.id == proposal_id))


def page(
    session: Session,
    viewer: Viewer,
    *,
    states: Sequence[ProposalState] | None,
    after: tuple[datetime, UUID] | None,
    first: int,
) -> list[TripProposal]:
    """Up to `first` + 1 proposals in these states that the viewer may see, newest first."""
    query = _seen(viewer)
    if states is not None:
        query = query.where(TripProposal.state.in_(states))
    if after is not None:
        query = query.where(tuple_(TripProposal.proposed_at, TripProposal.id) < after)
    newest = query.order_by(TripProposal.proposed_at.desc(), TripProposal.id.desc())
    return list(session.scalars(newest.limit(first + 1)))
