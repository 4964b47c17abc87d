"""The evidence chain: seals over what is new, and their heads, which the province is given."""

from alembic import context, op

revision = "tenant_0006"
down_revision = "tenant_0005"

# No foreign key from an item to its seal: the seal's digest over its items proves more.
SEALS = """
CREATE TABLE seal (
    number bigint PRIMARY KEY CHECK (number > 0),
    sealed_at timestamptz NOT NULL,
    previous bytea NOT NULL,
    digest bytea NOT NULL,
    head bytea NOT NULL
);
CREATE TABLE sealed (
    seal bigint,
    kind text CHECK (kind IN (
        'TRACK', 'VERDICT', 'CLOSED_VERDICT', 'DEVIATION', 'REPLY', 'RULING'
    )),
    id uuid,
    trip_id uuid NOT NULL,
    version bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (seal, id, kind)
);
CREATE INDEX sealed_row ON sealed (id, digest);
GRANT SELECT, INSERT ON seal, sealed TO {app};
"""

# A row is noted in the transaction that makes it: one that commits late is not overlooked.
NOTED = """
CREATE TABLE unsealed (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    id uuid NOT NULL
);
GRANT SELECT, DELETE ON unsealed TO {app};
CREATE FUNCTION note_unsealed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unsealed (kind, id) VALUES (TG_ARGV[0], NEW.id);
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION note_unsealed FROM PUBLIC;
CREATE TRIGGER unsealed AFTER INSERT ON verdict
    FOR EACH ROW EXECUTE FUNCTION note_unsealed('VERDICT');
CREATE TRIGGER unsealed_closed AFTER INSERT OR UPDATE ON verdict
    FOR EACH ROW WHEN (NEW.final OR NOT NEW.current)
    EXECUTE FUNCTION note_unsealed('CLOSED_VERDICT');
CREATE TRIGGER unsealed AFTER INSERT ON deviation
    FOR EACH ROW EXECUTE FUNCTION note_unsealed('DEVIATION');
CREATE TRIGGER unsealed AFTER INSERT ON deviation_reply
    FOR EACH ROW EXECUTE FUNCTION note_unsealed('REPLY');
CREATE TRIGGER unsealed AFTER INSERT ON deviation_ruling
    FOR EACH ROW EXECUTE FUNCTION note_unsealed('RULING');
INSERT INTO unsealed (kind, id)
    SELECT 'VERDICT', id FROM verdict
    UNION ALL SELECT 'CLOSED_VERDICT', id FROM verdict WHERE final OR NOT current
    UNION ALL SELECT 'DEVIATION', id FROM deviation
    UNION ALL SELECT 'REPLY', id FROM deviation_reply
    UNION ALL SELECT 'RULING', id FROM deviation_ruling;
"""

SHARING = """
ALTER PUBLICATION province ADD TABLE seal (number, sealed_at, head);
GRANT SELECT (number, sealed_at, head) ON seal TO {share};
"""


def upgrade() -> None:
    names = context.config.attributes
    for part in (SEALS, NOTED, SHARING):
        sql = part.format(app=names["app_role"], share=names["share_role"])
        op.get_bind().exec_driver_sql(sql)
