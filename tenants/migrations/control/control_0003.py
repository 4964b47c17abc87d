"""The province's key, by which regencies make pseudonyms of NIPs; encrypted like other secrets."""

from alembic import op

revision = "control_0003"
down_revision = "control_0002"

KEY = """
ALTER TABLE realm ADD COLUMN person_key text CHECK (person_key IS NULL OR kind = 'PROVINCE');
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(KEY)
