"""What the benchmarks share: figures and their medians, trips to measure with, a cheap client."""

import os
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from infra import play
from infra.front_end import Refused
from infra.play import Case, until
from infra.stories import STORIES, Story, Traveller
from infra.world import World
from tenants import catalogue
from workers.evaluate import due

T = TypeVar("T")
Text = tuple[str, str]
"""Indonesian, English."""

ASTRAY: Final = next(story for story in STORIES if story.deviations == ("WRONG_REGION",))
HOME: Final = ASTRAY.traveller.tenant
_letters = count(1_000)


def said(indonesian: str, english: str) -> str:
    """The text in the language of `JEJAK_LANGUAGE`."""
    return english if os.environ.get("JEJAK_LANGUAGE") == "en" else indonesian


@dataclass(slots=True)
class Measured:
    """One side of a comparison: its raw figures, in the order they were taken."""

    name: Text
    unit: str
    figures: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.figures)


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found; `results` come from the figures of `sides`, all of the same run."""

    sides: Sequence[Measured]
    results: Mapping[Text, float]

    def print(self, *, as_json: bool) -> None:
        cpus, load = os.cpu_count(), os.getloadavg()
        if as_json:
            sides = [
                {
                    "name": side.name[1],
                    "unit": side.unit,
                    "median": side.median,
                    "raw": side.figures,
                }
                for side in self.sides
            ]
            results = {english: result for (_, english), result in self.results.items()}
            found = {"cpus": cpus, "load": load, "sides": sides, "results": results}
            print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
            return
        console = Console(highlight=False)
        table = Table(said("Yang diukur", "Measured"))
        for title in ("median", "min", "max"):
            table.add_column(title, justify="right")
        for title in (said("satuan", "unit"), "n"):
            table.add_column(title)
        for side in self.sides:
            shown = (side.median, min(side.figures), max(side.figures))
            table.add_row(said(*side.name), *map(_short, shown), side.unit, str(len(side.figures)))
        console.print(table)
        for name, result in self.results.items():
            console.print(f"{said(*name)}: {_short(result)}")
        console.print(f"{cpus} CPU, load {load[0]:.1f}")


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1_000 else f"{figure:.3g}"


def followed(items: Sequence[T]) -> Iterable[T]:
    """The items, with a bar on stderr that tells how many are done."""
    return track(items, said("Mengukur", "Measuring"), console=Console(stderr=True))


def alternate(
    sides: Sequence[tuple[Measured, Callable[[], float]]], *, rounds: int
) -> list[Measured]:
    """Measure the sides by turns, `rounds` times each; a first round warms up and is not kept."""
    for turn in followed(range(rounds + 1)):
        for side, figure in sides:
            found = figure()
            if turn:
                side.figures.append(found)
    return [side for side, _ in sides]


class Trips:
    """Sends travellers astray: trips that are over, of one traveller one before the other."""

    def __init__(self, running: World) -> None:
        self._world = running
        self._issued: Counter[Traveller] = Counter()

    def issue(self, traveller: Traveller) -> Case:
        self._issued[traveller] += 1
        story: Story = replace(ASTRAY, traveller=traveller)
        back = timedelta(days=1 + story.days * self._issued[traveller])
        case = Case(next(_letters), story, datetime.now(UTC).date() - back)
        case.trip_id = play.issue(self._world, case)
        return case


def await_judges() -> None:
    """Until the workers have judged all that arrived; raises `Refused` when they do not."""

    def idle() -> bool:
        with catalogue.tenant(HOME).session(readonly=True) as session:
            return not due(session, now=datetime.now(UTC), limit=1)

    if not until(idle):
        raise Refused("the workers do not keep up")


def request(method: str, path: str, token: str, content: Any = None) -> bytes:
    """An HTTP request whole, so that sending it costs next to nothing."""
    body = b"" if content is None else orjson.dumps(content)
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


class Wire:
    """A kept-open HTTP connection for requests that are bytes already."""

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bytes:
        """The answer's body; raises `Refused` unless the status is 200."""
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._received()
        head, _, body = received.partition(b"\r\n\r\n")
        fields = head.lower()
        if not fields.startswith(b"http/1.1 200"):
            raise Refused(head.decode())
        length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._received()
        return body

    def _received(self) -> bytes:
        received = self._socket.recv(1 << 16)
        if not received:
            raise Refused("the connection was closed")
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._socket.close()


def seconds_for(base_url: str, shares: Sequence[Sequence[bytes]], *, proof: bytes) -> float:
    """How long it takes until all is answered, each share over a connection of its own at once.

    Raises `Refused` for an answer that does not hold `proof`.
    """
    ready = Barrier(len(shares) + 1, timeout=60)

    def send(share: Sequence[bytes]) -> None:
        with Wire(base_url) as wire:
            ready.wait()
            for one in share:
                answer = wire.ask(one)
                if proof not in answer:
                    raise Refused(answer.decode())

    with ThreadPoolExecutor(len(shares)) as threads:
        sent = [threads.submit(send, share) for share in shares]
        ready.wait()
        began = time.perf_counter()
        for one in sent:
            one.result()
        return time.perf_counter() - began


def paced(base_url: str, shares: Sequence[Sequence[bytes]], rate: float) -> list[float]:
    """Seconds from when each request was due until it is answered, at so many a second in all.

    Each share goes over a connection of its own. One that is answered late makes the next wait,
    and that counts.
    """
    every = len(shares) / rate

    def send(number: int, share: Sequence[bytes]) -> list[float]:
        waits = []
        with Wire(base_url) as wire:
            due = began + every * number / len(shares)
            for one in share:
                time.sleep(max(0.0, due - time.perf_counter()))
                wire.ask(one)
                waits.append(time.perf_counter() - due)
                due += every
        return waits

    began = time.perf_counter() + 0.5
    with ThreadPoolExecutor(len(shares)) as threads:
        sent = [threads.submit(send, number, share) for number, share in enumerate(shares)]
        return [wait for one in sent for wait in one.result()]
