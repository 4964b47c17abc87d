"""The `jejak chain` commands: is the evidence of a regency what it was?"""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from tenants import catalogue
from tenants.soundness import Checked, verify
from tenants.trails import shown

chain_commands = typer.Typer(no_args_is_help=True, help="The evidence chain.")
console = Console()

SHOWN = 100


@chain_commands.callback()
def chain() -> None:
    """Keep `verify` a command of its own, although it is the only one."""


@chain_commands.command("verify")
def verify_chain(
    tenant: Annotated[str, typer.Argument(help="Name in the address, like samarinda.")],
    as_json: Annotated[bool, typer.Option("--json", help="All that was found, as JSON.")] = False,
) -> None:
    """Prove that nothing was altered, removed or inserted since the heads that the province holds.

    Exit 0 when all is as it was sealed, 3 when it is not.
    """
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(tenant)

        def follow(done: int, of: int) -> None:
            if done % 100 == 0 or done == of:
                progress.update(bar, completed=done, total=of)

        checked = verify(catalogue.tenant(tenant), catalogue.province(), follow=follow)
    if as_json:
        print(orjson.dumps(_plain(tenant, checked), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(tenant, checked)
    if checked.found:
        raise typer.Exit(3)


def _show(tenant: str, checked: Checked) -> None:
    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    for fault in checked.faults[:SHOWN]:
        line(f"{fault.what}  {fault.place}: {fault.why}")
    if checked.found > SHOWN:
        line(f"and {checked.found - SHOWN} more")
    line(
        f"{tenant}: {checked.seals} seals, {checked.heads} heads at the province,"
        f" {checked.trips} trips with {checked.chunks} chunks, {checked.rows} rows"
    )
    if checked.newest is None:
        line("The province holds no head yet: nothing is proved against the regency itself.")
    else:
        newest = checked.newest
        line(
            f"Newest head there: {newest.number}, {newest.head.hex()[:16]},"
            f" received {shown(newest.received_at)}"
        )
    line(
        f"Not covered yet: {checked.unsealed} not sealed,"
        f" {checked.unpublished} seals not at the province"
    )
    line("sound" if not checked.found else f"NOT SOUND: {checked.found} found")


def _plain(tenant: str, checked: Checked) -> dict[str, Any]:
    newest = checked.newest
    counted = ("seals", "heads", "trips", "chunks", "rows", "unsealed", "unpublished", "found")
    return {
        "tenant": tenant,
        "sound": not checked.found,
        **{name: getattr(checked, name) for name in counted},
        "newest": newest
        and {
            "number": newest.number,
            "head": newest.head.hex(),
            "sealed_at": newest.sealed_at,
            "received_at": newest.received_at,
        },
        "faults": [asdict(fault) for fault in checked.faults],
    }
