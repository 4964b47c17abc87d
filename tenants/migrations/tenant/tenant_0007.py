"""The visum: which regencies are told of a trip, and what they confirm of others' trips."""

from alembic import context, op

revision = "tenant_0007"
down_revision = "tenant_0006"

# Follows from trips and legs, so it may be changed; `code_key` is encrypted.
NOTICES = """
CREATE TABLE travel_notice (
    trip_id uuid REFERENCES trip,
    leg smallint,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    destination text NOT NULL CHECK (destination <> '{code}'),
    arrive_on date NOT NULL,
    depart_on date NOT NULL CHECK (depart_on >= arrive_on),
    letter_number text NOT NULL,
    traveller text NOT NULL,
    position text,
    office text,
    code_key text NOT NULL,
    PRIMARY KEY (trip_id, leg)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON travel_notice TO {app};
"""

# Evidence, as it is given and as it is received: what was wrong is withdrawn by another row.
VISA = """
CREATE TABLE visum (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    sender text NOT NULL CHECK (sender <> '{code}'),
    trip_id uuid NOT NULL,
    leg smallint NOT NULL,
    event text NOT NULL CHECK (event IN ('ARRIVAL', 'DEPARTURE')),
    happened_at timestamptz NOT NULL,
    method text NOT NULL CHECK (method IN ('LIST', 'QR', 'CODE')),
    code_step bigint,
    withdraws uuid UNIQUE REFERENCES visum,
    reason text CHECK (reason <> ''),
    traveller text NOT NULL,
    letter_number text NOT NULL,
    member_id uuid NOT NULL REFERENCES member,
    confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (trip_id, code_step),
    CHECK ((code_step IS NULL) = (method = 'LIST')),
    CHECK ((withdraws IS NULL) = (reason IS NULL))
);
CREATE INDEX visum_trip ON visum (trip_id, leg);
CREATE INDEX visum_time ON visum (happened_at);
CREATE TABLE visum_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member_id uuid NOT NULL REFERENCES member,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX visum_attempt_time ON visum_attempt (failed_at);
CREATE TABLE visum_received (
    id uuid PRIMARY KEY,
    trip_id uuid NOT NULL REFERENCES trip,
    leg smallint NOT NULL,
    host text NOT NULL,
    event text NOT NULL,
    happened_at timestamptz NOT NULL,
    method text NOT NULL,
    confirmed_at timestamptz NOT NULL,
    withdraws uuid,
    received_at timestamptz NOT NULL
);
CREATE INDEX visum_received_trip ON visum_received (trip_id);
CREATE INDEX visum_received_newest ON visum_received (received_at);
GRANT SELECT, INSERT ON visum, visum_attempt, visum_received TO {app};
"""

# Apart from what the province oversees: a name goes to the destination, through the province's
# database, and is in none of the overseer's tables.
SHARING = """
CREATE PUBLICATION visum FOR TABLE
    travel_notice (
        trip_id, leg, tenant, destination, arrive_on, depart_on, letter_number, traveller, position,
        office, code_key
    ),
    visum (
        id, tenant, sender, trip_id, leg, event, happened_at, method, confirmed_at, withdraws
    );
GRANT SELECT (
    trip_id, leg, tenant, destination, arrive_on, depart_on, letter_number, traveller, position,
    office, code_key
) ON travel_notice TO {share};
GRANT SELECT (
    id, tenant, sender, trip_id, leg, event, happened_at, method, confirmed_at, withdraws
) ON visum TO {share};
"""


def upgrade() -> None:
    names = context.config.attributes
    for part in (NOTICES, VISA, SHARING):
        sql = part.format(app=names["app_role"], share=names["share_role"], code=names["code"])
        op.get_bind().exec_driver_sql(sql)
