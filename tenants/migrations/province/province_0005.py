"""Agreements, figures by month, pseudonyms; and rows that a regency may not publish are refused.

What was received before goes: each regency is subscribed to anew and sends what its agreement lets
out (`jejak tenant migrate`). Figures by month are the regencies' own, counted there: the province
counts no more.
"""

from alembic import context, op

revision = "province_0005"
down_revision = "province_0004"

COUNTING = """
DROP TRIGGER trip_is_due ON trip;
DROP TRIGGER verdict_is_due ON verdict;
DROP TRIGGER deviation_is_due ON deviation;
DROP FUNCTION trip_is_due(), its_trip_is_due(), refresh_indicators(integer);
DROP TABLE indicator, indicator_due;
DROP INDEX deviation_trip, verdict_trip, trip_month;
"""

# Of each table, (id, tenant) is the key: whatever ids a regency makes up, they meet its own only.
SHARED = """
TRUNCATE trip, verdict, deviation;
ALTER TABLE trip RENAME TO shared_trip;
ALTER TABLE verdict RENAME TO shared_verdict;
ALTER TABLE deviation RENAME TO shared_deviation;
ALTER TABLE shared_trip
    DROP CONSTRAINT trip_pkey, ADD PRIMARY KEY (id, tenant),
    ADD COLUMN ended_on date NOT NULL, ADD COLUMN person text;
CREATE INDEX shared_trip_person ON shared_trip (person) WHERE person IS NOT NULL;
ALTER TABLE shared_verdict
    DROP CONSTRAINT verdict_pkey, ADD PRIMARY KEY (id, tenant), DROP COLUMN current;
ALTER TABLE shared_deviation
    DROP CONSTRAINT deviation_pkey, ADD PRIMARY KEY (id, tenant),
    ADD COLUMN pseudonym text, ADD COLUMN traveller_name text, ADD COLUMN traveller_nip text;
CREATE TABLE shared_agreement (
    tenant text PRIMARY KEY,
    number text NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    level text NOT NULL,
    severity text,
    travellers text
);
CREATE TABLE shared_month (
    tenant text,
    month date,
    trips integer NOT NULL,
    days integer NOT NULL,
    verdicts integer NOT NULL,
    coverage double precision NOT NULL,
    conforms integer NOT NULL,
    deviates integer NOT NULL,
    unverifiable integer NOT NULL,
    judged integer NOT NULL,
    deviating integer NOT NULL,
    PRIMARY KEY (tenant, month)
);
CREATE TABLE shared_finding (
    tenant text,
    month date,
    kind text,
    severity text,
    open integer NOT NULL,
    upheld integer NOT NULL,
    excused integer NOT NULL,
    amount_at_stake numeric(16, 2) NOT NULL,
    amount_upheld numeric(16, 2) NOT NULL,
    reply_hours double precision[] NOT NULL,
    ruling_hours double precision[] NOT NULL,
    PRIMARY KEY (tenant, month, kind, severity)
);
CREATE TABLE refused_row (
    regency_code text,
    relation text,
    reason text,
    times bigint NOT NULL DEFAULT 1,
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (regency_code, relation, reason)
);
GRANT SELECT ON shared_agreement, shared_month, shared_finding, refused_row TO {app};
"""

# What a case went through is read back as states and times.
HISTORY = """
CREATE FUNCTION is_history(history jsonb) RETURNS boolean LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
DECLARE
    change jsonb;
BEGIN
    FOR change IN SELECT jsonb_array_elements(history) LOOP
        IF (change->>'state' IN ('OPEN', 'ANSWERED', 'UPHELD', 'EXCUSED', 'WITHDRAWN')
            AND change->>'at' ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T([01][0-9]|2[0-3])'
                '(:[0-5][0-9]){{2}}([.][0-9]{{1,6}})?[+-][0-9]{{2}}:[0-9]{{2}}$'
            AND (change->>'at')::timestamptz IS NOT NULL) IS NOT TRUE
        THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
EXCEPTION WHEN data_exception THEN
    RETURN false;
END $$;
"""

# A regency that hosts its own database could publish what it likes. Only rows that name itself are
# taken, and only with values that the province can show; what is refused is counted, not kept.
REFUSAL = """
CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql
    SET search_path = public, pg_temp AS $$
DECLARE
    publisher text := (
        SELECT code FROM pg_stat_subscription
        JOIN regency ON subname = 'jejak_' || replace(slug, '-', '_')
        WHERE pid = pg_backend_pid()
    );
    was jsonb := to_jsonb(OLD);
    becomes jsonb := to_jsonb(NEW);
    wrong text := CASE
        WHEN publisher IS NULL OR was->>'tenant' <> publisher
            OR becomes->>'tenant' <> publisher THEN 'FOREIGN'
        WHEN becomes->>'region_code' !~ '^[0-9]{{2}}[.][0-9]{{2}}$'
            OR becomes->>'planned_region_code' !~ '^[0-9]{{2}}[.][0-9]{{2}}$' THEN 'REGION'
        WHEN becomes->>'severity' NOT IN ('NOTE', 'LOW', 'MEDIUM', 'HIGH')
            OR becomes->>'outcome' NOT IN ('CONFORMS', 'DEVIATES', 'UNVERIFIABLE')
            OR becomes->>'level' NOT IN ('FIGURES', 'CASES')
            OR becomes->>'travellers' NOT IN ('PSEUDONYMOUS', 'NAMED')
            OR TG_TABLE_NAME = 'shared_trip'
                AND becomes->>'state' NOT IN ('ISSUED', 'ACTIVE', 'FINISHED', 'CANCELLED')
            OR TG_TABLE_NAME = 'shared_deviation'
                AND (becomes->>'state' NOT IN ('OPEN', 'ANSWERED', 'UPHELD', 'EXCUSED')
                    OR NOT is_history(becomes->'history'))
            OR (becomes->>'deviating')::integer > (becomes->>'judged')::integer
            OR becomes @? '$.* ? (@ < 0)'
            OR becomes @? '$.* ? (@ like_regex "^-?infinity$|^NaN$" flag "i")'
            OR becomes @? '$.* ? (@ like_regex "^[0-9]{{5,7}}-[0-9]{{2}}-[0-9]{{2}}")'
            OR becomes @? '$.* ? (@ like_regex "^[0-9]+-[0-9]{{2}}-[0-9]{{2}}.* BC$")'
            OR becomes->'reply_hours' @? 'strict $[*] ? (@.type() != "number")'
            OR becomes->'ruling_hours' @? 'strict $[*] ? (@.type() != "number")'
            THEN 'VALUE'
    END;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'no regency may empty a table of all';
    END IF;
    IF wrong IS NULL AND TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSIF wrong IS NULL THEN
        RETURN NEW;
    END IF;
    INSERT INTO refused_row (regency_code, relation, reason)
        VALUES (coalesce(publisher, ''), TG_TABLE_NAME, wrong)
        ON CONFLICT (regency_code, relation, reason)
        DO UPDATE SET times = refused_row.times + 1, last_at = clock_timestamp();
    RETURN NULL;
END $$;
"""
TABLES = (
    "shared_agreement",
    "shared_month",
    "shared_finding",
    "shared_trip",
    "shared_verdict",
    "shared_deviation",
    "escalation_answer",
)
# ENABLE REPLICA: for what replication brings, and for nothing else.
REFUSING = """
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_row();
CREATE TRIGGER refuse_all BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_row();
ALTER TABLE {table} ENABLE REPLICA TRIGGER refuse, ENABLE REPLICA TRIGGER refuse_all;
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (COUNTING, SHARED, HISTORY, REFUSAL):
        op.get_bind().exec_driver_sql(part.format(app=app))
    for table in TABLES:
        op.get_bind().exec_driver_sql(REFUSING.format(table=table))
