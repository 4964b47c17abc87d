"""The demonstration's world: servers, realms, people, and the product's own processes.

`running()` is what `infra/up`, the tests and the benchmarks stand on alike.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import httpx2
from cryptography.fernet import Fernet

from infra.front_end import RETURN_TO, FrontEnd
from infra.processes import ENVIRONMENT, Process, port, secret, step, write_private
from infra.services import Cluster, Issuer, Person, Provider, Redis
from infra.stories import STORIES, Traveller
from tenants import birth, catalogue, people, rates
from tenants import realm as realms
from tenants.models import OfficeKind, Role
from tenants.people import Invitation
from tenants.realm import close_engines
from tenants.server import prepare_server
from tenants.settings import settings

TRAVELLERS: Final = tuple(story.traveller for story in STORIES)
CLIENT_ID: Final = "jejak-dinas"
ALLOWANCE: Final = Decimal(430_000)
ALLOWANCE_BASIS: Final = "PMK 32/2025 (SBM TA 2026), uang harian luar kota, Kalimantan Timur"


@dataclass(frozen=True, slots=True)
class RealmSeed:
    slug: str
    code: str
    name: str


PROVINCE: Final = RealmSeed("province", "64", "Provinsi Kalimantan Timur")
REGENCIES: Final = (
    RealmSeed("samarinda", "64.72", "Kota Samarinda"),
    RealmSeed("balikpapan", "64.71", "Kota Balikpapan"),
)
HEAD_OF_OFFICE: Final = "Surya Kepala"
OFFICERS: Final = (
    ("operator", "Rina Operator", Role.OPERATOR, "Operator perangkat daerah"),
    ("kepala", HEAD_OF_OFFICE, Role.HEAD_OF_OFFICE, "Kepala dinas, pemberi tugas"),
    ("bendahara", "Ratna Bendahara", Role.TREASURER, "Bendahara pengeluaran"),
    ("inspektur", "Wahyu Inspektur", Role.INSPECTOR, "Inspektorat daerah"),
    ("penerima", "Dewi Penerima", Role.HOST_DESK, "Penerima tamu dinas, pemberi visum"),
    ("admin", "Yuli Admin", Role.TENANT_ADMIN, "Admin daerah"),
)


@dataclass(frozen=True, slots=True)
class World:
    """What runs, and how to reach it."""

    folder: Path
    base_url: str
    issuers: dict[str, Issuer]
    cluster: Cluster
    redis: Redis
    processes: dict[str, Process]

    def sign_in(self, slug: str, username: str) -> FrontEnd:
        return FrontEnd(self.base_url, slug, self.issuers[slug].url, username)


@contextmanager
def running(
    folder: Path,
    *,
    fresh: bool = True,
    durable: bool = True,
    regencies: int = 20,
    travellers: Sequence[Traveller] = TRAVELLERS,
    processes: Sequence[str] = ("api", "workers", "sweep"),
) -> Iterator[World]:
    """Servers, realms and processes in `folder`; all of it ends with the block.

    `fresh` begins with empty databases, otherwise what an earlier run left is served on. There is
    room for `regencies` beside those of the demonstration.
    """
    if fresh:
        for kept in ("postgres", "redis"):
            shutil.rmtree(folder / kept, ignore_errors=True)
    with ExitStack() as stack:
        base_url = f"http://127.0.0.1:{port(folder, 'api')}"
        issuers = {seed.slug: _issuer(folder, seed, base_url, travellers) for seed in _seeds()}
        with step("PostgreSQL", "PostgreSQL"):
            cluster = stack.enter_context(Cluster(folder, durable=durable, regencies=regencies))
        with step("Redis", "Redis"):
            redis = stack.enter_context(Redis(folder))
        with step("Penyedia identitas", "Identity provider"):
            stack.enter_context(Provider(folder, list(issuers.values())))
        _environment(folder, cluster, redis, base_url)
        if fresh or not (folder / "control-dsn").exists():
            with step("Basis data induk dan katalog", "Template and catalogue"):
                prepare_server()
                write_private(folder / "control-dsn", birth.create_control())
            _environment(folder, cluster, redis, base_url)
            _settle(issuers, travellers)
        world = World(folder, base_url, issuers, cluster, redis, _processes(folder))
        for name in processes:
            with step(*PROCESS_NAMES[name]):
                stack.callback(world.processes[name].stop)
                world.processes[name].start()
        if "api" in processes:
            world.processes["api"].wait_until(lambda: _answers(base_url))
        stack.callback(close_engines)
        stack.callback(catalogue.close)
        yield world


PROCESS_NAMES: Final = {
    "api": ("API", "API"),
    "workers": ("Pekerja penilai", "Workers"),
    "sweep": ("Penyapu", "Sweep"),
}


def _seeds() -> tuple[RealmSeed, ...]:
    return (*REGENCIES, PROVINCE)


def _issuer(
    folder: Path, seed: RealmSeed, base_url: str, travellers: Sequence[Traveller]
) -> Issuer:
    if seed is PROVINCE:
        who = [Person("pengawas", "Nadia Pengawas", "Inspektorat provinsi")]
    else:
        who = [Person(username, name, title) for username, name, _, title in OFFICERS] + [
            Person(who.username, who.name, "Pelaku perjalanan dinas")
            for who in travellers
            if who.tenant == seed.slug
        ]
    return Issuer(
        name=seed.slug,
        title=seed.name,
        port=port(folder, f"issuer-{seed.slug}"),
        audience=f"{base_url}/{seed.slug}",
        client_id=CLIENT_ID,
        client_secret=secret(folder, f"client-{seed.slug}"),
        redirect_uris=(f"{base_url}/{seed.slug}/callback",),
        people=tuple(who),
        front_end_redirect_uris=(RETURN_TO,),
    )


def _environment(folder: Path, cluster: Cluster, redis: Redis, base_url: str) -> None:
    """The settings of this process, of all that it starts, and of `jejak` in this checkout."""
    control = folder / "control-dsn"
    variables = {
        "JEJAK_SERVER_DSN": cluster.admin_dsn,
        "JEJAK_REDIS_URL": redis.url,
        "JEJAK_BASE_URL": base_url,
        "JEJAK_SECRET_KEY": secret(folder, "catalogue", lambda: Fernet.generate_key().decode()),
        "JEJAK_CONTROL_DSN": control.read_text() if control.exists() else "not made yet",
    }
    os.environ.update(variables)
    write_private(folder / ENVIRONMENT, json.dumps(variables))
    _forget_settings()


def _forget_settings() -> None:
    settings.cache_clear()
    catalogue.close()


def _settle(issuers: dict[str, Issuer], travellers: Sequence[Traveller]) -> None:
    """The province and the regencies, with their people."""
    with step(PROVINCE.name, PROVINCE.name):
        birth.add_province(
            code=PROVINCE.code, name=PROVINCE.name, issuer=_signing(issuers[PROVINCE.slug])
        )
        _invite(PROVINCE.slug, "Nadia Pengawas", "pengawas", Role.OVERSEER)
    for seed in REGENCIES:
        with step(seed.name, seed.name):
            birth.add_tenant(
                slug=seed.slug,
                code=seed.code,
                name=seed.name,
                zone="Asia/Makassar",
                issuer=_signing(issuers[seed.slug]),
            )
            _settle_people(seed, [who for who in travellers if who.tenant == seed.slug])


def _signing(issuer: Issuer) -> realms.Issuer:
    return realms.Issuer(issuer.url, issuer.client_id, issuer.client_secret, issuer.audience)


def _invite(slug: str, name: str, username: str, role: Role) -> None:
    with catalogue.realm(slug).session(readonly=False) as session:
        people.add_member(
            session, Invitation(name, frozenset({role}), invited_as=username), today=_today()
        )


def _settle_people(seed: RealmSeed, travellers: Sequence[Traveller]) -> None:
    with catalogue.tenant(seed.slug).session(readonly=False) as session:
        office = people.add_office(
            session, f"Sekretariat Daerah {seed.name}", OfficeKind.SECRETARIAT
        )
        for username, name, role, title in OFFICERS:
            people.add_member(
                session,
                Invitation(name, frozenset({role}), office.id, None, title, username),
                today=_today(),
            )
        for who in travellers:
            people.add_member(
                session,
                Invitation(
                    who.name,
                    frozenset({Role.TRAVELLER}),
                    office.id,
                    who.nip,
                    "Pelaksana",
                    who.username,
                ),
                today=_today(),
            )
        rates.add(
            session,
            rates.Rate(
                province_code="64",
                amount=ALLOWANCE,
                valid_from=datetime(2026, 1, 1, tzinfo=UTC).date(),
                valid_until=None,
                legal_basis=ALLOWANCE_BASIS,
            ),
        )


def _today() -> date:
    return datetime.now(UTC).date()


def _processes(folder: Path) -> dict[str, Process]:
    python = sys.executable
    api = port(folder, "api")
    return {
        "api": Process(
            folder, "api", [python, "-m", "graphql_api.serve", "--port", str(api)], ports=[api]
        ),
        "workers": Process(
            folder,
            "workers",
            [python, "-m", "dramatiq", "workers.queue", "--processes", "1", "--threads", "4"],
            environment={"dramatiq_worker_timeout": "150"},
        ),
        "sweep": Process(folder, "sweep", [python, "-m", "workers.sweep"]),
    }


def _answers(base_url: str) -> bool:
    try:
        return httpx2.get(f"{base_url}/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False
