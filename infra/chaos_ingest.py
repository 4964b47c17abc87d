"""`infra/chaos ingest`: kill -9 of API, PostgreSQL and Redis while phones send what they record.

Afterwards every fix that was acknowledged must be there exactly once, every trip judged, and every
chain of digests whole. A kill leaves what the kernel holds: this is no test of a power cut.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Final
from uuid import UUID

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import text

from infra import play, world
from infra.benchmarks.measure import ASTRAY, HOME, said
from infra.chaos_phones import Fix, Phone
from infra.play import Case, until
from infra.processes import Process, SetupProblem, happens, stop_on_signals
from infra.services import Service
from infra.stories import Traveller
from infra.world import World
from tenants import catalogue, journal, links, tracks
from tenants.access import viewer_of
from tenants.models import Member, Trip

KINDS: Final = ("api", "postgres", "postgres-child", "redis")
"""Of PostgreSQL all of its processes at once, or one of them, for which it ends all others."""

TRAVELLERS: Final = tuple(
    Traveller(HOME, f"pengirim{number}", f"Pengirim {number}", None) for number in range(4)
)
PHONES: Final = {"TRACCAR": 1, "OVERLAND": 20}
"""Each traveller's phones: their clients, and how many fixes a request of each holds at most."""

DAYS_SO_FAR: Final = 20
DAYS: Final = 30
RESTART_SECONDS: Final = 0.1  # as systemd has it (RestartSec)
PATIENCE: Final = 60.0
PAIR: Final = """
mutation ($client: PhoneClient!) {
  pairDevice(client: $client, name: "Ponsel") { ... on Pairing { token } }
}"""
UNJUDGED: Final = text(
    "SELECT trip_id FROM trip_progress WHERE trip_id = ANY(:ids) AND (arrived <> evaluated"
    " OR NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.trip_id = trip_progress.trip_id"
    "  AND current AND watermark = arrived))"
)


@dataclass(slots=True)
class Found:
    """What the kills did; `ended` are processes that ended though nobody killed them."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: {k: [] for k in KINDS})
    ended: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    recorded: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unsent: int = 0
    unsettled: int = 0
    unjudged: int = 0
    broken: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or made up, and all of it judged and provable."""
        wrong = (self.lost, self.doubled, self.unsent)
        behind = (self.unsettled, self.unjudged, self.broken)
        return not any((*wrong, *behind)) and self.acknowledged == self.recorded > 0

    def print(self, *, as_json: bool) -> None:
        every = [each for kind in KINDS for each in self.recoveries[kind]]
        recovery = {
            kind: {"p50": round(statistics.median(found), 2), "max": round(max(found), 2)}
            for kind, found in (*self.recoveries.items(), ("all", every))
            if found
        }
        figures: list[tuple[str, str, Any]] = [
            ("Dibunuh", "kills", dict(self.kills)),
            ("Titik dicatat", "recorded", self.recorded),
            ("Titik diakui", "acknowledged", self.acknowledged),
            ("Hilang", "lost", self.lost),
            ("Berlipat", "doubled", self.doubled),
            ("Tak pernah dikirim", "unsent", self.unsent),
            ("Titik belum di jejak", "unsettled", self.unsettled),
            ("Perjalanan belum dinilai", "unjudged", self.unjudged),
            ("Rantai putus", "broken", self.broken),
            ("Jawaban yang menolak", "refused", dict(self.refused.most_common())),
            ("Berhenti sendiri", "ended", dict(self.ended)),
            ("Pulih, detik", "recovery", recovery),
            ("Lama, detik", "seconds", round(self.seconds, 1)),
            ("Benih", "seed", self.seed),
        ]
        if as_json:
            told = {english: figure for _, english, figure in figures} | {"sound": self.sound}
            print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
            return
        table = Table(show_header=False)
        for indonesian, english, figure in figures:
            table.add_row(said(indonesian, english), _shown(figure))
        Console(highlight=False).print(table)


def _shown(figure: Any) -> str:
    if isinstance(figure, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in figure.items()) or "0"
    return str(figure)


def rehearse(running: World, *, kills: int, seed: int) -> Found:
    """So many kills under load, one kind after the other; what is left is looked at afterwards."""
    found = Found(seed)
    phones = [phone for traveller in TRAVELLERS for phone in _phones(running, traveller)]
    began = time.monotonic()
    with _travelling(phones):
        crashes = _Crashes(running, phones, found)
        kinds = [KINDS[number % len(KINDS)] for number in range(kills)]
        what = said("Membunuh", "Killing")
        for kind in track(kinds, what, console=Console(stderr=True)):
            crashes.kill(kind)
    found.seconds = time.monotonic() - began
    for phone in phones:
        found.recorded += len(phone.recorded)
        found.acknowledged += phone.acknowledged
        found.refused += phone.refused
    _look(phones, found)
    return found


def _phones(running: World, traveller: Traveller) -> Iterator[Phone]:
    """The phones of a traveller, on a trip that is under way."""
    first_day = datetime.now(UTC).date() - timedelta(days=DAYS_SO_FAR)
    story = replace(
        ASTRAY,
        traveller=traveller,
        days=DAYS,
        destination=replace(ASTRAY.destination, last_day=DAYS - 1),
    )
    case = Case(TRAVELLERS.index(traveller), story, first_day)
    trip_id = UUID(play.issue(running, case))
    midnight = int(datetime.fromisoformat(f"{first_day}T00:00:00+08:00").timestamp())
    with running.sign_in(HOME, traveller.username) as front_end:
        for number, (client, most) in enumerate(PHONES.items()):
            token = front_end.ask(PAIR, client=client)["pairDevice"]["token"]
            first = midnight + number
            yield Phone(running.base_url, HOME, token, trip_id, first=first, most=most)


@contextmanager
def _travelling(phones: Sequence[Phone]) -> Iterator[None]:
    """Let the phones send during the block, and then all that they still hold."""
    home, off = Event(), Event()
    with ThreadPoolExecutor(len(phones)) as threads:
        under_way = [threads.submit(phone.travel, home, off) for phone in phones]
        try:
            yield
            home.set()
            happens(lambda: all(each.done() for each in under_way), seconds=PATIENCE)
        finally:
            off.set()
            home.set()
        for each in under_way:
            each.result()


class _Crashes:
    """Kills servers, and starts again whatever has ended, as systemd does."""

    def __init__(self, running: World, phones: Sequence[Phone], found: Found) -> None:
        self._processes = running.processes
        self._servers: dict[str, tuple[Process, Process | Service]] = {
            "api": (running.processes["api"], running.processes["api"]),
            "postgres": (running.cluster.process, running.cluster),
            "redis": (running.redis.process, running.redis),
        }
        self._postgres = running.cluster.process
        self._phones = phones
        self._found = found
        self._random = random.Random(found.seed)  # noqa: S311

    def kill(self, kind: str) -> None:
        """Kill one at a random point; return when each phone has been acknowledged again."""
        time.sleep(self._random.uniform(0, 1))
        killed = time.monotonic()
        if kind == "postgres-child":
            with suppress(ProcessLookupError):  # a connection that is closed just now
                os.kill(self._random.choice(self._postgres.children), signal.SIGKILL)
        else:
            process, server = self._servers[kind]
            process.kill()
            time.sleep(RESTART_SECONDS)
            server.start()
        if not happens(lambda: self._served_since(killed), seconds=PATIENCE):
            raise SetupProblem(f"{kind}: tidak pulih", f"{kind}: no recovery in {PATIENCE:.0f} s")
        self._found.kills[kind] += 1
        self._found.recoveries[kind].append(time.monotonic() - killed)

    def _served_since(self, killed: float) -> bool:
        self._start_what_ended()
        return all(phone.served_at > killed for phone in self._phones)

    def _start_what_ended(self) -> None:
        for name, process in self._processes.items():
            if not process.running:
                process.stop()
                process.start()
                self._found.ended[name] += 1


def _look(phones: Sequence[Phone], found: Found) -> None:
    """Count what is not as it must be, once there was time to settle the log and to judge."""
    tenant = catalogue.tenant(HOME)
    given = {"ids": list({phone.trip_id for phone in phones})}

    def unsettled() -> int:
        with tenant.session(readonly=True) as session:
            return journal.left(session)

    def unjudged() -> int:
        with tenant.session(readonly=True) as session:
            return len(session.execute(UNJUDGED, given).all())

    until(lambda: not unsettled())
    found.unsettled = unsettled()
    until(lambda: not unjudged())
    found.unjudged = unjudged()
    with tenant.session(readonly=True) as session:
        found.broken = len(links.broken(session, given["ids"]))
        for trip_id in given["ids"]:
            trip = session.get_one(Trip, trip_id)
            viewer = viewer_of(session.get_one(Member, trip.traveller_id))
            fixes = tracks.of_trip(session, viewer, trip_id, zone=tenant.zone)
            columns = () if fixes is None else (fixes.time, fixes.lon, fixes.lat)
            read = Counter(zip(*(column.tolist() for column in columns), strict=True))
            compare(read, [phone for phone in phones if phone.trip_id == trip_id], found)


def compare(read: Counter[Fix], phones: Sequence[Phone], found: Found) -> None:
    """Count what a trip's track lacks, or has more than once, of what these phones sent for it."""
    sent = {fix for phone in phones for fix in phone.recorded}
    kept = {fix for phone in phones for fix in phone.recorded[: phone.acknowledged]}
    found.lost += len(kept - read.keys())
    found.doubled += read.total() - len(read)
    found.unsent += len(read.keys() - sent)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="infra/chaos",
        description="Kills the servers of Jejak Dinas under load, and looks for what was lost.",
    )
    parser.add_argument("kind", choices=("ingest",))
    parser.add_argument("--kills", type=int, default=200, help="how many, one kind after the other")
    parser.add_argument("--seed", type=int, default=1, help="of the points at which to kill")
    parser.add_argument("--json", action="store_true", help="all figures as JSON on stdout")
    options = parser.parse_args()
    stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="jejak-chaos-") as folder:
        # Root's PostgreSQL runs as another user, who must get through.
        Path(folder).chmod(0o711)
        with world.running(Path(folder), travellers=TRAVELLERS, durable=True) as running:
            found = rehearse(running, kills=options.kills, seed=options.seed)
    found.print(as_json=options.json)
    sys.exit(not found.sound)


if __name__ == "__main__":
    main()
