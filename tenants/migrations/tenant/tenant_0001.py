"""A regency's database: people, boundaries, rules, trips, tracks, verdicts, and what is shared."""

from alembic import context, op

from tenants.migrations.people import PEOPLE

revision = "tenant_0001"
down_revision = None

RULES = """
CREATE TABLE boundary_set (
    version integer PRIMARY KEY,
    source text NOT NULL,
    licence text NOT NULL,
    dated date NOT NULL,
    tolerance_m double precision NOT NULL CHECK (tolerance_m >= 0),
    approximate boolean NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE region (
    boundary_set integer REFERENCES boundary_set,
    code text CHECK (code ~ '^[0-9]{{2}}\\.[0-9]{{2}}$'),
    name text NOT NULL,
    zone text NOT NULL,
    outline geometry(MultiPolygon, 4326) NOT NULL,
    PRIMARY KEY (boundary_set, code)
);
CREATE INDEX region_outline ON region USING gist (outline);
CREATE TABLE ruleset (
    version integer PRIMARY KEY,
    valid_from timestamptz NOT NULL,
    legal_basis text NOT NULL,
    parameters jsonb NOT NULL
);
CREATE TABLE daily_allowance (
    id uuid PRIMARY KEY,
    province_code text NOT NULL CHECK (province_code ~ '^[0-9]{{2}}$'),
    amount numeric(14, 2) NOT NULL CHECK (amount >= 0),
    valid_from date NOT NULL,
    valid_until date,
    legal_basis text NOT NULL CHECK (legal_basis <> ''),
    EXCLUDE USING gist (
        province_code WITH =, daterange(valid_from, valid_until, '[]') WITH &&
    )
);
GRANT SELECT ON boundary_set, region, ruleset, daily_allowance TO {app};
GRANT INSERT ON ruleset, daily_allowance TO {app};
"""

TRIPS = """
CREATE TABLE assignment_letter (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE CHECK (number <> ''),
    dated date NOT NULL,
    purpose text NOT NULL CHECK (purpose <> ''),
    signed_by_id uuid NOT NULL REFERENCES member,
    issued_by_id uuid NOT NULL REFERENCES member,
    issued_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE trip (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    letter_id uuid NOT NULL REFERENCES assignment_letter,
    spd_number text,
    traveller_id uuid NOT NULL REFERENCES member,
    starts_on date NOT NULL,
    ends_on date NOT NULL CHECK (ends_on >= starts_on),
    transit text[] NOT NULL,
    state text NOT NULL CHECK (state IN ('ISSUED', 'ACTIVE', 'FINISHED', 'CANCELLED')),
    revision integer NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    ended_on date NOT NULL CHECK (ended_on >= starts_on),
    claimed_days integer CHECK (claimed_days >= 0),
    claimed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT trip_overlap EXCLUDE USING gist (
        traveller_id WITH =, daterange(starts_on, ended_on, '[]') WITH &&
    ) WHERE (state <> 'CANCELLED')
);
CREATE INDEX ix_trip_letter_id ON trip (letter_id);
CREATE INDEX trip_traveller ON trip (traveller_id, starts_on);
CREATE INDEX trip_newest ON trip (starts_on, id);
CREATE TABLE leg (
    trip_id uuid REFERENCES trip ON DELETE CASCADE,
    position smallint,
    region_code text NOT NULL,
    zone text NOT NULL,
    arrive_on date NOT NULL,
    depart_on date NOT NULL CHECK (depart_on >= arrive_on),
    lodging_name text,
    lodging_lon double precision CHECK (lodging_lon BETWEEN -180 AND 180),
    lodging_lat double precision CHECK (lodging_lat BETWEEN -90 AND 90),
    transport text NOT NULL,
    flight_number text,
    PRIMARY KEY (trip_id, position)
);
CREATE TABLE lawful_place (
    id uuid PRIMARY KEY,
    trip_id uuid NOT NULL REFERENCES trip ON DELETE CASCADE,
    region_code text NOT NULL,
    kind text NOT NULL,
    from_on date NOT NULL,
    until_on date NOT NULL CHECK (until_on >= from_on)
);
CREATE INDEX ix_lawful_place_trip_id ON lawful_place (trip_id);
CREATE TABLE trip_revision (
    trip_id uuid REFERENCES trip,
    revision integer,
    change text NOT NULL,
    reason text,
    changed_by_id uuid NOT NULL REFERENCES member,
    changed_at timestamptz NOT NULL DEFAULT now(),
    plan jsonb NOT NULL,
    PRIMARY KEY (trip_id, revision)
);
CREATE TABLE trip_progress (
    trip_id uuid PRIMARY KEY REFERENCES trip,
    arrived bigint NOT NULL,
    evaluated bigint NOT NULL,
    due_at timestamptz,
    chain_head bytea NOT NULL DEFAULT ''::bytea,
    last_fix_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX trip_progress_behind ON trip_progress (trip_id) WHERE arrived <> evaluated;
CREATE INDEX trip_progress_due ON trip_progress (due_at) WHERE due_at IS NOT NULL;
GRANT SELECT, INSERT ON assignment_letter, trip_revision TO {app};
GRANT SELECT, INSERT, UPDATE ON trip, trip_progress TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON leg, lawful_place TO {app};
"""

# The service may add evidence and never change or remove it: retention is the owner's business.
EVIDENCE = """
CREATE TABLE track_chunk (
    trip_id uuid NOT NULL REFERENCES trip,
    started_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    ended_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    arrival bigint NOT NULL,
    device text NOT NULL,
    path geometry(GeometryM, 4326) NOT NULL,
    accuracy real[] NOT NULL,
    speed real[] NOT NULL,
    link bytea NOT NULL,
    PRIMARY KEY (trip_id, started_at, digest)
) PARTITION BY RANGE (started_at);
CREATE TABLE track_chunk_other PARTITION OF track_chunk DEFAULT;
CREATE TABLE verdict (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    trip_id uuid NOT NULL REFERENCES trip,
    current boolean NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('CONFORMS', 'DEVIATES', 'UNVERIFIABLE')),
    final boolean NOT NULL,
    coverage double precision NOT NULL CHECK (coverage BETWEEN 0 AND 1),
    observed_days integer NOT NULL,
    unknown_days integer NOT NULL,
    ruleset integer NOT NULL REFERENCES ruleset,
    boundary_set integer NOT NULL REFERENCES boundary_set,
    watermark bigint NOT NULL,
    evaluated_at timestamptz NOT NULL,
    detail jsonb NOT NULL
);
CREATE UNIQUE INDEX verdict_current ON verdict (trip_id) WHERE current;
CREATE UNIQUE INDEX verdict_identity ON verdict (id, current);
ALTER TABLE verdict REPLICA IDENTITY USING INDEX verdict_identity;
CREATE TABLE deviation (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    trip_id uuid NOT NULL REFERENCES trip,
    verdict_id uuid NOT NULL REFERENCES verdict,
    kind text NOT NULL,
    severity text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('OPEN', 'ANSWERED', 'UPHELD', 'EXCUSED', 'WITHDRAWN')),
    leg smallint,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    region_code text,
    planned_region_code text,
    coverage double precision NOT NULL,
    amount numeric(14, 2),
    evidence text[] NOT NULL,
    message_id text NOT NULL,
    message_en text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX deviation_case ON deviation (trip_id, kind, leg, region_code)
    NULLS NOT DISTINCT;
CREATE INDEX deviation_newest ON deviation (found_at, id);
CREATE UNIQUE INDEX deviation_identity ON deviation (id, state);
ALTER TABLE deviation REPLICA IDENTITY USING INDEX deviation_identity;
CREATE TABLE deviation_reply (
    id uuid PRIMARY KEY,
    deviation_id uuid NOT NULL REFERENCES deviation,
    member_id uuid NOT NULL REFERENCES member,
    body text NOT NULL CHECK (body <> ''),
    replied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ix_deviation_reply_deviation_id ON deviation_reply (deviation_id);
CREATE TABLE deviation_ruling (
    id uuid PRIMARY KEY,
    deviation_id uuid NOT NULL REFERENCES deviation,
    member_id uuid NOT NULL REFERENCES member,
    upheld boolean NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    ruled_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ix_deviation_ruling_deviation_id ON deviation_ruling (deviation_id);
GRANT SELECT, INSERT ON track_chunk, deviation_reply, deviation_ruling TO {app};
GRANT SELECT, INSERT, UPDATE ON verdict, deviation TO {app};
"""

# What the province is given. A track, a name and a NIP are in no column list, and PostgreSQL
# itself keeps it so: the role that replicates may read these columns and no others.
SHARING = """
CREATE PUBLICATION province FOR TABLE
    trip (id, tenant, state, starts_on, ends_on),
    verdict (id, tenant, trip_id, current, outcome, final, coverage, evaluated_at)
        WHERE (current),
    deviation (
        id, tenant, trip_id, kind, severity, state, started_at, ended_at, region_code,
        planned_region_code, coverage, amount, message_id, message_en, found_at
    ) WHERE (state <> 'WITHDRAWN');
GRANT SELECT (id, tenant, state, starts_on, ends_on) ON trip TO {share};
GRANT SELECT (id, tenant, trip_id, current, outcome, final, coverage, evaluated_at)
    ON verdict TO {share};
GRANT SELECT (
    id, tenant, trip_id, kind, severity, state, started_at, ended_at, region_code,
    planned_region_code, coverage, amount, message_id, message_en, found_at
) ON deviation TO {share};
"""


def upgrade() -> None:
    names = context.config.attributes
    for part in (PEOPLE, RULES, TRIPS, EVIDENCE, SHARING):
        sql = part.format(app=names["app_role"], share=names["share_role"], code=names["code"])
        op.get_bind().exec_driver_sql(sql)
