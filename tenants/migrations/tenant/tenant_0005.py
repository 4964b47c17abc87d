"""The intake's log: what phones' fixes are acknowledged by, until they are settled in tracks."""

from alembic import context, op

revision = "tenant_0005"
down_revision = "tenant_0004"

# Rows live for less than a second, and what is settled must not lie about: vacuumed eagerly.
LOG = """
CREATE TABLE intake_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    content bytea NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 100
);
ALTER TABLE intake_log ALTER COLUMN content SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, DELETE ON intake_log TO {app};
"""

LONGEST = """
ALTER TABLE trip_progress ADD COLUMN longest_chunk interval NOT NULL DEFAULT '0';
UPDATE trip_progress SET longest_chunk = longest FROM (
    SELECT trip_id, max(ended_at - started_at) AS longest FROM track_chunk GROUP BY trip_id
) AS chunks WHERE chunks.trip_id = trip_progress.trip_id;
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (LOG, LONGEST):
        op.get_bind().exec_driver_sql(part.format(app=app))
