"""`infra/bench map`: the console's live map in Chromium while all travellers move.

The same phones send all the while, each every twenty seconds. By turns the map shows a small office
and the whole regency, so that the two differ by what the browser has to do and by nothing else.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Thread
from typing import Any, Final

import numpy as np
from playwright.sync_api import CDPSession, Page

from infra import browser
from infra.benchmarks.measure import HOME, Measured, Report, Wire, followed
from infra.benchmarks.phones import Phone, fleet
from infra.front_end import Refused
from infra.play import until
from infra.stories import PLACES, Traveller
from infra.world import World
from tenants import catalogue, people
from tenants.models import OfficeKind

EVERY: Final = 20.0
"""Seconds between two positions of a traveller, who drives at 54 km/h."""
STEP: Final = 300 / 111_320
SENDERS: Final = 4
SETTLING: Final = 3.0
WATCH: Final = """
window.watched = { frames: [], tasks: [] };
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watched.tasks.push(duration);
}).observe({ type: 'longtask' });
let last = performance.now();
requestAnimationFrame(function frame(now) {
  watched.frames.push(now - last);
  last = now;
  requestAnimationFrame(frame);
});"""
MOVES: Final = """() => {
  window.moved = 0;
  const pin = document.querySelector('.pin.here');
  const before = pin.style.transform;
  new MutationObserver((_, observer) => {
    if (pin.style.transform === before) return;
    observer.disconnect();
    requestAnimationFrame(() => { window.moved = Date.now(); });
  }).observe(pin, { attributes: true, attributeFilter: ['style'] });
}"""


@dataclass(slots=True)
class Side:
    """What was seen while so many travellers were on the map."""

    frames: Measured
    tasks: list[float] = field(default_factory=list)
    seconds: float = 0.0
    main: float = 0.0
    drawing: float = 0.0

    @property
    def p95(self) -> float:
        return float(np.percentile(self.frames.figures, 95))


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 5,
    number: int = 2_000,
    few: int = 100,
    seconds: float = 10.0,
    news: int = 10,
) -> Report:
    """Milliseconds between frames, with `few` travellers on the map and with all `number`.

    Then how long it takes from sending a position until its traveller moves on the map.
    """
    with catalogue.tenant(HOME).session(readonly=False) as session:
        office = people.add_office(session, "Kantor Ukur", OfficeKind.AGENCY).id
    phones = fleet(HOME, few, days_left=3, office_id=office)
    phones += fleet(HOME, number - few, days_left=3)
    places = _Places(phones)
    with browser.chromium() as chromium, _sending(running, places) as everybody:
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="id-ID")
        page.add_init_script(WATCH)
        if not until(everybody.is_set):
            raise Refused("the first positions are not taken")
        browser.sign_in(page, running, HOME, "inspektur", "live")
        _show(page, "Semua", number)
        probe = _Probe(page, chromium.new_browser_cdp_session())
        sides = [
            Side(Measured((f"bingkai, {shown} pelaksana", f"frame, {shown} travellers"), "ms"))
            for shown in (few, number)
        ]
        offices = (("Kantor Ukur", few), ("Semua", number))
        before = probe.memory()
        for _ in followed(range(rounds)):
            for side, (label, shown) in zip(sides, offices, strict=True):
                _show(page, label, shown)
                probe.watch(side, seconds)
        grown = (probe.memory() - before) / (rounds * 2 * (seconds + SETTLING))
        delay = _delay(page, running, places, news)
    return Report([*(side.frames for side in sides), delay], _results(sides, grown))


def _results(sides: Sequence[Side], grown: float) -> dict[tuple[str, str], float]:
    least, most = sides
    found = {("Rasio p95", "Ratio of p95"): most.p95 / least.p95}
    for part in (95, 99):
        name = f"p{part}, {most.frames.name[1].split()[1]}, ms"
        found[name, name] = float(np.percentile(most.frames.figures, part))
    tasks = most.tasks or [0.0]
    return found | {
        ("Tugas panjang tiap menit", "Long tasks a minute"): 60 * len(most.tasks) / most.seconds,
        ("Tugas terpanjang, ms", "Longest task, ms"): max(tasks),
        ("Utas utama, ms tiap detik", "Main thread, ms a second"): most.main / most.seconds,
        ("Proses gambar, ms CPU tiap detik", "Drawing process, ms of CPU a second"): (
            most.drawing / most.seconds
        ),
        ("Memori tumbuh, kB tiap detik", "Memory grows, kB a second"): grown / 1_000,
    }


class _Places:
    """Where everybody is, and the next position that a phone sends."""

    def __init__(self, phones: Sequence[Phone]) -> None:
        random = np.random.default_rng(1)
        towns = np.array(list(PLACES.values()))
        self.phones = phones
        self._at = towns[random.integers(len(towns), size=len(phones))]
        self._at = self._at + random.normal(0, 0.15, (len(phones), 2))
        heading = random.uniform(0, 2 * np.pi, len(phones))
        self._step = STEP * np.stack((np.cos(heading), np.sin(heading)), axis=1)

    def next(self, number: int) -> bytes:
        self._at[number] += self._step[number]
        lon, lat = self._at[number].round(6).tolist()
        return self.phones[number].form([(int(time.time()), lon, lat, 10.0, 15.0)])


@contextmanager
def _sending(running: World, places: _Places) -> Iterator[Event]:
    """Everybody's phone sends by turns; the event is set when all have done so once."""
    enough, everybody = Event(), Event()
    number = len(places.phones)

    def send(first: int) -> None:
        mine = range(first, number, SENDERS)
        due = time.monotonic()
        with Wire(running.base_url) as wire:
            for turn, each in enumerate(cycle(mine)):
                if turn == len(mine) and first == 0:
                    everybody.set()
                # At first as fast as it goes: nobody is on the map yet.
                due = max(due + EVERY / len(mine) * everybody.is_set(), time.monotonic() - 1)
                if enough.wait(max(0.0, due - time.monotonic())):
                    return
                wire.ask(places.next(each))

    threads = [Thread(target=send, args=(first,)) for first in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield everybody
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def _show(page: Page, office: str, number: int) -> None:
    page.get_by_label("Perangkat daerah").select_option(label=office)
    shown = f"{number:,}".replace(",", ".")
    page.get_by_text(f"{shown} dari {shown} pelaksana").wait_for(timeout=60_000)
    page.locator(".map canvas").first.wait_for()
    page.wait_for_timeout(SETTLING * 1_000)


class _Probe:
    """Asks the browser what it did: frames, tasks, time of the main thread and of drawing."""

    def __init__(self, page: Page, browser: CDPSession) -> None:
        self._page, self._browser = page, browser
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable")

    def watch(self, side: Side, seconds: float) -> None:
        self._page.evaluate("watched.frames.length = watched.tasks.length = 0")
        main, drawing, began = self._main(), self._drawing(), time.monotonic()
        self._page.wait_for_timeout(seconds * 1_000)
        seen: dict[str, list[float]] = self._page.evaluate("watched")
        side.seconds += time.monotonic() - began
        side.main += 1e3 * (self._main() - main)
        side.drawing += 1e3 * (self._drawing() - drawing)
        side.frames.figures += seen["frames"]
        side.tasks += seen["tasks"]

    def _metrics(self) -> dict[str, float]:
        asked: dict[str, Any] = self._cdp.send("Performance.getMetrics")
        return {each["name"]: each["value"] for each in asked["metrics"]}

    def _main(self) -> float:
        return self._metrics()["TaskDuration"]

    def _drawing(self) -> float:
        """CPU seconds of the process that does what a graphics card would."""
        found: dict[str, Any] = self._browser.send("SystemInfo.getProcessInfo")
        spent = (each["cpuTime"] for each in found["processInfo"] if each["type"] == "GPU")
        return float(sum(spent))

    def memory(self) -> float:
        """Bytes of the page's objects that are still in use."""
        self._cdp.send("HeapProfiler.collectGarbage")
        return self._metrics()["JSHeapUsedSize"]


def _delay(page: Page, running: World, places: _Places, times: int) -> Measured:
    """From sending a position of somebody in the list until she moves, everybody else as well."""
    side = Measured(("kirim sampai bergerak di peta", "sent until moving on the map"), "ms")
    first = page.locator("ul.rows li").first
    trip_id = (first.get_by_role("link").get_attribute("href") or "").rsplit("/", 1)[1]
    number = [str(phone.trip_id) for phone in places.phones].index(trip_id)
    first.get_by_role("button").click()
    page.locator(".pin.here").wait_for()
    page.wait_for_timeout(SETTLING * 1_000)
    for _ in range(times):
        # Times are whole seconds, and she glides to where she was last.
        page.wait_for_timeout(2_500)
        page.evaluate(MOVES)
        began = time.time()
        with Wire(running.base_url) as wire:
            wire.ask(places.next(number))
        if not until(lambda: bool(page.evaluate("window.moved"))):
            raise Refused("she does not move on the map")
        side.figures.append(page.evaluate("window.moved") - 1e3 * began)
    return side
