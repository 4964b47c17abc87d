"""Figures by month, how fresh each regency's rows are, news of cases, and escalations."""

from alembic import context, op

revision = "province_0004"
down_revision = "province_0003"

CASES = """
ALTER TABLE deviation
    ADD COLUMN history jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN replied_at timestamptz,
    ADD COLUMN ruled_at timestamptz;
CREATE INDEX deviation_trip ON deviation (trip_id);
CREATE INDEX verdict_trip ON verdict (trip_id);
CREATE INDEX trip_month ON trip (tenant, ends_on);
"""

# What arrives only marks what is due: rows of one trip come in any order, tables of a newborn
# regency at once, and a sum that waits for another's lock would hold up the replication.
# Apply workers search no schema.
INDICATORS = """
CREATE TABLE indicator (
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
    open_deviations integer NOT NULL,
    settled_deviations integer NOT NULL,
    amount_at_stake numeric(16, 2) NOT NULL,
    kinds jsonb NOT NULL,
    reply_hours double precision[] NOT NULL,
    ruling_hours double precision[] NOT NULL,
    PRIMARY KEY (tenant, month)
);
CREATE TABLE indicator_due (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    month date,
    trip_id uuid
);
GRANT SELECT ON indicator TO {app};
CREATE FUNCTION trip_is_due() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO indicator_due (tenant, month)
        VALUES (OLD.tenant, date_trunc('month', OLD.ends_on));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO indicator_due (tenant, month)
        VALUES (NEW.tenant, date_trunc('month', NEW.ends_on));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION its_trip_is_due() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
DECLARE
    changed record := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO indicator_due (tenant, trip_id) VALUES (changed.tenant, changed.trip_id);
    RETURN NULL;
END $$;
CREATE TRIGGER trip_is_due AFTER INSERT OR UPDATE OR DELETE ON trip
    FOR EACH ROW EXECUTE FUNCTION trip_is_due();
CREATE TRIGGER verdict_is_due AFTER INSERT OR UPDATE OR DELETE ON verdict
    FOR EACH ROW EXECUTE FUNCTION its_trip_is_due();
CREATE TRIGGER deviation_is_due AFTER INSERT OR UPDATE OR DELETE ON deviation
    FOR EACH ROW EXECUTE FUNCTION its_trip_is_due();
ALTER TABLE trip ENABLE ALWAYS TRIGGER trip_is_due;
ALTER TABLE verdict ENABLE ALWAYS TRIGGER verdict_is_due;
ALTER TABLE deviation ENABLE ALWAYS TRIGGER deviation_is_due;
CREATE FUNCTION refresh_indicators(most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    due_tenants text[];
    due_months date[];
    done integer;
BEGIN
    -- One at a time: of two, the one that saw less could write last.
    IF NOT pg_try_advisory_xact_lock(hashtext('refresh_indicators')) THEN
        RETURN 0;
    END IF;
    -- A mark whose trip has not come can go: the trip will mark its month itself.
    WITH taken AS (
        DELETE FROM indicator_due
        WHERE id IN (SELECT id FROM indicator_due ORDER BY id LIMIT most)
        RETURNING tenant, month, trip_id
    ), due AS (
        SELECT DISTINCT taken.tenant,
            coalesce(taken.month, date_trunc('month', trip.ends_on)::date) AS month
        FROM taken LEFT JOIN trip ON trip.id = taken.trip_id
    )
    SELECT array_agg(tenant) FILTER (WHERE month IS NOT NULL),
        array_agg(month) FILTER (WHERE month IS NOT NULL), (SELECT count(*) FROM taken)
    INTO due_tenants, due_months, done FROM due;
    -- Statements of their own: they see at least what was committed with the marks.
    DELETE FROM indicator
    WHERE (tenant, month) IN (SELECT * FROM unnest(due_tenants, due_months));
    INSERT INTO indicator
    SELECT due.tenant, due.month, judged.*, cases.*
    FROM unnest(due_tenants, due_months) AS due (tenant, month)
    CROSS JOIN LATERAL (
        SELECT count(*) AS trips, coalesce(sum(ends_on - starts_on + 1), 0), count(verdict.id),
            coalesce(sum(coverage), 0),
            count(*) FILTER (WHERE outcome = 'CONFORMS'),
            count(*) FILTER (WHERE outcome = 'DEVIATES'),
            count(*) FILTER (WHERE outcome = 'UNVERIFIABLE'),
            count(*) FILTER (WHERE final AND outcome IN ('CONFORMS', 'DEVIATES')),
            count(*) FILTER (WHERE final AND outcome = 'DEVIATES')
        FROM trip LEFT JOIN verdict ON verdict.trip_id = trip.id AND verdict.current
        WHERE trip.tenant = due.tenant AND trip.state <> 'CANCELLED'
            AND ends_on >= due.month AND ends_on < due.month + interval '1 month'
    ) judged
    CROSS JOIN LATERAL (
        WITH found AS MATERIALIZED (
            SELECT kind, deviation.state IN ('OPEN', 'ANSWERED') AS is_open, amount,
                extract(epoch FROM replied_at - found_at)::float8 / 3600 AS reply,
                extract(epoch FROM ruled_at - found_at)::float8 / 3600 AS ruling
            FROM trip JOIN deviation ON deviation.trip_id = trip.id
            WHERE trip.tenant = due.tenant
                AND ends_on >= due.month AND ends_on < due.month + interval '1 month'
        )
        SELECT count(*) FILTER (WHERE is_open) AS opened,
            count(*) FILTER (WHERE NOT is_open) AS settled,
            coalesce(sum(amount) FILTER (WHERE is_open), 0),
            coalesce((SELECT jsonb_object_agg(kind, total) FROM (
                SELECT kind, count(*) AS total FROM found GROUP BY kind
            ) by_kind), '{{}}'),
            coalesce(array_agg(reply) FILTER (WHERE reply IS NOT NULL), '{{}}'),
            coalesce(array_agg(ruling) FILTER (WHERE ruling IS NOT NULL), '{{}}')
        FROM found
    ) cases
    WHERE judged.trips > 0 OR cases.opened + cases.settled > 0;
    RETURN done;
END $$;
REVOKE EXECUTE ON FUNCTION refresh_indicators(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_indicators(integer) TO {app};
INSERT INTO indicator_due (tenant, month)
    SELECT DISTINCT tenant, date_trunc('month', ends_on)::date FROM trip;
"""

# As of when, by the apply worker's word. What it last heard is kept: of a worker that is gone
# PostgreSQL knows nothing; one that is still connecting claims to have heard something when it
# began, but has received nothing. Slots are seen of regencies on the province's own server only.
FRESHNESS = """
CREATE TABLE regency_receipt (
    code text PRIMARY KEY,
    heard_at timestamptz NOT NULL
);
CREATE FUNCTION regency_workers() RETURNS TABLE (code text, subscription text, heard_at timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT regency.code, 'jejak_' || replace(slug, '-', '_'), last_msg_receipt_time
    FROM regency LEFT JOIN pg_stat_subscription
        ON subname = 'jejak_' || replace(slug, '-', '_') AND relid IS NULL AND pid IS NOT NULL
            AND received_lsn IS NOT NULL
$$;
CREATE FUNCTION note_receipts() RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO regency_receipt AS known
    SELECT code, heard_at FROM regency_workers() WHERE heard_at IS NOT NULL
    ON CONFLICT (code) DO UPDATE SET heard_at = EXCLUDED.heard_at
    WHERE known.heard_at < EXCLUDED.heard_at
$$;
CREATE FUNCTION regency_freshness() RETURNS TABLE (
    code text, as_of timestamptz, reachable boolean, bytes_behind bigint, copying boolean,
    needs_resync boolean
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT worker.code, greatest(worker.heard_at, known.heard_at),
        coalesce(worker.heard_at > clock_timestamp() - interval '60 s', false),
        pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
        coalesce(copied.unfinished, false), coalesce(wal_status = 'lost', false)
    FROM regency_workers() worker
    LEFT JOIN (
        SELECT subname, bool_or(srsubstate <> 'r') AS unfinished
        FROM pg_subscription JOIN pg_subscription_rel ON srsubid = pg_subscription.oid
        GROUP BY subname
    ) copied ON subname = worker.subscription
    LEFT JOIN regency_receipt known ON known.code = worker.code
    LEFT JOIN pg_replication_slots ON slot_name = worker.subscription
$$;
REVOKE EXECUTE ON FUNCTION regency_workers(), note_receipts(), regency_freshness() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_receipts(), regency_freshness() TO {app};
"""

# Each case is news once, also when all is copied anew. The transaction's number tells readers what
# may still be on its way: rows become visible in another order than they were written.
NEWS = """
CREATE TABLE case_arrival (
    deviation_id uuid PRIMARY KEY,
    arrived_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    arrived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX case_arrival_newest ON case_arrival (arrived_in);
GRANT SELECT ON case_arrival TO {app};
INSERT INTO case_arrival (deviation_id) SELECT id FROM deviation;
CREATE FUNCTION case_arrives() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO case_arrival (deviation_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER case_arrives AFTER INSERT ON deviation
    FOR EACH ROW EXECUTE FUNCTION case_arrives();
ALTER TABLE deviation ENABLE ALWAYS TRIGGER case_arrives;
"""

# Rows are added and never changed: question, answer and closing are their own log. A regency reads
# by one function, which like row level security knows who asks by the role that connected.
ESCALATIONS = """
CREATE TABLE escalation (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    deviation_id uuid NOT NULL,
    question text NOT NULL CHECK (question <> ''),
    asked_by_id uuid NOT NULL REFERENCES member,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX escalation_newest ON escalation (asked_at, id);
CREATE INDEX escalation_tenant ON escalation (tenant, asked_at);
CREATE INDEX ix_escalation_deviation_id ON escalation (deviation_id);
CREATE TABLE escalation_closing (
    escalation_id uuid PRIMARY KEY REFERENCES escalation,
    note text,
    closed_by_id uuid NOT NULL REFERENCES member,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE escalation_answer (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    escalation_id uuid NOT NULL,
    body text NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE INDEX ix_escalation_answer_escalation_id ON escalation_answer (escalation_id);
GRANT SELECT, INSERT ON escalation, escalation_closing TO {app};
GRANT SELECT ON escalation_answer TO {app};
CREATE FUNCTION own_escalations() RETURNS TABLE (
    id uuid, deviation_id uuid, question text, asked_at timestamptz, note text,
    closed_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT escalation.id, deviation_id, question, asked_at, note, closed_at
    FROM escalation LEFT JOIN escalation_closing ON escalation_id = escalation.id
    WHERE tenant = own_code()
$$;
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    for part in (CASES, INDICATORS, FRESHNESS, NEWS, ESCALATIONS):
        op.get_bind().exec_driver_sql(part.format(app=app))
