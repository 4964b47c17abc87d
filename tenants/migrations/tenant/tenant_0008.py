"""A case's history is shared with the province; what it asks about a case is answered here."""

from alembic import context, op
from sqlalchemy import text

revision = "tenant_0008"
down_revision = "tenant_0007"

COLUMNS = ("history", "replied_at", "ruled_at")

HISTORY = """
ALTER TABLE deviation
    ADD COLUMN history jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN replied_at timestamptz,
    ADD COLUMN ruled_at timestamptz;
GRANT SELECT (history, replied_at, ruled_at) ON deviation TO {share};
"""

# When, and never by whom or in which words: a reply is personal. What is known once stays, whoever
# writes the row: the trigger takes it from the row before.
KEPT = """
UPDATE deviation SET
    replied_at = (SELECT min(replied_at) FROM deviation_reply WHERE deviation_id = deviation.id),
    ruled_at = (SELECT min(ruled_at) FROM deviation_ruling WHERE deviation_id = deviation.id),
    history = (
        SELECT jsonb_agg(jsonb_build_object('state', became.state, 'at', became.at)
                         ORDER BY became.at)
        FROM (
            SELECT 'OPEN' AS state, deviation.found_at AS at
            UNION ALL
            SELECT 'ANSWERED', min(replied_at) FROM deviation_reply
            WHERE deviation_id = deviation.id HAVING count(*) > 0
            UNION ALL
            SELECT CASE WHEN upheld THEN 'UPHELD' ELSE 'EXCUSED' END, ruled_at
            FROM deviation_ruling WHERE deviation_id = deviation.id
        ) became
    );
CREATE FUNCTION deviation_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.history := jsonb_build_array(
            jsonb_build_object('state', NEW.state, 'at', NEW.found_at));
        NEW.replied_at := NULL;
        NEW.ruled_at := NULL;
        RETURN NEW;
    END IF;
    NEW.history := OLD.history;
    NEW.replied_at := coalesce(OLD.replied_at, NEW.replied_at);
    NEW.ruled_at := coalesce(OLD.ruled_at, NEW.ruled_at);
    IF NEW.state <> OLD.state THEN
        NEW.history := NEW.history
            || jsonb_build_object('state', NEW.state, 'at', clock_timestamp());
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deviation_history BEFORE INSERT OR UPDATE ON deviation
    FOR EACH ROW EXECUTE FUNCTION deviation_history();
CREATE FUNCTION deviation_replied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deviation SET replied_at = NEW.replied_at
    WHERE id = NEW.deviation_id AND replied_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER deviation_replied AFTER INSERT ON deviation_reply
    FOR EACH ROW EXECUTE FUNCTION deviation_replied();
CREATE FUNCTION deviation_ruled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deviation SET ruled_at = NEW.ruled_at
    WHERE id = NEW.deviation_id AND ruled_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER deviation_ruled AFTER INSERT ON deviation_ruling
    FOR EACH ROW EXECUTE FUNCTION deviation_ruled();
"""

# The question stays beside what was answered to it: this database alone tells the whole exchange.
ANSWERS = """
CREATE TABLE escalation_answer (
    id uuid PRIMARY KEY,
    tenant text NOT NULL DEFAULT '{code}' CHECK (tenant = '{code}'),
    escalation_id uuid NOT NULL,
    deviation_id uuid NOT NULL REFERENCES deviation,
    question text NOT NULL,
    asked_at timestamptz NOT NULL,
    member_id uuid NOT NULL REFERENCES member,
    body text NOT NULL CHECK (body <> ''),
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ix_escalation_answer_escalation_id ON escalation_answer (escalation_id);
GRANT SELECT, INSERT ON escalation_answer TO {app};
GRANT SELECT (id, tenant, escalation_id, body, answered_at) ON escalation_answer TO {share};
ALTER PUBLICATION province
    ADD TABLE escalation_answer (id, tenant, escalation_id, body, answered_at);
"""

PUBLISHED = text(
    "SELECT attnames::text[], rowfilter FROM pg_publication_tables"
    " WHERE pubname = 'province' AND tablename = 'deviation'"
)


def upgrade() -> None:
    names = context.config.attributes
    connection = op.get_bind()
    given = {"app": names["app_role"], "share": names["share_role"], "code": names["code"]}
    connection.exec_driver_sql(HISTORY.format(**given))
    columns, condition = connection.execute(PUBLISHED).one()
    wanted = ", ".join((*columns, *COLUMNS))
    connection.exec_driver_sql("ALTER PUBLICATION province DROP TABLE deviation")
    connection.exec_driver_sql(
        f"ALTER PUBLICATION province ADD TABLE deviation ({wanted})"
        + (f" WHERE ({condition})" if condition else "")
    )
    connection.exec_driver_sql(KEPT)
    connection.exec_driver_sql(ANSWERS.format(**given))
