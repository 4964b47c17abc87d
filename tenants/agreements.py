"""Sharing agreements (*perjanjian berbagi data*): what a regency lets the province see.

Here they are declared, withdrawn and listed. PostgreSQL keeps to them by itself: its triggers fill
the published tables by the agreement in force (migrations/tenant/tenant_0009.py), which the
service can neither read nor write. The agreement declared last among those that have begun decides
alone; once it has ended or is withdrawn nothing is shared, until another is declared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    FetchedValue,
    ForeignKey,
    Identity,
    column,
    func,
    select,
    table,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.models import Base, Role
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotFound


class SharingLevel(StrEnum):
    """FIGURES are counts, sums and response times by month; CASES are trips and deviations too."""

    FIGURES = "FIGURES"
    CASES = "CASES"


class TravellerIdentity(StrEnum):
    """How a shared case tells whose it is: by a pseudonym alone, or by name and NIP as well."""

    PSEUDONYMOUS = "PSEUDONYMOUS"
    NAMED = "NAMED"


class SharingAgreement(Base):
    """One agreement as it was declared; never changed but for its withdrawal.

    Its dates, both included, are local ones of `zone`. `severity` is the least that a shared
    deviation has; it and `travellers` are null at the level FIGURES.
    """

    __tablename__ = "sharing_agreement"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    number: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    zone: Mapped[str]
    level: Mapped[SharingLevel]
    severity: Mapped[str | None]
    travellers: Mapped[TravellerIdentity | None]
    declared_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    declared_by: Mapped[str]
    declared_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(server_onupdate=FetchedValue())
    withdrawn_by: Mapped[str | None]
    withdrawn_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.id"))
    withdrawal_reason: Mapped[str | None]


IN_FORCE: Final = table("sharing_agreement_in_force", column("id"))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed: `severity` and `travellers` at the level CASES, and there only."""

    number: str
    valid_from: date
    valid_until: date | None = None
    level: SharingLevel = SharingLevel.CASES
    severity: str | None = None
    travellers: TravellerIdentity | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who declares or withdraws: an admin of the regency, or by name who runs the service."""

    name: str
    member_id: UUID | None = None


def in_force(session: Session) -> SharingAgreement | None:
    """The agreement by which the regency shares now; None when it shares nothing."""
    return session.scalar(
        select(SharingAgreement).join(IN_FORCE, IN_FORCE.c.id == SharingAgreement.id)
    )


def history(session: Session) -> list[SharingAgreement]:
    """All agreements that were ever declared, newest first."""
    return list(session.scalars(select(SharingAgreement).order_by(SharingAgreement.id.desc())))


def declare(
    session: Session, terms: Terms, *, zone: str, signer: Signer, now: datetime
) -> SharingAgreement:
    """Declare an agreement; from its first day on it replaces what was agreed before.

    What it lets out is published, and what it does not is taken back, when the transaction
    commits. Raises `InvalidInput` for terms that cannot be.
    """
    if terms.valid_until is not None:
        if terms.valid_until < terms.valid_from:
            raise InvalidInput("validUntil", "sebelum mulai berlaku", "is before its beginning")
        if terms.valid_until < now.astimezone(ZoneInfo(zone)).date():
            raise InvalidInput("validUntil", "sudah lewat", "has passed")
    for name, given in (("severity", terms.severity), ("travellers", terms.travellers)):
        if (given is None) != (terms.level is SharingLevel.FIGURES):
            raise InvalidInput(
                name,
                "wajib untuk CASES, dan hanya untuk CASES",
                "is needed for CASES, and for CASES only",
            )
    agreement = SharingAgreement(
        number=text_of("number", terms.number, 100),
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        zone=zone,
        level=terms.level,
        severity=terms.severity,
        travellers=terms.travellers,
        declared_by=text_of("declaredBy", signer.name),
        declared_by_id=signer.member_id,
    )
    session.add(agreement)
    session.flush()
    return agreement


def withdraw(
    session: Session, *, zone: str, reason: str, signer: Signer, now: datetime
) -> Sequence[SharingAgreement]:
    """Withdraw every agreement that has not ended: all that was shared is taken back.

    Returns them, newest first. Raises `NotFound` when there is none.
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    withdrawn = session.scalars(
        update(SharingAgreement)
        .where(
            SharingAgreement.withdrawn_at.is_(None),
            func.coalesce(SharingAgreement.valid_until, today) >= today,
        )
        .values(
            withdrawn_by=text_of("withdrawnBy", signer.name),
            withdrawn_by_id=signer.member_id,
            withdrawal_reason=text_of("reason", reason),
        )
        .returning(SharingAgreement)
    ).all()
    if not withdrawn:
        raise NotFound("Perjanjian berbagi data")
    return sorted(withdrawn, key=lambda agreement: -agreement.id)


def declare_as(
    session: Session, viewer: Viewer, terms: Terms, *, zone: str, now: datetime
) -> SharingAgreement:
    """Declare an agreement on a tenant admin's word, which PostgreSQL checks once more."""
    viewer.require(Role.TENANT_ADMIN)
    return declare(session, terms, zone=zone, signer=Signer(viewer.name, viewer.member_id), now=now)


def withdraw_as(
    session: Session, viewer: Viewer, *, zone: str, reason: str, now: datetime
) -> SharingAgreement:
    """Withdraw on a tenant admin's word; returns the agreement declared last."""
    viewer.require(Role.TENANT_ADMIN)
    signer = Signer(viewer.name, viewer.member_id)
    return withdraw(session, zone=zone, reason=reason, signer=signer, now=now)[0]


def refresh(session: Session) -> None:
    """Bring what is published to what the clock and the newest figures say.

    PostgreSQL does it, and does nothing while another session is at it; called every few seconds.
    """
    session.execute(select(func.refresh_sharing()))
