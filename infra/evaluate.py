"""`jejak evaluate`: judges a trip from files, with the service's code and without the service."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress as Bar

from infra.evaluation import Evaluation, evaluation
from infra.evaluation_report import Language, report
from tenants.gathering import Progress
from tenants.input_files import UnusableFile
from workers.case import Deviation
from workers.rules import BY_KIND

LARGE_BYTES: Final = 10_000_000


def evaluate(
    plan: Annotated[Path, typer.Option(help="The plan of the trip, JSON (see the README).")],
    track: Annotated[
        list[Path], typer.Option(help="GPX, GeoJSON, CSV or OwnTracks .rec; may be repeated.")
    ],
    regions: Annotated[
        Path | None,
        typer.Option(help="Outlines instead of the product's own: GeoJSON, GeoPackage, Shapefile."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How far a border of --regions may be off, metres.")
    ] = 100,
    as_of: Annotated[
        str | None, typer.Option(help="Judge as of this time (ISO 8601 with zone).")
    ] = None,
    any_order: Annotated[
        bool, typer.Option("--any-order", help="Accept times that go back.")
    ] = False,
    lang: Annotated[Language, typer.Option(help="Language of the report.")] = Language.ID,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a report.")] = False,
) -> None:
    """Judge a trip from files, without the service; exit 2 when a file cannot be used."""
    try:
        with _progress(track) as progress:
            found = evaluation(
                plan,
                track,
                regions,
                tolerance_m=tolerance,
                as_of=as_of,
                any_order=any_order,
                progress=progress,
            )
    except UnusableFile as unusable:
        for message in (unusable.message_id, unusable.message_en):
            print(f"jejak: {message}", file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(as_plain(found), indent=2))
    else:
        report(found, lang)


@contextmanager
def _progress(tracks: Sequence[Path]) -> Iterator[Progress]:
    """A bar over the bytes of all tracks, where somebody looks and must wait."""
    try:
        size = sum(path.stat().st_size for path in tracks)
    except (OSError, ValueError):
        size = 0  # whoever reads them will say what is wrong
    if size < LARGE_BYTES or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Membaca jejak / reading tracks", total=size)
        yield lambda count: bar.advance(task, count)


def as_plain(found: Evaluation) -> dict[str, Any]:
    """A verdict in the types of JSON; times are UTC."""
    verdict = found.verdict
    return {
        "verdict": verdict.outcome,
        "coverage": round(verdict.coverage, 6),
        "final": verdict.final,
        "ruleset": verdict.ruleset,
        "regions": {
            "source": found.boundaries.source,
            "tolerance_m": found.boundaries.tolerance_m,
        },
        "stays": [
            {
                "region": stay.region,
                "arrived_at": _utc(stay.started_at),
                "left_at": _utc(stay.ended_at),
            }
            for stay in verdict.stays
        ],
        "gaps": [
            {
                "started_at": _utc(gap.started_at),
                "ended_at": _utc(gap.ended_at),
                "reason": gap.reason,
            }
            for gap in verdict.gaps
        ],
        "days": [
            {
                "date": day.date.isoformat(),
                "planned": day.planned,
                "seen": day.seen,
                "known_seconds": round(day.known_seconds),
                "state": day.state,
            }
            for day in verdict.days
        ],
        "deviations": [_deviation(deviation) for deviation in verdict.deviations],
    }


def _deviation(found: Deviation) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "started_at": _utc(found.started_at),
        "ended_at": _utc(found.ended_at),
        "region": found.region,
        "severity": found.severity,
        "message_id": found.message_id,
        "message_en": found.message_en,
        "refuted_by_id": BY_KIND[found.kind].refutation.id,
        "refuted_by_en": BY_KIND[found.kind].refutation.en,
        "leg": found.leg,
        "planned_region": found.planned_region,
        "coverage": round(found.coverage, 6),
        "amount": None if found.amount is None else str(found.amount),
        "evidence": [digest.hex() for digest in found.evidence],
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
