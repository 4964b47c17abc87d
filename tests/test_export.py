"""What the province shows, as files for spreadsheets: the same figures, and no formula in them."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from published import Published, standing_in

from graphql_api import export, spreadsheets
from infra.play import until
from infra.world import World
from tenants import catalogue
from tenants.models import LoginSession, Member
from tenants.people import open_session

SPACE = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
EVIL = (
    '=HYPERLINK("http://jahat.example","klik")',
    "+62 811",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    'koma, "kutip"\ndan baris',
)


@pytest.fixture(scope="module")
def published() -> Published:
    found = Published()
    code = found.regency(1)
    found.some(code, Random(3), trips=40)  # noqa: S311
    other = found.regency(2)
    for number, message in enumerate(EVIL):
        found.case(
            found.trip(other, date(2026, 3, 1 + number)),
            "WRONG_REGION",
            message_id=message,
            amount=None if number else Decimal("1290000.50"),
        )
    return found


@pytest.fixture(scope="module")
def client(world: World, people, published: Published) -> Iterator[httpx2.Client]:
    token = people.as_("pengawas", "province").token
    with (
        standing_in(world, published),
        httpx2.Client(
            base_url=f"{world.base_url}/province/export/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        ) as client,
    ):
        wanted = {trip["ends_on"].month for trip in published.trips if trip["tenant"] == "63.01"}
        assert until(lambda: len(table(client, "indicators.csv", code="63.01")) == len(wanted)), (
            "never counted"
        )
        yield client


def of_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf"), "Excel would take it for another encoding"
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def of_xlsx(content: bytes) -> list[dict[str, Any]]:
    """The rows of all sheets, read by the description of the format (ECMA-376)."""
    rows: list[dict[str, Any]] = []
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        sheets = sorted(name for name in file.namelist() if name.startswith("xl/worksheets/sheet"))
        for name in sheets:
            sheet = ElementTree.fromstring(file.read(name))  # noqa: S314
            assert sheet.findall(".//s:f", SPACE) == [], "a formula"
            found = [
                {
                    cell.attrib["r"].rstrip("0123456789"): _cell(cell)
                    for cell in row.findall("s:c", SPACE)
                }
                for row in sheet.findall(".//s:row", SPACE)
            ]
            header, *body = found
            rows += [{title: row.get(column) for column, title in header.items()} for row in body]
    return rows


def _cell(cell: ElementTree.Element) -> Any:
    if cell.attrib.get("t") == "inlineStr":
        written = "".join(text.text or "" for text in cell.iterfind(".//s:t", SPACE))
        return re.sub("_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), written)
    value = cell.find("s:v", SPACE)
    assert value is not None
    return float(value.text or "")


def table(client: httpx2.Client, name: str, **given: Any) -> list[dict[str, Any]]:
    answer = client.get(name, params=given)
    assert answer.status_code == 200, answer.text
    kind = "text/csv; charset=utf-8" if name.endswith("csv") else spreadsheets.Xlsx.media_type
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return of_csv(answer.content) if name.endswith("csv") else of_xlsx(answer.content)


def test_indicators_are_those_of_graphql(client, published: Published):
    rows = table(client, "indicators.csv", code=["63.01"])
    for row in rows:
        month = date.fromisoformat(row["Bulan / Month"])
        wanted = published.figures("63.01", [month.month])
        assert int(row["Perjalanan / Trips"]) == wanted["trips"]
        assert int(row["Hari / Days"]) == wanted["days"]
        assert float(row["Cakupan / Coverage"] or "nan") == pytest.approx(
            wanted["coverage"] or float("nan"), nan_ok=True
        )
        assert int(row["Menyimpang / Deviates"]) == wanted["verdicts"].get("DEVIATES", 0)
        assert float(row["Rupiah dipertaruhkan / Amount at stake"]) == wanted["amountAtStake"]
        for kind, number in wanted["deviationsByKind"].items():
            assert int(row[f"Temuan / Deviations {kind}"]) == number
        low, high = row["Batas bawah 95 % / Lower bound"], row["Batas atas 95 % / Upper bound"]
        assert (low == high == "") or 0 <= float(low) <= float(high) <= 1
        assert row["Terjangkau / Reachable"] == "tidak"
    assert (
        sum(int(row["Perjalanan / Trips"]) for row in rows) == published.figures("63.01")["trips"]
    )


def test_months_may_be_chosen(client):
    chosen = {"code": "63.01", "firstMonth": "2026-02-10", "lastMonth": "2026-03-01"}
    months = [row["Bulan / Month"] for row in table(client, "indicators.csv", **chosen)]
    assert months == ["2026-02-01", "2026-03-01"]


@pytest.mark.parametrize("name", ["indicators", "cases"])
def test_both_formats_say_the_same(client, name: str):
    given = {"code": "63.01"} if name == "indicators" else {"regencyCode": "63.01"}
    rows, sheet = (table(client, f"{name}.{ending}", **given) for ending in ("csv", "xlsx"))
    assert len(rows) == len(sheet) > 0
    assert list(rows[0]) == list(sheet[0])
    assert next(iter(rows[0])) in ("Kode / Code", "ID temuan / Case ID")
    for row, typed in zip(rows, sheet, strict=True):
        for title, text in row.items():
            cell = typed[title]
            if isinstance(cell, str):
                assert cell == text
            elif cell is None:
                assert text == ""
            elif "UTC" in title or "Bulan" in title:
                day = datetime.fromisoformat(text)
                since = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=cell)
                assert abs(since - day.replace(tzinfo=UTC)) < timedelta(seconds=1)
            elif title.startswith("Terjangkau"):
                assert bool(cell) == (text == "ya")
            else:
                assert float(text) == pytest.approx(cell)


def test_no_text_is_a_formula(client):
    rows = table(client, "cases.csv", regencyCode="63.02")
    told = {row["Temuan / Message"] for row in rows}
    assert told == {f"'{text}" for text in EVIL[:-1]} | {EVIL[-1]}
    assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text in told)
    # Typed as text, it needs no apostrophe; of_xlsx finds no formula.
    told = {row["Temuan / Message"] for row in table(client, "cases.xlsx", regencyCode="63.02")}
    assert told == set(EVIL)
    assert rows[-1]["Rupiah / Amount"] == "1290000.50"


def test_cases_are_filtered(client, published: Published):
    rows = table(
        client,
        "cases.csv",
        regencyCode="63.01",
        states=["UPHELD", "EXCUSED"],
        kinds="NEVER_LEFT",
        foundFrom="2026-02-01T00:00:00Z",
        foundBefore="2026-05-01T08:00:00+08:00",
    )
    wanted = [
        case
        for case in published.cases
        if case["tenant"] == "63.01"
        and case["state"] in ("UPHELD", "EXCUSED")
        and case["kind"] == "NEVER_LEFT"
        and datetime(2026, 2, 1, tzinfo=UTC) <= case["found_at"] < datetime(2026, 5, 1, tzinfo=UTC)
    ]
    assert {row["ID temuan / Case ID"] for row in rows} == {str(case["id"]) for case in wanted}
    newest = [row["Ditemukan (UTC) / Found"] for row in rows]
    assert newest == sorted(newest, reverse=True)


def test_more_rows_than_one_transaction_reads(world: World, client):
    many, rows = Published(), export.AT_ONCE * 2 + 1
    code = many.regency(5)
    trip = many.trip(code, date(2026, 1, 1))
    for _ in range(rows):
        many.case(trip, "WRONG_REGION")
    with standing_in(world, many):
        for name in ("cases.csv", "cases.xlsx"):
            found = table(client, name, regencyCode=code)
            assert len({row["ID temuan / Case ID"] for row in found}) == len(found) == rows


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("cases.csv", {"states": "BUKA"}, "states"),
        ("cases.xlsx", {"kinds": "=1"}, "kinds"),
        ("cases.csv", {"foundFrom": "2026-01-01T00:00:00"}, "foundFrom"),
        ("cases.csv", {"foundFrom": ["2026-01-01T00:00Z", "2026-02-01T00:00Z"]}, "foundFrom"),
        ("cases.csv", {"regencyCode": "\x00"}, "regencyCode"),
        ("cases.csv", {"tenant": "63.01"}, "tenant"),
        ("indicators.csv", {"firstMonth": "Januari"}, "firstMonth"),
        ("indicators.xlsx", {"states": "OPEN"}, "states"),
    ],
)
def test_what_cannot_be_exported(client, name: str, given: dict, field: str):
    answer = client.get(name, params=given)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["message"].startswith(f"{field}: ")


def test_only_for_who_may_ask_the_province(world: World, people):
    for name in ("indicators.csv", "cases.xlsx"):
        address = f"{world.base_url}/province/export/{name}"
        assert httpx2.get(address).status_code == 401
        inspector = {"Authorization": f"Bearer {people.as_('inspektur').token}"}
        answer = httpx2.get(address, headers=inspector)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_SIGNED_IN"
    assert httpx2.get(f"{world.base_url}/samarinda/export/cases.csv").status_code == 404
    assert httpx2.get(f"{world.base_url}/province/export/tracks.csv").status_code == 404
    assert httpx2.post(f"{world.base_url}/province/export/cases.csv").status_code == 405


def test_a_cookie_serves_and_a_member_without_the_role_is_refused(world: World):
    address = f"{world.base_url}/province/export/indicators.csv"
    with catalogue.province().session(readonly=False) as session:
        overseer = session.query(Member).filter_by(invited_as="pengawas").one()
        secret = open_session(session, overseer.id, now=datetime.now(UTC))
    cookie = {"jejak_province": secret}
    assert httpx2.get(address, cookies=cookie).status_code == 200
    with catalogue.province().session(readonly=False) as session:
        session.query(Member).filter_by(invited_as="pengawas").one().roles = []
    try:
        answer = httpx2.get(address, cookies=cookie)
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_ALLOWED"
    finally:
        with catalogue.province().session(readonly=False) as session:
            member = session.query(Member).filter_by(invited_as="pengawas").one()
            member.roles = ["OVERSEER"]
            session.query(LoginSession).filter_by(member_id=member.id).delete()


def test_a_full_sheet_is_followed_by_another(monkeypatch):
    monkeypatch.setattr(spreadsheets, "SHEET_ROWS", 3)
    file = io.BytesIO()
    book = spreadsheets._Book(file, ["Nomor"])
    book.write([[number] for number in range(8)])
    book.close()
    with zipfile.ZipFile(file) as whole:
        sheets = [name for name in whole.namelist() if name.startswith("xl/worksheets/sheet")]
    assert len(sheets) == 3
    assert [row["Nomor"] for row in of_xlsx(file.getvalue())] == list(range(8))
