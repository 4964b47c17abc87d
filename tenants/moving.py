"""A regency moves to another PostgreSQL server while it works; its writes pause for a moment.

Logical replication copies all its tables and follows what is written meanwhile. Then writes are
refused, the copy is waited for, and the catalogue leads to the new place. Until then anything that
fails is undone, and even if this process is killed its connection's locks end the pause.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tenants import catalogue
from tenants.catalogue import decrypt, encrypt
from tenants.copying import (
    STALLED,
    CannotMove,
    Move,
    await_copy,
    create_slot,
    make_alike,
    replicate,
    row,
)
from tenants.migrate import LOCK, Schema, upgrade
from tenants.problems import InvalidInput, UnknownTenant
from tenants.realm import WRITES, move_engine
from tenants.server import (
    CONTROL,
    EXTENSIONS,
    TEMPLATE,
    admin,
    create_database,
    drop_database,
    exists,
    home,
    is_at,
    names_of,
    prepare_server,
    run,
)
from tenants.subscriptions import PROVINCE, create_subscription, drop_slot, drop_subscription
from tenants.tables import all_tables, sequences, set_sequences, unidentified

OLDEST_SERVER: Final = 150_000
"""PostgreSQL 15: the publications have row filters and column lists."""

ATTEMPTS: Final = 10
PATIENCE: Final = 2.0
"""Seconds to wait for running writes to end, and for the copy to catch up, before writes go on and
another attempt is made."""

READERS: Final = 1.0
"""Seconds that readers of the old database have to finish."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did: seconds in which no write was taken, bytes at the new place.

    `kept` is the old database's name now, None when it was dropped; `left` are the steps of tidying
    up that failed, each with the reason.
    """

    paused: float
    size: int
    kept: str | None
    left: tuple[str, ...]


def move_tenant(
    slug: str,
    *,
    to: str,
    source: str | None = None,
    drop: bool = False,
    on_step: Callable[[str], object] = str,
    on_copied: Callable[[float], object] = float,
) -> Moved:
    """Move a regency to the server whose administrator's DSN is `to`.

    `source` is that of where it is now, without it `JEJAK_SERVER_DSN`. Both servers and that of the
    province must reach each other by the addresses in these. `on_copied` is told the share that is
    copied. Raises `CannotMove` or `InvalidInput` when nothing came of it, `UnknownTenant`, and
    `psycopg.OperationalError` when a server does not answer.
    """
    names, source = names_of(slug), source or home()
    code, dsn, owner_dsn = _entry(slug)
    _check_places(owner_dsn, source, to)
    with ExitStack() as stack, _undoing() as undo:
        on_step("checks")
        here = stack.enter_context(admin(names.database, server=source))
        server = stack.enter_context(admin(server=to))
        move = Move(slug, names, source, to, here)
        _check(move, server)
        on_step("database")
        prepare_server(to)
        dsns = create_database(server, names, undo, share=True, template=TEMPLATE, server=to)
        upgrade(
            Schema.TENANT,
            dsns[names.owner],
            app_role=names.app,
            share_role=names.share,
            code=code,
        )
        there = stack.enter_context(admin(names.database, server=to))
        make_alike(move, there)
        on_step("copying")
        replicate(move, there, undo)
        await_copy(move, there, on_copied)
        there.execute("ANALYZE")
        on_step("sharing")
        _share_from_there(move, there, dsns[names.share], undo)
        on_step("switching")
        entry = (encrypt(dsns[names.app]), encrypt(dsns[names.owner]))
        paused = _switch_over(move, there, entry, undo)
        move_engine(dsn, dsns[names.app])
        catalogue.read_again()
        on_step("tidying up")
        kept, left = _tidy_up(move, drop=drop)
        (size,) = there.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    return Moved(paused, size, kept, left)


@contextmanager
def _undoing() -> Iterator[ExitStack]:
    """Undoes on failure all that can be; what a server that is gone keeps hides not the reason."""
    undo = ExitStack()
    try:
        yield undo
    except BaseException:
        with suppress(psycopg.Error):
            undo.close()
        raise


def _entry(slug: str) -> tuple[str, str, str]:
    with admin(CONTROL) as connection:
        row = connection.execute(
            "SELECT code, dsn, owner_dsn FROM realm WHERE slug = %s AND kind = 'REGENCY'", [slug]
        ).fetchone()
    if row is None:
        raise UnknownTenant
    return row[0], decrypt(row[1]), decrypt(row[2])


def _check_places(owner_dsn: str, source: str, target: str) -> None:
    for name, dsn in (("from", source), ("to", target)):
        try:
            conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # The parser's own message would quote it, password and all.
            raise InvalidInput(
                name, "bukan alamat server PostgreSQL", "is no DSN of a PostgreSQL server"
            ) from None
    if not is_at(owner_dsn, source):
        raise InvalidInput("from", "bukan tempat daerah ini", "is not where this regency is")
    if is_at(owner_dsn, target):
        raise InvalidInput("to", "daerah ini sudah di sana", "is where this regency is already")


def _check(move: Move, server: psycopg.Connection) -> None:
    """Raises `CannotMove` for what can be seen beforehand."""
    (level,) = server.execute("SHOW wal_level").fetchone() or ("",)
    if server.info.server_version < OLDEST_SERVER or level != "logical":
        raise CannotMove(
            "server tujuan harus PostgreSQL 15 ke atas dengan wal_level = logical",
            "the new server must be PostgreSQL 15 or later with wal_level = logical",
        )
    (there_are,) = server.execute(
        "SELECT count(*) FROM pg_available_extensions WHERE name = ANY(%s)", [list(EXTENSIONS)]
    ).fetchone() or (0,)
    if there_are != len(EXTENSIONS):
        raise CannotMove(
            "PostGIS tidak terpasang di server tujuan", "PostGIS is not installed on the new server"
        )
    roles = [move.names.app, move.names.owner, move.names.share]
    taken = server.execute("SELECT 1 FROM pg_roles WHERE rolname = ANY(%s)", [roles]).fetchone()
    if taken or exists(server, move.names.database):
        raise CannotMove(
            f"{move.names.database} atau perannya sudah ada di server tujuan",
            f"{move.names.database} or its roles are on the new server already",
        )
    # Held as long as this connection: the schema must not change meanwhile.
    (alone,) = move.here.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() or (False,)
    if not alone:
        raise CannotMove(
            "sedang dimigrasikan atau dipindahkan", "it is being migrated or moved already"
        )
    if without := unidentified(move.here):
        raise CannotMove(
            f"tanpa kunci utama atau tak tercatat: {', '.join(without)}",
            f"without a primary key or not logged: {', '.join(without)}",
        )


UNREADY: Final = """
SELECT count(*) FROM pg_subscription LEFT JOIN pg_subscription_rel ON srsubid = oid
WHERE subname = %s AND (srsubstate = 'r') IS NOT TRUE"""


def _share_from_there(
    move: Move, there: psycopg.Connection, share_dsn: str, undo: ExitStack
) -> None:
    """The province is ready to receive from the new place; it still does from the old one."""
    slot = move.names.slot
    with admin(PROVINCE) as province:
        deadline = time.monotonic() + STALLED
        while row(province, UNREADY, slot)[0]:
            if time.monotonic() > deadline:
                raise CannotMove(
                    "provinsi belum menerima salinan awal", "the province has not copied it yet"
                )
            time.sleep(0.2)
        create_slot(there, slot)
        undo.callback(drop_slot, there, slot, move.names.database)
        create_subscription(province, move.prepared, share_dsn, slot, copy=False, enabled=False)
        undo.callback(drop_subscription, move.prepared)


def _switch_over(
    move: Move, there: psycopg.Connection, entry: tuple[str, str], undo: ExitStack
) -> float:
    """Pause writes, wait for the copy, let the catalogue lead there; how long no write was taken.

    After `PATIENCE` writes go on as before, and it is tried again.
    """
    for _ in range(ATTEMPTS):
        with admin(move.names.database, server=move.source) as pause, pause.transaction():
            began = time.monotonic()
            if _writes_end(pause) and _caught_up(move):
                set_sequences(there, sequences(move.here).items())
                # What the province has already is not sent to it again.
                there.execute(
                    "SELECT pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())",
                    [move.names.slot],
                )
                _close(move, undo)
                # Nothing is undone any more, unless the catalogue says it still leads here.
                undone = undo.pop_all()
                try:
                    _enter(move.slug, entry)
                except Exception:
                    undone.close()
                    raise
                return time.monotonic() - began
        time.sleep(1.0)
    raise CannotMove(
        "penulisan yang lama tidak berakhir, atau salinan tertinggal",
        "writes took too long to end, or the copy does not keep up",
    )


def _writes_end(pause: psycopg.Connection) -> bool:
    """Nobody writes until the transaction ends: neither through sessions nor past them."""
    pause.execute(f"SET LOCAL lock_timeout = '{PATIENCE:.0f}s'")
    try:
        with pause.transaction():
            pause.execute("SELECT pg_advisory_xact_lock(%s)", [WRITES])
            pause.execute(sql.SQL("LOCK TABLE ") + all_tables(pause) + sql.SQL(" IN SHARE MODE"))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _caught_up(move: Move) -> bool:
    """Whether the new place and the province get all that was written, in time."""
    (end,) = row(move.here, "SELECT pg_logical_emit_message(true, 'jejak', 'moved')")
    slots = [move.temporary, move.names.slot]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        (received,) = row(
            move.here,
            "SELECT count(*) FROM pg_replication_slots"
            " WHERE slot_name = ANY(%s) AND confirmed_flush_lsn >= %s",
            slots,
            end,
        )
        if received == len(slots):
            return True
        time.sleep(0.01)
    return False


def _close(move: Move, undo: ExitStack) -> None:
    """Nobody but the administrator gets into the old database any more.

    Whoever still thinks the regency is there finds out, and looks into the catalogue again.
    """
    database, roles = move.names.database, [move.names.app, move.names.owner]
    grant = "GRANT CONNECT ON DATABASE {database} TO {role}"
    revoke = "REVOKE CONNECT ON DATABASE {database} FROM {role}"
    for role in roles:
        undo.callback(run, move.here, grant, database=database, role=role)
        run(move.here, revoke, database=database, role=role)
    deadline = time.monotonic() + READERS
    while move.here.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND usename = ANY(%s) AND (state = 'idle' OR %s)"
        " UNION ALL SELECT true FROM pg_stat_activity WHERE datname = %s AND usename = ANY(%s)",
        [database, roles, time.monotonic() > deadline, database, roles],
    ).fetchall():
        time.sleep(0.01)


def _enter(slug: str, entry: tuple[str, str]) -> None:
    """The catalogue leads to the new place; one whose answer was lost is asked what it holds."""
    try:
        with admin(CONTROL) as control:
            control.execute(
                "UPDATE realm SET dsn = %s, owner_dsn = %s WHERE slug = %s", [*entry, slug]
            )
    except psycopg.OperationalError:
        with admin(CONTROL) as control:
            row = control.execute("SELECT dsn FROM realm WHERE slug = %s", [slug]).fetchone()
        if row is None or row[0] != entry[0]:
            raise


def _tidy_up(move: Move, *, drop: bool) -> tuple[str | None, tuple[str, ...]]:
    """After the switch: each step is tried, whatever became of the others."""
    names, name = move.names, move.temporary
    kept = f"{names.database}_moved_{datetime.now(UTC):%Y%m%d%H%M%S}"
    steps: list[tuple[str, Callable[[], object]]] = [
        ("province", lambda: _receive_from_there(move)),
        (
            "subscription",
            lambda: drop_subscription(name, database=names.database, server=move.target),
        ),
        ("slots", lambda: _drop_slots(move)),
        ("old database", lambda: _put_away(move, None if drop else kept)),
    ]
    left = []
    for step, do in steps:
        try:
            do()
        except psycopg.Error as error:
            left.append(f"{step}: {str(error).strip()}")
    return None if drop else kept, tuple(left)


def _receive_from_there(move: Move) -> None:
    with admin(PROVINCE) as province:
        name = move.names.slot
        drop_subscription(name)
        run(province, "ALTER SUBSCRIPTION {old} RENAME TO {new}", old=move.prepared, new=name)
        run(province, "ALTER SUBSCRIPTION {name} ENABLE", name=name)


def _drop_slots(move: Move) -> None:
    for slot in (move.temporary, move.names.slot):
        drop_slot(move.here, slot, move.names.database)


def _put_away(move: Move, kept: str | None) -> None:
    """The old database is the administrator's, to read only, under another name, or gone."""
    names, here = move.names, move.here
    roles = [names.app, names.owner, names.share, move.temporary]
    run(here, "DROP PUBLICATION IF EXISTS {name}", name=move.temporary)
    run(here, "REASSIGN OWNED BY {owner} TO CURRENT_USER", owner=names.owner)
    for role in roles:
        run(here, "DROP OWNED BY {role}", role=role)
    here.close()
    with admin(server=move.source) as connection:
        if kept is None:
            drop_database(connection, names.database)
        else:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [names.database],
            )
            run(connection, "ALTER DATABASE {old} RENAME TO {new}", old=names.database, new=kept)
            run(
                connection,
                "ALTER DATABASE {name} SET default_transaction_read_only = on",
                name=kept,
            )
        for role in roles:
            run(connection, "DROP ROLE {role}", role=role)
