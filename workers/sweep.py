"""The sweep: what the queue lost is found in the databases, so that every trip is judged.

Run it with `python -m workers.sweep`; several at once do no harm.
"""

import logging
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tenants import catalogue
from tenants.problems import ProvinceUnavailable, Unavailable
from tenants.realm import Tenant
from workers.evaluate import due
from workers.queue import look_at
from workers.visum import Correspondence

log = logging.getLogger(__name__)


class Sweep:
    """Hints at the trips of all tenants that are behind their evidence or due by the clock.

    A trip that is still behind after `patience` seconds is hinted at again: its message was lost,
    or its worker died. Before that, what other regencies confirmed of its trips is carried to each.
    """

    def __init__(self, *, patience: float = 10, limit: int = 1000) -> None:
        self.patience = patience
        self.limit = limit
        self._hinted: dict[tuple[str, UUID], float] = {}
        self._correspondence = Correspondence()

    def pass_over(self) -> int:
        """One round; returns how many hints it sent. A tenant that fails stops no other."""
        behind: dict[tuple[str, UUID], float] = {}
        hints, carried = 0, True
        for tenant in catalogue.tenants():
            try:
                carried = carried and self._carried(tenant)
                with tenant.session(readonly=True) as session:
                    found = due(session, now=datetime.now(UTC), limit=self.limit)
            except (DBAPIError, Unavailable):
                log.warning("%s: its database does not answer, the others go on", tenant.slug)
                continue
            for trip_id in found:
                key, now = (tenant.slug, trip_id), time.monotonic()
                hinted = self._hinted.get(key)
                if hinted is None or now - hinted >= self.patience:
                    look_at(tenant.slug, trip_id)
                    hinted, hints = now, hints + 1
                behind[key] = hinted
        self._hinted = behind
        return hints

    def _carried(self, tenant: Tenant) -> bool:
        """Whether the province answered; where not, the others need not wait for it too."""
        try:
            self._correspondence.carry(tenant)
        except ProvinceUnavailable:
            log.warning("the province's database does not answer, trips are judged without visa")
            return False
        return True


def main(every: float = 2) -> None:
    """Sweep every so many seconds, until the process is told to end."""
    logging.basicConfig(level=logging.INFO)
    sweep = Sweep()
    waiting = threading.Event()
    while not waiting.wait(every):
        try:
            sweep.pass_over()
        except Exception:
            log.exception("this round failed, the next is tried all the same")


if __name__ == "__main__":
    main()
