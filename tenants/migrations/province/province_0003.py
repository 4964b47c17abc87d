"""Notices and visa on their way between regencies: each reads its own, the overseer none."""

from alembic import op

revision = "province_0003"
down_revision = "province_0002"

# The regency's own role is all that says who it is: no query can ask for another's rows.
PASSING = """
ALTER TABLE regency ADD COLUMN reader text UNIQUE;
CREATE FUNCTION own_code() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
    AS $$ SELECT code FROM regency WHERE reader = session_user $$;
CREATE TABLE travel_notice (
    trip_id uuid,
    leg smallint,
    tenant text NOT NULL,
    destination text NOT NULL,
    arrive_on date NOT NULL,
    depart_on date NOT NULL,
    letter_number text NOT NULL,
    traveller text NOT NULL,
    position text,
    office text,
    code_key text NOT NULL,
    PRIMARY KEY (trip_id, leg)
);
CREATE INDEX travel_notice_next ON travel_notice (destination, arrive_on, leg, trip_id);
CREATE TABLE visum (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    sender text NOT NULL,
    trip_id uuid NOT NULL,
    leg smallint NOT NULL,
    event text NOT NULL CHECK (event IN ('ARRIVAL', 'DEPARTURE')),
    happened_at timestamptz NOT NULL,
    method text NOT NULL CHECK (method IN ('LIST', 'QR', 'CODE')),
    confirmed_at timestamptz NOT NULL,
    withdraws uuid,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX visum_newest ON visum (sender, received_at);
ALTER TABLE travel_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE visum ENABLE ROW LEVEL SECURITY;
CREATE POLICY destination ON travel_notice FOR SELECT USING (destination = (SELECT own_code()));
CREATE POLICY sender ON visum FOR SELECT USING (sender = (SELECT own_code()));
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(PASSING)
