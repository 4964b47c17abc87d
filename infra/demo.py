"""The demonstration that `infra/up` runs: two regencies, their province, and trips to judge."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra import picture, world
from infra.front_end import FrontEnd, Refused
from infra.play import RECORD, ZONE, Case, cases_of_today, issue, play, until
from infra.processes import claimed, state_folder, step, stop_on_signals
from infra.services import Person
from infra.stories import PLACES, STORIES, Story
from infra.world import PROVINCE, REGENCIES, World

LIVE_SECONDS: Final = 1_200
LIVE: Final = STORIES[::2]
"""Whose journeys go on while somebody watches."""
UNDER_WAY: Final = "{ trips(first: 1, filter: { states: [ISSUED, ACTIVE] }) { nodes { id } } }"
SHARED: Final = """
{ regencies { nodes {
  code name trips openDeviations amountAtStake verdicts { outcome trips } } } }"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="infra/up",
        description="Runs Jejak Dinas with two regencies, their province and simulated travellers.",
    )
    parser.add_argument("--once", action="store_true", help="play the trips to their end and leave")
    parser.add_argument("--json", action="store_true", help="one JSON summary on stdout")
    parser.add_argument("--keep", action="store_true", help="serve what an earlier run left")
    parser.add_argument("--seconds", type=float, default=60, help="how long the trips play")
    parser.add_argument("--picture", type=Path, help="draw the trips on a map (SVG)")
    parser.add_argument("--screens", type=Path, help="picture the console's views (PNG) in here")
    options = parser.parse_args()
    stop_on_signals()
    folder = state_folder()
    try:
        with claimed(folder), world.running(folder, fresh=not options.keep) as running:
            sys.exit(0 if _run(running, options) else 1)
    except KeyboardInterrupt:
        Console(stderr=True).print("Selesai; semuanya sudah dihentikan.")


def _run(running: World, options: argparse.Namespace) -> bool:
    console = Console(stderr=True, highlight=False)
    good = True
    if not options.keep:
        cases = cases_of_today()
        with Live(console=console, get_renderable=lambda: table(cases), transient=True):
            play(running, cases, seconds=0 if options.once else options.seconds)
        with step("Provinsi menerima angkanya", "The province receives the figures"):
            regencies = _province(running, cases)
        if options.picture:
            picture.draw(running, cases, options.picture)
        good = all(case.as_expected for case in cases) and _agree(regencies, cases)
        _report(cases, regencies, good, as_json=options.json)
        if options.screens:
            _picture_console(running, cases, options.screens)
    if not options.once:
        _addresses(running, console)
        _move_live(running)
    return good


def _province(running: World, cases: list[Case]) -> list[dict[str, Any]]:
    """The regencies as the province sees them, once it agrees with them (or patience ends)."""
    found: list[dict[str, Any]] = []
    with running.sign_in(PROVINCE.slug, "pengawas") as overseer:

        def agree() -> bool:
            found[:] = overseer.ask(SHARED)["regencies"]["nodes"]
            return _agree(found, cases)

        until(agree)
    return found


def _agree(regencies: list[dict[str, Any]], cases: list[Case]) -> bool:
    """Whether the province's figures are those of the trips played."""
    for seed in REGENCIES:
        of_it = [case for case in cases if case.story.traveller.tenant == seed.slug]
        shown = next((row for row in regencies if row["code"] == seed.code), None)
        if shown is None or shown["trips"] != len(of_it):
            return False
        if shown["openDeviations"] != sum(len(case.deviations) for case in of_it):
            return False
        for count in shown["verdicts"]:
            if count["trips"] != sum(case.outcome == count["outcome"] for case in of_it):
                return False
    return True


COLOURS: Final = {"CONFORMS": "green", "DEVIATES": "red", "UNVERIFIABLE": "yellow"}
NAMES: Final = {
    "CONFORMS": "SESUAI",
    "DEVIATES": "MENYIMPANG",
    "UNVERIFIABLE": "TIDAK DAPAT DIPASTIKAN",
}
REGION_NAMES: Final = {
    "64.01": "Paser",
    "64.02": "Kutai Kartanegara",
    "64.03": "Berau",
    "64.07": "Kutai Barat",
    "64.08": "Kutai Timur",
    "64.09": "Penajam Paser Utara",
    "64.71": "Balikpapan",
    "64.72": "Samarinda",
    "64.74": "Bontang",
}


def table(cases: list[Case]) -> Table:
    """Every trip: plan, what happened, verdict, deviations."""
    shown = Table("#", "Perjalanan", "Rencana", "Yang terjadi", "Putusan", "Temuan", expand=True)
    for case in cases:
        story, there = case.story, case.story.destination
        verdict = "…"
        if case.outcome:
            mark = "" if case.final else " (sementara)"
            verdict = f"[{COLOURS[case.outcome]}]{NAMES[case.outcome]}[/]{mark}"
        found = "; ".join(deviation["message"] for deviation in case.deviations)
        shown.add_row(
            str(case.number),
            f"{story.traveller.name}\n[dim]{story.traveller.tenant}[/]",
            f"{REGION_NAMES[there.region]}, {story.days} hari",
            f"{case.sent}/{case.total} titik, terpantau {case.coverage:.0%}",
            verdict,
            case.failure or found or "-",
        )
    return shown


def _report(
    cases: list[Case], regencies: list[dict[str, Any]], good: bool, *, as_json: bool
) -> None:
    if as_json:
        summary = {
            "as_expected": good,
            "trips": [
                {
                    "number": case.number,
                    "tenant": case.story.traveller.tenant,
                    "traveller": case.story.traveller.name,
                    "plan": {
                        "region": case.story.destination.region,
                        "days": case.story.days,
                        "starts_on": case.first_day.isoformat(),
                    },
                    "fixes": case.sent,
                    "coverage": case.coverage,
                    "claimed_days": case.story.claim,
                    "verdict": case.outcome,
                    "expected": case.story.outcome,
                    "final": case.final,
                    "deviations": list(case.deviations),
                    "as_expected": case.as_expected,
                    "failure": case.failure,
                }
                for case in cases
            ],
            "province": regencies,
        }
        print(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    console.print(table(cases))
    console.print(side_by_side(regencies))
    console.print("Semua putusan sesuai harapan." if good else "Ada putusan yang tidak diharapkan.")


def side_by_side(regencies: Sequence[dict[str, Any]]) -> Table:
    """A column each: as rows their rupiah would be cut off on a narrow terminal."""
    counts = [
        {count["outcome"]: count["trips"] for count in regency["verdicts"]} for regency in regencies
    ]
    rows = [
        ("Perjalanan", [regency["trips"] for regency in regencies]),
        *((name, [count[outcome] for count in counts]) for outcome, name in NAMES.items()),
        ("Temuan terbuka", [regency["openDeviations"] for regency in regencies]),
        (
            "Rupiah dipersoalkan",
            [rupiah(Decimal(regency["amountAtStake"])) for regency in regencies],
        ),
    ]
    shown = Table("")
    for regency in regencies:
        shown.add_column(regency["name"], justify="right")
    for name, figures in rows:
        shown.add_row(name, *map(str, figures))
    return shown


def rupiah(amount: Decimal) -> str:
    return f"Rp{amount:,.0f}".replace(",", ".")


def _addresses(running: World, console: Console) -> None:
    """Where to go, and as whom; nobody needs a password at the issuers for trying out."""
    for seed in (*REGENCIES, PROVINCE):
        address = f"{running.base_url}/{seed.slug}"
        console.print(f"\n[bold]{seed.name}[/]: {address}/", soft_wrap=True)
        console.print(
            f"  GraphQL: {address}/graphql   GraphiQL: {address}/graphiql", soft_wrap=True
        )
        console.print(sign_ins(running.issuers[seed.slug].people))
    console.print("\nCtrl-C menghentikan semuanya.")


def sign_ins(people: Sequence[Person]) -> Table:
    """Whom to choose at the issuer's sign-in, a line for each role."""
    shown = Table("Peran", "Masuk sebagai", box=box.SIMPLE_HEAD, pad_edge=False)
    roles = {
        role: [who.name for who in people if who.role == role]
        for role in dict.fromkeys(who.role for who in people)
    }
    for role, names in roles.items():
        shown.add_row(role, ", ".join(names))
    return shown


def _picture_console(running: World, cases: Sequence[Case], folder: Path) -> None:
    from infra import screens  # noqa: PLC0415 - who only plays needs no browser

    with step("Gambar konsol", "Pictures of the console"):
        phones: dict[str, FrontEnd] = {}
        for number, (trip_id, story) in enumerate(_live_trips(running).items(), 1):
            _report_position(running, phones, trip_id, story, number / len(LIVE))
        astray = next(case for case in cases if case.story is screens.ASTRAY)
        screens.take(running, folder, given={"trip": astray.trip_id})


def _live_trips(running: World) -> dict[str, Story]:
    """A trip of today for each who travels live: what an earlier run left her, or a new one."""
    today = datetime.now(ZoneInfo(ZONE)).date()
    trips = {}
    for number, story in enumerate(LIVE, len(STORIES) + 1):
        with running.sign_in(story.traveller.tenant, story.traveller.username) as phone:
            left = phone.ask(UNDER_WAY)["trips"]["nodes"]
        # A trip that an earlier run left may have ended, and its letter's number is taken.
        with suppress(Refused):
            trip_id = left[0]["id"] if left else issue(running, Case(number, story, today))
            trips[trip_id] = story
    return trips


def _move_live(running: World) -> None:
    """Trips of today, a fix every five seconds each, there and back again, until Ctrl-C."""
    trips = _live_trips(running)
    phones: dict[str, FrontEnd] = {}
    began, stopped = time.monotonic(), Event()
    while not stopped.wait(5):
        # 0 at home, 1 at the destination: nobody arrives for good while somebody watches.
        turn = (time.monotonic() - began) / LIVE_SECONDS % 2
        along = min(turn, 2 - turn)
        for trip_id, story in trips.items():
            try:
                _report_position(running, phones, trip_id, story, along)
            except Refused:
                # Tokens expire after an hour: the phone signs in again at its next turn.
                phones.pop(trip_id, None)


def _report_position(
    running: World, phones: dict[str, FrontEnd], trip_id: str, story: Story, along: float
) -> None:
    if trip_id not in phones:
        phones[trip_id] = running.sign_in(story.traveller.tenant, story.traveller.username)
    (_, start), (_, end) = story.journey[1], story.journey[2]
    lon, lat = (a + (b - a) * along for a, b in zip(PLACES[start], PLACES[end], strict=True))
    fix = {"time": datetime.now(UTC).isoformat(), "lon": lon, "lat": lat, "accuracy": 10.0}
    phones[trip_id].ask(RECORD, trip=trip_id, fixes=[fix])


if __name__ == "__main__":
    main()
