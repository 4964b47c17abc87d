"""Plays the stories through the public interfaces: letters, tracks, claims; then the verdicts."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from infra import stories
from infra.front_end import FrontEnd, Refused
from infra.stories import STORIES, Story
from infra.world import HEAD_OF_OFFICE, World

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
PERSON: Final = """
query ($name: String!) { members(search: $name, first: 100) { nodes { id name } } }"""


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
        kinds = tuple(sorted(deviation["kind"] for deviation in self.deviations))
        return (self.outcome, self.final, kinds) == (
            self.story.outcome,
            True,
            self.story.deviations,
        )


def cases_of_today() -> list[Case]:
    """Every story, begun so many days ago that each is over by now."""
    first_day = datetime.now(UTC).date() - timedelta(days=5)
    return [Case(number, story, first_day) for number, story in enumerate(STORIES, 1)]


def play(running: World, cases: list[Case], *, seconds: float) -> None:
    """Issue, travel, finish and claim every trip at once, over `seconds`; then await verdicts.

    Whatever fails is kept in the case's `failure`.
    """
    with ThreadPoolExecutor(len(cases)) as threads:
        list(threads.map(lambda case: _guarded(running, case, seconds), cases))


def _guarded(running: World, case: Case, seconds: float) -> None:
    try:
        _travel(running, case, seconds)
        _await_verdict(running, case)
    except Refused as refusal:
        case.failure = str(refusal)


def issue(running: World, case: Case) -> str:
    """Have the operator send the traveller; returns the trip's id. Raises `Refused`."""
    story, tenant = case.story, case.story.traveller.tenant
    with running.sign_in(tenant, "operator") as operator:
        signer, traveller = (
            next(
                who["id"]
                for who in operator.ask(PERSON, name=name)["members"]["nodes"]
                if who["name"] == name
            )
            for name in (HEAD_OF_OFFICE, story.traveller.name)
        )
        issued: dict[str, str] = operator.ask(
            ISSUE,
            letter={
                "number": f"094/{case.number:03}/ST/{case.first_day.year}",
                "dated": (case.first_day - timedelta(days=2)).isoformat(),
                "purpose": story.purpose,
                "signedById": signer,
            },
            traveller=traveller,
            plan=stories.plan(story, case.first_day),
            spd=f"090/{case.number:03}/SPD",
        )["issueTrip"]
    if "id" not in issued:
        raise Refused(issued["message"])
    return issued["id"]


def _travel(running: World, case: Case, seconds: float) -> None:
    story = case.story
    case.trip_id = issue(running, case)
    fixes = stories.fixes(story, case.first_day, ZONE)
    case.total = len(fixes)
    uploads = [fixes[start : start + UPLOAD] for start in range(0, len(fixes), UPLOAD)]
    with running.sign_in(story.traveller.tenant, story.traveller.username) as phone:
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
    with running.sign_in(case.story.traveller.tenant, "inspektur") as inspector:

        def reached() -> bool:
            _look(inspector, case)
            return case.as_expected

        until(reached)


def until(reached: Callable[[], bool]) -> bool:
    """Ask until it is so, or for `PATIENCE` seconds; whether it came to be."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
