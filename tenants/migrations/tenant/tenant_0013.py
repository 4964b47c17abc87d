"""Proposals: what an operator asks the head of office to send somebody on."""

from alembic import context, op

revision = "tenant_0013"
down_revision = "tenant_0012"

# What was proposed stays as it was, and is decided once.
PROPOSALS = """
CREATE TABLE trip_proposal (
    id uuid PRIMARY KEY,
    letter_number text NOT NULL,
    dated date NOT NULL,
    purpose text NOT NULL,
    signed_by_id uuid NOT NULL REFERENCES member,
    traveller_id uuid NOT NULL REFERENCES member,
    spd_number text,
    plan jsonb NOT NULL,
    proposed_by_id uuid NOT NULL REFERENCES member,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL CHECK (state IN ('WAITING', 'APPROVED', 'RETURNED', 'WITHDRAWN')),
    decided_by_id uuid REFERENCES member,
    decided_at timestamptz,
    reason text CHECK (reason <> ''),
    trip_id uuid UNIQUE REFERENCES trip,
    CHECK (state = 'WITHDRAWN' OR decided_by_id <> traveller_id),
    CHECK ((state = 'WAITING') = (decided_by_id IS NULL)),
    CHECK ((state = 'WAITING') = (decided_at IS NULL)),
    CHECK ((state = 'RETURNED') = (reason IS NOT NULL)),
    CHECK ((state = 'APPROVED') = (trip_id IS NOT NULL))
);
CREATE INDEX trip_proposal_newest ON trip_proposal (proposed_at, id);
GRANT SELECT, INSERT ON trip_proposal TO {app};
GRANT UPDATE (state, decided_by_id, decided_at, reason, trip_id) ON trip_proposal TO {app};
CREATE FUNCTION decide_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'WAITING' THEN
        RAISE EXCEPTION 'a proposal that was decided stays so';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided BEFORE UPDATE ON trip_proposal
    FOR EACH ROW EXECUTE FUNCTION decide_once();
CREATE INDEX assignment_letter_issuer ON assignment_letter (issued_by_id, issued_at);
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    op.get_bind().exec_driver_sql(PROPOSALS.format(app=app))
