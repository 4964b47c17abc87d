"""What the evaluator is told besides the track: flags, silences, flights, reports, records."""

from alembic import context, op

revision = "tenant_0002"
down_revision = "tenant_0001"

# A chunk whose fixes have none of these holds null, and its digest is what it always was.
FLAGS = """
ALTER TABLE track_chunk ADD COLUMN mock boolean[], ADD COLUMN battery real[];
CREATE TABLE silence (
    trip_id uuid NOT NULL REFERENCES trip,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL CHECK (ended_at > started_at),
    reason text NOT NULL CHECK (reason IN ('NO_POWER', 'NO_PERMISSION', 'NO_NETWORK')),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    device text NOT NULL,
    PRIMARY KEY (trip_id, started_at, ended_at, reason)
);
GRANT SELECT, INSERT ON silence TO {app};
"""

# A number without airports and times is no flight: it stays in the history of its plan.
FLIGHTS = """
CREATE TABLE flight (
    trip_id uuid REFERENCES trip ON DELETE CASCADE,
    position smallint,
    number text NOT NULL CHECK (number <> ''),
    origin text NOT NULL CHECK (origin ~ '^[A-Z]{{3}}$'),
    destination text NOT NULL CHECK (destination ~ '^[A-Z]{{3}}$'),
    departs_at timestamptz NOT NULL,
    arrives_at timestamptz NOT NULL CHECK (arrives_at > departs_at),
    PRIMARY KEY (trip_id, position)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON flight TO {app};
WITH numbered AS (
    SELECT trip_id, jsonb_agg(
        jsonb_build_object('position', position, 'flight_number', flight_number) ORDER BY position
    ) AS legs
    FROM leg WHERE flight_number IS NOT NULL GROUP BY trip_id
), kept AS (
    INSERT INTO trip_revision (trip_id, revision, change, reason, changed_by_id, plan)
    SELECT trip.id, trip.revision, 'MIGRATED',
        'Nomor penerbangan tanpa bandara dan jam / Flight numbers without airports and times',
        assignment_letter.issued_by_id, jsonb_build_object('legs', numbered.legs)
    FROM numbered JOIN trip ON trip.id = numbered.trip_id
    JOIN assignment_letter ON assignment_letter.id = trip.letter_id
    RETURNING trip_id
)
UPDATE trip SET revision = revision + 1 FROM kept WHERE trip.id = kept.trip_id;
ALTER TABLE leg DROP COLUMN flight_number;
"""

RECORDS = """
ALTER TABLE trip ADD COLUMN reported_on date;
CREATE TABLE attendance (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL CHECK (ended_at >= started_at),
    source text NOT NULL CHECK (source <> ''),
    recorded_by_id uuid NOT NULL REFERENCES member,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (member_id, started_at, ended_at)
);
CREATE TABLE outside_assignment (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    number text NOT NULL CHECK (number <> ''),
    office text NOT NULL CHECK (office <> ''),
    starts_on date NOT NULL,
    ends_on date NOT NULL CHECK (ends_on >= starts_on),
    source text NOT NULL CHECK (source <> ''),
    recorded_by_id uuid NOT NULL REFERENCES member,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (member_id, number)
);
CREATE TABLE track_print (
    kind smallint,
    print bigint,
    trip_id uuid REFERENCES trip,
    PRIMARY KEY (print, kind, trip_id)
);
CREATE INDEX ix_track_print_trip_id ON track_print (trip_id);
GRANT SELECT, INSERT ON attendance, outside_assignment TO {app};
GRANT SELECT, INSERT, DELETE ON track_print TO {app};
"""

RULES = """
ALTER TABLE ruleset
    ALTER COLUMN valid_from TYPE date USING (valid_from AT TIME ZONE 'UTC')::date,
    ADD COLUMN valid_until date CHECK (valid_until >= valid_from);
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (FLAGS, FLIGHTS, RECORDS, RULES):
        op.get_bind().exec_driver_sql(part.format(app=app))
