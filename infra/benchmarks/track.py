"""`infra/bench track`: a track of thirty days as one polyline, against a row a fix."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Final
from uuid import UUID

import numpy as np
import psycopg
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from graphql_api.polyline import encode
from infra.benchmarks.measure import HOME, Measured, Report, alternate, followed
from infra.benchmarks.phones import Fix, Phone, fleet
from infra.front_end import Refused
from infra.stories import Traveller
from infra.world import World
from tenants import access, catalogue, tracks
from tenants.fixes import Fixes
from tenants.models import Member, Trip
from tenants.realm import Tenant, sqlalchemy_url

FIXES: Final = 86_400
UPLOAD: Final = 100
DATABASE: Final = "jejak_bench_track"


class _Base(DeclarativeBase):
    """Of the peer alone."""


class _Row(_Base):
    """A fix as it is usually stored."""

    __tablename__ = "fix"
    trip: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(primary_key=True)
    lon: Mapped[float]
    lat: Mapped[float]
    accuracy: Mapped[float]
    speed: Mapped[float]


def measure(
    running: World, _travellers: Sequence[Traveller], *, rounds: int = 9, fixes: int = FIXES
) -> Report:
    """Milliseconds from the first statement to the polyline, precision 5, the same for both."""
    tenant = catalogue.tenant(HOME)
    (phone,) = fleet(HOME, 1)
    with _rows(running) as rows:
        for _ in followed(range(fixes // UPLOAD)):
            part = phone.fixes(UPLOAD)
            _store(tenant, phone, part)
            rows.add_all(
                _Row(trip=phone.trip_id, at=at, lon=lon, lat=lat, accuracy=accuracy, speed=speed)
                for at, lon, lat, accuracy, speed in part
            )
            rows.commit()
        if _chunks(tenant, phone) != _selected(rows, phone):
            raise Refused("the polylines are not the same")
        ours = Measured(("Potongan jejak", "Chunks"), "ms")
        theirs = Measured(("Satu baris satu titik, SQLAlchemy", "A row a fix, SQLAlchemy"), "ms")
        alternate(
            [
                (ours, lambda: _timed(lambda: _chunks(tenant, phone))),
                (theirs, lambda: _timed(lambda: _selected(rows, phone))),
            ],
            rounds=rounds,
        )
    return Report(
        [ours, theirs],
        {("Rasio baris : potongan", "Ratio rows : chunks"): theirs.median / ours.median},
    )


@contextmanager
def _rows(running: World) -> Iterator[Session]:
    """The table of the peer, in a database of its own on the same cluster."""
    with psycopg.connect(running.cluster.admin_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        engine = create_engine(sqlalchemy_url(running.cluster.dsn(DATABASE)))
        try:
            _Base.metadata.create_all(engine)
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()
            server.execute(f"DROP DATABASE {DATABASE}")


def _store(tenant: Tenant, phone: Phone, part: Sequence[Fix]) -> None:
    at, lon, lat, accuracy, speed = (
        np.array(column, dtype=np.float64) for column in zip(*part, strict=True)
    )
    unknown = np.full(len(part), np.nan)
    sent = Fixes(at, lon, lat, accuracy, speed, np.zeros(len(part), dtype=np.bool_), unknown)
    with tenant.session(readonly=False) as session:
        traveller = _traveller(session, phone)
        receipt = tracks.record(
            session,
            traveller,
            phone.trip_id,
            sent,
            device="ukur",
            zone=tenant.zone,
            now=datetime.now(UTC),
        )
    if receipt.accepted != len(part):
        raise Refused(str(receipt))


def _traveller(session: Session, phone: Phone) -> access.Viewer:
    trip = session.get_one(Trip, phone.trip_id)
    return access.viewer_of(session.get_one(Member, trip.traveller_id))


def _chunks(tenant: Tenant, phone: Phone) -> str:
    with tenant.session(readonly=True) as session:
        traveller = _traveller(session, phone)
        fixes = tracks.of_trip(session, traveller, phone.trip_id, zone=tenant.zone)
    assert fixes is not None
    return encode(lon=fixes.lon, lat=fixes.lat)


def _selected(rows: Session, phone: Phone) -> str:
    wanted = select(_Row).where(_Row.trip == phone.trip_id).order_by(_Row.at)
    with Session(rows.get_bind()) as session:
        found = session.scalars(wanted).all()
        return encode(
            lon=np.array([row.lon for row in found]), lat=np.array([row.lat for row in found])
        )


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return 1e3 * (perf_counter() - began)
