"""Memberships keep what they were before a change; recoveries of what was claimed unduly."""

from alembic import context, op

revision = "tenant_0012"
down_revision = "tenant_0011"

MEMBERSHIPS = """
CREATE TABLE member_revision (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    change text NOT NULL CHECK (change IN ('CHANGED', 'ENDED', 'RESUMED')),
    reason text CHECK (reason <> ''),
    roles text[] NOT NULL,
    position text,
    office_id uuid REFERENCES office,
    changed_by_id uuid NOT NULL REFERENCES member,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ix_member_revision_member_id ON member_revision (member_id);
CREATE INDEX device_newest ON device (paired_at, id);
GRANT SELECT, INSERT ON member_revision TO {app};
GRANT UPDATE (valid_until) ON daily_allowance TO {app};
"""

# A receipt that was entered wrongly is taken back by a row of its own: none changes or vanishes.
RECOVERIES = """
CREATE TABLE recovery (
    id uuid PRIMARY KEY,
    deviation_id uuid NOT NULL REFERENCES deviation,
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    paid_on date NOT NULL,
    receipt text NOT NULL CHECK (receipt <> ''),
    withdraws uuid UNIQUE REFERENCES recovery,
    reason text CHECK (reason <> ''),
    member_id uuid NOT NULL REFERENCES member,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((withdraws IS NULL) = (reason IS NULL))
);
CREATE INDEX ix_recovery_deviation_id ON recovery (deviation_id);
GRANT SELECT, INSERT ON recovery TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (MEMBERSHIPS, RECOVERIES):
        op.get_bind().exec_driver_sql(part.format(app=app))
