"""The visum in a real browser: what a traveller shows, and the desk that scans it."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import enter
from browsing import heading, visiting  # noqa: F401
from conftest import Someone, host_desk, plan
from playwright.sync_api import Browser, Locator, Page, expect
from visa import incoming, shown, told

from graphql_api.front import trusted_documents
from infra.browser import chromium as launched

# ruff: noqa: F811

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & "Tamu"'
WIDTH, HEIGHT = 640, 480
# The code as a camera sees it: somewhere in the picture, on grey.
LUMA = """
async (image, [width, height]) => {
  const canvas = new OffscreenCanvas(width, height);
  const brush = canvas.getContext('2d');
  brush.fillStyle = '#999';
  brush.fillRect(0, 0, width, height);
  await image.decode();
  brush.drawImage(image, 190, 110, 280, 280);
  const { data } = brush.getImageData(0, 0, width, height);
  return btoa(Array.from({ length: width * height }, (_, at) =>
    String.fromCharCode(data[4 * at])).join(''));
}"""


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser takes for a camera: a film of a few frames, at first all grey."""
    film = tmp_path_factory.mktemp("camera") / "film.y4m"
    point_at(film, b"\x99" * (WIDTH * HEIGHT))
    return film


def point_at(film: Path, luma: bytes) -> None:
    """Let the camera see a picture: its pixels' brightness, 16 to 235 in YUV, row by row."""
    frame = bytes(16 + each * 219 // 255 for each in luma) + b"\x80" * (WIDTH * HEIGHT // 2)
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode()
    content = head + (b"FRAME\n" + frame) * 2
    # The same length each time, and no moment without one: it may be playing.
    with film.open("r+b" if film.exists() else "wb") as out:
        out.write(content)


@pytest.fixture(scope="module")
def chromium(camera: Path) -> Iterator[Browser]:
    with launched(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ) as browser:
        yield browser


@pytest.fixture(scope="module")
def receiver(people) -> Someone:
    """A host desk of Balikpapan of this file's own."""
    return host_desk(people)


@pytest.fixture
def guest(people, issue, receiver):
    """Make somebody who is due in Balikpapan today, and her trip."""

    def guest(surname: str = "") -> tuple[Someone, dict]:
        someone = people.fresh()
        if surname:
            named = replace(someone, name=f"{someone.name} {surname}")
            enter(
                "UPDATE member SET name = :new WHERE name = :old", new=named.name, old=someone.name
            )
            someone = named
        trip = issue(someone, plan(starts=-1))
        told(receiver.front_end, trip)
        return someone, trip

    return guest


def film_of(page: Page, film: Path) -> None:
    picture = page.get_by_role("img", name="Kode QR").evaluate(LUMA, [WIDTH, HEIGHT])
    point_at(film, base64.b64decode(picture))


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name))


def test_a_queue_of_guests_is_scanned(visiting, receiver, guest, camera):
    first, trip = guest(HOSTILE)
    second, _ = guest()
    with visiting() as desks, visiting() as phone, visiting() as other:
        desk = desks.sign_in(receiver.username, "balikpapan")
        heading(desk, "Tamu dinas")
        expect(desk).to_have_url(re.compile("/balikpapan/desk$"))
        expect(row(desk, first.name)).to_contain_text("Ditunggu")
        desks.accessible()
        theirs = phone.sign_in(first.username, path=f"trips/{trip['id']}")
        theirs.get_by_role("link", name="Tunjukkan kode visum").click()
        heading(theirs, "Kode visum")
        phone.accessible()
        film_of(theirs, camera)
        # Whoever is next shows hers while the camera stays open.
        desk.get_by_role("button", name="Pindai dengan kamera").click()
        status = desk.get_by_role("status")
        expect(status).to_contain_text(f"{first.name}: tiba")
        expect(row(desk, first.name)).to_contain_text("dengan QR")
        next_one = other.sign_in(second.username, path="trips")
        next_one.get_by_role("link", name=second.name).click()
        next_one.get_by_role("link", name="Tunjukkan kode visum").click()
        next_one.get_by_role("img", name="Kode QR").wait_for()
        film_of(next_one, camera)
        expect(status).to_contain_text(f"{second.name}: tiba")
        expect(desk.get_by_text("Dikonfirmasi di sini: 2")).to_be_visible()
        desks.accessible()
        assert desk.title() != "diretas"
    (there,) = incoming(receiver.front_end, trip)
    assert [one["method"] for one in there["visa"]] == ["QR"]


def test_codes_are_typed_and_wrong_ones_refused(visiting, receiver, guest):
    someone, trip = guest()
    with visiting() as visit:
        page = visit.sign_in(receiver.username, "balikpapan", "desk")
        code = page.get_by_label("Kode dari pelaksana")
        right = shown(someone, trip).code
        code.fill(f"{(int(right) + 1) % 10**8:08}")
        code.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Kode tidak berlaku")
        code.fill(f"{right[:4]} {right[4:]}")
        code.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(f"{someone.name}: tiba")
        expect(page.get_by_role("alert")).to_have_count(0)
        # She leaves with another code: each is good once.
        page.get_by_label("Berangkat", exact=True).check()
        code.fill(shown(someone, trip, 60).code)
        code.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(f"{someone.name}: berangkat")
        found = row(page, someone.name)
        expect(found).to_contain_text("Sudah berangkat")
        # Long enough ago to trouble no other test soon.
        guessed = """INSERT INTO visum_attempt (member_id, failed_at)
            SELECT id, now() - interval '280 s' FROM member, generate_series(1, 5)
            WHERE name = :name"""
        enter(guessed, "balikpapan", name=receiver.name)
        code.fill(right)
        code.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Terlalu banyak kode salah")


def test_the_list_is_searched_confirmed_and_mended(visiting, receiver, guest):
    someone, trip = guest()
    _, _ = guest()
    with visiting() as visit:
        page = visit.sign_in(receiver.username, "balikpapan", "desk")
        page.get_by_label("Cari nama").fill(someone.name.lower())
        found = row(page, someone.name)
        expect(page.get_by_role("heading", level=3)).to_have_text([someone.name])
        found.get_by_text("Waktu lain").click()
        found.get_by_label("Waktu kejadian (WITA)").fill(f"{plan(-1)['startsOn']}T09:30")
        found.get_by_role("button", name="Konfirmasi tiba").click()
        expect(found).to_contain_text("09.30 WITA, dari daftar")
        visit.accessible()
        found.get_by_role("button", name="Cabut").click()
        found.get_by_label("Alasan pencabutan").fill("Salah orang")
        found.get_by_role("button", name="Cabut visum").click()
        expect(found).to_contain_text("Ditunggu")
        found.get_by_role("button", name="Konfirmasi tiba").click()
        found.get_by_role("button", name="Konfirmasi berangkat").click()
        expect(found).to_contain_text("Sudah berangkat")
        page.get_by_label("Keadaan").select_option("EXPECTED")
        expect(page.get_by_text("Tidak ada tamu yang cocok.")).to_be_visible()
        page.get_by_label("Keadaan").select_option("")
        expect(found).to_be_visible()
        for _ in range(3):
            page.get_by_role("button", name="Sehari sesudahnya").click()
        expect(page.get_by_text("Tidak ada tamu yang cocok.")).to_be_visible()
    (there,) = incoming(receiver.front_end, trip)
    assert [one["event"] for one in there["visa"]] == ["ARRIVAL", "DEPARTURE"]


def test_the_code_on_the_phone_is_renewed(visiting, guest):
    someone, trip = guest()
    with visiting() as visit:
        visit.page.clock.install()
        page = visit.sign_in(someone.username, path=f"trips/{trip['id']}/visum")
        heading(page, "Kode visum")
        digits = page.locator("output").inner_text().replace(" ", "")
        assert digits in {shown(someone, trip, seconds).code for seconds in (0, -60)}
        expect(page.get_by_role("timer")).to_have_text(re.compile(r"dalam \d+ detik"))
        documents = trusted_documents("tenant").items()
        (asked,) = (key for key, text in documents if text.startswith("query VisumShown("))
        with page.expect_response(lambda answer: asked in (answer.request.post_data or "")):
            page.clock.run_for(61_000)


def test_only_the_desk_has_the_camera(visiting, receiver):
    take = (
        "navigator.mediaDevices.getUserMedia({ video: true }).then(() => 'taken', (no) => no.name)"
    )
    with visiting(quiet=False) as visit:
        page = visit.sign_in(receiver.username, "balikpapan", "trips")
        heading(page, "Perjalanan dinas")
        assert page.evaluate(take) == "NotAllowedError"
        page.get_by_role("link", name="Tamu dinas").click()
        heading(page, "Tamu dinas")
        assert page.evaluate(take) == "taken"
        page.get_by_role("link", name="Perjalanan", exact=True).click()
        heading(page, "Perjalanan dinas")
        assert page.evaluate(take) == "NotAllowedError"
