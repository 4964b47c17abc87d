"""How rules speak: times, durations, rupiah and names, in Indonesian and in English."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from workers.observed import Observed

DAYS_ID = ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min")
MONTHS_ID = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")


def when_id(epoch: float, zone: str) -> str:
    """A local time in Indonesian: "Sel 24 Nov 2026 14.05 WITA"."""
    local = datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(zone))
    day, month = DAYS_ID[local.weekday()], MONTHS_ID[local.month - 1]
    return f"{day} {local.day} {month} {local.year} {local:%H.%M %Z}"


def when_en(epoch: float, zone: str) -> str:
    """A local time in English: "Tue 24 Nov 2026 14:05 WITA"."""
    return f"{datetime.fromtimestamp(epoch, UTC).astimezone(ZoneInfo(zone)):%a %-d %b %Y %H:%M %Z}"


def duration(seconds: float, hour: str, minute: str) -> str:
    """A duration in hours and minutes: "7 jam 30 menit"."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} {hour} {minutes} {minute}" if minutes else f"{hours} {hour}"


def duration_id(seconds: float) -> str:
    """A duration in Indonesian: "7 jam 30 menit"."""
    return duration(seconds, "jam", "menit")


def duration_en(seconds: float) -> str:
    """A duration in English: "7 h 30 min"."""
    return duration(seconds, "h", "min")


def days_en(count: int) -> str:
    """A number of days in English."""
    return f"{count} day" if count == 1 else f"{count} days"


def cost(seen: Observed, days: int) -> Decimal | None:
    """The rupiah claimed for some days; None without claim or rate."""
    claim = seen.dossier.claim
    if claim is None or claim.daily_allowance is None:
        return None
    return days * claim.daily_allowance


def stake(amount: Decimal | None, lead: str) -> str:
    """What is at stake, "Rp860.000" after its lead; nothing when there is nothing or no rate."""
    return "" if not amount else lead + f"Rp{amount:,.0f}".replace(",", ".")
