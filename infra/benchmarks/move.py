"""`infra/bench move`: how long a regency takes no write while it moves to another server."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

import numpy as np
import psycopg
from psycopg import sql
from sqlalchemy import text

from infra.benchmarks.birth import ISSUER
from infra.benchmarks.measure import Measured, Report, Wire, followed
from infra.benchmarks.phones import Phone, fleet
from infra.front_end import Refused
from infra.play import until
from infra.services import Cluster
from infra.stories import Traveller
from infra.world import World
from tenants import birth, catalogue, chunks, journal
from tenants.chunks import Source
from tenants.fixes import Fixes
from tenants.moving import move_tenant
from tenants.tables import tables

SLUG: Final = "bench-move"
PHONES: Final = 8
BETWEEN: Final = 0.02
AGAIN: Final = 0.05
UPLOAD: Final = 1_000


@dataclass(slots=True)
class _Sender:
    """A phone that sends a fix at a time, and a refused one again until it is accepted."""

    phone: Phone
    accepted: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def send(self, base_url: str, enough: Event) -> None:
        while not enough.wait(BETWEEN):
            request, refused = self.phone.form(self.phone.fixes(1)), 0.0
            while not self._accepted(base_url, request):
                refused = refused or time.perf_counter()
                time.sleep(AGAIN)
            self.accepted.append(time.perf_counter())
            if refused:
                self.pauses.append(self.accepted[-1] - refused)

    def _accepted(self, base_url: str, request: bytes) -> bool:
        with suppress(Refused, OSError), Wire(base_url) as wire:
            wire.ask(request)
            return True
        return False


def measure(
    running: World, _travellers: Sequence[Traveller], *, rounds: int = 6, uploads: int = 1_000
) -> Report:
    """Seconds of moves to another server and back, under load of phones.

    The regency holds `uploads` of 1,000 fixes beforehand. Raises `Refused` when a fix that was
    acknowledged is not there afterwards.
    """
    phones_pause = Measured(("jeda di ponsel", "pause as phones see it"), "s")
    pause = Measured(("jeda di pemindah", "pause as the mover sees it"), "s")
    whole = Measured(("seluruh pemindahan", "whole move"), "s")
    folder = running.folder / "elsewhere"
    folder.mkdir()
    folder.chmod(0o711)
    with ExitStack() as stack:
        there = stack.enter_context(Cluster(folder)).admin_dsn
        places = [running.cluster.admin_dsn, there]
        birth.add_tenant(
            slug=SLUG, code="63.90", name="Daerah Uji", zone="Asia/Makassar", issuer=ISSUER
        )
        stack.callback(lambda: birth.drop_tenant(SLUG, server=places[0]))
        phones = fleet(SLUG, PHONES)
        before = sum(phone.second for phone in phones)
        _fill(phones, uploads)
        for _ in followed(range(rounds)):
            with _sending(running, phones) as senders:
                began = time.perf_counter()
                moved = move_tenant(SLUG, to=places[1], source=places[0], drop=True)
                whole.figures.append(time.perf_counter() - began)
                places.reverse()
            phones_pause.figures.append(
                max((each for sender in senders for each in sender.pauses), default=0.0)
            )
            pause.figures.append(moved.paused)
            if moved.left:
                raise Refused(", ".join(moved.left))
        rows = _rows()
        sent = uploads * UPLOAD + sum(phone.second for phone in phones) - before
        stored = _stored()
        if stored != sent:
            raise Refused(f"{sent} fixes were acknowledged, {stored} are there")
    return Report([phones_pause, pause, whole], {("Baris dipindahkan", "Rows moved"): rows})


def _fill(phones: Sequence[Phone], uploads: int) -> None:
    with catalogue.tenant(SLUG).session(readonly=False) as session:
        for number, phone in enumerate(phones):
            share = range(number, uploads, len(phones))
            chains = chunks.lock(session, [phone.trip_id])
            sources, source = [Source(phone.trip_id, "ponsel")], np.zeros(UPLOAD, dtype=np.intp)
            for _ in share:
                chunks.append(session, _fixes(phone), source, sources, chains)
            phone.second -= UPLOAD * len(share)


def _fixes(phone: Phone) -> Fixes:
    rows = np.array(phone.fixes(UPLOAD), dtype=np.float64)
    unknown = np.full(len(rows), np.nan)
    mock = np.zeros(len(rows), dtype=np.bool_)
    return Fixes(rows[:, 0] + 0.5, rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4], mock, unknown)


@contextmanager
def _sending(running: World, phones: Sequence[Phone]) -> Iterator[list[_Sender]]:
    """The phones send, and go on until each fix they recorded is acknowledged."""
    enough = Event()
    senders = [_Sender(phone) for phone in phones]
    threads = [Thread(target=sender.send, args=(running.base_url, enough)) for sender in senders]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        yield senders
        time.sleep(1)
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def _stored() -> int:
    """The fixes in the tracks, once all that was logged is settled."""
    tenant = catalogue.tenant(SLUG)

    def settled() -> bool:
        with tenant.session(readonly=True) as session:
            return journal.left(session) == 0

    until(settled)
    with tenant.session(readonly=True) as session:
        return int(session.scalar(text("SELECT sum(ST_NPoints(path)) FROM track_chunk")))


def _rows() -> int:
    with psycopg.connect(birth.owner_dsn(SLUG)) as connection:
        counts = [
            connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(table.identifier)
            ).fetchone()
            for table in tables(connection)
        ]
    return sum(count for row in counts if row for count in row)
