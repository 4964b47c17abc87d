"""How the province comes to hold again what a regency publishes, after its slot was lost.

Needs the administrator of the PostgreSQL server; used by the `jejak` command, never by the API.
"""

from tenants import subscriptions
from tenants.catalogue import PROVINCE_SLUG
from tenants.problems import UnknownTenant
from tenants.server import CONTROL, admin, names_of


def resync_tenant(slug: str) -> None:
    """Have the province copy anew what a regency publishes, by another slot and subscription.

    For a slot that was lost. Rows that are gone at the regency go here; until the copy has come the
    province shows those that have. Cut short, it may run again. Raises `UnknownTenant`, and before
    anything is taken away `psycopg.OperationalError` when the regency's database does not answer.
    """
    names = names_of(slug)
    with admin(CONTROL) as control:
        row = control.execute(
            "SELECT code FROM realm WHERE slug = %s AND kind = 'REGENCY'", [slug]
        ).fetchone()
    dsn = subscriptions.reached_by(names)
    if row is None or dsn is None:
        raise UnknownTenant
    (code,) = row
    subscriptions.subscribe_anew(names, dsn, code)


def is_copied(slug: str) -> bool:
    """Whether the province has copied all tables that it receives of a regency."""
    with admin(names_of(PROVINCE_SLUG).database) as connection:
        return (
            connection.execute(
                "SELECT 1 FROM pg_subscription"
                " JOIN pg_subscription_rel ON srsubid = pg_subscription.oid"
                " WHERE subname = %s AND srsubstate <> 'r'",
                [names_of(slug).slot],
            ).fetchone()
            is None
        )
