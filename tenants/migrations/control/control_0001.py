"""The catalogue: which realms there are, where their databases live, who signs their people in."""

from alembic import context, op

revision = "control_0001"
down_revision = None

SCHEMA = """
CREATE TABLE realm (
    slug text PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9-]{{1,30}}$'),
    kind text NOT NULL CHECK (kind IN ('REGENCY', 'PROVINCE')),
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    zone text,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    dsn text NOT NULL,
    owner_dsn text NOT NULL,
    issuer_url text NOT NULL,
    client_id text NOT NULL,
    client_secret text,
    audience text NOT NULL,
    algorithms text[] NOT NULL,
    identity_claim text NOT NULL,
    CHECK (kind = 'PROVINCE' OR zone IS NOT NULL)
);
CREATE UNIQUE INDEX realm_one_province ON realm (kind) WHERE kind = 'PROVINCE';
GRANT SELECT ON realm TO {app};
"""


def upgrade() -> None:
    app = context.config.attributes["app_role"]
    op.get_bind().exec_driver_sql(SCHEMA.format(app=app))
