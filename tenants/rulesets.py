"""The versions of the rules, each with its parameters, validity and legal basis."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tenants.models import RulesetVersion
from tenants.plans import text_of
from tenants.problems import InvalidInput, NotFound

LOCK: Final = 0x72756C6573


def get(session: Session, version: int) -> RulesetVersion:
    """One version; raises `NotFound`."""
    found = session.get(RulesetVersion, version)
    if found is None:
        raise NotFound("Versi aturan")
    return found


def versions(session: Session) -> list[RulesetVersion]:
    """All versions, oldest first."""
    return list(session.scalars(select(RulesetVersion).order_by(RulesetVersion.version)))


def add(
    session: Session,
    *,
    parameters: Mapping[str, Any],
    legal_basis: str,
    valid_from: date,
    valid_until: date | None = None,
) -> int:
    """Add a version, both days of its validity included; returns its number.

    The caller has checked the parameters. Raises `InvalidInput`.
    """
    if valid_until is not None and valid_until < valid_from:
        raise InvalidInput("validUntil", "sebelum berlaku", "is before it is valid")
    session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    version = session.scalar(select(func.coalesce(func.max(RulesetVersion.version), 0))) or 0
    session.add(
        RulesetVersion(
            version=version + 1,
            valid_from=valid_from,
            valid_until=valid_until,
            legal_basis=text_of("legalBasis", legal_basis),
            parameters=dict(parameters),
        )
    )
    session.flush()
    return version + 1
