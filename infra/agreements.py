"""The `jejak agreement` commands: what a regency shares with the province."""

from datetime import UTC, datetime
from getpass import getuser
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from tenants import agreements, birth, catalogue
from tenants.agreements import SharingLevel, Signer, Terms, TravellerIdentity
from workers.case import Severity

agreement_commands = typer.Typer(
    no_args_is_help=True, help="Sharing agreements (perjanjian berbagi data)."
)
console = Console()

Slug = Annotated[str, typer.Argument(help="Name in the address, like samarinda.")]
Number = Annotated[str, typer.Option(help="Of the agreement, as it is signed.")]
Level = Annotated[SharingLevel, typer.Option(help="Figures only, or cases as well.")]
LeastSeverity = Annotated[Severity, typer.Option(help="Of CASES: the least of a shared deviation.")]
Travellers = Annotated[TravellerIdentity, typer.Option(help="Of CASES: whether names are told.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
By = Annotated[str | None, typer.Option(help="Who decided it; the system's user when left out.")]


def terms(
    zone: str,
    number: str,
    valid_from: datetime | None,
    valid_until: datetime | None,
    level: SharingLevel,
    severity: Severity,
    travellers: TravellerIdentity,
) -> Terms:
    """The options as terms; from today on, when no day is given."""
    cases = level is SharingLevel.CASES
    return Terms(
        number,
        valid_from.date() if valid_from else datetime.now(ZoneInfo(zone)).date(),
        valid_until.date() if valid_until else None,
        level,
        severity if cases else None,
        travellers if cases else None,
    )


@agreement_commands.command("set")
def set_agreement(
    tenant: Slug,
    number: Number,
    level: Level = SharingLevel.CASES,
    severity: LeastSeverity = Severity.NOTE,
    travellers: Travellers = TravellerIdentity.PSEUDONYMOUS,
    valid_from: Day = None,
    valid_until: Day = None,
    by: By = None,
) -> None:
    """Declare an agreement; from its first day on it replaces what was agreed before."""
    with birth.as_owner(tenant) as (owner, session):
        agreements.declare(
            session,
            terms(owner.zone, number, valid_from, valid_until, level, severity, travellers),
            zone=owner.zone,
            signer=Signer(by or getuser()),
            now=datetime.now(UTC),
        )
    console.print(f"{tenant}: {number} declared", highlight=False, markup=False)


@agreement_commands.command("withdraw")
def withdraw_agreement(tenant: Slug, reason: Annotated[str, typer.Option()], by: By = None) -> None:
    """Withdraw every agreement that has not ended; the province loses all that was shared."""
    with birth.as_owner(tenant) as (owner, session):
        withdrawn = agreements.withdraw(
            session,
            zone=owner.zone,
            reason=reason,
            signer=Signer(by or getuser()),
            now=datetime.now(UTC),
        )
    for agreement in withdrawn:
        console.print(f"{tenant}: {agreement.number} withdrawn", highlight=False, markup=False)


@agreement_commands.command("list")
def list_agreements(tenant: Slug) -> None:
    """Every agreement that was declared, newest first; * is in force."""
    table = Table("", "number", "from", "until", "shares", "declared", "withdrawn")
    with catalogue.known(tenant).session(readonly=True) as session:
        now = agreements.in_force(session)
        for row in agreements.history(session):
            shared = [str(part) for part in (row.level, row.severity, row.travellers) if part]
            table.add_row(
                "*" if row is now else "",
                row.number,
                row.valid_from.isoformat(),
                row.valid_until.isoformat() if row.valid_until else "",
                " ".join(shared),
                f"{row.declared_at:%Y-%m-%d %H:%M}Z {row.declared_by}",
                f"{row.withdrawn_at:%Y-%m-%d %H:%M}Z {row.withdrawn_by}: {row.withdrawal_reason}"
                if row.withdrawn_at
                else "",
            )
    console.print(table)
