"""The province's key for pseudonyms: one person is known by it across regencies.

Needs the administrator of the province's server; used by the `jejak` command, never by the API.
"""

import secrets

import psycopg

from tenants.catalogue import decrypt, encrypt
from tenants.problems import UnknownTenant
from tenants.server import CONTROL, admin


def key() -> bytes:
    """The key, 32 random bytes, made when the province has none; raises `UnknownTenant`.

    Every regency's database holds a copy that only its owner can read. To rotate it, set
    `realm.person_key` of the province to null in the catalogue and run `jejak tenant migrate`: a
    new key is made and given out, and each database makes its pseudonyms anew as it gets it. Until
    the last has it, overlaps between regencies of the old key and of the new are not found.
    """
    with admin(CONTROL) as connection:
        connection.execute(
            "UPDATE realm SET person_key = %s WHERE kind = 'PROVINCE' AND person_key IS NULL",
            [encrypt(secrets.token_hex(32))],
        )
        row = connection.execute("SELECT person_key FROM realm WHERE kind = 'PROVINCE'").fetchone()
    if row is None:
        raise UnknownTenant
    return bytes.fromhex(decrypt(row[0]))


def give_key(owner_dsn: str) -> None:
    """Let a regency's database make its pseudonyms by the key."""
    with psycopg.connect(owner_dsn) as connection:
        connection.execute(
            "INSERT INTO person_key (key) VALUES (%s) ON CONFLICT (one)"
            " DO UPDATE SET key = excluded.key WHERE person_key.key <> excluded.key",
            [key()],
        )
