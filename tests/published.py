"""Rows as regencies publish them, put into the province's database without a regency.

Or those of a regency, to count them the long way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from statistics import median
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import psycopg
from psycopg import sql
from sqlalchemy import text

from infra.world import World
from tenants import catalogue

KINDS = ("WRONG_REGION", "NEVER_LEFT", "SHORT_STAY", "LATE_START")
TABLES = (
    "shared_deviation",
    "shared_verdict",
    "shared_trip",
    "shared_month",
    "shared_finding",
    "escalation_answer",
)


@dataclass
class Published:
    """What made-up regencies published, as plain rows; `figures` counts them the long way."""

    regencies: list[tuple[str, str, str]] = field(default_factory=list)
    trips: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)

    def regency(self, number: int) -> str:
        code = f"63.{number:02}"
        self.regencies.append((code, f"uji-{number:02}", f"Kabupaten Uji {number:02}"))
        return code

    def trip(
        self, code: str, ends_on: date, *, days: int = 2, state: str = "FINISHED"
    ) -> dict[str, Any]:
        trip = {
            "id": uuid5(NAMESPACE_OID, f"{code}/{len(self.trips)}"),
            "tenant": code,
            "state": state,
            "starts_on": ends_on - timedelta(days=days - 1),
            "ends_on": ends_on,
            "ended_on": ends_on,
        }
        self.trips.append(trip)
        return trip

    def verdict(
        self, trip: dict[str, Any], outcome: str, *, final: bool = True, coverage: float = 0.75
    ) -> None:
        self.verdicts.append(
            {
                "id": UUID(int=trip["id"].int ^ 1),
                "tenant": trip["tenant"],
                "trip_id": trip["id"],
                "outcome": outcome,
                "final": final,
                "coverage": coverage,
                "evaluated_at": datetime.now(UTC),
            }
        )

    def case(self, trip: dict[str, Any], kind: str, **said: Any) -> dict[str, Any]:
        found_at = datetime.combine(trip["ends_on"], datetime.min.time(), UTC)
        case = {
            "id": UUID(int=trip["id"].int ^ (2 + len(self.cases))),
            "tenant": trip["tenant"],
            "trip_id": trip["id"],
            "kind": kind,
            "severity": "HIGH",
            "state": "OPEN",
            "started_at": found_at,
            "ended_at": found_at,
            "region_code": "64.08",
            "planned_region_code": "64.71",
            "coverage": 0.9,
            "amount": Decimal("430000.00"),
            "message_id": "Terlihat di tempat lain.",
            "message_en": "Seen elsewhere.",
            "found_at": found_at,
            "replied_at": None,
            "ruled_at": None,
        } | said
        self.cases.append(case)
        return case

    def some(self, code: str, random: Random, *, trips: int) -> None:
        """A regency's half-year: trips of all sorts, some with cases at all stages."""
        for _ in range(trips):
            ends_on = date(2026, random.randint(1, 6), random.randint(1, 28))
            state = random.choice(["FINISHED"] * 9 + ["CANCELLED"])
            trip = self.trip(code, ends_on, days=random.randint(1, 5), state=state)
            outcome = random.choice(["CONFORMS", "CONFORMS", "DEVIATES", "UNVERIFIABLE"])
            self.verdict(trip, outcome, final=random.random() < 0.9, coverage=random.random())
            if outcome == "DEVIATES":
                hours = timedelta(hours=random.randint(1, 200))
                case = self.case(trip, random.choice(KINDS))
                case["state"] = random.choice(["OPEN", "ANSWERED", "UPHELD", "EXCUSED"])
                if case["state"] != "OPEN":
                    case["replied_at"] = case["found_at"] + hours
                if case["state"] in ("UPHELD", "EXCUSED"):
                    case["ruled_at"] = case["found_at"] + 3 * hours

    def months(self) -> list[dict[str, Any]]:
        """The rows of `shared_month`."""
        found: dict[tuple[str, date], dict[str, Any]] = {}
        trips = {trip["id"]: trip for trip in self.trips if trip["state"] != "CANCELLED"}
        for trip in trips.values():
            row = found.setdefault(_month(trip), dict.fromkeys(COUNTS, 0))
            row["trips"] += 1
            row["days"] += (trip["ends_on"] - trip["starts_on"]).days + 1
        for verdict in self.verdicts:
            if verdict["trip_id"] in trips:
                row, outcome = found[_month(trips[verdict["trip_id"]])], verdict["outcome"]
                row["verdicts"] += 1
                row["coverage"] += verdict["coverage"]
                row[outcome.lower()] += 1
                if verdict["final"] and outcome != "UNVERIFIABLE":
                    row["judged"] += 1
                    row["deviating"] += outcome == "DEVIATES"
        return [{"tenant": code, "month": month} | row for (code, month), row in found.items()]

    def findings(self) -> list[dict[str, Any]]:
        """The rows of `shared_finding`."""
        found: dict[tuple[str, date, str, str], dict[str, Any]] = {}
        trips = {trip["id"]: trip for trip in self.trips}
        for case in self.cases:
            key = (*_month(trips[case["trip_id"]]), case["kind"], case["severity"])
            row = found.setdefault(
                key,
                dict.fromkeys(("open", "upheld", "excused", "amount_at_stake", "amount_upheld"), 0)
                | {"reply_hours": [], "ruling_hours": []},
            )
            state = "open" if case["state"] in ("OPEN", "ANSWERED") else case["state"].lower()
            row[state] += 1
            if state != "excused":
                row["amount_at_stake" if state == "open" else "amount_upheld"] += (
                    case["amount"] or 0
                )
            row["reply_hours"] += _hours(case, "replied_at")
            row["ruling_hours"] += _hours(case, "ruled_at")
        names = ("tenant", "month", "kind", "severity")
        return [dict(zip(names, key, strict=True)) | row for key, row in found.items()]

    def figures(self, code: str, months: Iterable[int | date] | None = None) -> dict[str, Any]:
        """The answer to `FIGURES` of a regency, over months (numbers are of 2026), or all."""
        wanted = None if months is None else {_first(month) for month in months}
        every = {
            trip["id"]: trip
            for trip in self.trips
            if trip["tenant"] == code
            and (wanted is None or trip["ends_on"].replace(day=1) in wanted)
        }
        trips = {key: trip for key, trip in every.items() if trip["state"] != "CANCELLED"}
        verdicts = [each for each in self.verdicts if each["trip_id"] in trips]
        cases = [each for each in self.cases if each["trip_id"] in every]
        opened = [each for each in cases if each["state"] in ("OPEN", "ANSWERED")]
        outcomes = Counter(each["outcome"] for each in verdicts)
        kinds = Counter(each["kind"] for each in cases)
        coverages = [each["coverage"] for each in verdicts]
        return {
            "trips": len(trips),
            "days": sum((each["ends_on"] - each["starts_on"]).days + 1 for each in trips.values()),
            "coverage": sum(coverages) / len(coverages) if coverages else None,
            "openDeviations": len(opened),
            "settledDeviations": len(cases) - len(opened),
            "amountAtStake": float(sum(each["amount"] or 0 for each in opened)),
            "verdicts": dict(outcomes),
            "deviationsByKind": dict(kinds),
            "medianHoursToReply": _median(cases, "replied_at"),
            "medianHoursToRuling": _median(cases, "ruled_at"),
        }


COUNTS = (
    *("trips", "days", "verdicts", "coverage", "conforms", "deviates", "unverifiable"),
    *("judged", "deviating"),
)


def _first(month: int | date) -> date:
    return month.replace(day=1) if isinstance(month, date) else date(2026, month, 1)


def _month(trip: dict[str, Any]) -> tuple[str, date]:
    return trip["tenant"], trip["ends_on"].replace(day=1)


def _hours(case: dict[str, Any], until: str) -> list[float]:
    if case[until] is None:
        return []
    return [(case[until] - case["found_at"]).total_seconds() / 3600]


def _median(cases: list[dict[str, Any]], until: str) -> float | None:
    hours = [hour for case in cases for hour in _hours(case, until)]
    return median(hours) if hours else None


def rows_of(slug: str) -> Published:
    """What there is in a regency's own database to be counted."""
    with catalogue.tenant(slug).session(readonly=True) as session:

        def rows(query: str) -> list[dict[str, Any]]:
            return [dict(row) for row in session.execute(text(query)).mappings()]

        return Published(
            trips=rows("SELECT id, tenant, state, starts_on, ends_on FROM trip"),
            verdicts=rows("SELECT trip_id, outcome, final, coverage FROM verdict WHERE current"),
            cases=rows(
                "SELECT trip_id, kind, severity, state, amount, found_at, replied_at, ruled_at"
                " FROM deviation WHERE state <> 'WITHDRAWN'"
            ),
        )


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """What `FIGURES` answered, in the form of `Published.figures`."""
    return answer | {
        "amountAtStake": float(answer["amountAtStake"]),
        "verdicts": {
            each["outcome"]: each["trips"] for each in answer["verdicts"] if each["trips"]
        },
        "deviationsByKind": {
            each["kind"]: each["deviations"] for each in answer["deviationsByKind"]
        },
    }


FIGURES = """trips days coverage openDeviations settledDeviations amountAtStake
  verdicts { outcome trips } deviationsByKind { kind deviations }
  medianHoursToReply medianHoursToRuling"""


@contextmanager
def standing_in(world: World, published: Published) -> Iterator[psycopg.Connection]:
    """The rows are in the province's database until the block ends; gives its administrator."""
    with psycopg.connect(world.cluster.dsn("jejak_province"), autocommit=True) as province:
        codes = [code for code, _, _ in published.regencies]
        try:
            with province.cursor() as cursor:
                cursor.executemany("INSERT INTO regency VALUES (%s, %s, %s)", published.regencies)
                # In an order in which they may well arrive: cases first, their trips last.
                for table, rows in (
                    ("shared_finding", published.findings()),
                    ("shared_deviation", published.cases),
                    ("shared_verdict", published.verdicts),
                    ("shared_month", published.months()),
                    ("shared_trip", published.trips),
                ):
                    if rows:
                        cursor.executemany(_insertion(table, rows[0]), rows)
            yield province
        finally:
            for table in TABLES:
                gone = sql.SQL("DELETE FROM {} WHERE tenant = ANY(%s)")
                province.execute(gone.format(sql.Identifier(table)), [codes])
            province.execute(
                "DELETE FROM escalation_closing USING escalation"
                " WHERE escalation_id = id AND tenant = ANY(%s)",
                [codes],
            )
            province.execute("DELETE FROM escalation WHERE tenant = ANY(%s)", [codes])
            province.execute("DELETE FROM regency WHERE code = ANY(%s)", [codes])


def _insertion(table: str, row: dict[str, Any]) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
