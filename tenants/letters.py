"""Assignment letters (*surat tugas*): who signs them, and that a number means one letter."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from tenants.access import Viewer
from tenants.models import AssignmentLetter, Member, Role
from tenants.plans import text_of
from tenants.problems import InvalidInput


@dataclass(frozen=True, slots=True)
class Letter:
    """*Surat tugas*; a number that is already there adds the traveller to that letter."""

    number: str
    dated: date
    purpose: str
    signed_by: UUID


def written(
    session: Session, letter: Letter, traveller: Member, *, issued_by: UUID
) -> AssignmentLetter:
    """The letter that sends a member, new or with that number already; raises `InvalidInput`."""
    signer = session.get(Member, letter.signed_by)
    if signer is None or Role.HEAD_OF_OFFICE not in signer.roles:
        raise InvalidInput("signedById", "bukan pemberi tugas", "is no head of office")
    if signer.suspended_at is not None:
        raise InvalidInput("signedById", "tidak lagi aktif", "is suspended")
    if signer.id == traveller.id:
        raise InvalidInput(
            "signedById", "tidak dapat menugaskan diri sendiri", "cannot send herself"
        )
    number, purpose = text_of("number", letter.number), text_of("purpose", letter.purpose)
    # A letter that two requests bring at once is written by the first; the other waits for it.
    session.execute(
        insert(AssignmentLetter)
        .values(
            number=number,
            dated=letter.dated,
            purpose=purpose,
            signed_by_id=signer.id,
            issued_by_id=issued_by,
        )
        .on_conflict_do_nothing(index_elements=["number"])
    )
    found = session.scalars(select(AssignmentLetter).where(AssignmentLetter.number == number)).one()
    if (found.dated, found.purpose, found.signed_by_id) != (letter.dated, purpose, signer.id):
        raise InvalidInput(
            "number", "sudah dipakai surat tugas yang lain", "is another letter's already"
        )
    return found


def latest(session: Session, viewer: Viewer) -> AssignmentLetter | None:
    """The letter that the viewer issued last."""
    mine = select(AssignmentLetter).where(AssignmentLetter.issued_by_id == viewer.member_id)
    return session.scalar(mine.order_by(AssignmentLetter.issued_at.desc()).limit(1))
