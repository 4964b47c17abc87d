"""The `jejak` command: for those who run the service."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from infra.agreements import LeastSeverity, Level, Travellers, agreement_commands, terms
from infra.chain import chain_commands
from infra.evaluate import evaluate
from infra.processes import ENVIRONMENT, state_folder
from infra.resync import resync
from infra.rules import rules_commands
from tenants import birth, catalogue, moving, rates
from tenants.agreements import SharingLevel, TravellerIdentity
from tenants.boundaries import add_boundary_set
from tenants.export import export_tenant
from tenants.models import Role
from tenants.people import Invitation, add_member
from tenants.problems import Problem
from tenants.realm import Issuer, RealmState
from tenants.region_files import RegionFileError, read_regions
from tenants.restoring import import_tenant, read_export
from tenants.server import prepare_server
from tenants.settings import MissingSetting
from workers.case import Severity
from workers.ruleset import UnknownParameter

app = typer.Typer(no_args_is_help=True, help="Jejak Dinas", pretty_exceptions_enable=False)
tenant_commands = typer.Typer(no_args_is_help=True, help="Regencies (kabupaten/kota).")
regions_commands = typer.Typer(no_args_is_help=True, help="Boundaries of the regions.")
member_commands = typer.Typer(no_args_is_help=True, help="People of a realm.")
rate_commands = typer.Typer(no_args_is_help=True, help="Daily allowances (uang harian).")
app.add_typer(tenant_commands, name="tenant")
app.add_typer(regions_commands, name="regions")
app.add_typer(member_commands, name="member")
app.add_typer(rate_commands, name="rate")
app.add_typer(rules_commands, name="rules")
app.add_typer(chain_commands, name="chain")
app.add_typer(agreement_commands, name="agreement")
app.command()(evaluate)
tenant_commands.command()(resync)
console = Console()

Slug = Annotated[str, typer.Argument(help="Name in the address, like samarinda.")]
IssuerUrl = Annotated[str, typer.Option("--issuer", help="The OpenID issuer, to the letter.")]
ClientId = Annotated[str, typer.Option("--client-id")]
ClientSecret = Annotated[str | None, typer.Option(envvar="JEJAK_CLIENT_SECRET")]
Audience = Annotated[str, typer.Option("--audience", help="What access tokens are for (aud).")]
Algorithm = Annotated[list[str], typer.Option("--algorithm", help="Pinned; may be repeated.")]
Target = Annotated[
    str, typer.Option("--to", envvar="JEJAK_TARGET_DSN", help="Administrator's DSN there.")
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from", envvar="JEJAK_SOURCE_DSN", help="Where it is, unless at JEJAK_SERVER_DSN."
    ),
]
IdentityClaim = Annotated[str, typer.Option("--identity-claim", help="Names whom was invited.")]
Server = Annotated[
    str | None, typer.Option(help="DSN of another PostgreSQL server's administrator.")
]
RS256 = ["RS256"]


def main() -> None:
    """Run a command; an expected failure is one line and exit 1.

    Where the environment says nothing, what `infra/up` last started in this checkout is meant.
    """
    started = state_folder() / ENVIRONMENT
    if started.exists():
        os.environ.update(json.loads(started.read_text()) | os.environ)
    try:
        app()
    except (
        Problem,
        RegionFileError,
        MissingSetting,
        UnknownParameter,
        psycopg.OperationalError,
        OSError,
    ) as problem:
        message = problem.message_en if isinstance(problem, Problem) else str(problem).strip()
        Console(stderr=True).print(f"jejak: {message}", markup=False, highlight=False)
        raise SystemExit(1) from None


@app.command()
def init(
    issuer: IssuerUrl,
    client_id: ClientId,
    audience: Audience,
    code: Annotated[str, typer.Option(help="Kemendagri's code of the province.")] = "64",
    name: Annotated[str, typer.Option()] = "Provinsi Kalimantan Timur",
    client_secret: ClientSecret = None,
    algorithm: Algorithm = RS256,
    identity_claim: IdentityClaim = "preferred_username",
) -> None:
    """Prepare a PostgreSQL server: the template, the catalogue and the province."""
    signing = Issuer(issuer, client_id, client_secret, audience, tuple(algorithm), identity_claim)
    prepare_server()
    console.print(birth.create_control(), highlight=False)
    birth.add_province(code=code, name=name, issuer=signing)


@app.command("schema")
def print_schema(
    province: Annotated[bool, typer.Option(help="The province's instead of a regency's.")] = False,
) -> None:
    """Print the GraphQL schema, for the tools of front ends."""
    # No other command needs the schemas, which take half a second to make.
    of = import_module(f"graphql_api.{'province' if province else 'schema'}")
    print(of.schema.as_str())


@tenant_commands.command()
def add(
    slug: Slug,
    code: Annotated[str, typer.Option(help="Kemendagri's code, like 64.72.")],
    name: Annotated[str, typer.Option()],
    issuer: IssuerUrl,
    client_id: ClientId,
    audience: Audience,
    zone: Annotated[str, typer.Option(help="IANA name of the time zone.")] = "Asia/Makassar",
    client_secret: ClientSecret = None,
    algorithm: Algorithm = RS256,
    identity_claim: IdentityClaim = "preferred_username",
    server: Server = None,
    agreement: Annotated[
        str, typer.Option(help="Number of the sharing agreement (perjanjian berbagi data).")
    ] = birth.FIRST_AGREEMENT,
    level: Level = SharingLevel.CASES,
    severity: LeastSeverity = Severity.NOTE,
    travellers: Travellers = TravellerIdentity.PSEUDONYMOUS,
) -> None:
    """Add a regency: its database, boundaries, rules and share with the province."""
    signing = Issuer(issuer, client_id, client_secret, audience, tuple(algorithm), identity_claim)
    with console.status(slug) as status:
        birth.add_tenant(
            slug=slug,
            code=code,
            name=name,
            zone=zone,
            issuer=signing,
            server=server,
            terms=terms(zone, agreement, None, None, level, severity, travellers),
            on_step=status.update,
        )
    console.print(f"{name} ({code}): /{slug}/graphql", highlight=False)


@tenant_commands.command("list")
def list_tenants() -> None:
    """List the regencies."""
    table = Table("slug", "code", "name", "state")
    for entry in birth.entries():
        table.add_row(entry.slug, entry.code, entry.name, entry.state)
    console.print(table)


@tenant_commands.command()
def migrate() -> None:
    """Bring every database to the newest schema; go on past one that fails, then exit 1."""
    failed = False
    for slug, came_of_it in birth.migrate_all():
        if isinstance(came_of_it, Exception):
            failed = True
            console.print(f"{slug}: failed, {type(came_of_it).__name__}", highlight=False)
        else:
            console.print(f"{slug}: {'migrated' if came_of_it else 'at head'}", highlight=False)
    if failed:
        raise typer.Exit(1)


@tenant_commands.command()
def suspend(slug: Slug) -> None:
    """Stop serving a regency; nothing of it is lost."""
    birth.set_state(slug, RealmState.SUSPENDED)


@tenant_commands.command()
def resume(slug: Slug) -> None:
    """Serve a suspended regency again."""
    birth.set_state(slug, RealmState.ACTIVE)


@tenant_commands.command()
def drop(
    slug: Slug,
    confirm: Annotated[str, typer.Option(prompt="Type the slug again, all its data goes")],
    server: Server = None,
) -> None:
    """Remove a regency and all its data, for good."""
    if confirm != slug:
        console.print("Not dropped.")
        raise typer.Exit(1)
    birth.drop_tenant(slug, server)


@tenant_commands.command()
def move(
    slug: Slug,
    to: Target,
    source: Source = None,
    drop: Annotated[bool, typer.Option("--drop", help="Keep no copy at the old place.")] = False,
) -> None:
    """Move a regency to another PostgreSQL server while it works; writes pause for a moment."""
    with _progress() as progress:
        bar = progress.add_task(slug, total=1.0)
        moved = moving.move_tenant(
            slug,
            to=to,
            source=source,
            drop=drop,
            on_step=lambda step: progress.update(bar, description=f"{slug}: {step}"),
            on_copied=lambda share: progress.update(bar, completed=share),
        )
    console.print(
        f"{slug}: {moved.size / 1e6:.0f} MB moved, writes paused for {moved.paused:.1f} s",
        highlight=False,
    )
    if moved.kept:
        console.print(f"the old database is kept as {moved.kept}", highlight=False)
    for step in moved.left:
        console.print(f"not tidied up: {step}", markup=False, highlight=False)
    if moved.left:
        raise typer.Exit(1)


def _progress() -> Progress:
    return Progress(console=Console(stderr=True), transient=True)


def _rows(progress: Progress, slug: str) -> Callable[[str, int, int], None]:
    """Shows which table is at work, and the share of all rows that is done."""
    bar = progress.add_task(slug)
    return lambda table, done, whole: progress.update(
        bar, description=f"{slug}: {table}", completed=done, total=whole
    )


@tenant_commands.command("export")
def export(
    slug: Slug,
    folder: Annotated[Path, typer.Argument(help="Empty, or made; for its owner alone.")],
) -> None:
    """Write all that a regency owns into a folder: CSV, GeoPackage, and a manifest."""
    with _progress() as progress:
        exported = export_tenant(slug, folder, on_rows=_rows(progress, slug))
    console.print(
        f"{slug}: {exported.rows} rows of {exported.tables} tables, {exported.size / 1e6:.1f} MB",
        highlight=False,
    )


@tenant_commands.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="What `jejak tenant export` wrote.")],
    slug: Annotated[str | None, typer.Option(help="Another name in the address.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Another OpenID issuer.")] = None,
    client_id: Annotated[str | None, typer.Option()] = None,
    audience: Annotated[str | None, typer.Option(help="Another aud of access tokens.")] = None,
    client_secret: ClientSecret = None,
) -> None:
    """Make a regency of an export, whole or not at all; what is not said is as it was."""
    found = read_export(folder)
    signing = replace(
        found.issuer,
        url=issuer or found.issuer.url,
        client_id=client_id or found.issuer.client_id,
        audience=audience or found.issuer.audience,
        client_secret=client_secret,
    )
    with _progress() as progress:
        import_tenant(found, slug=slug, issuer=signing, on_rows=_rows(progress, slug or found.slug))
    console.print(f"{found.name} ({found.code}): /{slug or found.slug}/graphql", highlight=False)


@regions_commands.command("import")
def import_regions(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage or (zipped) Shapefile.")],
    source: Annotated[str, typer.Option(help="Who published it.")],
    licence: Annotated[str, typer.Option(help="On what terms.")],
    dated: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    tolerance: Annotated[float, typer.Option(help="How far a border may be off, metres.")] = 100,
    tenant: Annotated[list[str] | None, typer.Option(help="Only these regencies.")] = None,
    code_field: Annotated[str | None, typer.Option()] = None,
    name_field: Annotated[str | None, typer.Option()] = None,
    layer: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Import official boundaries: repaired, reported on, kept as a new version."""
    regions, report = read_regions(
        file,
        source=source,
        licence=licence,
        dated=dated.date(),
        tolerance_m=tolerance,
        code_field=code_field,
        name_field=name_field,
        layer=layer,
    )
    for line in report.lines():
        console.print(line, highlight=False)
    wanted = [entry.slug for entry in birth.entries()] if tenant is None else tenant
    for slug in wanted:
        with psycopg.connect(birth.owner_dsn(slug)) as connection:
            version = add_boundary_set(connection, regions)
        console.print(f"{slug}: boundary version {version}", highlight=False)


@member_commands.command("add")
def add_a_member(
    realm: Slug,
    name: Annotated[str, typer.Option()],
    invited_as: Annotated[str, typer.Option(help="What the issuer will call the person.")],
    role: Annotated[list[Role], typer.Option(help="May be repeated.")],
    office: Annotated[UUID | None, typer.Option()] = None,
    nip: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Invite a person, such as a regency's first admin or a provincial overseer."""
    invitation = Invitation(name, frozenset(role), office, nip, invited_as=invited_as)
    with catalogue.realm(realm).session(readonly=False) as session:
        console.print(add_member(session, invitation, today=_today()).id)


@rate_commands.command("add")
def add_a_rate(
    tenant: Slug,
    province: Annotated[str, typer.Option(help="Kemendagri's code of the destination, like 64.")],
    amount: Annotated[str, typer.Option(help="Rupiah a day.")],
    valid_from: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    legal_basis: Annotated[str, typer.Option(help="The regulation that sets it.")],
    valid_until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
) -> None:
    """Enter a daily allowance; the product ships none."""
    with catalogue.tenant(tenant).session(readonly=False) as session:
        rates.add(
            session,
            rates.Rate(
                province_code=province,
                amount=Decimal(amount),
                valid_from=valid_from.date(),
                valid_until=valid_until.date() if valid_until else None,
                legal_basis=legal_basis,
            ),
        )


def _today() -> date:
    return datetime.now(UTC).date()
