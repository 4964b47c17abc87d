"""A trip day by day: what was planned, what the track shows, what it leaves unknown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import strawberry

from graphql_api.enums import DayBasis, DayState, SilenceReason
from tenants.evidence import VerdictRecord
from tenants.models import Leg, Trip

ONE_DAY = timedelta(days=1)
Timed = tuple[dict[str, Any], datetime, datetime]
"""What a verdict says of a time, its start and its end."""


@strawberry.type(description="When the traveller was seen in a region; null is off the map.")
class Seen:
    region_code: str | None
    started_at: datetime
    ended_at: datetime


@strawberry.type(description="A time of which the track says nothing, and why, where it says so.")
class Unknown:
    started_at: datetime
    ended_at: datetime
    reason: SilenceReason


@strawberry.type(description="A day of the plan, from midnight to midnight where it is spent.")
class TimelineDay:
    date: date
    planned: list[str]
    seen: list[Seen]
    unknown: list[Unknown]
    state: DayState
    known_by: DayBasis | None = strawberry.field(description="Null while the day is unknown.")
    known_seconds: float


def timeline_of(
    trip: Trip, legs: Sequence[Leg], verdict: VerdictRecord | None, home_zone: str
) -> list[TimelineDay]:
    """Every planned day; those without a verdict have nothing seen and nothing known."""
    detail = verdict.detail if verdict else {"days": [], "stays": [], "gaps": []}
    stays, gaps = (_timed(detail[name]) for name in ("stays", "gaps"))
    judged = {day["date"]: day for day in detail["days"]}
    days = []
    for number in range((trip.ends_on - trip.starts_on).days + 1):
        day = trip.starts_on + number * ONE_DAY
        there = [leg for leg in legs if leg.arrive_on <= day <= leg.depart_on]
        zone = ZoneInfo(there[0].zone if there else home_zone)
        start, end = (datetime.combine(on, time(), zone) for on in (day, day + ONE_DAY))
        said = judged.get(day.isoformat(), {"state": DayState.UNKNOWN, "known_seconds": 0.0})
        days.append(
            TimelineDay(
                date=day,
                planned=list(dict.fromkeys(leg.region_code for leg in there)),
                seen=[
                    Seen(region_code=stay["region"], started_at=since, ended_at=until)
                    for stay, since, until in _cut(stays, start, end)
                ],
                unknown=[
                    Unknown(
                        started_at=since,
                        ended_at=until,
                        reason=SilenceReason(gap.get("reason", SilenceReason.UNKNOWN)),
                    )
                    for gap, since, until in _cut(gaps, start, end)
                ],
                state=DayState(said["state"]),
                known_by=basis_of(detail, said | {"date": day.isoformat()}),
                known_seconds=said["known_seconds"],
            )
        )
    return days


def basis_of(detail: Mapping[str, Any], day: Mapping[str, Any]) -> DayBasis | None:
    """What a day of a verdict's detail is known by."""
    if day["state"] == DayState.UNKNOWN:
        return None
    return DayBasis.VISUM if day["date"] in detail.get("vouched", ()) else DayBasis.TRACK


def _timed(times: Sequence[dict[str, Any]]) -> list[Timed]:
    """Each with its times, which parsing day by day would cost as often as the trip has days."""
    return [
        (one, datetime.fromisoformat(one["started_at"]), datetime.fromisoformat(one["ended_at"]))
        for one in times
    ]


def _cut(times: Sequence[Timed], start: datetime, end: datetime) -> Iterator[Timed]:
    """Those that touch a day, with what of them lies in it."""
    for one, started_at, ended_at in times:
        since, until = max(started_at, start), min(ended_at, end)
        if since < until:
            yield one, since.astimezone(UTC), until.astimezone(UTC)
