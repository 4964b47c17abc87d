"""The province's database: its own people, and the regencies' published rows."""

from alembic import context, op

from tenants.migrations.people import PEOPLE

revision = "province_0001"
down_revision = None

SHARED = """
CREATE TABLE regency (
    code text PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL
);
CREATE TABLE trip (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    state text NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL
);
CREATE INDEX trip_tenant ON trip (tenant, state);
CREATE TABLE verdict (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    trip_id uuid NOT NULL,
    current boolean NOT NULL,
    outcome text NOT NULL,
    final boolean NOT NULL,
    coverage double precision NOT NULL,
    evaluated_at timestamptz NOT NULL
);
CREATE INDEX verdict_tenant ON verdict (tenant, outcome);
CREATE TABLE deviation (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    trip_id uuid NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    region_code text,
    planned_region_code text,
    coverage double precision NOT NULL,
    amount numeric(14, 2),
    message_id text NOT NULL,
    message_en text NOT NULL,
    found_at timestamptz NOT NULL
);
CREATE INDEX deviation_newest ON deviation (found_at, id);
CREATE INDEX deviation_tenant ON deviation (tenant, state);
GRANT SELECT ON regency, trip, verdict, deviation TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (PEOPLE, SHARED):
        op.get_bind().exec_driver_sql(part.format(app=app))
