"""The domain's enumerations, made known to GraphQL: import them from here in GraphQL's modules."""

import strawberry

from tenants.agreements import SharingLevel, TravellerIdentity
from tenants.evidence import DeviationState
from tenants.models import (
    LawfulPlaceKind,
    OfficeKind,
    PhoneClient,
    Role,
    TransportMode,
    TripState,
)
from workers.case import DayState, DeviationKind, Outcome, Severity, SilenceReason

__all__ = [
    "DayState",
    "DeviationKind",
    "DeviationState",
    "LawfulPlaceKind",
    "OfficeKind",
    "Outcome",
    "PhoneClient",
    "Role",
    "Severity",
    "SharingLevel",
    "SilenceReason",
    "TransportMode",
    "TravellerIdentity",
    "TripState",
]

for enum, description in (
    (Role, "What a member may do."),
    (OfficeKind, "Kinds of regional organisation (*OPD*)."),
    (TripState, "Where a trip stands."),
    (TransportMode, "How a destination is reached."),
    (LawfulPlaceKind, "Why presence is lawful there (*tempat sah*, PMK 119/2023)."),
    (Outcome, "What the track says about the plan; UNVERIFIABLE accuses nobody."),
    (DeviationKind, "The ways in which a track can contradict a plan or a claim."),
    (DeviationState, "From finding to decision."),
    (Severity, "How much of the trip a deviation touches; a NOTE leaves the outcome alone."),
    (SharingLevel, "FIGURES: counts and sums by month; CASES: trips and deviations too."),
    (TravellerIdentity, "Whose a shared case is: a pseudonym alone, or name and NIP as well."),
    (SilenceReason, "Why a phone was silent, where it says so; PAUSED (*jeda*) no phone may say."),
    (PhoneClient, "The application that sends a phone's fixes; BROWSER is a page."),
    (DayState, "AWAY: certainly seen outside home; HOME: certainly there; UNKNOWN: neither."),
):
    strawberry.enum(enum, description=description)
