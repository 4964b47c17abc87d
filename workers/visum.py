"""Carrying between regencies: notices follow trips, and visa come back to those who sent."""

import logging
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tenants import catalogue, notices, received
from tenants.problems import ProvinceUnavailable, Unavailable
from tenants.realm import Tenant
from workers.queue import look_at

log = logging.getLogger(__name__)

TELL_AGAIN: Final = 15.0
"""Seconds after which all notices are gone through: days pass, and regencies come and go."""


class Correspondence:
    """Carries for all regencies. Done again, it changes nothing; what it missed, it finds later."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[frozenset[str], float]] = {}

    def pass_over(self) -> None:
        """One round. A regency that fails, or cannot reach the province, stops no other."""
        for tenant in catalogue.tenants():
            try:
                for trip_id in self.carry(tenant):
                    look_at(tenant.slug, trip_id)
            except ProvinceUnavailable:
                log.warning("%s: the province does not answer, no visa comes now", tenant.slug)
            except (DBAPIError, Unavailable):
                log.warning("%s: its database does not answer, the others go on", tenant.slug)

    def carry(self, tenant: Tenant) -> list[UUID]:
        """Returns the trips that a visum, or one withdrawn, brings before the judge.

        Raises `Unavailable` or `ProvinceUnavailable` when a database does not answer.
        """
        self._tell(tenant)
        with tenant.session(readonly=True) as session:
            since, known = received.newest(session)
        with tenant.at_province() as session:
            visa = received.at_province(session, since=since)
        fresh = [one for one in visa if one.id not in known]
        if not fresh:
            return []
        with tenant.session(readonly=False) as session:
            return received.keep(session, fresh)

    def _tell(self, tenant: Tenant) -> None:
        """Trips change their own notices; here is seen to what changes them all."""
        served = frozenset(other.code for other in catalogue.tenants())
        before, at = self._told.get(tenant.slug, (None, 0.0))
        if before != served or monotonic() - at >= TELL_AGAIN:
            with tenant.session(readonly=False) as session:
                notices.follow(session)
            self._told[tenant.slug] = served, monotonic()
