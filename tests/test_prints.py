"""Tracks that are alike are found by their index, whatever PostgreSQL believes of the table."""

from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tenants import prints
from tenants.realm import sqlalchemy_url

TRIPS, EACH, SHARED = 200, 200, 50
MINE = UUID(int=1)
FILL = text(
    "INSERT INTO track_print (kind, print, trip_id)"
    " SELECT 1, CASE WHEN n <= :shared AND trip % 20 = 1 THEN n ELSE trip * 1000 + n END,"
    " lpad(to_hex(trip), 32, '0')::uuid"
    " FROM generate_series(1, :trips) trip, generate_series(1, :each) n"
)
"""Every twentieth trip shares some of its fingerprints with the first."""
ONE_PRINT = text(
    "INSERT INTO track_print (kind, print, trip_id)"
    " SELECT 1, 7, lpad(to_hex(n), 32, '0')::uuid FROM generate_series(1000, 40000) n"
)
TWO_TRIPS = text(
    "INSERT INTO track_print (kind, print, trip_id)"
    " SELECT 1, n / 2, lpad(to_hex(1 + n % 2), 32, '0')::uuid FROM generate_series(1, 40000) n"
)
ANALYSE, EMPTY = text("ANALYZE track_print"), text("TRUNCATE track_print")
BELIEFS = {
    "nothing": [FILL],
    "the truth": [FILL, ANALYSE],
    "an empty table": [ANALYSE, FILL],
    "one fingerprint of all trips": [ONE_PRINT, ANALYSE, EMPTY, FILL],
    "two trips with all fingerprints": [TWO_TRIPS, ANALYSE, EMPTY, FILL],
}
READ = text(
    "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables"
    " WHERE relid = 'pg_temp.track_print'::regclass"
)


@pytest.fixture
def session(world):
    """A table of one's own under the name of the real one."""
    engine = create_engine(sqlalchemy_url(world.cluster.dsn("jejak_samarinda")), poolclass=NullPool)
    with Session(engine) as session:
        session.execute(text("CREATE TEMP TABLE track_print (LIKE track_print INCLUDING ALL)"))
        yield session


@pytest.mark.parametrize("memory", ["64kB", "1GB"])
@pytest.mark.parametrize("belief", BELIEFS)
def test_it_reads_the_index_only(session, belief, memory):
    for statement in BELIEFS[belief]:
        given = {"trips": TRIPS, "each": EACH, "shared": SHARED} if statement is FILL else {}
        session.execute(statement, given)
    session.execute(text("SELECT set_config('work_mem', :memory, true)"), {"memory": memory})
    for _ in range(7):  # PostgreSQL may settle for one plan after five.
        before = session.execute(READ).one()
        found = prints.alike(session, MINE, least=SHARED)
        after = session.execute(READ).one()
        assert after.seq_scan == before.seq_scan
        assert after.idx_scan - before.idx_scan >= EACH, "not by one look-up a fingerprint"
    assert [(one.trip_id.int, one.shared, one.total) for one in found] == [
        (trip, SHARED, EACH) for trip in range(21, TRIPS + 1, 20)
    ]
    assert prints.alike(session, MINE, least=SHARED + 1) == []
