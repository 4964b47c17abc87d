"""The sweep: what the queue lost is found in the databases, so that every trip is judged.

It also tells each database to look at the clock: what is shared ends with its agreement.

Run it with `python -m workers.sweep`; several at once do no harm.
"""

import logging
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tenants import agreements, catalogue
from tenants.problems import Unavailable
from workers.evaluate import due
from workers.queue import look_at

log = logging.getLogger(__name__)


class Sweep:
    """Hints at the trips of all tenants that are behind their evidence or due by the clock.

    A trip that is still behind after `patience` seconds is hinted at again: its message was lost,
    or its worker died.
    """

    def __init__(self, *, patience: float = 10, limit: int = 1000) -> None:
        self.patience = patience
        self.limit = limit
        self._hinted: dict[tuple[str, UUID], float] = {}

    def pass_over(self) -> int:
        """One round; returns how many hints it sent. A tenant that fails stops no other."""
        behind: dict[tuple[str, UUID], float] = {}
        hints = 0
        for tenant in catalogue.tenants():
            try:
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


def share() -> None:
    """Keep what every regency publishes to its agreement and the clock; suspended ones too."""
    for tenant in catalogue.regencies():
        try:
            with tenant.session(readonly=False) as session:
                agreements.refresh(session)
        except (DBAPIError, Unavailable):
            log.warning("%s: what it shares could not be brought up to date", tenant.slug)


def main(every: float = 2) -> None:
    """Sweep every so many seconds, until the process is told to end."""
    logging.basicConfig(level=logging.INFO)
    sweep = Sweep()
    waiting = threading.Event()
    while not waiting.wait(every):
        try:
            sweep.pass_over()
            share()
        except Exception:
            log.exception("this round failed, the next is tried all the same")


if __name__ == "__main__":
    main()
