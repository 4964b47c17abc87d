"""Failures that a caller can expect: each says what is wrong, in Indonesian and in English.

A problem carries facts, never SQL, a position or a NIP, so it may be shown to the person who asked.
"""

import re
from abc import abstractmethod
from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(eq=False)
class Problem(Exception):
    """The root of all expected failures; `code` names the kind for programs."""

    def __post_init__(self) -> None:
        Exception.__init__(self, self.message_en)

    @property
    def code(self) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).upper()

    @property
    @abstractmethod
    def message_id(self) -> str:
        """One sentence for the person, in Indonesian."""

    @property
    @abstractmethod
    def message_en(self) -> str:
        """The same in English."""


@dataclass(eq=False)
class UnknownTenant(Problem):
    """No regency (kabupaten/kota) of that name is served, or it is suspended."""

    message_id = "Daerah ini tidak dilayani."
    message_en = "This regency is not served."


@dataclass(eq=False)
class Unavailable(Problem):
    """The realm's database does not answer, or is too busy to; nothing was changed."""

    message_id = "Layanan daerah ini sedang tidak tersedia. Coba lagi sebentar lagi."
    message_en = "This regency's service is not available now. Try again in a moment."


@dataclass(eq=False)
class ProvinceUnavailable(Problem):
    """The province's database does not answer, through which regencies tell one another."""

    message_id = "Basis data provinsi sedang tidak tersedia. Coba lagi sebentar lagi."
    message_en = "The province's database is not available now. Try again in a moment."


@dataclass(eq=False)
class BeingMoved(Unavailable):
    """The realm is changing its server, which takes seconds; what was to be written was not."""

    message_id = "Data daerah ini sedang dipindahkan. Coba lagi beberapa detik lagi."
    message_en = "This regency's data is being moved. Try again in a few seconds."


@dataclass(eq=False)
class NotSignedIn(Problem):
    """No session and no token, or one that is expired, foreign or revoked."""

    message_id = "Silakan masuk terlebih dahulu."
    message_en = "Please sign in first."


@dataclass(eq=False)
class NotFound(Problem):
    """Absent, or not to be seen by the one who asks: both look the same on purpose."""

    kind: str

    @property
    def message_id(self) -> str:
        return f"{self.kind} tidak ditemukan."

    @property
    def message_en(self) -> str:
        return f"{self.kind} not found."


@dataclass(eq=False)
class NotAllowed(Problem):
    """The object may be seen, but not so changed, by the roles of the one who asks."""

    roles: tuple[str, ...]

    @property
    def message_id(self) -> str:
        return f"Hanya untuk peran: {', '.join(self.roles)}."

    @property
    def message_en(self) -> str:
        return f"Only for the roles: {', '.join(self.roles)}."


@dataclass(eq=False)
class LastAdmin(Problem):
    """Nobody else who can sign in is an admin: without her, nobody could change anything back."""

    message_id = "Admin daerah yang terakhir tidak dapat dilepas; angkat penggantinya dahulu."
    message_en = "The last admin of the regency must stay; appoint another first."


@dataclass(eq=False)
class InvalidInput(Problem):
    """A value that cannot be what it is meant to be; `field` is its name in the API."""

    field: str
    reason_id: str
    reason_en: str

    @property
    def message_id(self) -> str:
        return f"{self.field}: {self.reason_id}."

    @property
    def message_en(self) -> str:
        return f"{self.field}: {self.reason_en}."


@dataclass(eq=False)
class UnknownRegion(Problem):
    """A Kemendagri code that the regency's boundaries do not hold."""

    region: str

    @property
    def message_id(self) -> str:
        return f"Kode wilayah {self.region} tidak dikenal."

    @property
    def message_en(self) -> str:
        return f"The region code {self.region} is unknown."


@dataclass(eq=False)
class OverlappingTrip(Problem):
    """The traveller is already on another trip on one of these dates (tugas rangkap)."""

    trip_id: UUID
    letter_number: str
    starts_on: date
    ends_on: date

    @property
    def message_id(self) -> str:
        return (
            f"Bertumpang tindih dengan surat tugas {self.letter_number} "
            f"({self.starts_on:%d-%m-%Y} s.d. {self.ends_on:%d-%m-%Y})."
        )

    @property
    def message_en(self) -> str:
        return (
            f"Overlaps with assignment letter {self.letter_number} "
            f"({self.starts_on:%d-%m-%Y} to {self.ends_on:%d-%m-%Y})."
        )


@dataclass(eq=False)
class WrongState(Problem):
    """What was asked cannot be done to a trip or a deviation in its state."""

    current_state: str

    @property
    def message_id(self) -> str:
        return f"Tidak dapat dilakukan pada status {self.current_state}."

    @property
    def message_en(self) -> str:
        return f"Not possible in the state {self.current_state}."


@dataclass(eq=False)
class TooManyFixes(Problem):
    """An upload holds more fixes than one upload may."""

    limit: int
    given: int

    @property
    def message_id(self) -> str:
        return f"Paling banyak {self.limit} titik sekali kirim, diterima {self.given}."

    @property
    def message_en(self) -> str:
        return f"At most {self.limit} fixes an upload, got {self.given}."


@dataclass(eq=False)
class TooManyDevices(Problem):
    """A member has as many paired phones as she may; one must be revoked first."""

    limit: int

    @property
    def message_id(self) -> str:
        return f"Paling banyak {self.limit} perangkat; cabut salah satu dahulu."

    @property
    def message_en(self) -> str:
        return f"At most {self.limit} devices; revoke one first."


@dataclass(eq=False)
class InvalidFix(Problem):
    """A fix that cannot be one; the whole upload is refused, so that the sender can mend it."""

    index: int
    reason_id: str
    reason_en: str

    @property
    def message_id(self) -> str:
        return f"Titik ke-{self.index + 1}: {self.reason_id}."

    @property
    def message_en(self) -> str:
        return f"Fix number {self.index + 1}: {self.reason_en}."


@dataclass(eq=False)
class PlanIsJudged(Problem):
    """The plan is closed, since a deviation stands; the reply and the ruling are the way on."""

    deviations: int

    @property
    def message_id(self) -> str:
        return f"Rencana tidak dapat diubah: sudah ada {self.deviations} temuan."

    @property
    def message_en(self) -> str:
        return f"The plan can no longer change: {self.deviations} deviations stand."


@dataclass(eq=False)
class TooManyAttempts(Problem):
    """Too many codes were wrong; none is looked at until some minutes have passed."""

    minutes: int

    @property
    def message_id(self) -> str:
        return f"Terlalu banyak kode salah. Coba lagi dalam {self.minutes} menit."

    @property
    def message_en(self) -> str:
        return f"Too many wrong codes. Try again in {self.minutes} minutes."
