"""Processes of our own on this machine, and the folder they live in.

Nothing here outlives the program that started it: children end on leaving the `with` block, on
Ctrl-C and SIGTERM, and by the kernel's hand when the program itself is killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Self

from rich.console import Console

CHECKOUT = Path(__file__).resolve().parents[1]
# Below Linux' range for outgoing connections (32768 up), which could hold a port of ours.
PORTS = range(20000, 32000)


ENVIRONMENT = "environment.json"  # what `infra/up` last set, for `jejak` in the same checkout


class SetupProblem(SystemExit):
    """What keeps the set-up from going on: uncaught, it shows its message and exits with 1."""

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(f"{indonesian}\n{english}")


def state_folder() -> Path:
    """Return this checkout's own folder, made when absent.

    ``$JEJAK_HOME``, or ``/var/lib/jejak-dinas/NAME`` for root, or
    ``$XDG_STATE_HOME/jejak-dinas/NAME`` (``~/.local/state``) for anybody else; NAME tells
    checkouts of the same name apart.
    """
    if home := os.environ.get("JEJAK_HOME"):
        folder = Path(home).absolute()
    else:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        base = Path("/var/lib") if os.geteuid() == 0 else Path(state)
        digest = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
        folder = base / "jejak-dinas" / f"{CHECKOUT.name}-{digest}"
    for part in (folder.parent, folder):
        if not part.exists():
            part.mkdir(parents=True)
            # Root's PostgreSQL runs as another user, who must get through; nobody need list it.
            part.chmod(0o711)
    return folder


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold `folder` for this program alone; SetupProblem when another one holds it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            raise SetupProblem(
                f"Sudah berjalan: proses {holder} memakai {folder}.",
                f"Already running: process {holder} uses {folder}.",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def write_private(path: Path, text: str, *, user: str | None = None) -> Path:
    """Put `text` at `path` whole or not at all, readable by its owner alone (`user`, or us)."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if user:
        shutil.chown(fresh, user, user)
    return fresh.replace(path)


def secret(
    folder: Path, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)
) -> str:
    """Return the folder's secret `name`, made by `make` the first time it is asked for."""
    path = folder / "secrets" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        write_private(path, make())
    return path.read_text()


def is_free(port: int) -> bool:
    """Tell whether a server could listen on 127.0.0.1 at `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if is_free(port))


def port(folder: Path, name: str) -> int:
    """Return the folder's port `name`: free when first asked for, the same ever after.

    It must not change: subscriptions between databases and issuers' identifiers contain it.
    """
    path = folder / "ports" / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        write_private(path, str(free_port()))
    return int(path.read_text())


@contextmanager
def step(indonesian: str, english: str) -> Iterator[None]:
    """Tell on stderr what is going on and, in one line, how many seconds it took."""
    text = english if os.environ.get("JEJAK_LANGUAGE") == "en" else indonesian
    console = Console(stderr=True, highlight=False, markup=False)
    began = time.monotonic()
    with console.status(text):
        yield
    console.print(f"{time.monotonic() - began:6.1f} s  {text}")


def stop_on_signals() -> None:
    """Make SIGTERM and SIGHUP unwind the `with` blocks of this program, as Ctrl-C does."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


class Process:
    """A child in a process group of its own that logs to ``log/NAME.log``.

    Start it from a thread that lives as long as it shall: the kernel sends `stop_signal` when
    that thread dies. To stop, only the leader is signalled (a second signal from the group
    would make Dramatiq's workers drop their work); whatever of the group is left after
    `patience` seconds is killed. `ports` must become free before it starts.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path = CHECKOUT,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        patience: float = 10.0,
        ports: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = folder / "log" / f"{name}.log"
        self._command = [*as_user(user, die_by=stop_signal), *map(str, command)]
        self._environment = {**os.environ, **(environment or {})}
        self._directory = directory
        self._stop_signal = stop_signal
        self._patience = patience
        self._ports = ports
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the child; SetupProblem when one of its ports stays taken for three seconds."""
        for port in self._ports:
            if not happens(lambda port=port: is_free(port), seconds=3.0):  # type: ignore[misc]
                raise SetupProblem(
                    f"{self.name}: port {port} dipakai program lain.",
                    f"{self.name}: port {port} is taken by another program.",
                )
        self.log.parent.mkdir(mode=0o700, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_begins = log.tell()
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        """The child's process id, which is its group's too; RuntimeError when not started."""
        if self._child is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child lives."""
        # Not reaped (WNOWAIT), so that its id stays the group's until stop() has ended them all.
        return self._child is not None and not os.waitid(
            os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        )

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 90.0) -> None:
        """Return when `ready()`; SetupProblem with the log's end when the child ends or is late."""
        if happens(lambda: not self.running or ready(), seconds=seconds) and self.running:
            return
        with self.log.open("rb") as log:
            log.seek(self._log_begins)
            tail = "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
        raise SetupProblem(
            f"{self.name} tidak mau berjalan; akhir {self.log}:",
            f"{self.name} does not start; the end of its log:\n{tail}",
        )

    def stop(self) -> None:
        """End the child and what is left of its group; nothing when it has not been started."""
        if self._child is None:
            return
        if self.running:
            os.kill(self._child.pid, self._stop_signal)
        happens(lambda: not self.running, seconds=self._patience)
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None

    @property
    def children(self) -> list[int]:
        """The ids of the child's own children."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def kill(self) -> None:
        """End the child and its own children as a crash does: `kill -9`, all at once."""
        # PostgreSQL's processes have groups of their own, and would finish what they are at.
        children = self.children
        os.killpg(self.pid, signal.SIGKILL)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.stop()


def as_user(user: str | None, *, die_by: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return what goes before a command so that it runs as `user` and gets `die_by` when we die."""
    prefix = ["setpriv", f"--pdeathsig={die_by.name.removeprefix('SIG')}"]
    if user:
        prefix += [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return [*prefix, "--"]


def happens(what: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until `what()`, at most `seconds`; tell whether it came."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True
