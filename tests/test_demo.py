"""The README's first command, as a newcomer runs it."""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def processes_of(folder: str) -> list[str]:
    """Command lines of what still runs out of the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            alive = (entry / "stat").read_text().rpartition(") ")[2][0] != "Z"
        except OSError:
            continue
        if folder.encode() in words and alive and entry.name != str(os.getpid()):
            found.append(words.decode(errors="replace")[:200])
    return found


def test_the_demonstration_plays_is_left_by_ctrl_c_and_served_again() -> None:
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)
        told = []
        for arguments in (["--seconds", "1", "--json"], ["--keep"]):
            running = subprocess.Popen(
                [ROOT / "infra/up", *arguments],
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "JEJAK_HOME": folder, "COLUMNS": "200"},
            )
            assert running.stderr is not None
            shown = []
            for line in running.stderr:
                shown.append(line)
                if "Ctrl-C" in line:
                    break
            assert running.poll() is None, "".join(shown)
            assert any("/samarinda/graphql" in line for line in shown)
            assert len(processes_of(folder)) > 5
            running.send_signal(signal.SIGINT)
            told.append(running.communicate(timeout=60)[0])
            assert processes_of(folder) == []
        left = subprocess.run(
            [ROOT / "infra/up", "--keep", "--once"],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "JEJAK_HOME": folder},
        )
    assert left.returncode == 0, left.stderr[-3000:]
    summary = json.loads(told[0])
    assert summary["as_expected"] is True
    assert {trip["tenant"] for trip in summary["trips"]} == {"samarinda", "balikpapan"}
    found = {kind["kind"] for trip in summary["trips"] for kind in trip["deviations"]}
    assert found == {
        "NEVER_LEFT", "WRONG_REGION", "EARLY_RETURN", "SHORT_STAY", "LOW_COVERAGE",
    }  # fmt: skip
    assert {trip["verdict"] for trip in summary["trips"]} == {
        "CONFORMS", "DEVIATES", "UNVERIFIABLE",
    }  # fmt: skip
    assert [row["code"] for row in summary["province"]] == ["64.71", "64.72"]
