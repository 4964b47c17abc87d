"""`infra/bench province`: the province's first page, and how it grows with the regencies.

Rows as regencies publish them are put into the province's database; the databases and the
replication behind them are not measured here.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Final

import psycopg

from infra.benchmarks.measure import Measured, Report, alternate, followed
from infra.front_end import FrontEnd, Refused
from infra.stories import Traveller
from infra.world import PROVINCE, World
from tenants.server import admin, names_of

FEW: Final = 10
"""The regencies of East Kalimantan."""
ALL: Final = 514
"""Those of Indonesia."""

Side = tuple[Measured, Callable[[], float]]

FIGURES: Final = """
  code name trips days coverage openDeviations settledDeviations amountAtStake
  verdicts { outcome trips } deviationShare { share low high }
  medianHoursToReply medianHoursToRuling
  freshness { asOf reachable ageSeconds }"""
PAGE: Final = f"""
query ($first: Int!) {{
  regencies(first: $first) {{ nodes {{ {FIGURES} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
RANKING: Final = """
{ ranking(first: 10) { nodes { place fromPlace toPlace code deviating judged
    interval { share low high } } } }"""

REGENCIES: Final = "INSERT INTO regency VALUES (%s, %s, %s)"
MONTHS: Final = """
INSERT INTO shared_month
    SELECT code, month, trips, 3 * trips, trips, 0.8 * trips, trips - 2 * rare, rare, rare,
        trips - rare, rare
    FROM unnest(%(codes)s::text[]) code
    CROSS JOIN generate_series(date '2026-01-01', '2026-12-01', '1 month') month
    CROSS JOIN LATERAL (SELECT (%(trips)s / 12 * (0.5 + random()))::int + 2 AS trips) counted
    CROSS JOIN LATERAL (SELECT (random() * trips / 3)::int AS rare) chance"""
FINDINGS: Final = """
INSERT INTO shared_finding
    SELECT tenant, month, kind, severity, 2, 1, 1, 860000, 430000,
        ARRAY[random() * 20, 20 + random() * 100], ARRAY[random() * 200]
    FROM shared_month
    CROSS JOIN unnest(ARRAY['WRONG_REGION', 'NEVER_LEFT', 'SHORT_STAY']) kind
    CROSS JOIN unnest(ARRAY['MEDIUM', 'HIGH']) severity
    WHERE tenant = ANY(%(codes)s)"""
"""A year of figures for regencies, in the tables in which they are published and received."""


def measure(
    running: World,
    _travellers: Sequence[Traveller],
    *,
    rounds: int = 40,
    trips: int = 400,
    regencies: tuple[int, int] = (FEW, ALL),
) -> Report:
    """Milliseconds for a page and for the ranking, as the API answers, with few regencies and all.

    `trips` are those of one regency, about as many as that, spread over twelve months.
    """
    few, every = regencies
    sides: list[Measured] = []
    with ExitStack() as stack:
        overseer = stack.enter_context(running.sign_in(PROVINCE.slug, "pengawas"))
        stack.callback(_forget)
        done, medians = 0, {}
        for number in (few, every):
            _publish(done + 1, number, trips)
            done = number
            found = pages(overseer, number, rounds)
            sides += found
            medians[number] = [side.median for side in found]
    ratios = [late / early for early, late in zip(medians[few], medians[every], strict=True)]
    names = (
        (f"Rasio halaman pertama, {few} baris", f"Ratio first page, {few} rows"),
        ("Rasio halaman penuh", "Ratio full page"),
        ("Rasio peringkat", "Ratio ranking"),
    )
    return Report(sides, dict(zip(names, ratios, strict=True)))


def _publish(first: int, last: int, trips: int) -> None:
    """Regencies number `first` to `last`."""
    with admin(names_of(PROVINCE.slug).database) as province:
        for start in followed(range(first, last + 1, 20)):
            made = [made_up(number) for number in range(start, min(start + 20, last + 1))]
            with province.cursor() as cursor:
                cursor.executemany(REGENCIES, made)
            publish(province, [code for code, *_ in made], trips)
        # Nothing of the writing is left to do while pages are read.
        province.execute("VACUUM ANALYZE")
        province.execute("CHECKPOINT")


def made_up(number: int) -> tuple[str, str, str]:
    """Code, slug and name of a regency that is measured with."""
    code = f"{10 + number // 80}.{11 + number % 80}"
    return code, f"ukur-{number}", f"Kabupaten Ukur {number}"


def publish(connection: psycopg.Connection, codes: list[str], trips: int) -> None:
    """A year of figures, about that many trips each."""
    for statement in (MONTHS, FINDINGS):
        connection.execute(statement, {"codes": codes, "trips": trips})


def pages(overseer: FrontEnd, number: int, rounds: int) -> list[Measured]:
    """Milliseconds of the first page, a full page and the ranking, with so many regencies."""
    first, most = FEW, min(number, 100)

    def side(name: tuple[str, str], document: str, **given: int) -> Side:
        def milliseconds() -> float:
            began = perf_counter()
            answer = overseer.ask(document, **given)
            took = (perf_counter() - began) * 1_000
            (page,) = answer.values()
            if len(page["nodes"]) < given.get("first", 1):
                raise Refused("the province does not answer in full")
            return took

        return Measured(name, "ms"), milliseconds

    return alternate(
        [
            side((f"{first} dari {number} daerah", f"{first} of {number}"), PAGE, first=first),
            side(
                (f"halaman penuh, {most} dari {number}", f"full page, {most} of {number}"),
                PAGE,
                first=most,
            ),
            side((f"peringkat {number} daerah", f"ranking of {number}"), RANKING),
        ],
        rounds=rounds,
    )


def _forget() -> None:
    with admin(names_of(PROVINCE.slug).database) as province:
        for table in ("shared_month", "shared_finding"):
            province.execute(
                f"DELETE FROM {table} USING regency"  # noqa: S608
                " WHERE tenant = code AND slug LIKE 'ukur-%'"
            )
        province.execute("DELETE FROM regency WHERE slug LIKE 'ukur-%'")
