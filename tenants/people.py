"""Members, their identities at the issuer, and their sessions."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, any_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tenants.access import Viewer, members, viewer_of
from tenants.models import LoginSession, Member, Office, OfficeKind, Role
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotAllowed, NotFound, NotSignedIn

SESSION_LASTS: Final = timedelta(hours=12)
YOUNGEST_APPOINTMENT: Final = 16


def parse_nip(text: str, *, today: date) -> str:
    """The 18 digits of a NIP; spaces and dots are accepted. Raises `InvalidInput`.

    PNS (Perka BKN 22/2007): birth date, year and month of appointment, sex 1 or 2, serial. PPPK:
    birth date, year, number of the contract, sex, serial: digits 13-14 are no month there, so a
    month is not asked for. There is no check digit.
    """
    digits = text.replace(" ", "").replace(".", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 18):
        raise InvalidInput("nip", "harus 18 angka", "must be 18 digits")
    try:
        born = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        raise InvalidInput("nip", "tanggal lahir tidak sah", "holds no valid birth date") from None
    if not born.year + YOUNGEST_APPOINTMENT <= int(digits[8:12]) <= today.year + 1:
        raise InvalidInput("nip", "tahun pengangkatan tidak sah", "holds no valid appointment year")
    if digits[12:14] == "00":
        raise InvalidInput("nip", "bulan atau kontrak tidak sah", "holds no month or contract")
    if digits[14] not in "12":
        raise InvalidInput("nip", "angka ke-15 harus 1 atau 2", "must have 1 or 2 as 15th digit")
    return digits


def add_office(
    session: Session, name: str, kind: OfficeKind, parent_id: UUID | None = None
) -> Office:
    office = Office(name=text_of("name", name), kind=kind, parent_id=parent_id)
    session.add(office)
    session.flush()
    return office


def found_office(
    session: Session, viewer: Viewer, name: str, kind: OfficeKind, parent_id: UUID | None
) -> Office:
    """Add an office on a tenant admin's word."""
    viewer.require(Role.TENANT_ADMIN)
    if parent_id is not None and session.get(Office, parent_id) is None:
        raise NotFound("Perangkat daerah")
    return add_office(session, name, kind, parent_id)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A person to be known to the realm; who may sign in is named as the issuer will name her."""

    name: str
    roles: frozenset[Role]
    office_id: UUID | None = None
    nip: str | None = None
    position: str | None = None
    invited_as: str | None = None


def invite(session: Session, viewer: Viewer, invitation: Invitation, *, today: date) -> Member:
    """Add a member, on a tenant admin's word; nobody but an admin makes an admin."""
    viewer.require(Role.TENANT_ADMIN)
    if Role.OVERSEER in invitation.roles:
        raise NotAllowed((Role.OVERSEER,))
    return add_member(session, invitation, today=today)


def add_member(session: Session, invitation: Invitation, *, today: date) -> Member:
    """Add a member without asking who wants it: for `invite` and the `jejak` command."""
    nip = parse_nip(invitation.nip, today=today) if invitation.nip else None
    position, invited_as = (
        None if text is None else text_of(field, text)
        for field, text in (
            ("position", invitation.position),
            ("invitedAs", invitation.invited_as),
        )
    )
    if invitation.office_id and session.get(Office, invitation.office_id) is None:
        raise NotFound("Perangkat daerah")
    member = Member(
        name=text_of("name", invitation.name),
        nip=nip,
        position=position,
        office_id=invitation.office_id,
        roles=sorted(invitation.roles),
        invited_as=invited_as,
    )
    session.add(member)
    try:
        session.flush()
    except IntegrityError as error:
        # Asking before would not do: two invitations at once both find it free.
        field = "nip" if "member_nip_key" in str(error.orig) else "invitedAs"
        raise InvalidInput(field, "sudah dipakai", "is taken") from None
    return member


@dataclass(frozen=True, slots=True)
class Identity:
    """What a realm's issuer vouches for; the same subject at another issuer is another person."""

    issuer: str
    subject: str
    name: str | None = None


def sign_in(session: Session, identity: Identity, *, now: datetime) -> Viewer:
    """The member with this identity; at the first time, the one who was invited by this name.

    Raises `NotSignedIn` for a stranger and for a suspended member.
    """
    known = select(Member).where(
        Member.issuer == identity.issuer, Member.subject == identity.subject
    )
    member = session.scalar(known)
    if member is None and identity.name is not None:
        invited = select(Member).where(Member.invited_as == identity.name, Member.subject.is_(None))
        member = session.scalar(invited.with_for_update())
        if member is not None:
            member.issuer, member.subject = identity.issuer, identity.subject
            member.joined_at = now
        else:
            # Another request of the same person may have won the lock just now.
            member = session.scalar(known)
    if member is None or member.suspended_at is not None:
        raise NotSignedIn
    return viewer_of(member)


def identified(session: Session, identity: Identity) -> Viewer:
    """The member with this identity, who has signed in before; raises `NotSignedIn`."""
    member = session.scalar(
        select(Member).where(
            Member.issuer == identity.issuer,
            Member.subject == identity.subject,
            Member.suspended_at.is_(None),
        )
    )
    if member is None:
        raise NotSignedIn
    return viewer_of(member)


def open_session(session: Session, member_id: UUID, *, now: datetime) -> str:
    """A new login session; returns the secret for the cookie, of which only a hash is kept."""
    secret = secrets.token_urlsafe(32)
    session.add(
        LoginSession(token_hash=_hash(secret), member_id=member_id, expires_at=now + SESSION_LASTS)
    )
    return secret


def signed_in(session: Session, secret: str, *, now: datetime) -> Viewer:
    """Whose cookie it is; raises `NotSignedIn` when expired, revoked, unknown or suspended."""
    member = session.scalar(
        select(Member)
        .join(LoginSession, LoginSession.member_id == Member.id)
        .where(
            LoginSession.token_hash == _hash(secret),
            LoginSession.revoked_at.is_(None),
            LoginSession.expires_at > now,
            Member.suspended_at.is_(None),
        )
    )
    if member is None:
        raise NotSignedIn
    return viewer_of(member)


def close_session(session: Session, secret: str, *, now: datetime) -> None:
    session.execute(
        update(LoginSession).where(LoginSession.token_hash == _hash(secret)).values(revoked_at=now)
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def offices(session: Session, office_ids: Sequence[UUID]) -> Mapping[UUID, Office | None]:
    rows = session.scalars(select(Office).where(Office.id.in_(office_ids)))
    return {office.id: office for office in rows}


def names(session: Session, member_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """The names of members; whoever may see what they signed may know who signed."""
    rows = session.execute(select(Member.id, Member.name).where(Member.id.in_(member_ids)))
    return dict(rows.tuples().all())


def one(session: Session, member_id: UUID) -> Member:
    """The member with this id, who must exist: the viewer herself."""
    return session.get_one(Member, member_id)


def all_offices(session: Session) -> list[Office]:
    """Every office, by name: who is signed in may know how her regency is organised."""
    return list(session.scalars(select(Office).order_by(Office.name)))


def named(search: str) -> ColumnElement[bool]:
    """Condition on `Member`: these letters are in the name; raises `InvalidInput`."""
    if "\x00" in search:
        raise InvalidInput("search", "bukan nama", "is no name")
    return Member.name.icontains(search, autoescape=True)


def page(
    session: Session,
    viewer: Viewer,
    *,
    search: str | None,
    after: tuple[str, UUID] | None,
    first: int,
    role: Role | None = None,
    active: bool | None = None,
) -> list[Member]:
    """Up to `first` + 1 members whose trips the viewer may see, by name.

    Only those of `role`; by `active` only those whose membership lasts, or only those who left.
    """
    query = select(Member).where(members(viewer))
    if active is not None:
        query = query.where(Member.suspended_at.is_(None) == active)
    if role is not None:
        query = query.where(any_(Member.roles) == role)
    if search:
        query = query.where(named(search))
    if after is not None:
        query = query.where(tuple_(Member.name, Member.id) > after)
    return list(session.scalars(query.order_by(Member.name, Member.id).limit(first + 1)))
