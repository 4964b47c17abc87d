"""The README's first command, as a newcomer runs it."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_demonstration_plays_to_its_end() -> None:
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)
        played = subprocess.run(
            [ROOT / "infra/up", "--once", "--json"],
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "JEJAK_HOME": folder},
        )
    assert played.returncode == 0, played.stderr[-3000:]
    summary = json.loads(played.stdout)
    assert summary["as_expected"] is True
    assert {trip["tenant"] for trip in summary["trips"]} == {"samarinda", "balikpapan"}
    found = {kind["kind"] for trip in summary["trips"] for kind in trip["deviations"]}
    assert found == {"NEVER_LEFT", "WRONG_REGION", "SHORT_STAY"}
    assert {trip["verdict"] for trip in summary["trips"]} == {
        "CONFORMS", "DEVIATES", "UNVERIFIABLE",
    }  # fmt: skip
    assert [row["code"] for row in summary["province"]] == ["64.71", "64.72"]
