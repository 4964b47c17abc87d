"""The demonstration that `infra/up` runs: two regencies, their province, and trips to judge."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra import stories, world
from infra.front_end import FrontEnd, Refused
from infra.processes import claimed, state_folder, step, stop_on_signals
from infra.stories import PLACES, STORIES, Story
from infra.world import OFFICERS, PROVINCE, REGENCIES, World

ZONE: Final = "Asia/Makassar"
UPLOAD: Final = 12
PATIENCE: Final = 90.0

ISSUE: Final = """
mutation ($letter: LetterInput!, $traveller: UUID!, $plan: PlanInput!, $spd: String) {
  issueTrip(letter: $letter, travellerId: $traveller, plan: $plan, spdNumber: $spd) {
    __typename ... on Trip { id } ... on Problem { message }
  }
}"""
RECORD: Final = """
mutation ($trip: UUID!, $fixes: [FixInput!]!) {
  recordTrack(tripId: $trip, fixes: $fixes, device: "ponsel") {
    __typename ... on TrackReceipt { accepted } ... on Problem { message }
  }
}"""
FINISH: Final = """
mutation ($trip: UUID!, $at: DateTime!, $days: Int!) {
  finishTrip(id: $trip, finishedAt: $at) { __typename ... on Problem { message } }
  claimTrip(id: $trip, days: $days) { __typename ... on Problem { message } }
}"""
VERDICT: Final = """
query ($trip: UUID!) {
  trip(id: $trip) {
    state claimedDays
    verdict { outcome final coverage observedDays unknownDays }
    deviations { kind severity message messageEn amount regionCode plannedRegionCode }
  }
}"""
PEOPLE: Final = "{ members(first: 100) { nodes { id name } } }"
SHARED: Final = """
{ regencies { code name trips openDeviations amountAtStake verdicts { outcome trips } } }"""


@dataclass(slots=True)
class Case:
    """A story as it plays: what the service was told, and what it says."""

    number: int
    story: Story
    first_day: date
    trip_id: str = ""
    sent: int = 0
    total: int = 0
    outcome: str | None = None
    final: bool = False
    coverage: float = 0.0
    deviations: tuple[dict[str, Any], ...] = ()
    failure: str | None = None

    @property
    def as_expected(self) -> bool:
        kinds = tuple(deviation["kind"] for deviation in self.deviations)
        return (self.outcome, self.final, kinds) == (
            self.story.outcome,
            True,
            self.story.deviations,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="infra/up",
        description="Runs Jejak Dinas with two regencies, their province and simulated travellers.",
    )
    parser.add_argument("--once", action="store_true", help="play the trips to their end and leave")
    parser.add_argument("--json", action="store_true", help="one JSON summary on stdout")
    parser.add_argument("--keep", action="store_true", help="serve what an earlier run left")
    parser.add_argument("--seconds", type=float, default=60, help="how long the trips play")
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
        cases = _cases()
        play(running, cases, console, seconds=0 if options.once else options.seconds)
        with step("Provinsi menerima angkanya", "The province receives the figures"):
            regencies = _province(running, cases)
        good = all(case.as_expected for case in cases) and _agree(regencies, cases)
        _report(cases, regencies, good, as_json=options.json)
    if not options.once:
        _addresses(running, console)
        _move_live(running, [] if options.keep else list(STORIES[::5]))
    return good


def _cases() -> list[Case]:
    first_day = datetime.now(UTC).date() - timedelta(days=5)
    return [Case(number, story, first_day) for number, story in enumerate(STORIES, 1)]


def play(running: World, cases: list[Case], console: Console, *, seconds: float) -> None:
    """Issue, travel, finish and claim every trip at once, over `seconds`; then await verdicts.

    Whatever fails is kept in the case's `failure`.
    """
    with (
        Live(console=console, get_renderable=lambda: table(cases), refresh_per_second=4),
        ThreadPoolExecutor(len(cases)) as threads,
    ):
        list(threads.map(lambda case: _guarded(running, case, seconds), cases))


def _guarded(running: World, case: Case, seconds: float) -> None:
    try:
        _travel(running, case, seconds)
        _await_verdict(running, case)
    except Refused as refusal:
        case.failure = str(refusal)


def _travel(running: World, case: Case, seconds: float) -> None:
    story = case.story
    with running.sign_in(story.tenant, "operator") as operator:
        ids = {who["name"]: who["id"] for who in operator.ask(PEOPLE)["members"]["nodes"]}
        issued = operator.ask(
            ISSUE,
            letter={
                "number": f"094/{case.number:03}/ST/{case.first_day.year}",
                "dated": (case.first_day - timedelta(days=2)).isoformat(),
                "purpose": story.purpose,
                "signedById": ids[OFFICERS[1][1]],
            },
            traveller=ids[story.name],
            plan=stories.plan(story, case.first_day),
            spd=f"090/{case.number:03}/SPD",
        )["issueTrip"]
        if "id" not in issued:
            raise Refused(issued["message"])
        case.trip_id = issued["id"]
    fixes = stories.fixes(story, case.first_day, ZONE)
    case.total = len(fixes)
    uploads = [fixes[start : start + UPLOAD] for start in range(0, len(fixes), UPLOAD)]
    with running.sign_in(story.tenant, story.username) as phone:
        for upload in uploads:
            receipt = phone.ask(RECORD, trip=case.trip_id, fixes=upload)["recordTrack"]
            if receipt["__typename"] != "TrackReceipt":
                raise Refused(receipt["message"])
            case.sent += receipt["accepted"]
            if seconds:
                _look(phone, case)
                time.sleep(seconds / len(uploads))
        midnight = datetime.fromisoformat(f"{case.first_day}T00:00:00+08:00")
        back = midnight + timedelta(hours=story.home_after)
        closed = phone.ask(FINISH, trip=case.trip_id, at=back.isoformat(), days=story.claim or 0)
        for answer in closed.values():
            if answer["__typename"] != "Trip":
                raise Refused(answer["message"])


def _look(viewer: FrontEnd, case: Case) -> None:
    trip = viewer.ask(VERDICT, trip=case.trip_id)["trip"]
    verdict = trip["verdict"]
    if verdict is not None:
        case.outcome, case.final = verdict["outcome"], verdict["final"]
        case.coverage = verdict["coverage"]
        case.deviations = tuple(trip["deviations"])


def _await_verdict(running: World, case: Case) -> None:
    """Until the verdict is the expected one, or for `PATIENCE` seconds."""
    with running.sign_in(case.story.tenant, "inspektur") as inspector:

        def reached() -> bool:
            _look(inspector, case)
            return case.as_expected

        _await(reached)


def _await(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _province(running: World, cases: list[Case]) -> list[dict[str, Any]]:
    """The regencies as the province sees them, once it agrees with them (or patience ends)."""
    found: list[dict[str, Any]] = []
    with running.sign_in(PROVINCE.slug, "pengawas") as overseer:

        def agree() -> bool:
            found[:] = overseer.ask(SHARED)["regencies"]
            return _agree(found, cases)

        _await(agree)
    return found


def _agree(regencies: list[dict[str, Any]], cases: list[Case]) -> bool:
    """Whether the province's figures are those of the trips played."""
    for seed in REGENCIES:
        of_it = [case for case in cases if case.story.tenant == seed.slug]
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
            f"{story.name}\n[dim]{story.tenant}[/]",
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
                    "tenant": case.story.tenant,
                    "traveller": case.story.name,
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
    shown = Table("Daerah", "Perjalanan", *NAMES.values(), "Temuan terbuka", "Rupiah dipersoalkan")
    for regency in regencies:
        counts = {count["outcome"]: str(count["trips"]) for count in regency["verdicts"]}
        shown.add_row(
            regency["name"],
            str(regency["trips"]),
            *(counts[outcome] for outcome in NAMES),
            str(regency["openDeviations"]),
            rupiah(Decimal(regency["amountAtStake"])),
        )
    console.print(shown)
    console.print("Semua putusan sesuai harapan." if good else "Ada putusan yang tidak diharapkan.")


def rupiah(amount: Decimal) -> str:
    return f"Rp{amount:,.0f}".replace(",", ".")


def _addresses(running: World, console: Console) -> None:
    shown = Table("Siapa", "Masuk sebagai", "Alamat", title="Masuk tanpa sandi, untuk dicoba")
    for seed in (*REGENCIES, PROVINCE):
        for person in running.issuers[seed.slug].people:
            shown.add_row(
                f"{person.name}\n[dim]{person.role}[/]",
                person.username,
                f"{running.base_url}/{seed.slug}/login",
            )
    console.print(shown)
    for seed in (*REGENCIES, PROVINCE):
        console.print(f"GraphQL {seed.name}: {running.base_url}/{seed.slug}/graphql")
    console.print("Ctrl-C menghentikan semuanya.")


def _move_live(running: World, travellers: list[Story]) -> None:
    """Trips of today, one fix every five seconds each, until Ctrl-C."""
    today = datetime.now(UTC) + timedelta(hours=8)
    moving: list[tuple[FrontEnd, str, Story]] = []
    for number, story in enumerate(travellers, len(STORIES) + 1):
        case = Case(number, story, today.date())
        with running.sign_in(story.tenant, "operator") as operator:
            ids = {who["name"]: who["id"] for who in operator.ask(PEOPLE)["members"]["nodes"]}
            letter = {
                "number": f"094/{case.number:03}/ST/{today.year}",
                "dated": today.date().isoformat(),
                "purpose": story.purpose,
                "signedById": ids[OFFICERS[1][1]],
            }
            issued = operator.ask(
                ISSUE,
                letter=letter,
                traveller=ids[story.name],
                plan=stories.plan(story, today.date()),
                spd=None,
            )["issueTrip"]
        moving.append((running.sign_in(story.tenant, story.username), issued["id"], story))
    began, stopped = time.monotonic(), Event()
    while not stopped.wait(5):
        along = min(1.0, (time.monotonic() - began) / 1200)
        for phone, trip_id, story in moving:
            (_, start), (_, end) = story.journey[1], story.journey[2]
            lon, lat = (
                a + (b - a) * along for a, b in zip(PLACES[start], PLACES[end], strict=True)
            )
            fix = {"time": datetime.now(UTC).isoformat(), "lon": lon, "lat": lat, "accuracy": 10.0}
            phone.ask(RECORD, trip=trip_id, fixes=[fix])


if __name__ == "__main__":
    main()
