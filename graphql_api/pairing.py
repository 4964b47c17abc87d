"""What configures each phone client: a link to open, a QR code to scan, and words to follow."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

import orjson
import segno
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from graphql_api.login import in_realm
from tenants.devices import Paired
from tenants.models import PhoneClient
from tenants.realm import Realm
from tenants.settings import settings

INTERVAL_SECONDS: Final = 300
DISPLACEMENT_METRES: Final = 75
HEARTBEAT_SECONDS: Final = 1800
"""How often at least a phone at rest reports: a longer silence counts as unknown time."""

GPSLOGGER_BODY: Final = "lat=%LAT&lon=%LON&acc=%ACC&spd=%SPD&time=%TIMESTAMP&batt=%BATT"
GPSLOGGER_HEADERS: Final = "Content-Type: application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a phone is configured; `scanned` is what its QR code says, `steps` what a person does.

    `link` is opened on the phone itself. What a client has no use for is None.
    """

    url: str | None
    username: str | None
    link: str | None
    scanned: str | None
    steps: tuple[str, ...]
    steps_en: tuple[str, ...]


def setup(paired: Paired, slug: str) -> Setup:
    """What configures the client of a device that was paired just now in a regency."""
    client = paired.device.client
    url = f"{settings().base_url}/{slug}/track/{client.lower()}"
    match client:
        case PhoneClient.OWNTRACKS:
            return _owntracks(paired, url)
        case PhoneClient.TRACCAR:
            return _traccar(paired, url)
        case PhoneClient.OVERLAND:
            return _overland(paired, url)
        case PhoneClient.GPSLOGGER:
            return _gpslogger(paired, url)
        case PhoneClient.BROWSER:
            return Setup(
                None,
                None,
                None,
                None,
                ("Halaman ini sudah terpasang; biarkan terbuka selama perjalanan.",),
                ("This page is paired; leave it open during the trip.",),
            )


def qr_svg(text: str) -> str:
    """A QR code as SVG to stand in a page, black on white whatever the page's colours are."""
    return segno.make_qr(text, error="l").svg_inline(light="#fff", omitsize=True)


def _owntracks(paired: Paired, url: str) -> Setup:
    key = str(paired.device.id)
    configuration = {
        "_type": "configuration",
        "mode": 3,
        "url": url,
        "auth": True,
        "username": key,
        "password": paired.token,
        "deviceId": key,
        "tid": paired.device.name[:2],
        "encryptionKey": paired.passphrase,
        "monitoring": 1,
        "locatorInterval": INTERVAL_SECONDS,
        "locatorDisplacement": DISPLACEMENT_METRES,
        "ping": HEARTBEAT_SECONDS // 60,
        "extendedData": True,
        "autostartOnBoot": True,
        "cmd": True,
        "remoteConfiguration": False,
    }
    # A plus sign would reach Android's reader of queries as a space.
    inline = quote(b64encode(orjson.dumps(configuration)).decode(), safe="")
    link = f"owntracks:///config?inline={inline}"
    return Setup(
        url,
        key,
        link,
        link,
        (
            "Pasang OwnTracks.",
            "Pindai kode QR dengan kamera ponsel, atau buka tautan di ponsel, lalu setujui.",
            "Izinkan lokasi sepanjang waktu dan matikan penghematan baterai untuk OwnTracks.",
        ),
        (
            "Install OwnTracks.",
            "Scan the QR code with the phone's camera, or open the link on the phone; accept.",
            "Allow location at all times and switch battery saving off for OwnTracks.",
        ),
    )


def _traccar(paired: Paired, url: str) -> Setup:
    wanted = {
        "id": paired.token,
        "accuracy": "high",
        "interval": INTERVAL_SECONDS,
        "distance": DISPLACEMENT_METRES,
        "heartbeat": HEARTBEAT_SECONDS,
        "buffer": "true",
    }
    return Setup(
        url,
        None,
        f"org.traccar.client://config?{urlencode({'url': url} | wanted)}",
        f"{url}?{urlencode(wanted)}",
        (
            "Pasang Traccar Client.",
            "Pindai kode QR dari pengaturan aplikasi, atau buka tautan di ponsel, lalu setujui.",
            "Izinkan lokasi sepanjang waktu, lalu nyalakan pelacakan.",
        ),
        (
            "Install Traccar Client.",
            "Scan the QR code in the application's settings, or open the link on the phone.",
            "Allow location at all times, then switch tracking on.",
        ),
    )


def _overland(paired: Paired, url: str) -> Setup:
    said = {
        "url": url,
        "token": paired.token,
        "device_id": paired.device.id,
        "unique_id": "yes",
    }
    link = f"overland://setup?{urlencode(said)}"
    return Setup(
        url,
        None,
        link,
        link,
        (
            "Pasang Overland di iPhone.",
            "Pindai kode QR dengan kamera, atau buka tautan di ponsel.",
            "Izinkan lokasi sepanjang waktu, nyalakan pelacakan, dan jangan isi zona Wi-Fi.",
        ),
        (
            "Install Overland on the iPhone.",
            "Scan the QR code with the camera, or open the link on the phone.",
            "Allow location at all times, switch tracking on, and leave the Wi-Fi zone empty.",
        ),
    )


def _gpslogger(paired: Paired, url: str) -> Setup:
    key = str(paired.device.id)
    link = f"gpslogger://properties/{url}/{key}/{paired.token}/jejak-dinas.properties"
    return Setup(
        url,
        key,
        link,
        link,
        (
            "Pasang GPSLogger.",
            "Buka tautan di peramban ponsel, atau isi sendiri di Log to custom URL:",
            f"URL: {url}",
            "HTTP Method: POST",
            f"HTTP Body: {GPSLOGGER_BODY}",
            f"HTTP Headers: {GPSLOGGER_HEADERS}",
            f"Basic Authentication: {key} dan token di atas.",
            "Izinkan lokasi sepanjang waktu, lalu mulai pencatatan.",
        ),
        (
            "Install GPSLogger.",
            "Open the link in the phone's browser, or fill in yourself under Log to custom URL:",
            f"URL: {url}",
            "HTTP Method: POST",
            f"HTTP Body: {GPSLOGGER_BODY}",
            f"HTTP Headers: {GPSLOGGER_HEADERS}",
            f"Basic Authentication: {key} and the token above.",
            "Allow location at all times, then start logging.",
        ),
    )


def profile(url: str, username: str, token: str) -> str:
    """GPSLogger's settings, as the profile that its link leads to."""
    return "\n".join(
        (
            "current_profile_name=jejak-dinas",
            "log_customurl_enabled=true",
            f"log_customurl_url={url}",
            "log_customurl_method=POST",
            f"log_customurl_body={GPSLOGGER_BODY}",
            f"log_customurl_headers={GPSLOGGER_HEADERS}",
            f"log_customurl_basicauth_username={username}",
            f"log_customurl_basicauth_password={token}",
            "log_customurl_discard_offline_locations_enabled=false",
            f"time_before_logging={INTERVAL_SECONDS}",
            "startonbootup=true",
            "",
        )
    )


async def _profile(request: Request, realm: Realm) -> Response:
    """Only says again what its address says: the application downloads it without signing in."""
    key, token = str(request.path_params["device"]), request.path_params["token"]
    if not (token.isascii() and token.replace("-", "").replace("_", "").isalnum()):
        return PlainTextResponse("", 404)
    url = f"{settings().base_url}/{realm.slug}/track/gpslogger"
    return PlainTextResponse(profile(url, key, token))


def profile_route() -> Route:
    address = "/{realm}/track/gpslogger/{device:uuid}/{token}/jejak-dinas.properties"
    return Route(address, in_realm(_profile))
