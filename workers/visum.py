"""Carrying between regencies: notices follow trips, and visa come back to those who sent."""

import logging
from time import monotonic
from typing import Final

from sqlalchemy.exc import DBAPIError

from tenants import catalogue, notices, received
from tenants.problems import ProvinceUnavailable, Unavailable
from tenants.realm import Tenant

log = logging.getLogger(__name__)

TELL_AGAIN: Final = 60.0
"""Seconds after which all notices are gone through: days pass, and regencies come and go."""


class Correspondence:
    """Carries for all regencies. Done again, it changes nothing; what it missed, it finds later."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[frozenset[str], float]] = {}

    def pass_over(self) -> None:
        """One round. A regency that fails stops no other; the province, once away, is for all."""
        for tenant in catalogue.tenants():
            try:
                self.carry(tenant)
            except ProvinceUnavailable:
                log.warning("the province does not answer: trips are judged without new visa")
                return
            except (DBAPIError, Unavailable):
                log.warning("%s: its database does not answer, the others go on", tenant.slug)

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
        """Trips change their own notices; here is seen to what changes them all."""
        served = frozenset(other.code for other in catalogue.tenants())
        before, at = self._told.get(tenant.slug, (None, 0.0))
        if before != served or monotonic() - at >= TELL_AGAIN:
            with tenant.session(readonly=False) as session:
                notices.follow(session)
            self._told[tenant.slug] = served, monotonic()
