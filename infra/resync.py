"""`jejak tenant resync`: the province copies a regency anew."""

from typing import Annotated

import typer
from rich.console import Console

from infra.processes import happens
from tenants.resync import is_copied, resync_tenant

PATIENCE = 600.0


def resync(
    slug: Annotated[str, typer.Argument(help="Name in the address, like samarinda.")],
) -> None:
    """Have the province copy a regency anew, after its replication slot was lost."""
    console = Console()
    with console.status(slug):
        resync_tenant(slug)
        copied = happens(lambda: is_copied(slug), seconds=PATIENCE)
    if not copied:
        console.print(f"{slug}: still being copied", highlight=False)
        raise typer.Exit(1)
    console.print(f"{slug}: copied anew", highlight=False)
