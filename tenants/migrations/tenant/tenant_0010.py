"""Lists without a key are found whole when they are replicated: a regency moves with them."""

from alembic import op

revision = "tenant_0010"
down_revision = "tenant_0009"


def upgrade() -> None:
    for table in ("outdated_month", "outdated_member"):
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
