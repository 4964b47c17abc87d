"""/{realm}/export/{table}.{csv|xlsx}: what is shown, for spreadsheets.

The province has indicators and cases, a regency its claims.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from graphql_api.context import Context, ProvinceContext, TenantContext
from graphql_api.enums import ClaimState, DeviationKind, DeviationState, Outcome
from graphql_api.errors import Refusal
from graphql_api.http import JSON, problem_answer, refusal_answer
from graphql_api.spreadsheets import FORMATS, Batches, Cell, Spreadsheet
from tenants import claims, indicators, province
from tenants.claims import Claim, ClaimFilter
from tenants.indicators import Figures, Months, RegencyFigures
from tenants.problems import InvalidInput, Problem
from tenants.province import CaseFilter, SharedDeviation

T = TypeVar("T")
C = TypeVar("C", bound=Context[Any])

AT_ONCE: Final = 1_000
"""Rows read in one transaction: a long export holds no connection for long."""

KINDS: Final = tuple(DeviationKind)
INDICATORS: Final = (
    "Kode / Code",
    "Kabupaten/Kota / Regency",
    "Bulan / Month",
    "Perjalanan / Trips",
    "Hari / Days",
    "Cakupan / Coverage",
    "Sesuai / Conforms",
    "Menyimpang / Deviates",
    "Tidak dapat diverifikasi / Unverifiable",
    "Temuan terbuka / Open deviations",
    "Temuan selesai / Settled deviations",
    "Rupiah dipertaruhkan / Amount at stake",
    "Bagian menyimpang / Deviating share",
    "Batas bawah 95 % / Lower bound",
    "Batas atas 95 % / Upper bound",
    "Median jam sampai tanggapan / Median hours to reply",
    "Median jam sampai keputusan / Median hours to ruling",
    *(f"Temuan / Deviations {kind}" for kind in KINDS),
    "Per tanggal (UTC) / As of",
    "Terjangkau / Reachable",
)
CASES: Final = (
    "ID temuan / Case ID",
    "Kode / Code",
    "ID perjalanan / Trip ID",
    "Jenis / Kind",
    "Bobot / Severity",
    "Status / State",
    "Mulai (UTC) / Started",
    "Selesai (UTC) / Ended",
    "Wilayah terlihat / Region seen",
    "Wilayah tujuan / Planned region",
    "Cakupan / Coverage",
    "Rupiah / Amount",
    "Temuan / Message",
    "Message (English)",
    "Ditemukan (UTC) / Found",
    "Ditanggapi (UTC) / Replied",
    "Diputuskan (UTC) / Ruled",
)


CLAIMS: Final = (
    "ID perjalanan / Trip ID",
    "Surat tugas / Letter",
    "Nomor SPD / SPD number",
    "Pelaksana / Traveller",
    "Perangkat daerah / Office",
    "Mulai / Starts",
    "Selesai / Ends",
    "Hari diklaim / Days claimed",
    "Hari terlihat / Days observed",
    "Hari tidak pasti / Days unknown",
    "Laporan / Report filed",
    "Keadaan / State",
    "Menunggu putusan (Rp) / At stake",
    "Ditegakkan (Rp) / Upheld",
    "Dikembalikan (Rp) / Recovered",
    "Belum dikembalikan (Rp) / Outstanding",
)


@dataclass(frozen=True, slots=True)
class _Table(Generic[C]):
    """What may be exported: its columns, the parameters that filter it, and its rows."""

    header: Sequence[str]
    parameters: frozenset[str]
    batches: Callable[[C, "Parameters"], Batches]


class Parameters:
    """The parameters of an export, of the types they must have; raises `InvalidInput`."""

    def __init__(self, given: QueryParams, known: frozenset[str]) -> None:
        for name in given:
            if name not in known:
                raise InvalidInput(name, "tidak dikenal", "is unknown")
        self._given = given

    def one(self, name: str, read: Callable[[str], T]) -> T | None:
        found = self.some(name, read)
        if found is not None and len(found) > 1:
            raise InvalidInput(name, "hanya satu", "only one")
        return None if found is None else found[0]

    def some(self, name: str, read: Callable[[str], T]) -> list[T] | None:
        given = self._given.getlist(name)
        try:
            return [read(each) for each in given] or None
        except ValueError:
            raise InvalidInput(name, "tidak terbaca", "cannot be read") from None


def _code(given: str) -> str:
    if "\x00" in given:
        raise ValueError
    return given


def _time(given: str) -> datetime:
    # A plus of the zone comes as a blank where it was not encoded.
    time = datetime.fromisoformat(given.replace(" ", "+"))
    if time.tzinfo is None:
        raise ValueError
    return time


async def _indicators(context: ProvinceContext, given: Parameters) -> Batches:
    months = Months(
        given.one("firstMonth", date.fromisoformat), given.one("lastMonth", date.fromisoformat)
    )
    codes, after = given.some("code", _code), None
    while True:
        viewer = await context.still_signed_in()
        found = await context.read(
            indicators.page, viewer, months=months, codes=codes, after=after, first=100
        )
        yield list(chain.from_iterable(map(_months, found[:100])))
        if len(found) <= 100:
            return
        after = found[99].code


def _months(regency: RegencyFigures) -> Iterator[Sequence[Cell]]:
    for month, figures in regency.months:
        yield (
            *(regency.code, regency.name, month),
            *_figures(figures),
            *(regency.freshness.as_of, regency.freshness.reachable),
        )


def _figures(figures: Figures) -> Iterator[Cell]:
    yield from (figures.trips, figures.days, figures.coverage)
    yield from (figures.verdicts[outcome] for outcome in Outcome)
    yield from (figures.open_deviations, figures.settled_deviations, figures.amount_at_stake)
    found = figures.deviation_share
    yield from (found.share, found.low, found.high) if found else (None, None, None)
    yield from (figures.median_hours_to_reply, figures.median_hours_to_ruling)
    yield from (figures.kinds[kind] for kind in KINDS)


async def _cases(context: ProvinceContext, given: Parameters) -> Batches:
    wanted = CaseFilter(
        given.some("kinds", DeviationKind) or KINDS,
        given.one("regencyCode", _code),
        given.some("states", DeviationState),
        given.one("foundFrom", _time),
        given.one("foundBefore", _time),
    )
    after = None
    while True:
        viewer = await context.still_signed_in()
        found = await context.read(province.page, viewer, wanted=wanted, after=after, first=AT_ONCE)
        yield [_case(row) for row in found[:AT_ONCE]]
        if len(found) <= AT_ONCE:
            return
        last = found[AT_ONCE - 1]
        after = last.found_at, last.id


def _case(row: SharedDeviation) -> Sequence[Cell]:
    return (
        *(str(row.id), row.tenant, str(row.trip_id), row.kind, row.severity, row.state),
        *(row.started_at, row.ended_at, row.region_code, row.planned_region_code),
        *(row.coverage, row.amount, row.message_id, row.message_en),
        *(row.found_at, row.replied_at, row.ruled_at),
    )


async def _claims(context: TenantContext, given: Parameters) -> Batches:
    wanted = ClaimFilter(
        given.some("states", ClaimState),
        given.one("officeId", UUID),
        given.one("startsFrom", date.fromisoformat),
        given.one("startsUntil", date.fromisoformat),
    )
    after = None
    while True:
        viewer = await context.still_signed_in()
        found = await context.read(claims.page, viewer, wanted=wanted, after=after, first=AT_ONCE)
        yield [_claim(row) for row in found[:AT_ONCE]]
        if len(found) <= AT_ONCE:
            return
        last = found[AT_ONCE - 1].trip
        after = last.starts_on, last.id


def _claim(row: Claim) -> Sequence[Cell]:
    trip, office = row.trip, row.trip.traveller.office
    return (
        *(str(trip.id), trip.letter.number, trip.spd_number, trip.traveller.name),
        *(office.name if office else None, trip.starts_on, trip.ends_on, trip.claimed_days),
        *(row.observed_days, row.unknown_days, trip.reported_on, row.state),
        *(row.at_stake, row.upheld, row.recovered, row.outstanding),
    )


OF_REGENCY: Final[Mapping[str, _Table[TenantContext]]] = {
    "claims": _Table(
        CLAIMS, frozenset({"states", "officeId", "startsFrom", "startsUntil"}), _claims
    ),
}
OF_PROVINCE: Final[Mapping[str, _Table[ProvinceContext]]] = {
    "indicators": _Table(INDICATORS, frozenset({"code", "firstMonth", "lastMonth"}), _indicators),
    "cases": _Table(
        CASES,
        frozenset({"regencyCode", "states", "kinds", "foundFrom", "foundBefore"}),
        _cases,
    ),
}


def export_routes(
    realm: str,
    tables: Mapping[str, _Table[C]],
    context_for: Callable[[HTTPConnection], Awaitable[C]],
) -> list[Route]:
    """Every table in every format, for whoever may ask the realm's GraphQL."""
    return [
        Route(
            f"/{realm}/export/{name}.{ending}",
            partial(_export, context_for, f"{name}.{ending}", table, spreadsheet),
            methods=["GET"],
        )
        for name, table in tables.items()
        for ending, spreadsheet in FORMATS.items()
    ]


async def _export(
    context_for: Callable[[HTTPConnection], Awaitable[C]],
    file_name: str,
    table: _Table[C],
    spreadsheet: Spreadsheet,
    request: Request,
) -> Response:
    try:
        context = await context_for(request)
        _ = context.signed_in
        batches = table.batches(context, Parameters(request.query_params, table.parameters))
        # What is refused is refused now, with a status of its own.
        first = await anext(batches)
    except InvalidInput as problem:
        return refusal_answer(
            Refusal(400, problem.code, problem.message_id, problem.message_en), JSON
        )
    except Problem as problem:
        return problem_answer(problem, JSON)
    return StreamingResponse(
        spreadsheet.stream(table.header, _again(first, batches)),
        media_type=spreadsheet.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{file_name}"',
            "Cache-Control": "no-store",
        },
    )


async def _again(first: Sequence[Sequence[Cell]], rest: Batches) -> Batches:
    yield first
    async for batch in rest:
        yield batch
