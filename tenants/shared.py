"""By which agreements the regencies share with the province, and what of theirs was refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import BigInteger, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.access import Viewer
from tenants.models import Role
from tenants.province import Base, Regency


class SharedAgreement(Base):
    """The agreement (*perjanjian berbagi data*) by which a regency shares now, as it says."""

    __tablename__ = "shared_agreement"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    level: Mapped[str]
    severity: Mapped[str | None]
    travellers: Mapped[str | None]


class RefusedRow(Base):
    """How often a regency's rows were not taken into a table, and why.

    FOREIGN: they named another regency, or none that is known; REGION: a code that is none of
    Kemendagri's; VALUE: a value that the province does not know. The rows themselves are not kept.
    """

    __tablename__ = "refused_row"
    regency_code: Mapped[str] = mapped_column(primary_key=True)
    relation: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int] = mapped_column(BigInteger, server_default="1")
    last_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a regency shares with the province: nothing when `agreement` is None."""

    code: str
    name: str
    agreement: SharedAgreement | None
    refused: Sequence[RefusedRow]


def sharing(session: Session, viewer: Viewer) -> list[Sharing]:
    """Of every regency, by code."""
    viewer.require(Role.OVERSEER)
    agreements = {row.tenant: row for row in session.scalars(select(SharedAgreement))}
    refused: dict[str, list[RefusedRow]] = {}
    for row in session.scalars(select(RefusedRow).order_by(RefusedRow.relation, RefusedRow.reason)):
        refused.setdefault(row.regency_code, []).append(row)
    return [
        Sharing(row.code, row.name, agreements.get(row.code), refused.get(row.code, ()))
        for row in session.scalars(select(Regency).order_by(Regency.code))
    ]
