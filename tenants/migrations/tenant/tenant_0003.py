"""Fingerprints are checked against no trip: a look for each of hundreds, and no trip is deleted."""

from alembic import op

revision = "tenant_0003"
down_revision = "tenant_0002"


def upgrade() -> None:
    op.drop_constraint("track_print_trip_id_fkey", "track_print")
