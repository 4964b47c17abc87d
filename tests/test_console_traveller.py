"""The traveller's page in a real browser: with a network and without, on a phone of her own."""

import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from asking import happens, sql
from browsing import chromium, heading, installed, visiting  # noqa: F401
from conftest import plan
from playwright.sync_api import Page, expect
from test_access import stayed_home  # noqa: F401

# ruff: noqa: F811

HOSTILE = '<img src=x onerror="document.title=`diretas`"> & "rapat"'
PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TRACK = "query ($id: UUID!) { trip(id: $id) { track { fixCount } } }"


@pytest.fixture
def away(people, issue):
    """Somebody whose assignment lasts, and her trip."""
    who = people.fresh()
    return who, issue(who, plan(starts=-1), purpose=HOSTILE)["id"]


def fixes(who, trip_id: str) -> int:
    track = who.front_end.ask(TRACK, id=trip_id)["trip"]["track"]
    return track["fixCount"] if track else 0


def stand(page: Page, lon: float) -> None:
    page.context.set_geolocation({"longitude": lon, "latitude": -0.5, "accuracy": 9})


def test_positions_are_kept_without_a_network_and_sent_once(visiting, away) -> None:
    who, trip_id = away
    with visiting(quiet=False) as visit:  # the browser complains of the network itself
        visit.context.grant_permissions(["geolocation"])
        stand(visit.page, 117.15)
        page = visit.sign_in(who.username)
        heading(page, "Tugas saya")
        tracking = page.get_by_role("region", name="Anda sedang dilacak")
        expect(tracking).to_contain_text("23.59 WITA")
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        visit.accessible()
        page.get_by_role("button", name="Catat dengan halaman ini").click()
        expect(tracking).to_contain_text("Halaman ini mencatat posisi")
        assert happens(lambda: fixes(who, trip_id) == 1, 10)
        installed(page)
        visit.context.set_offline(True)
        waiting = page.get_by_text(re.compile(r"^\d+ posisi menunggu dikirim"))
        for number in (1, 2, 3):
            stand(page, 117.15 + number / 100)
            expect(waiting).to_have_text(f"{number} posisi menunggu dikirim")
        # Reopened, the page comes from the phone itself, with what waits.
        page.reload()
        heading(page, "Tugas saya")
        expect(page.get_by_text("Luring.")).to_be_visible()
        expect(page.get_by_role("region", name="Anda sedang dilacak")).to_be_visible()
        expect(page.get_by_text("Halaman ini mencatat posisi").first).to_be_visible()
        expect(waiting).to_have_text("3 posisi menunggu dikirim")
        visit.accessible()
        page.goto(f"{visit.world.base_url}/samarinda/trips")
        expect(page.get_by_role("alert")).to_contain_text("tidak dapat dihubungi")
        expect(waiting).to_be_visible()
        held = int(waiting.inner_text().split()[0])
        visit.context.set_offline(False)
        expect(waiting).to_have_count(0)
        assert fixes(who, trip_id) == 1 + held
        chunks = sql(
            "SELECT sum(ST_NPoints(path)) FROM track_chunk WHERE trip_id = CAST(:id AS uuid)",
            id=trip_id,
        )
        assert chunks == [(1 + held,)], "each was sent once"


def test_outside_and_in_a_pause_nothing_is_recorded(visiting, people, away, issue) -> None:
    who, trip_id = away
    with visiting() as visit:
        visit.context.grant_permissions(["geolocation"])
        stand(visit.page, 117.15)
        page = visit.sign_in(who.username)
        page.get_by_role("button", name="Saya berangkat").click()
        page.get_by_text("Jeda", exact=True).click()
        page.get_by_label("Alasan jeda").fill("Urusan keluarga")
        page.get_by_role("button", name="Jeda pelacakan").click()
        paused = page.get_by_role("region", name="Pelacakan dijeda")
        expect(paused).to_contain_text("Jeda berakhir")
        page.get_by_role("button", name="Catat dengan halaman ini").click()
        expect(paused).to_contain_text("Halaman ini menunggu sampai jeda berakhir.")
        stand(page, 117.25)
        expect(page.get_by_role("button", name="Lapor di sini")).to_have_count(0)
        page.get_by_role("button", name="Lanjutkan pelacakan").click()
        expect(paused).to_have_count(0)
        stand(page, 117.3)
        tracking = page.get_by_role("region", name="Anda sedang dilacak")
        expect(tracking).to_contain_text("Halaman ini mencatat posisi")
        assert happens(lambda: fixes(who, trip_id) == 1, 10)
        page.get_by_text("Saya sudah kembali").click()
        page.get_by_role("button", name="Akhiri perjalanan").click()
        off = page.get_by_role("region", name="Anda tidak dilacak")
        expect(off).to_contain_text("Tidak ada penugasan yang akan datang.")
        stand(page, 117.35)
        page.get_by_text("Hari yang ditagihkan").first.click()
        page.get_by_role("spinbutton", name="Hari yang ditagihkan").fill("2")
        page.get_by_role("button", name="Tagihkan").click()
        expect(page.get_by_text("2 hari ditagihkan")).to_be_visible()
        page.locator("summary", has_text="Laporan sudah disampaikan").click()
        page.get_by_role("button", name="Laporan sudah disampaikan").click()
        expect(page.get_by_text("laporan disampaikan")).to_be_visible()
        visit.accessible()
        assert fixes(who, trip_id) == 1
        # The next assignment is announced before it begins.
        issue(who, plan(starts=3, days=2))
        page.reload()
        expect(off).to_contain_text("Pelacakan berikutnya: ")


def test_a_phone_is_paired_by_its_code_and_revoked(visiting, away, world) -> None:
    who, trip_id = away
    with visiting() as visit:
        page = visit.sign_in(who.username)
        page.get_by_role("link", name="Sandingkan atau cabut ponsel").click()
        heading(page, "Ponsel yang disandingkan")
        page.get_by_label("GPSLogger (Android)").check()
        page.get_by_label("Nama ponsel").fill(HOSTILE)
        page.get_by_role("button", name="Sandingkan").click()
        pairing = page.get_by_role("region", name="siap disandingkan")
        code = pairing.get_by_role("img", name="Kode QR untuk dipindai ponsel")
        assert code.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        link = pairing.get_by_role("link", name="Buka di ponsel ini").get_attribute("href")
        assert link.startswith(
            f"gpslogger://properties/{world.base_url}/samarinda/track/gpslogger/"
        )
        visit.accessible()
        # What is shown configures a phone that reports at once.
        pairing.get_by_text("Isi sendiri", exact=True).click()
        address, user, token = pairing.locator("code").all_inner_texts()
        said = {"lat": "-0.5", "lon": "117.15", "time": datetime.now(UTC).isoformat(), "acc": "8"}
        sent = visit.context.request.post(
            address, form=said, headers={"Authorization": basic(user, token)}
        )
        assert sent.ok
        assert happens(lambda: fixes(who, trip_id) == 1, 10)
        page.get_by_role("link", name="Kembali ke tugas saya").click()
        page.reload()
        phone = page.get_by_role("listitem").filter(has_text=HOSTILE)
        expect(phone).to_contain_text("terakhir mengirim")
        page.get_by_role("link", name="Sandingkan atau cabut ponsel").click()
        page.once("dialog", lambda dialog: dialog.accept())
        phone.get_by_role("button", name="Cabut").click()
        expect(phone).to_contain_text("dicabut")
        sent = visit.context.request.post(
            address, form=said, headers={"Authorization": basic(user, token)}
        )
        assert not sent.ok
        assert page.title() != "diretas"


def basic(user: str, token: str) -> str:
    return "Basic " + b64encode(f"{user}:{token}".encode()).decode()


def test_a_check_in_with_a_photo_is_seen_and_so_is_who_looked(visiting, away) -> None:
    who, trip_id = away
    with visiting(quiet=False) as visit:
        visit.context.grant_permissions(["geolocation"])
        stand(visit.page, 117.15)
        page = visit.sign_in(who.username)
        heading(page, "Tugas saya")
        installed(page)
        visit.context.set_offline(True)
        page.get_by_label("Foto (bila perlu)").set_input_files(
            {"name": "foto.png", "mimeType": "image/png", "buffer": PICTURE}
        )
        page.get_by_role("button", name="Lapor di sini").click()
        expect(page.get_by_text("1 lapor kehadiran menunggu dikirim")).to_be_visible()
        visit.context.set_offline(False)
        expect(page.get_by_text("menunggu dikirim")).to_have_count(0)
        with visiting() as other:
            theirs = other.sign_in("inspektur", path=f"trips/{trip_id}")
            heading(theirs, who.name)
            theirs.get_by_role("button", name="Tampilkan foto").click()
            photo = theirs.get_by_role("img", name=re.compile("Foto lapor kehadiran"))
            assert photo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
            expect(theirs.get_by_text("0.50000° LS, 117.15000° BT")).to_be_visible()
            other.accessible()
        page.get_by_role("link", name="Siapa melihat data saya").click()
        heading(page, "Siapa melihat data saya")
        rows = page.get_by_role("listitem").filter(has_text="Wahyu Inspektur (Inspektur)")
        for what in ("membuka perjalanan", "melihat foto lapor kehadiran"):
            expect(rows.filter(has_text=what)).to_have_count(1)
        visit.accessible()


def test_a_deviation_is_answered_from_the_page(visiting, stayed_home) -> None:
    case = stayed_home()
    with visiting() as visit:
        page = visit.sign_in(case.who.username)
        trip = page.get_by_role("article").filter(has_text="1 temuan menunggu jawaban Anda")
        trip.get_by_role("link", name="Jawab temuan").click()
        page.get_by_label("Jawab temuan ini").fill("Rapat dipindah ke Samarinda.")
        page.get_by_role("button", name="Kirim jawaban").click()
        expect(page.locator("blockquote")).to_contain_text("Rapat dipindah")
        page.get_by_role("link", name="Tugas saya").click()
        heading(page, "Tugas saya")
        expect(page.get_by_role("link", name="Jawab temuan")).to_have_count(0)


def test_two_regencies_never_mix_and_signing_out_leaves_nothing(visiting, people, issue) -> None:
    here, there = people.fresh(), people.fresh("balikpapan")
    trips = [
        issue(here, plan(starts=-1))["id"],
        issue(there, plan(starts=-1, region="64.72"))["id"],
    ]
    with visiting(quiet=False) as visit:
        visit.context.grant_permissions(["geolocation"])
        stand(visit.page, 117.15)
        page = visit.sign_in(here.username)
        heading(page, "Tugas saya")
        installed(page)
        visit.context.set_offline(True)
        page.get_by_role("button", name="Catat dengan halaman ini").click()
        expect(page.get_by_text("1 posisi menunggu dikirim")).to_be_visible()
        blocked = re.compile("/samarinda/graphql$")
        visit.context.route(blocked, lambda route: route.abort())
        visit.context.set_offline(False)
        # The other realm neither shows nor sends what waits in this one.
        page = visit.sign_in(there.username, "balikpapan")
        heading(page, "Tugas saya")
        expect(page.get_by_text("menunggu dikirim")).to_have_count(0)
        assert fixes(there, trips[1]) == 0
        page.goto(f"{visit.world.base_url}/samarinda/")
        expect(page.get_by_text(re.compile("posisi menunggu dikirim"))).to_be_visible()
        asked = []

        def refuse(dialog) -> None:
            asked.append(dialog.message)
            dialog.dismiss()

        page.once("dialog", refuse)
        page.get_by_role("button", name="Keluar").click()
        assert happens(lambda: bool(page.title()) and len(asked) == 1, 5)
        assert "belum terkirim" in asked[0]
        heading(page, "Tugas saya")
        visit.context.unroute(blocked)
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Keluar").click()
        heading(page, "Kota Samarinda")
        left = """async () => { const found = [];
          for (const { name } of await indexedDB.databases()) {
            const request = indexedDB.open(name);
            await new Promise((resolve) => { request.onsuccess = resolve; });
            for (const store of request.result.objectStoreNames) {
              const all = request.result.transaction(store).objectStore(store).getAll();
              await new Promise((resolve) => { all.onsuccess = resolve; });
              if (all.result.length) found.push(`${name} ${store}`);
            } }
          return found; }"""
        assert page.evaluate(left) == ["jejak-balikpapan answers"]
        assert "jejak-samarinda" not in page.evaluate("Object.keys(localStorage).join()")


def test_it_installs_as_an_application_of_its_realm(visiting) -> None:
    with visiting() as visit:
        page = visit.open("/balikpapan/")
        session = visit.context.new_cdp_session(page)
        found = session.send("Page.getAppManifest")
        assert found["url"] == f"{visit.world.base_url}/balikpapan/manifest.webmanifest"
        assert found["errors"] == []
        manifest = visit.context.request.get(found["url"]).json()
        assert (manifest["start_url"], manifest["scope"]) == ("/balikpapan/", "/balikpapan/")
        for icon in manifest["icons"]:
            size = page.evaluate(
                "async (address) => { const image = new Image(); image.src = address;"
                " await image.decode(); return `${image.width}x${image.height}`; }",
                icon["src"],
            )
            assert size == icon["sizes"]
        unmet = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        # Which is what a test's profile is.
        assert [each["errorId"] for each in unmet] == ["in-incognito"]
