"""Check-ins of travellers, sealed like other evidence; and who looked at whose data."""

from alembic import context, op

revision = "tenant_0011"
down_revision = "tenant_0010"

# A photo is compressed already.
CHECK_INS = """
CREATE TABLE check_in (
    id uuid PRIMARY KEY,
    trip_id uuid NOT NULL REFERENCES trip,
    happened_at timestamptz NOT NULL,
    lon double precision NOT NULL CHECK (lon BETWEEN -180 AND 180),
    lat double precision NOT NULL CHECK (lat BETWEEN -90 AND 90),
    accuracy double precision CHECK (accuracy >= 0),
    photo bytea,
    photo_type text CHECK (photo_type IN ('image/jpeg', 'image/png', 'image/webp')),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (trip_id, happened_at),
    CHECK ((photo IS NULL) = (photo_type IS NULL))
);
ALTER TABLE check_in ALTER COLUMN photo SET STORAGE EXTERNAL;
GRANT SELECT, INSERT ON check_in TO {app};
"""

SEALED = """
ALTER TABLE sealed DROP CONSTRAINT sealed_kind_check, ADD CONSTRAINT sealed_kind_check CHECK (
    kind IN ('TRACK', 'VERDICT', 'CLOSED_VERDICT', 'DEVIATION', 'REPLY', 'RULING', 'CHECK_IN')
);
CREATE TRIGGER unsealed AFTER INSERT ON check_in
    FOR EACH ROW EXECUTE FUNCTION note_unsealed('CHECK_IN');
"""

# No foreign keys: who looks waits for nobody who changes a trip or a member.
ACCESSES = """
CREATE TABLE access_entry (
    id uuid PRIMARY KEY,
    trip_id uuid NOT NULL,
    viewer_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('FINDING', 'CASE', 'TRACK', 'POSITION', 'PHOTO')),
    hour timestamptz NOT NULL,
    roles text[] NOT NULL,
    first_at timestamptz NOT NULL,
    UNIQUE (trip_id, viewer_id, kind, hour)
);
GRANT SELECT, INSERT ON access_entry TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (CHECK_INS, SEALED, ACCESSES):
        op.get_bind().exec_driver_sql(part.format(app=app))
