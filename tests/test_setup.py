"""What infra/ promises: private servers that keep their data, and nothing left running."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.processes import (
    CHECKOUT,
    Process,
    SetupProblem,
    claimed,
    free_port,
    port,
    secret,
    state_folder,
)
from infra.services import Cluster, Issuer, Person, Provider, Redis


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders to others, and root's PostgreSQL is another user.
    with tempfile.TemporaryDirectory(prefix="jejak-") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setenv("JEJAK_HOME", folder)
        yield state_folder()


def issuer(home: Path) -> Issuer:
    return Issuer(
        name="ppu",
        title="Kabupaten Penajam Paser Utara",
        port=port(home, "issuer-ppu"),
        audience="http://127.0.0.1:9/ppu",
        client_id="jejak-dinas",
        client_secret=secret(home, "client-ppu"),
        redirect_uris=("http://127.0.0.1:9/ppu/login",),
        people=(Person("budi", "Budi Santoso"),),
    )


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def parents() -> dict[int, int]:
    """Return every process' parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def test_state_folder_belongs_to_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JEJAK_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    mine = state_folder()
    assert mine.parent == tmp_path / "jejak-dinas"
    assert mine.name.startswith(f"{CHECKOUT.name}-")
    assert mine.stat().st_mode & 0o777 == 0o711


def test_servers_keep_their_data(home: Path) -> None:
    seen = []
    for _ in range(2):
        with (
            Cluster(home) as cluster,
            Redis(home) as broker,
            Provider(home, [issuer(home)]) as it,
        ):
            with psycopg.connect(cluster.admin_dsn, autocommit=True) as db:
                db.execute("CREATE TABLE IF NOT EXISTS runs (at timestamptz DEFAULT now())")
                db.execute("INSERT INTO runs DEFAULT VALUES")
                rows = db.execute("SELECT count(*) FROM runs").fetchone()
            with redis.Redis.from_url(broker.url) as client:
                count = client.incr("runs")
            keys = httpx2.get(f"{issuer(home).url}/jwks", trust_env=False).json()
            seen.append((cluster.admin_dsn, broker.url, keys, rows, count))
            pids = [cluster.process.pid, broker.process.pid, it.process.pid]
        assert gone(pids)
    first, second = seen
    assert first[:3] == second[:3]
    assert [first[3:], second[3:]] == [((1,), 1), ((2,), 2)]


def test_cluster_is_ready_for_regencies(home: Path) -> None:
    with Cluster(home, durable=False) as cluster:
        with psycopg.connect(cluster.admin_dsn) as db:
            settings = {
                name: db.execute("SELECT current_setting(%s)", [name]).fetchone()
                for name in ("wal_level", "listen_addresses", "password_encryption", "fsync")
            }
            assert settings == {
                "wal_level": ("logical",),
                "listen_addresses": ("127.0.0.1",),
                "password_encryption": ("scram-sha-256",),
                "fsync": ("off",),
            }
            assert db.execute(
                "SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"
            ).fetchone()
            locale = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database"
            assert set(db.execute(locale)) == {("UTF8", "C.UTF-8")}
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(cluster.dsn("postgres", password="salah"))
        # What a subscription asks for is let in, a copy of the whole cluster is not.
        logical = psycopg.connect(cluster.admin_dsn, replication="database", autocommit=True)
        with logical:
            logical.execute("IDENTIFY_SYSTEM")
        with pytest.raises(psycopg.OperationalError, match="entry for replication connection"):
            psycopg.connect(cluster.admin_dsn, replication="yes")
        assert "@127.0.0.1:" in cluster.dsn(
            "jejak_control", user="jejak_control", password="p@ss/w"
        )
        assert "p%40ss%2Fw" in cluster.dsn("jejak_control", user="jejak_control", password="p@ss/w")


def test_redis_asks_for_its_password(home: Path) -> None:
    with Redis(home) as broker:
        with (
            redis.Redis(
                host="127.0.0.1", port=broker.port, retry=Retry(NoBackoff(), 0)
            ) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.get("anything")
        command = Path(f"/proc/{broker.process.pid}/cmdline").read_text()
        assert secret(home, "redis") not in command


PARENT = """
import signal, sys
from infra.processes import *
from infra.services import *
sys.path.insert(0, {tests!r})
from test_setup import issuer
stop_on_signals()
home = state_folder()
# A leader with a child of its own: the whole group has to go.
family = ["sh", "-c", "sleep 1000 & trap 'kill $!; exit' TERM; wait"]
with claimed(home), Cluster(home) as a, Redis(home) as b:
    with Provider(home, [issuer(home)]) as c, Process(home, "family", family) as d:
        print(a.process.pid, b.process.pid, c.process.pid, d.pid, flush=True)
        signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_its_parent(home: Path, number: signal.Signals) -> None:
    script = PARENT.format(tests=str(Path(__file__).parent))
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        leaders = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(leaders) == 4
        pids = leaders + [pid for pid, above in parents().items() if above in leaders]
        assert len(pids) > 8  # PostgreSQL's own processes, the sleep
        with pytest.raises(SetupProblem, match=f"{parent.pid}"), claimed(home):
            pass
        parent.send_signal(number)
    assert gone(pids)
    if number is signal.SIGKILL:
        with Cluster(home) as cluster, Redis(home), psycopg.connect(cluster.admin_dsn) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)


def test_stale_pid_file_is_no_hindrance(home: Path) -> None:
    with Cluster(home, durable=False):
        pass
    pid_file = home / "postgres/data/postmaster.pid"
    # This very process has the id now: it lives, but it is not PostgreSQL.
    pid_file.write_text(f"{os.getpid()}\n{home}/postgres/data\n")
    with Cluster(home, durable=False):
        assert int(pid_file.read_text().split()[0]) != os.getpid()


def test_process_that_fails_shows_its_log(home: Path) -> None:
    with Process(home, "broken", ["sh", "-c", "echo tidak bisa >&2; exit 3"]) as broken:
        with pytest.raises(SetupProblem, match="tidak bisa"):
            broken.wait_until(lambda: False)
        assert not broken.running


def test_process_leaves_nobody_of_its_group(home: Path) -> None:
    # The leader ignores the polite signal, and its child never gets one.
    shout = """trap '' TERM; sleep 1000 & echo "$SALAM" $$ $!; wait"""
    command = ["sh", "-c", shout]
    with Process(
        home, "shout", command, environment={"SALAM": "selamat"}, patience=0.2
    ) as stubborn:
        stubborn.wait_until(lambda: bool(stubborn.log.read_text()))
        greeting, leader, child = stubborn.log.read_text().split()
        assert (greeting, int(leader)) == ("selamat", stubborn.pid)
        assert os.getpgid(int(child)) == stubborn.pid
        assert stubborn.running
    assert not stubborn.running
    assert gone([int(leader), int(child)])


def test_port_is_remembered_and_must_be_free(home: Path) -> None:
    chosen = port(home, "api")
    assert port(home, "api") == chosen
    assert free_port() < 32768
    with socket.socket() as other:
        other.bind(("127.0.0.1", chosen))
        other.listen()
        with pytest.raises(SetupProblem, match=str(chosen)):
            Process(home, "api", ["true"], ports=[chosen]).start()


def test_bootstrap_names_the_packages_it_may_not_install(tmp_path: Path) -> None:
    for name in ("up", "bootstrap.sh"):
        target = tmp_path / "checkout/infra" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / "infra" / name, target)
    programs = tmp_path / "programs"  # a machine without apt, Redis and Python
    programs.mkdir()
    for name in ("bash", "dirname", "readlink", "tr"):
        program = shutil.which(name)
        assert program
        (programs / name).symlink_to(program)
    environment = {"PATH": str(programs), "JEJAK_PG_ROOT": str(tmp_path / "nothing")}
    run = subprocess.run(
        ["/usr/bin/env", tmp_path / "checkout/infra/up"],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    command = "sudo apt-get install --no-install-recommends"
    packages = "postgresql postgresql-postgis redis-server python3 python3-venv"
    assert run.stderr.splitlines()[2:] == [f"  {command} {packages}"]
    assert "Ada paket yang belum terpasang" in run.stderr
    assert "Packages are missing" in run.stderr


def test_scripts_are_sound() -> None:
    scripts = [CHECKOUT / name for name in ("infra/up", "infra/test", ".ci/run")]
    assert all(os.access(script, os.X_OK) for script in scripts)
    scripts.append(CHECKOUT / "infra/bootstrap.sh")
    checks = [["bash", "-n", str(script)] for script in scripts]
    if shutil.which("shellcheck"):
        checks.append(["shellcheck", "-x", *map(str, scripts)])
    for check in checks:
        done = subprocess.run(check, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_bootstrap_and_project_agree_on_python() -> None:
    bounds = re.search(
        r"not \((\d+), (\d+)\) <= .* < \((\d+), (\d+)\)",
        (CHECKOUT / "infra/bootstrap.sh").read_text(),
    )
    assert bounds
    low, below = ".".join(bounds.groups()[:2]), ".".join(bounds.groups()[2:])
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={low},<{below}"


def test_npm_lock_names_no_registry() -> None:
    lock = (CHECKOUT / "infra/provider/package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 30
