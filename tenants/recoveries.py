"""Recoveries (*pengembalian*): what was claimed unduly and is paid back, by an upheld ruling.

A verdict is a finding for a human, never a sanction: nothing is to be paid back before an inspector
upholds the deviation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, ForeignKey, exists, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from tenants import rates, verdicts
from tenants.access import Viewer
from tenants.evidence import DeviationRecord, DeviationState
from tenants.models import Base, Role, Trip
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotAllowed, NotFound, WrongState


class Recovery(Base):
    """A payment back to the regency's treasury, by its receipt (*bukti setor*, such as an STS).

    Never changed: a row that `withdraws` another takes back what was entered wrongly, and says why.
    """

    __tablename__ = "recovery"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    deviation_id: Mapped[UUID] = mapped_column(ForeignKey("deviation.id"), index=True)
    amount: Mapped[Decimal]
    paid_on: Mapped[date]
    receipt: Mapped[str]
    withdraws: Mapped[UUID | None] = mapped_column(ForeignKey("recovery.id"), unique=True)
    reason: Mapped[str | None]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Payment:
    """What was paid back, in rupiah, on which local day, by which receipt."""

    amount: Decimal
    paid_on: date
    receipt: str


def standing() -> ColumnElement[bool]:
    """Condition on `Recovery`: a payment that was not withdrawn."""
    withdrawal = aliased(Recovery)
    return Recovery.withdraws.is_(None) & ~exists().where(withdrawal.withdraws == Recovery.id)


def record(
    session: Session,
    viewer: Viewer,
    deviation_id: UUID,
    payment: Payment,
    *,
    zone: str,
    now: datetime,
) -> DeviationRecord:
    """Enter a payment for an upheld deviation on a treasurer's word; nobody does for her own trip.

    Several may add up to its amount, never to more. Raises `WrongState` unless it is upheld.
    """
    deviation, trip = _locked(session, viewer, deviation_id)
    if deviation.state is not DeviationState.UPHELD:
        raise WrongState(deviation.state)
    if not rates.rupiah(payment.amount) or payment.amount <= 0:
        raise InvalidInput("amount", "bukan jumlah rupiah", "is no amount of rupiah")
    paid = select(func.sum(Recovery.amount)).where(
        Recovery.deviation_id == deviation.id, standing()
    )
    if deviation.amount is not None:
        left = deviation.amount - (session.scalar(paid) or 0)
        if payment.amount > left:
            raise InvalidInput(
                "amount", "lebih dari yang harus dikembalikan", "is more than is to be paid back"
            )
    if not trip.starts_on <= payment.paid_on <= now.astimezone(ZoneInfo(zone)).date():
        raise InvalidInput("paidOn", "sebelum berangkat atau di masa depan", "is out of time")
    session.add(
        Recovery(
            deviation_id=deviation.id,
            amount=payment.amount,
            paid_on=payment.paid_on,
            receipt=text_of("receipt", payment.receipt, 100),
            member_id=viewer.member_id,
        )
    )
    session.flush()
    return deviation


def withdraw(
    session: Session, viewer: Viewer, recovery_id: UUID, *, reason: str
) -> DeviationRecord:
    """Take back a payment that was entered wrongly; raises `NotFound` when it is already."""
    entered = session.get(Recovery, recovery_id)
    if entered is None:
        raise NotFound("Pengembalian")
    try:
        deviation, _ = _locked(session, viewer, entered.deviation_id)
    except NotFound:
        raise NotFound("Pengembalian") from None
    if session.scalar(select(Recovery.id).where(Recovery.id == entered.id, standing())) is None:
        raise NotFound("Pengembalian")
    session.add(
        Recovery(
            deviation_id=deviation.id,
            amount=entered.amount,
            paid_on=entered.paid_on,
            receipt=entered.receipt,
            withdraws=entered.id,
            reason=text_of("reason", reason),
            member_id=viewer.member_id,
        )
    )
    session.flush()
    return deviation


def _locked(session: Session, viewer: Viewer, deviation_id: UUID) -> tuple[DeviationRecord, Trip]:
    deviation = verdicts.locked(session, viewer, deviation_id)
    trip = session.get_one(Trip, deviation.trip_id)
    viewer.require(Role.TREASURER)
    if trip.traveller_id == viewer.member_id:
        raise NotAllowed((Role.TREASURER,))
    return deviation, trip


def of_deviations(session: Session, deviation_ids: Sequence[UUID]) -> Mapping[UUID, list[Recovery]]:
    """The payments that stand, oldest first; the caller has seen to access."""
    found: dict[UUID, list[Recovery]] = {key: [] for key in deviation_ids}
    rows = select(Recovery).where(Recovery.deviation_id.in_(deviation_ids), standing())
    for row in session.scalars(rows.order_by(Recovery.paid_on, Recovery.recorded_at)):
        found[row.deviation_id].append(row)
    return found
