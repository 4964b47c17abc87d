"""Where a regency reads what the province holds for it alone."""

from alembic import op

revision = "control_0002"
down_revision = "control_0001"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE realm ADD COLUMN province_dsn text")
