"""Daily allowances (*uang harian*): each regency's own data, with validity and legal basis.

None is shipped: which figure holds is for the regency's regulation to say.
"""

from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from tenants.models import DailyAllowance
from tenants.plans import text_of
from tenants.problems import InvalidInput


def add(
    session: Session,
    *,
    province_code: str,
    amount: Decimal,
    valid_from: date,
    valid_until: date | None,
    legal_basis: str,
) -> DailyAllowance:
    """Enter the rupiah a day for a province of destination; raises `InvalidInput`."""
    if not amount.is_finite() or amount < 0:
        raise InvalidInput("amount", "bukan jumlah rupiah", "is no amount of rupiah")
    if valid_until is not None and valid_until < valid_from:
        raise InvalidInput("validUntil", "sebelum mulai berlaku", "is before validity begins")
    overlapping = select(DailyAllowance).where(
        DailyAllowance.province_code == province_code,
        (DailyAllowance.valid_until.is_(None)) | (DailyAllowance.valid_until >= valid_from),
        DailyAllowance.valid_from <= (valid_until or date.max),
    )
    if session.scalar(overlapping) is not None:
        raise InvalidInput("validFrom", "masih berlaku tarif lain", "another rate is valid then")
    rate = DailyAllowance(
        province_code=province_code,
        amount=amount,
        valid_from=valid_from,
        valid_until=valid_until,
        legal_basis=text_of("legalBasis", legal_basis),
    )
    session.add(rate)
    session.flush()
    return rate
