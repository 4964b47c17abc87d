"""The `jejak rules` commands: the catalogue, a regency's versions, and what others would change."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tenants import boundaries, catalogue, rulesets
from tenants.realm import Tenant
from workers import reevaluate
from workers.gather import Versions
from workers.reevaluate import Change, Closed
from workers.rules.catalogue import catalogue as catalogue_page
from workers.ruleset import UnknownParameter, ruleset

rules_commands = typer.Typer(no_args_is_help=True, help="The rules trips are judged by.")
console = Console()

Slug = Annotated[str, typer.Argument(help="Name in the address, like samarinda.")]
Day = typer.Option(formats=["%Y-%m-%d"])


@rules_commands.command("catalogue")
def print_catalogue() -> None:
    """Print the page that explains every rule, workers/RULES.md."""
    print(catalogue_page(), end="")


@rules_commands.command("list")
def list_versions(tenant: Slug) -> None:
    """The versions of a regency's rules, with what each changes."""
    table = Table("version", "valid from", "until", "legal basis", "parameters")
    with catalogue.tenant(tenant).session(readonly=True) as session:
        for row in rulesets.versions(session):
            table.add_row(
                str(row.version),
                row.valid_from.isoformat(),
                row.valid_until.isoformat() if row.valid_until else "",
                row.legal_basis,
                json.dumps(row.parameters),
            )
    console.print(table)


@rules_commands.command("add")
def add_version(
    tenant: Slug,
    file: Annotated[Path, typer.Argument(help="JSON: parameters, and terms by rule.")],
    legal_basis: Annotated[str, typer.Option(help="The regulation that sets them.")],
    valid_from: Annotated[datetime, Day],
    valid_until: Annotated[datetime | None, Day] = None,
) -> None:
    """Add a version; trips that begin while it is valid are judged by it."""
    parameters = _parameters(file)
    with catalogue.tenant(tenant).session(readonly=False) as session:
        version = rulesets.add(
            session,
            parameters=parameters,
            legal_basis=legal_basis,
            valid_from=valid_from.date(),
            valid_until=valid_until.date() if valid_until else None,
        )
    console.print(f"{tenant}: ruleset version {version}", highlight=False)


def _parameters(file: Path) -> dict[str, Any]:
    try:
        stored = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        raise UnknownParameter(f"{file}: cannot be read as JSON") from wrong
    if not isinstance(stored, dict):
        raise UnknownParameter(f"{file}: holds no object")
    ruleset(0, stored)
    return stored


@rules_commands.command("try")
def try_versions(
    tenant: Slug,
    ruleset: Annotated[int | None, typer.Option(help="Version; the newest when left out.")] = None,
    boundary_set: Annotated[int | None, typer.Option("--boundaries", help="The same.")] = None,
    since: Annotated[datetime | None, Day] = None,
    apply: Annotated[bool, typer.Option(help="Judge anew; old verdicts stay.")] = False,
) -> None:
    """Judge closed trips by other rules or boundaries, and show what would change."""
    realm = catalogue.tenant(tenant)
    with realm.session(readonly=True) as session:
        by = Versions(
            ruleset or rulesets.versions(session)[-1].version,
            boundary_set or boundaries.current_version(session),
        )
        rulesets.get(session, by.ruleset)
        trips = reevaluate.closed(session, since=since.date() if since else date.min)
    changes = list(_tried(realm, trips, by))
    table = Table("letter", "now", "then", "deviations now", "deviations then")
    for change in changes:
        table.add_row(
            change.trip.letter,
            change.trip.outcome,
            change.outcome,
            _kinds(change.trip.findings),
            _kinds(change.findings),
        )
    if changes:
        console.print(table)
    counted = Counter((change.trip.outcome, change.outcome) for change in changes)
    console.print(f"{len(trips)} closed trips, {len(changes)} would change", highlight=False)
    for (before, after), count in sorted(counted.items()):
        console.print(f"  {before} -> {after}: {count}", highlight=False)
    if apply:
        for change in track(changes, "Judging", console=console, transient=True):
            reevaluate.apply(realm, change, by=by, now=datetime.now(UTC))
        console.print(f"{len(changes)} judged anew; the old verdicts are kept", highlight=False)


def _tried(realm: Tenant, trips: list[Closed], by: Versions) -> list[Change]:
    tried = reevaluate.tried(realm, trips, by=by, now=datetime.now(UTC))
    shown = track(tried, "Trying", total=len(trips), console=console, transient=True)
    return [change for change in shown if change.matters]


def _kinds(findings: frozenset[reevaluate.Finding]) -> str:
    return ", ".join(sorted({f"{kind} ({severity})" for kind, severity, *_ in findings}))
