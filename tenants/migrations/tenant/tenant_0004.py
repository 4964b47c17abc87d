"""Phones: paired devices, what they sent of no use, pauses, and where each trip is now."""

from alembic import context, op

revision = "tenant_0004"
down_revision = "tenant_0003"

DEVICES = """
CREATE TABLE device (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    trip_id uuid REFERENCES trip,
    client text NOT NULL
        CHECK (client IN ('OWNTRACKS', 'TRACCAR', 'OVERLAND', 'GPSLOGGER', 'BROWSER')),
    name text NOT NULL CHECK (name <> ''),
    token_hash bytea NOT NULL UNIQUE,
    encryption_key text,
    paired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    paired_by_id uuid NOT NULL REFERENCES member,
    revoked_at timestamptz,
    last_seen_at timestamptz,
    asked_at timestamptz
);
CREATE INDEX device_member ON device (member_id);
CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id uuid NOT NULL REFERENCES device,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    said jsonb
);
CREATE INDEX quarantine_device ON quarantine (device_id, received_at);
CREATE TABLE pause (
    id uuid PRIMARY KEY,
    trip_id uuid NOT NULL REFERENCES trip,
    started_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= started_at),
    reason text NOT NULL CHECK (reason <> '')
);
CREATE UNIQUE INDEX pause_open ON pause (trip_id) WHERE ended_at IS NULL;
CREATE INDEX pause_trip ON pause (trip_id, started_at);
GRANT SELECT, INSERT, UPDATE ON device, pause TO {app};
GRANT SELECT, INSERT ON quarantine TO {app};
"""

# What hardly compresses is kept as it is: trying took most of the time of storing a chunk.
POSITIONS = """
ALTER TABLE track_chunk
    ALTER COLUMN path SET STORAGE EXTERNAL,
    ALTER COLUMN accuracy SET STORAGE EXTERNAL,
    ALTER COLUMN speed SET STORAGE EXTERNAL,
    ALTER COLUMN battery SET STORAGE EXTERNAL;
ALTER TABLE trip_progress
    ADD COLUMN last_lon double precision,
    ADD COLUMN last_lat double precision,
    ADD COLUMN last_accuracy real;
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (DEVICES, POSITIONS):
        op.get_bind().exec_driver_sql(part.format(app=app))
