"""Memberships in the course of time: roles and offices change, people leave and come back.

Who has left keeps no access; what she sent, signed and decided stays hers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, ForeignKey, Text, and_, any_, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.models import Base, Device, LoginSession, Member, Office, Role
from tenants.plans import text_of
from tenants.problems import LastAdmin, NotAllowed, NotFound, WrongState

ACTIVE: Final = "ACTIVE"


class MemberChange(StrEnum):
    """What became of a membership."""

    CHANGED = "CHANGED"
    ENDED = "ENDED"
    RESUMED = "RESUMED"


class MemberRevision(Base):
    """What a membership was before a change, and who changed it: nothing is overwritten unseen."""

    __tablename__ = "member_revision"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"), index=True)
    change: Mapped[MemberChange]
    reason: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    position: Mapped[str | None]
    office_id: Mapped[UUID | None] = mapped_column(ForeignKey("office.id"))
    changed_by_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member is in her regency: roles, office, position (*jabatan*)."""

    roles: frozenset[Role]
    office_id: UUID | None = None
    position: str | None = None


def change(session: Session, viewer: Viewer, member_id: UUID, standing: Standing) -> Member:
    """Give a member other roles, another office or position, on a tenant admin's word.

    Raises `LastAdmin` where nobody would be left to undo it, `WrongState` after she has left.
    """
    member = _locked(session, viewer, member_id, stays=Role.TENANT_ADMIN in standing.roles)
    if Role.OVERSEER in standing.roles:
        raise NotAllowed((Role.OVERSEER,))
    if member.suspended_at is not None:
        raise WrongState(MemberChange.ENDED)
    if standing.office_id and session.get(Office, standing.office_id) is None:
        raise NotFound("Perangkat daerah")
    _note(session, viewer, member, MemberChange.CHANGED)
    member.roles = sorted(standing.roles)
    member.office_id = standing.office_id
    member.position = None if standing.position is None else text_of("position", standing.position)
    session.flush()
    return member


def end(session: Session, viewer: Viewer, member_id: UUID, *, reason: str, now: datetime) -> Member:
    """End a membership: sessions and phones open nothing from now on, evidence stays.

    Raises `LastAdmin`, and `WrongState` when she has left before.
    """
    member = _locked(session, viewer, member_id, stays=False)
    if member.suspended_at is not None:
        raise WrongState(MemberChange.ENDED)
    _note(session, viewer, member, MemberChange.ENDED, text_of("reason", reason))
    member.suspended_at = now
    for opened in (LoginSession, Device):
        session.execute(
            update(opened)
            .where(opened.member_id == member.id, opened.revoked_at.is_(None))
            .values(revoked_at=now)
        )
    session.flush()
    return member


def resume(session: Session, viewer: Viewer, member_id: UUID, *, reason: str) -> Member:
    """Take back who had left, as she was; her phones are paired anew. Raises `WrongState`."""
    member = _locked(session, viewer, member_id, stays=True)
    if member.suspended_at is None:
        raise WrongState(ACTIVE)
    _note(session, viewer, member, MemberChange.RESUMED, text_of("reason", reason))
    member.suspended_at = None
    session.flush()
    return member


def revisions(session: Session, member_ids: Sequence[UUID]) -> Mapping[UUID, list[MemberRevision]]:
    """What each membership was, newest change first; the caller has seen to access."""
    found: dict[UUID, list[MemberRevision]] = {member_id: [] for member_id in member_ids}
    rows = select(MemberRevision).where(MemberRevision.member_id.in_(member_ids))
    for row in session.scalars(rows.order_by(MemberRevision.changed_at.desc())):
        found[row.member_id].append(row)
    return found


def _locked(session: Session, viewer: Viewer, member_id: UUID, *, stays: bool) -> Member:
    """The member, with all admins locked in one order: of two who go at once, one stays.

    `stays` says whether she will be an admin who has not left, if she is one now.
    """
    viewer.require(Role.TENANT_ADMIN)
    admin = and_(
        Member.suspended_at.is_(None),
        any_(Member.roles) == Role.TENANT_ADMIN,
        or_(Member.subject.is_not(None), Member.invited_as.is_not(None)),
    )
    rows = session.scalars(
        select(Member)
        .where(or_(Member.id == member_id, admin))
        .order_by(Member.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    admins = {row.id for row in rows if row.suspended_at is None and Role.TENANT_ADMIN in row.roles}
    if viewer.member_id not in admins:
        raise NotAllowed((Role.TENANT_ADMIN,))
    member = next((row for row in rows if row.id == member_id), None)
    if member is None:
        raise NotFound("Pegawai")
    if not stays and admins <= {member_id}:
        raise LastAdmin
    return member


def _note(
    session: Session,
    viewer: Viewer,
    member: Member,
    what: MemberChange,
    reason: str | None = None,
) -> None:
    session.add(
        MemberRevision(
            member_id=member.id,
            change=what,
            reason=reason,
            roles=list(member.roles),
            position=member.position,
            office_id=member.office_id,
            changed_by_id=viewer.member_id,
        )
    )
