"""A verdict as a page to read: what was planned, what was seen, what is unknown, and the proof."""

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from infra.evaluation import Evaluation
from tenants.input_files import Said, printable
from workers.case import DayState, Deviation, Outcome, Severity, SilenceReason
from workers.itinerary import midnight
from workers.rules import BY_KIND


class Language(StrEnum):
    """In which the report is written."""

    ID = "id"
    EN = "en"


VERDICTS: Final[dict[Outcome, tuple[Said, Said, str]]] = {
    Outcome.CONFORMS: (
        ("SESUAI", "CONFORMS"),
        (
            "Yang terlihat sesuai dengan rencana dan klaim.",
            "What was seen agrees with the plan and the claim.",
        ),
        "bold green",
    ),
    Outcome.DEVIATES: (
        ("MENYIMPANG", "DEVIATES"),
        (
            "Yang terlihat berbeda dari rencana atau klaim; temuan ini untuk ditinjau manusia.",
            "What was seen differs from the plan or the claim; a human has to review it.",
        ),
        "bold red",
    ),
    Outcome.UNVERIFIABLE: (
        ("TIDAK DAPAT DIPASTIKAN", "UNVERIFIABLE"),
        (
            "Yang terlihat terlalu sedikit untuk memastikan apa pun; tidak ada yang dituduh.",
            "Too little was seen to be certain of anything; nobody is accused.",
        ),
        "bold yellow",
    ),
}
STATES: Final[dict[DayState, Said]] = {
    DayState.AWAY: ("di luar tempat asal", "away from home"),
    DayState.HOME: ("di tempat asal", "at home"),
    DayState.UNKNOWN: ("tidak diketahui", "unknown"),
}
SEVERITIES: Final[dict[Severity, Said]] = {
    Severity.NOTE: ("catatan", "note"),
    Severity.LOW: ("rendah", "low"),
    Severity.MEDIUM: ("sedang", "medium"),
    Severity.HIGH: ("tinggi", "high"),
}
REASONS: Final[dict[SilenceReason, Said]] = {
    SilenceReason.NO_POWER: ("baterai habis", "no power"),
    SilenceReason.NO_PERMISSION: ("izin lokasi dicabut", "no permission"),
    SilenceReason.NO_NETWORK: ("tanpa jaringan", "no network"),
    SilenceReason.PAUSED: ("dijeda", "paused"),
    SilenceReason.UNKNOWN: ("tidak diketahui", "unknown"),
}


def report(found: Evaluation, language: Language) -> None:
    """Prints the page, in local time of the home office."""
    if (reconfigure := getattr(sys.stdout, "reconfigure", None)) is not None:
        reconfigure(errors="replace")  # whatever the terminal cannot show must not end the report
    _Page(found, language).print()


class _Page:
    def __init__(self, found: Evaluation, language: Language) -> None:
        self.found = found
        self.english = language is Language.EN
        self.zone = ZoneInfo(found.said.plan.home_zone)
        self.console = Console(markup=False, highlight=False, emoji=False)

    def print(self) -> None:
        self._head()
        self._verdict()
        verdict = self.found.verdict
        self._table(
            ("Hari demi hari", "Day by day"),
            (
                ("Tanggal", "Date"),
                ("Rencana", "Planned"),
                ("Terlihat", "Seen"),
                ("Diketahui", "Known"),
                ("Keadaan", "State"),
            ),
            (
                (
                    day.date.isoformat(),
                    self._names(day.planned),
                    self._names(day.seen),
                    self._long(day.known_seconds),
                    self._said(STATES[day.state]),
                )
                for day in verdict.days
            ),
        )
        self._table(
            ("Terlihat di", "Seen in"),
            (("Wilayah", "Region"), ("Tiba", "Arrived"), ("Pergi", "Left"), ("Lama", "Time")),
            (
                (self._name(stay.region), *self._between(stay.started_at, stay.ended_at))
                for stay in verdict.stays
            ),
        )
        self._table(
            ("Tanpa jejak", "Without a track"),
            (("Sebab", "Reason"), ("Dari", "From"), ("Sampai", "Until"), ("Lama", "Time")),
            (
                (self._said(REASONS[gap.reason]), *self._between(gap.started_at, gap.ended_at))
                for gap in verdict.gaps
            ),
        )
        for number, deviation in enumerate(verdict.deviations, 1):
            self._deviation(number, deviation)

    def _head(self) -> None:
        found, plan = self.found, self.found.said.plan
        claim = found.said.dossier.claim
        route = " → ".join(self._name(code) for code in (plan.home, *(x.region for x in plan.legs)))
        count = sum(len(track.time) for track in found.tracks)
        start = midnight(plan.starts_on, plan.home_zone)
        end = midnight(plan.ends_on + timedelta(days=1), plan.home_zone)
        within = sum(
            int(np.count_nonzero((track.time >= start) & (track.time < end)))
            for track in found.tracks
        )
        rows = [
            (("Pelaksana", "Traveller"), printable(found.said.traveller) or "-"),
            (("Tugas", "Assignment"), f"{plan.starts_on} - {plan.ends_on}, {route}"),
            (
                ("Klaim", "Claim"),
                self._said((f"{claim.days} hari", f"{claim.days} days")) if claim else "-",
            ),
            (
                ("Jejak", "Track"),
                self._said((f"{count} titik, {within} pada", f"{count} fixes, {within} on"))
                + self._said((" hari tugas: ", " days of the trip: "))
                + ", ".join(printable(track.name) for track in found.tracks),
            ),
            (
                ("Batas wilayah", "Boundaries"),
                f"{printable(found.boundaries.source)} (±{found.boundaries.tolerance_m:.0f} m)",
            ),
            *(
                (
                    ("Catatan jejak", "Track notes"),
                    f"{printable(track.name)}: {'; '.join(map(self._said, track.notes))}",
                )
                for track in found.tracks
                if track.notes
            ),
            (("Waktu", "Times"), self._said((f"zona {self.zone.key}", f"in {self.zone.key}"))),
        ]
        self.console.print(
            Text(self._said(("Pemeriksaan perjalanan dinas", "Official trip examined")), "bold")
        )
        grid = Table.grid(padding=(0, 2))
        for title, value in rows:
            grid.add_row(Text(self._said(title), "dim"), value)
        self.console.print(grid)

    def _verdict(self) -> None:
        verdict = self.found.verdict
        word, sentence, style = VERDICTS[verdict.outcome]
        known = f"{verdict.coverage:.0%}"
        self.console.print()
        self.console.print(
            Text.assemble(
                (self._said(word), style),
                " " + self._said(sentence) + " ",
                self._said(
                    (
                        f"Jejak mencakup {known} waktu perjalanan.",
                        f"The track covers {known} of the trip's time.",
                    )
                ),
                "" if verdict.final else " " + self._said(("Belum akhir.", "Not final yet.")),
            )
        )

    def _table(self, title: Said, columns: Iterable[Said], rows: Iterable[tuple[str, ...]]) -> None:
        table = Table(
            *(self._said(column) for column in columns),
            title=self._said(title),
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
        )
        for row in rows:
            table.add_row(*row)
        if table.row_count:
            self.console.print()
            self.console.print(table)

    def _deviation(self, number: int, deviation: Deviation) -> None:
        names = {track.digest: printable(track.name) for track in self.found.tracks}
        proof = [f"{names[digest]} (SHA-256 {digest.hex()[:16]}…)" for digest in deviation.evidence]
        told, rule = (deviation.message_id, deviation.message_en), BY_KIND[deviation.kind]
        refuted = (rule.refutation.id, rule.refutation.en)
        self.console.print()
        self.console.print(
            Text.assemble(
                (f"{number}. {deviation.kind}", "bold"),
                f" · {self._said(SEVERITIES[deviation.severity])}",
            )
        )
        for line in (
            self._said(told),
            f"{self._said(('Bukti', 'Proof'))}: {', '.join(proof) or '-'}",
            f"{self._said(('Dibantah dengan', 'Refuted by'))}: {self._said(refuted)}",
        ):
            self.console.print(Padding(line, (0, 0, 0, 3)))

    def _said(self, said: Said) -> str:
        return said[self.english]

    def _name(self, code: str | None) -> str:
        if code is None:
            return self._said(("di luar peta", "off the map"))
        return self.found.regions.names.get(code, code)

    def _names(self, codes: Iterable[str]) -> str:
        return ", ".join(self._name(code) for code in codes) or "-"

    def _between(self, start: datetime, end: datetime) -> tuple[str, str, str]:
        long = self._long((end - start).total_seconds())
        return self._when(start), self._when(end), long

    def _when(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def _long(self, seconds: float) -> str:
        minutes = round(seconds / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
