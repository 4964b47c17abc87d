"""Carrying between regencies: notices follow trips, and visa come back to those who sent."""

from datetime import UTC, date, datetime

from tenants import catalogue, notices, received
from tenants.realm import Tenant


class Correspondence:
    """What the sweep does for a regency besides hinting. Done again, it changes nothing."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[frozenset[str], date]] = {}

    def carry(self, tenant: Tenant) -> int:
        """Returns how many trips a visum, or one withdrawn, brings before the judge.

        Raises `Unavailable` or `ProvinceUnavailable` when a database does not answer.
        """
        self._tell(tenant)
        with tenant.session(readonly=True) as session:
            since, known = received.newest(session)
        with tenant.at_province() as session:
            visa = received.at_province(session, since=since)
        fresh = [one for one in visa if one.id not in known]
        if not fresh:
            return 0
        with tenant.session(readonly=False) as session:
            return len(received.keep(session, fresh))

    def _tell(self, tenant: Tenant) -> None:
        """All notices anew when another regency is served, or on another day; else trips do it."""
        served = frozenset(other.code for other in catalogue.tenants())
        hosts = served, datetime.now(UTC).date()
        if self._told.get(tenant.slug) != hosts:
            with tenant.session(readonly=False) as session:
                notices.follow(session)
            self._told[tenant.slug] = hosts
