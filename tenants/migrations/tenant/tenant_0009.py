"""What is shared is what an agreement (*perjanjian berbagi data*) lets out, by PostgreSQL's doing.

Trips, verdicts, deviations and figures are published from tables of their own, which the service
can neither read nor write. Triggers and functions of the owner keep them at what the agreement in
force lets out: no row of a table that holds a name, a NIP or a track is ever published, and what
ends is deleted, so that the province's copy goes too. A regency that declared no agreement
publishes none of it, one from before this migration included; its seals and its answers to the
province's questions are published always.
"""

from alembic import context, op

revision = "tenant_0009"
down_revision = "tenant_0008"

LOCK = 0x62616769  # "bagi"

# The newest that has begun decides alone: a narrower agreement that ends revives no wider one.
AGREEMENT = """
CREATE TABLE sharing_agreement (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number text NOT NULL CHECK (number <> ''),
    valid_from date NOT NULL,
    valid_until date,
    zone text NOT NULL,
    level text NOT NULL CHECK (level IN ('FIGURES', 'CASES')),
    severity text CHECK (severity IN ('NOTE', 'LOW', 'MEDIUM', 'HIGH')),
    travellers text CHECK (travellers IN ('PSEUDONYMOUS', 'NAMED')),
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    declared_by text NOT NULL CHECK (declared_by <> ''),
    declared_by_id uuid REFERENCES member,
    withdrawn_at timestamptz,
    withdrawn_by text,
    withdrawn_by_id uuid REFERENCES member,
    withdrawal_reason text CHECK (withdrawal_reason <> ''),
    CONSTRAINT sharing_agreement_dates CHECK (valid_until >= valid_from),
    CONSTRAINT sharing_agreement_terms CHECK (
        (level = 'CASES') = (severity IS NOT NULL)
        AND (level = 'CASES') = (travellers IS NOT NULL)
    ),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    CHECK ((withdrawn_at IS NULL) = (withdrawal_reason IS NULL))
);
CREATE VIEW sharing_agreement_in_force AS
SELECT * FROM (
    SELECT * FROM sharing_agreement
    WHERE valid_from <= (clock_timestamp() AT TIME ZONE zone)::date
    ORDER BY id DESC LIMIT 1
) newest
WHERE withdrawn_at IS NULL
    AND coalesce(valid_until >= (clock_timestamp() AT TIME ZONE zone)::date, true);
GRANT SELECT ON sharing_agreement, sharing_agreement_in_force TO {app};
GRANT INSERT (
    number, valid_from, valid_until, zone, level, severity, travellers, declared_by,
    declared_by_id, withdrawn_at, withdrawn_by, withdrawn_by_id, withdrawal_reason
) ON sharing_agreement TO {app};
GRANT UPDATE (withdrawn_by, withdrawn_by_id, withdrawal_reason) ON sharing_agreement TO {app};
CREATE FUNCTION sign_agreement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.withdrawn_at IS NOT NULL THEN
            RAISE EXCEPTION 'an agreement that was withdrawn stays so';
        END IF;
        NEW.withdrawn_at := clock_timestamp();
    END IF;
    IF current_user = '{app}' AND NOT EXISTS (
        SELECT FROM member WHERE suspended_at IS NULL AND 'TENANT_ADMIN' = ANY(roles) AND id
            = CASE TG_OP WHEN 'INSERT' THEN NEW.declared_by_id ELSE NEW.withdrawn_by_id END
    ) THEN
        RAISE EXCEPTION 'only an admin of the regency declares and withdraws'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signed BEFORE INSERT OR UPDATE ON sharing_agreement
    FOR EACH ROW EXECUTE FUNCTION sign_agreement();
"""

# A person is known across regencies by HMAC-SHA256 over the NIP, with the province's key.
PERSON = """
CREATE EXTENSION pgcrypto;
CREATE TABLE person_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    key bytea NOT NULL CHECK (length(key) = 32)
);
CREATE FUNCTION person_of(nip text, key bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT encode(hmac(convert_to(nip, 'UTF8'), key, 'sha256'), 'hex') $$;
"""

# Each view gives what its table, below, may hold now. A trip and its deviations belong to the month
# of its last planned day: only then is it known what became of it. Hours from a finding to the
# first reply or ruling are given one by one, the shortest first: medians over months need them.
SHARABLE = """
CREATE FUNCTION month_of(day date) RETURNS date LANGUAGE sql IMMUTABLE AS
    $$ SELECT day - extract(day FROM day)::integer + 1 $$;
CREATE INDEX trip_month ON trip (month_of(ends_on));
CREATE FUNCTION hours_between(since timestamptz, until timestamptz) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT greatest(extract(epoch FROM until - since), 0)::double precision / 3600 $$;
CREATE VIEW sharable_agreement AS
SELECT '{code}' AS tenant, number, valid_from, valid_until, level, severity, travellers
FROM sharing_agreement_in_force;
CREATE VIEW sharable_trip AS
SELECT trip.id, trip.tenant, trip.state, starts_on, ends_on, ended_on, person_of(nip, key) AS person
FROM sharing_agreement_in_force agreement, trip JOIN member ON member.id = traveller_id
LEFT JOIN person_key ON true
WHERE agreement.level = 'CASES';
CREATE VIEW sharable_verdict AS
SELECT verdict.id, tenant, trip_id, outcome, final, coverage, evaluated_at
FROM sharing_agreement_in_force agreement, verdict
WHERE agreement.level = 'CASES' AND current;
CREATE VIEW sharable_deviation AS
SELECT deviation.id, deviation.tenant, trip_id, kind, deviation.severity, deviation.state,
    deviation.started_at, ended_at, region_code, planned_region_code, coverage, amount,
    message_id, message_en, found_at, history, replied_at, ruled_at,
    person_of(nip, key) AS pseudonym,
    CASE WHEN agreement.travellers = 'NAMED' THEN name END AS traveller_name,
    CASE WHEN agreement.travellers = 'NAMED' THEN nip END AS traveller_nip
FROM sharing_agreement_in_force agreement, deviation
JOIN trip ON trip.id = trip_id JOIN member ON member.id = traveller_id
LEFT JOIN person_key ON true
WHERE agreement.level = 'CASES' AND deviation.state <> 'WITHDRAWN'
    AND array_position(ARRAY['NOTE', 'LOW', 'MEDIUM', 'HIGH'], deviation.severity)
        >= array_position(ARRAY['NOTE', 'LOW', 'MEDIUM', 'HIGH'], agreement.severity);
CREATE VIEW sharable_month AS
SELECT trip.tenant, month_of(ends_on) AS month,
    count(*)::integer AS trips,
    sum(ends_on - starts_on + 1)::integer AS days,
    count(outcome)::integer AS verdicts,
    coalesce(sum(coverage), 0)::double precision AS coverage,
    (count(*) FILTER (WHERE outcome = 'CONFORMS'))::integer AS conforms,
    (count(*) FILTER (WHERE outcome = 'DEVIATES'))::integer AS deviates,
    (count(*) FILTER (WHERE outcome = 'UNVERIFIABLE'))::integer AS unverifiable,
    (count(*) FILTER (WHERE final AND outcome IN ('CONFORMS', 'DEVIATES')))::integer AS judged,
    (count(*) FILTER (WHERE final AND outcome = 'DEVIATES'))::integer AS deviating
FROM sharing_agreement_in_force, trip LEFT JOIN verdict ON trip_id = trip.id AND current
WHERE trip.state <> 'CANCELLED'
GROUP BY 1, 2;
CREATE VIEW sharable_finding AS
SELECT deviation.tenant, month_of(ends_on) AS month, kind, deviation.severity,
    (count(*) FILTER (WHERE deviation.state IN ('OPEN', 'ANSWERED')))::integer AS open,
    (count(*) FILTER (WHERE deviation.state = 'UPHELD'))::integer AS upheld,
    (count(*) FILTER (WHERE deviation.state = 'EXCUSED'))::integer AS excused,
    coalesce(sum(amount) FILTER (WHERE deviation.state IN ('OPEN', 'ANSWERED')), 0)
        AS amount_at_stake,
    coalesce(sum(amount) FILTER (WHERE deviation.state = 'UPHELD'), 0) AS amount_upheld,
    coalesce(array_agg(hours_between(found_at, replied_at) ORDER BY replied_at - found_at)
        FILTER (WHERE replied_at IS NOT NULL), '{{}}') AS reply_hours,
    coalesce(array_agg(hours_between(found_at, ruled_at) ORDER BY ruled_at - found_at)
        FILTER (WHERE ruled_at IS NOT NULL), '{{}}') AS ruling_hours
FROM sharing_agreement_in_force, deviation JOIN trip ON trip.id = trip_id
WHERE deviation.state <> 'WITHDRAWN'
GROUP BY 1, 2, 3, 4;
"""

SHARED = """
CREATE TABLE shared_agreement AS TABLE sharable_agreement WITH NO DATA;
CREATE TABLE shared_month AS TABLE sharable_month WITH NO DATA;
CREATE TABLE shared_finding AS TABLE sharable_finding WITH NO DATA;
CREATE TABLE shared_trip AS TABLE sharable_trip WITH NO DATA;
CREATE TABLE shared_verdict AS TABLE sharable_verdict WITH NO DATA;
CREATE TABLE shared_deviation AS TABLE sharable_deviation WITH NO DATA;
ALTER TABLE shared_agreement ADD PRIMARY KEY (tenant), ADD CHECK (tenant = '{code}');
ALTER TABLE shared_month ADD PRIMARY KEY (tenant, month), ADD CHECK (tenant = '{code}');
ALTER TABLE shared_finding
    ADD PRIMARY KEY (tenant, month, kind, severity), ADD CHECK (tenant = '{code}');
ALTER TABLE shared_trip
    ADD PRIMARY KEY (id, tenant), ADD CHECK (tenant = '{code}'),
    ADD FOREIGN KEY (id) REFERENCES trip ON DELETE CASCADE;
ALTER TABLE shared_verdict
    ADD PRIMARY KEY (id, tenant), ADD CHECK (tenant = '{code}'),
    ADD FOREIGN KEY (id) REFERENCES verdict ON DELETE CASCADE;
ALTER TABLE shared_deviation
    ADD PRIMARY KEY (id, tenant), ADD CHECK (tenant = '{code}'),
    ADD FOREIGN KEY (id) REFERENCES deviation ON DELETE CASCADE;
"""

# Whoever writes what is shared takes the lock shared, whoever changes the agreement takes it
# whole; each statement after it sees what was committed before, so no row slips out between.
SHARING = """
CREATE FUNCTION share_trips(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM shared_trip s WHERE id = ANY(ids)
        AND NOT EXISTS (SELECT FROM sharable_trip v WHERE v.id = s.id AND v = s);
    INSERT INTO shared_trip SELECT * FROM sharable_trip WHERE id = ANY(ids)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION share_verdicts(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM shared_verdict s WHERE id = ANY(ids)
        AND NOT EXISTS (SELECT FROM sharable_verdict v WHERE v.id = s.id AND v = s);
    INSERT INTO shared_verdict SELECT * FROM sharable_verdict WHERE id = ANY(ids)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION share_deviations(ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM shared_deviation s WHERE id = ANY(ids)
        AND NOT EXISTS (SELECT FROM sharable_deviation v WHERE v.id = s.id AND v = s);
    INSERT INTO shared_deviation SELECT * FROM sharable_deviation WHERE id = ANY(ids)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION share_figures(months date[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM shared_month s WHERE month = ANY(months) AND NOT EXISTS (
        SELECT FROM sharable_month v WHERE v.month = ANY(months) AND v = s
    );
    INSERT INTO shared_month SELECT * FROM sharable_month WHERE month = ANY(months)
    ON CONFLICT DO NOTHING;
    DELETE FROM shared_finding s WHERE month = ANY(months) AND NOT EXISTS (
        SELECT FROM sharable_finding v WHERE v.month = ANY(months) AND v = s
    );
    INSERT INTO shared_finding SELECT * FROM sharable_finding WHERE month = ANY(months)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION share_everything() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    PERFORM share_trips(ARRAY(SELECT id FROM trip)),
        share_verdicts(ARRAY(
            SELECT id FROM verdict WHERE current UNION SELECT id FROM shared_verdict
        )),
        share_deviations(ARRAY(SELECT id FROM deviation));
    PERFORM share_figures(ARRAY(
        SELECT month_of(ends_on) FROM trip UNION SELECT month FROM shared_month
        UNION SELECT month FROM shared_finding
    ));
    DELETE FROM shared_agreement s WHERE NOT EXISTS (SELECT FROM sharable_agreement v WHERE v = s);
    INSERT INTO shared_agreement SELECT * FROM sharable_agreement ON CONFLICT DO NOTHING;
END $$;
"""

# A row is shared by whoever changed it, and holds its lock already. What concerns more than that
# row is left to the sweep, so that nobody waits for another's: months are counted again, and
# members' names and NIPs told again.
CHANGES = """
CREATE TABLE outdated_month (month date NOT NULL);
CREATE TABLE outdated_member (member_id uuid NOT NULL);
CREATE FUNCTION agreement_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM share_everything();
    RETURN NULL;
END $$;
CREATE TRIGGER shared AFTER INSERT OR UPDATE OR DELETE ON sharing_agreement
    FOR EACH STATEMENT EXECUTE FUNCTION agreement_changed();
CREATE TRIGGER shared AFTER INSERT OR UPDATE OR DELETE ON person_key
    FOR EACH STATEMENT EXECUTE FUNCTION agreement_changed();
CREATE FUNCTION row_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    of_trip uuid;
BEGIN
    PERFORM pg_advisory_xact_lock_shared({lock});
    IF TG_TABLE_NAME = 'trip' THEN
        of_trip := NEW.id;
        PERFORM share_trips(ARRAY[NEW.id]);
        IF TG_OP = 'UPDATE' THEN
            INSERT INTO outdated_month VALUES (month_of(OLD.ends_on));
        END IF;
    ELSIF TG_TABLE_NAME = 'verdict' THEN
        of_trip := NEW.trip_id;
        PERFORM share_verdicts(ARRAY[NEW.id]);
    ELSIF TG_TABLE_NAME = 'deviation' THEN
        of_trip := NEW.trip_id;
        PERFORM share_deviations(ARRAY[NEW.id]);
    ELSE
        INSERT INTO outdated_member VALUES (NEW.id);
        RETURN NULL;
    END IF;
    INSERT INTO outdated_month SELECT month_of(ends_on) FROM trip WHERE id = of_trip;
    RETURN NULL;
END $$;
CREATE TRIGGER shared AFTER INSERT OR UPDATE OF state, starts_on, ends_on, ended_on ON trip
    FOR EACH ROW EXECUTE FUNCTION row_changed();
CREATE TRIGGER shared AFTER INSERT OR UPDATE ON verdict
    FOR EACH ROW EXECUTE FUNCTION row_changed();
CREATE TRIGGER shared AFTER INSERT OR UPDATE ON deviation
    FOR EACH ROW EXECUTE FUNCTION row_changed();
CREATE TRIGGER shared AFTER UPDATE OF name, nip ON member
    FOR EACH ROW EXECUTE FUNCTION row_changed();
CREATE FUNCTION refresh_sharing() RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    months date[];
    members uuid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock({lock} + 1) THEN
        RETURN;
    END IF;
    IF (SELECT to_jsonb(s) FROM shared_agreement s)
        IS DISTINCT FROM (SELECT to_jsonb(v) FROM sharable_agreement v) THEN
        PERFORM share_everything();
    END IF;
    IF EXISTS (SELECT FROM outdated_member) THEN
        PERFORM pg_advisory_xact_lock({lock});
        WITH told AS (DELETE FROM outdated_member RETURNING member_id)
        SELECT array_agg(member_id) INTO members FROM told;
        PERFORM share_trips(ARRAY(SELECT id FROM trip WHERE traveller_id = ANY(members))),
            share_deviations(ARRAY(
                SELECT deviation.id FROM deviation JOIN trip ON trip.id = trip_id
                WHERE traveller_id = ANY(members)
            ));
    END IF;
    WITH counted AS (DELETE FROM outdated_month RETURNING month)
    SELECT array_agg(DISTINCT month) INTO months FROM counted;
    IF months IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared({lock});
        PERFORM share_figures(months);
    END IF;
END $$;
REVOKE ALL ON FUNCTION sign_agreement(), share_trips(uuid[]), share_verdicts(uuid[]),
    share_deviations(uuid[]), share_figures(date[]), share_everything(), agreement_changed(),
    row_changed(), refresh_sharing() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_sharing() TO {app};
"""

# The seals and the answers are published whatever is agreed. The tables of before leave the
# publication, and the role that replicates may read them no more.
PUBLICATION = """
ALTER PUBLICATION province SET (publish = 'insert, update, delete');
ALTER PUBLICATION visum SET (publish = 'insert, update, delete');
ALTER PUBLICATION province SET TABLE
    shared_agreement WHERE (tenant = '{code}'),
    shared_month WHERE (tenant = '{code}'),
    shared_finding WHERE (tenant = '{code}'),
    shared_trip WHERE (tenant = '{code}'),
    shared_verdict WHERE (tenant = '{code}'),
    shared_deviation WHERE (tenant = '{code}'),
    escalation_answer (id, tenant, escalation_id, body, answered_at),
    seal (number, sealed_at, head);
REVOKE ALL (id, tenant, state, starts_on, ends_on) ON trip FROM {share};
REVOKE ALL (id, tenant, trip_id, current, outcome, final, coverage, evaluated_at)
    ON verdict FROM {share};
REVOKE ALL (
    id, tenant, trip_id, kind, severity, state, started_at, ended_at, region_code,
    planned_region_code, coverage, amount, message_id, message_en, found_at, history, replied_at,
    ruled_at
) ON deviation FROM {share};
GRANT SELECT ON shared_agreement, shared_month, shared_finding, shared_trip, shared_verdict,
    shared_deviation TO {share};
ALTER TABLE verdict REPLICA IDENTITY DEFAULT;
ALTER TABLE deviation REPLICA IDENTITY DEFAULT;
DROP INDEX verdict_identity, deviation_identity;
"""


def upgrade() -> None:
    names = context.config.attributes
    parts = (AGREEMENT, PERSON, SHARABLE, SHARED, SHARING, CHANGES, PUBLICATION)
    for part in parts:
        sql = part.format(
            app=names["app_role"], share=names["share_role"], code=names["code"], lock=LOCK
        )
        op.get_bind().exec_driver_sql(sql)
