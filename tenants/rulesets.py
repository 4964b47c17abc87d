"""The versions of the rules, each with its parameters, validity and legal basis."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tenants.access import Viewer
from tenants.models import Role, RulesetVersion
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


def in_force(known: Sequence[RulesetVersion], day: date) -> int:
    """The version for trips that begin on this day, of all that there are.

    The newest that is valid then; before all of them, the oldest.
    """
    valid = [
        row.version
        for row in known
        if row.valid_from <= day and (row.valid_until is None or day <= row.valid_until)
    ]
    if valid:
        return max(valid)
    return min(known, key=lambda row: (row.valid_from, row.version)).version


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


def add_as(
    session: Session,
    viewer: Viewer,
    *,
    parameters: Mapping[str, Any],
    legal_basis: str,
    valid_from: date,
    valid_until: date | None,
) -> RulesetVersion:
    """Add a version on a tenant admin's word; the caller has checked the parameters."""
    viewer.require(Role.TENANT_ADMIN)
    version = add(
        session,
        parameters=parameters,
        legal_basis=legal_basis,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    return get(session, version)
