"""The sweep: what the queue lost is found in the databases, so that every trip is judged.

What phones were acknowledged for by a process that died is settled into the tracks first. It also
seals what is new in each regency's evidence, tells each database to look at the clock, as what is
shared ends with its agreement, and notes what the province hears of the regencies.

Run it with `python -m workers.sweep`; several at once do no harm.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tenants import agreements, catalogue, indicators, seals, settle
from tenants.problems import Unavailable, UnknownTenant
from tenants.realm import Tenant
from workers.evaluate import due
from workers.queue import look_at
from workers.visum import Correspondence

log = logging.getLogger(__name__)

RESTS: Final = 9
"""How many times as long as a round took its thread rests: with very many regencies the sweep does
not take the machine from those whose work it is."""
LONGEST: Final = 10.0
"""Seconds that it rests at most: a round that took long because a database hung is no load, and
heads go to the province every minute however many regencies there are."""
LEFT_BEHIND: Final = timedelta(seconds=2)
"""Whoever takes in what phones send settles it sooner, if it lives."""


class Sweep:
    """Hints at the trips of all tenants that are behind their evidence or due by the clock.

    A trip that is still behind after `patience` seconds is hinted at again: its message was lost,
    or its worker died. What is new is sealed every `sealing` seconds.
    """

    def __init__(self, *, patience: float = 10, limit: int = 1000, sealing: float = 30) -> None:
        self.patience = patience
        self.limit = limit
        self.sealing = sealing
        self._hinted: dict[tuple[str, UUID], float] = {}
        self._sealed: dict[str, float] = {}

    def pass_over(self) -> int:
        """One round; returns how many hints it sent. A tenant that fails stops no other."""
        behind: dict[tuple[str, UUID], float] = {}
        hints = 0
        for tenant in catalogue.tenants():
            try:
                self._settle(tenant)
                with tenant.session(readonly=True) as session:
                    found = due(session, now=datetime.now(UTC), limit=self.limit)
                self._seal(tenant)
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

    def _settle(self, tenant: Tenant) -> None:
        """Settle what is left of a process that took it in and ended."""
        since = datetime.now(UTC) - LEFT_BEHIND

        def waits() -> bool:
            with tenant.session(readonly=True) as session:
                return settle.waits(session, since)

        try:
            while waits() and settle.settle(tenant).fixes:
                pass
        except (DBAPIError, Unavailable):
            raise
        except Exception as reason:  # noqa: BLE001
            # What went wrong may quote positions.
            log.error("%s: its log is not settled: %s", tenant.slug, type(reason).__name__)  # noqa: TRY400

    def _seal(self, tenant: Tenant) -> None:
        if time.monotonic() - self._sealed.get(tenant.slug, float("-inf")) < self.sealing:
            return
        self._sealed[tenant.slug] = time.monotonic()
        try:
            with tenant.session(readonly=False) as session:
                seals.seal(session)
        except Exception:
            log.exception("%s: not sealed, it is tried again", tenant.slug)


def pulse() -> None:
    """Note what was heard of the regencies, where there is a province."""
    try:
        with catalogue.province().session(readonly=False) as session:
            indicators.pulse(session)
    except UnknownTenant:
        return
    except (DBAPIError, Unavailable):
        log.warning("the province's database does not answer")


def share() -> None:
    """Keep what every regency publishes to its agreement and the clock; suspended ones too."""
    for tenant in catalogue.regencies():
        try:
            with tenant.session(readonly=False) as session:
                agreements.refresh(session)
        except (DBAPIError, Unavailable):
            log.warning("%s: what it shares could not be brought up to date", tenant.slug)


def main(every: float = 2) -> None:
    """Sweep every so many seconds, until the process is told to end.

    Beside it, each in a thread of its own, go what passes between regencies, what they share, and
    what the province hears: what hangs there keeps no trip from its judge.
    """
    logging.basicConfig(level=logging.INFO)
    for beside in (Correspondence().pass_over, share, pulse):
        threading.Thread(target=_repeat, args=(beside, every), daemon=True).start()
    _repeat(Sweep().pass_over, every)


def _repeat(work: Callable[[], object], every: float) -> None:
    waiting, took = threading.Event(), 0.0
    while not waiting.wait(max(every, min(RESTS * took, LONGEST))):
        began = time.monotonic()
        try:
            work()
        except Exception:
            log.exception("this round failed, the next is tried all the same")
        took = time.monotonic() - began


if __name__ == "__main__":
    main()
