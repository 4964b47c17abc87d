"""Where news is published: ids of one tenant, never content, which is read again by who may."""


def deviation_channel(slug: str) -> str:
    """The Redis channel of a tenant's deviations; `*` for those of all."""
    return f"jejak:{slug}:deviation"


def position_channel(slug: str) -> str:
    """The Redis channel of a tenant's trips that have a newer position; `*` for those of all."""
    return f"jejak:{slug}:position"
