"""The domain's problems as GraphQL types: each mutation's union names those it can meet."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from strawberry.schema import ExceptionHandler
from strawberry.types import get_object_definition

from graphql_api.enums import Role
from tenants import problems


@strawberry.interface(description="An expected failure; nothing was changed.")
class Problem:
    code: str = strawberry.field(description="The kind of failure, for programs.")
    message_id: str = strawberry.field(name="message", description="Pesan untuk pengguna.")
    message_en: str = strawberry.field(description="The same in English.")


@strawberry.type(description="Absent, or not yours to see.")
class NotFound(Problem):
    kind: str


@strawberry.type(description="Your roles do not allow it (*bukan kewenangan*).")
class NotAllowed(Problem):
    roles: list[Role] = strawberry.field(description="The roles that may.")


@strawberry.type(description="Nobody else is an admin (*admin daerah*) who can sign in.")
class LastAdmin(Problem):
    pass


@strawberry.type(description="A value that cannot be what it is meant to be.")
class InvalidInput(Problem):
    field: str


@strawberry.type(description="A Kemendagri code that the boundaries do not hold.")
class UnknownRegion(Problem):
    region: str


@strawberry.type(description="The traveller is on another trip then (*tugas rangkap*).")
class OverlappingTrip(Problem):
    trip_id: UUID
    letter_number: str
    starts_on: date
    ends_on: date


@strawberry.type(description="Not possible in the state that it is in.")
class WrongState(Problem):
    current_state: str


@strawberry.type(description="A deviation stands (*temuan*): the plan is closed.")
class PlanIsJudged(Problem):
    deviations: int


@strawberry.type(description="More fixes than one upload may hold.")
class TooManyFixes(Problem):
    limit: int
    given: int


@strawberry.type(description="As many paired phones as a member may have (*perangkat*).")
class TooManyDevices(Problem):
    limit: int


@strawberry.type(description="A fix that cannot be one; the whole upload was refused.")
class InvalidFix(Problem):
    index: int = strawberry.field(description="Which of the upload's fixes, from 0.")


@strawberry.type(description="Too many wrong codes; wait some minutes.")
class TooManyAttempts(Problem):
    minutes: int


@strawberry.type(description="The province, through which regencies tell one another, is away.")
class ProvinceUnavailable(Problem):
    pass


class _AsMember:
    """Shows a problem of the domain as the GraphQL type of the same name, field by field."""

    def __init__(self, error_type: type[Problem]) -> None:
        self.exception_type = getattr(problems, error_type.__name__)
        self.error_type = error_type

    def handle(
        self,
        exception: problems.Problem,
        *,
        field: object,  # noqa: ARG002
        info: object,  # noqa: ARG002
    ) -> Problem:
        shown = get_object_definition(self.error_type, strict=True).fields
        return self.error_type(
            **{member.python_name: getattr(exception, member.python_name) for member in shown}
        )


def handlers() -> Iterator[ExceptionHandler[Any]]:
    """A problem becomes a member of the field's union where the union has it."""
    return map(_AsMember, Problem.__subclasses__())
