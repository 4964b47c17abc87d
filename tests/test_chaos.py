"""Crashes under load, a short rehearsal of them; `infra/chaos ingest` is the long one."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from uuid import uuid4

from infra.chaos_ingest import Found, compare
from infra.chaos_phones import Phone

ROOT = Path(__file__).parents[1]


def test_kills_under_load_lose_nothing() -> None:
    rehearsed = subprocess.run(
        [ROOT / "infra/chaos", "ingest", "--kills", "6", "--seed", "7", "--json"],
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "JEJAK_LANGUAGE": "en"},
    )
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr[-3000:]
    found = json.loads(rehearsed.stdout)
    assert found["kills"] == {"api": 2, "postgres": 2, "postgres-child": 1, "redis": 1}
    assert found["acknowledged"] == found["recorded"] > 1_000
    assert found["refused"], "the kills were felt"
    assert found["sound"] is True


def test_the_rehearsal_would_see_what_is_lost_doubled_or_made_up() -> None:
    phone = Phone("", "samarinda", "", uuid4(), first=0, most=1)
    phone.recorded = [(float(at), 117.0, -0.5) for at in range(5)]
    phone.acknowledged = 4
    first, second, third, fourth, unacknowledged = phone.recorded
    whole = Counter(phone.recorded[:4])
    for read, lost, doubled, unsent in (
        (whole, 0, 0, 0),
        (whole + Counter([unacknowledged]), 0, 0, 0),
        (whole - Counter([second, third]), 2, 0, 0),
        (whole + Counter([first, fourth]), 0, 2, 0),
        (whole - Counter([first]) + Counter([(0.5, 117.0, -0.5)]), 1, 0, 1),
    ):
        found = Found(seed=1, recorded=4, acknowledged=4)
        compare(read, [phone], found)
        assert (found.lost, found.doubled, found.unsent) == (lost, doubled, unsent)
        assert found.sound is not any((lost, doubled, unsent))
