"""Daily allowances (*uang harian*): each regency's own data, with validity and legal basis.

None is shipped: which figure holds is for the regency's regulation to say.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tenants.access import Viewer
from tenants.models import DailyAllowance, Role
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotFound

BEYOND: Final = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class Rate:
    """The rupiah a day in a province of destination, from day to day, both included."""

    province_code: str
    amount: Decimal
    valid_from: date
    valid_until: date | None
    legal_basis: str


def add(session: Session, rate: Rate) -> DailyAllowance:
    """Enter a rate; raises `InvalidInput`, also where another is valid on one of its days."""
    if not re.fullmatch("[0-9]{2}", rate.province_code, re.ASCII):
        raise InvalidInput("provinceCode", "harus 2 angka", "must be 2 digits")
    if not rupiah(rate.amount) or rate.amount < 0:
        raise InvalidInput("amount", "bukan jumlah rupiah", "is no amount of rupiah")
    _require_order(rate.valid_from, rate.valid_until)
    entered = DailyAllowance(
        province_code=rate.province_code,
        amount=round(rate.amount, 2),
        valid_from=rate.valid_from,
        valid_until=rate.valid_until,
        legal_basis=text_of("legalBasis", rate.legal_basis),
    )
    session.add(entered)
    try:
        session.flush()
    except IntegrityError:
        raise InvalidInput(
            "validFrom", "masih berlaku tarif lain", "another rate is valid then"
        ) from None
    return entered


def add_as(session: Session, viewer: Viewer, rate: Rate) -> DailyAllowance:
    """Enter a rate on a tenant admin's word."""
    viewer.require(Role.TENANT_ADMIN)
    return add(session, rate)


def end(session: Session, viewer: Viewer, rate_id: UUID, valid_until: date) -> DailyAllowance:
    """Give a rate that has none its last day, so that another can follow; once and for all.

    Raises `NotFound` and `InvalidInput`.
    """
    viewer.require(Role.TENANT_ADMIN)
    found = session.scalar(
        select(DailyAllowance).where(DailyAllowance.id == rate_id).with_for_update()
    )
    if found is None:
        raise NotFound("Tarif")
    if found.valid_until is not None:
        raise InvalidInput("validUntil", "sudah ditentukan", "is set already")
    _require_order(found.valid_from, valid_until)
    found.valid_until = valid_until
    session.flush()
    return found


def every(session: Session) -> list[DailyAllowance]:
    """All rates that were ever entered: by province, newest first."""
    query = select(DailyAllowance).order_by(
        DailyAllowance.province_code, DailyAllowance.valid_from.desc()
    )
    return list(session.scalars(query))


def rupiah(amount: Decimal) -> bool:
    """Whether it can be an amount: finite, to the cent, and below a thousand million."""
    return amount.is_finite() and abs(amount) < BEYOND and amount == round(amount, 2)


def _require_order(valid_from: date, valid_until: date | None) -> None:
    if valid_until is not None and valid_until < valid_from:
        raise InvalidInput("validUntil", "sebelum mulai berlaku", "is before validity begins")
