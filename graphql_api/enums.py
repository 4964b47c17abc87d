"""The domain's enumerations, made known to GraphQL: import them from here in GraphQL's modules."""

import strawberry

from tenants.accesses import AccessKind
from tenants.agreements import SharingLevel, TravellerIdentity
from tenants.claims import ClaimState
from tenants.escalations import EscalationState
from tenants.evidence import DeviationState, VisumEvent, VisumMethod
from tenants.memberships import MemberChange
from tenants.models import (
    LawfulPlaceKind,
    OfficeKind,
    PhoneClient,
    Role,
    TransportMode,
    TripChange,
    TripState,
)
from tenants.proposals import ProposalState
from tenants.visum import IncomingState
from workers.case import DayBasis, DayState, DeviationKind, Outcome, Severity, SilenceReason

__all__ = [
    "AccessKind",
    "ClaimState",
    "DayBasis",
    "DayState",
    "DeviationKind",
    "DeviationState",
    "EscalationState",
    "IncomingState",
    "LawfulPlaceKind",
    "MemberChange",
    "OfficeKind",
    "Outcome",
    "PhoneClient",
    "ProposalState",
    "Role",
    "Severity",
    "SharingLevel",
    "SilenceReason",
    "TransportMode",
    "TravellerIdentity",
    "TripChange",
    "TripState",
    "VisumEvent",
    "VisumMethod",
]

for enum, description in (
    (Role, "What a member may do."),
    (
        AccessKind,
        "FINDING: in a list; CASE: findings and days of a trip; POSITION: where she was then.",
    ),
    (MemberChange, "What became of a membership (*mutasi*)."),
    (OfficeKind, "Kinds of regional organisation (*OPD*)."),
    (TripState, "Where a trip stands."),
    (TripChange, "How a plan was changed (*perubahan, perpanjangan, pembatalan*)."),
    (ProposalState, "Where a proposal (*usulan*) stands; RETURNED: sent back for a reason."),
    (TransportMode, "How a destination is reached."),
    (LawfulPlaceKind, "Why presence is lawful there (*tempat sah*, PMK 119/2023)."),
    (Outcome, "What the track says about the plan; UNVERIFIABLE accuses nobody."),
    (DeviationKind, "The ways in which a track can contradict a plan or a claim."),
    (DeviationState, "From finding to decision."),
    (
        ClaimState,
        "What a claim waits for: the traveller's word, a ruling, the money; SETTLED: nothing more.",
    ),
    (EscalationState, "From the province's question to its word that it is enough."),
    (Severity, "How much of the trip a deviation touches; a NOTE leaves the outcome alone."),
    (
        SharingLevel,
        "FIGURES: counts, sums and response times by month; CASES: trips and deviations too.",
    ),
    (TravellerIdentity, "Whose a shared case is: a pseudonym alone, or name and NIP as well."),
    (SilenceReason, "Why a phone was silent, where it says so; PAUSED (*jeda*) no phone may say."),
    (PhoneClient, "The application that sends a phone's fixes; BROWSER is a page."),
    (VisumEvent, "*Tiba di* or *berangkat dari*, as the back of the SPD has it."),
    (VisumMethod, "How the desk knew: from its list, or by what the traveller showed."),
    (IncomingState, "How far a traveller of another regency has come, as confirmed here."),
    (DayBasis, "What a day is known by: the phone's track, or the destination's word (*visum*)."),
    (DayState, "AWAY: certainly seen outside home; HOME: certainly there; UNKNOWN: neither."),
):
    strawberry.enum(enum, description=description)
