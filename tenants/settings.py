"""What the environment says: where the catalogue is, and the key that opens its secrets."""

import os
from dataclasses import dataclass, field
from functools import cache


class MissingSetting(Exception):
    """A variable the program cannot run without is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not set: `infra/up` sets it, see README.md")
        self.name = name


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once, at the first use; nothing else in the product reads the environment."""

    control_dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    base_url: str
    server_dsn: str | None = field(repr=False)

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            control_dsn=_required("JEJAK_CONTROL_DSN"),
            redis_url=_required("JEJAK_REDIS_URL"),
            secret_key=_required("JEJAK_SECRET_KEY"),
            base_url=_required("JEJAK_BASE_URL").rstrip("/"),
            server_dsn=os.environ.get("JEJAK_SERVER_DSN"),
        )


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise MissingSetting(name)
    return value


@cache
def settings() -> Settings:
    return Settings.from_environment()
