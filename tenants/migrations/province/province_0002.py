"""The heads of the regencies' evidence chains, kept as they came."""

from alembic import context, op

revision = "province_0002"
down_revision = "province_0001"

# What a regency publishes goes through `seal` and stays in `kept_head`, which no subscription
# reaches: a change or deletion over there finds nothing here. Whose head it is, the subscription
# says and not the row. A second head of a number is kept beside the first. The key of `seal`, which
# is always empty, is for changes that a regency publishes: without one they would end replication.
HEADS = """
CREATE TABLE seal (
    number bigint PRIMARY KEY,
    sealed_at timestamptz NOT NULL,
    head bytea NOT NULL
);
CREATE TABLE kept_head (
    tenant text,
    number bigint,
    head bytea,
    sealed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    conflicts boolean NOT NULL,
    PRIMARY KEY (tenant, number, head)
);
CREATE INDEX kept_head_conflicts ON kept_head (tenant) WHERE conflicts;
CREATE FUNCTION keep_head() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE sender text;
BEGIN
    SELECT regency.code INTO sender FROM pg_stat_subscription
    JOIN regency ON subname = 'jejak_' || replace(slug, '-', '_') WHERE pid = pg_backend_pid();
    INSERT INTO kept_head (tenant, number, head, sealed_at, conflicts)
    VALUES (sender, NEW.number, NEW.head, NEW.sealed_at, EXISTS (
        SELECT FROM kept_head
        WHERE tenant = sender AND number = NEW.number AND head <> NEW.head
    )) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_head BEFORE INSERT ON seal FOR EACH ROW EXECUTE FUNCTION keep_head();
ALTER TABLE seal ENABLE ALWAYS TRIGGER keep_head;
GRANT SELECT ON kept_head TO {app};
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(HEADS.format(app=context.config.attributes["app_role"]))
