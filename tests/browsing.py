"""A real browser (Chromium) with somebody in front of it, who signs in as people do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from asking import happens
from playwright.sync_api import Browser, BrowserContext, Page, expect

from graphql_api.front import DIST
from infra import browser
from infra.world import World

AXE = DIST.parent / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as started:
        yield started


@dataclass
class Visit:
    """One browser profile; it keeps what pages complained of and whom they asked."""

    world: World
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and "GL Driver" not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.world.base_url + path)
        return self.page

    def sign_in(self, username: str, slug: str = "samarinda", path: str = "") -> Page:
        """Through the realm's own issuer, from the console's page and back to it."""
        browser.sign_in(self.page, self.world, slug, username, path)
        return self.page

    def accessible(self) -> None:
        """Nothing found by axe, and no sideways scrolling on a narrow screen."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("(rules) => axe.run(document, { runOnly: rules })", RULES)[
            "violations"
        ]
        assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        self.page.set_viewport_size(NARROW)
        widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        needed, given = self.page.evaluate(widths)
        assert needed <= given, needed
        self.page.set_viewport_size(WIDE)


@pytest.fixture
def visiting(world: World, chromium: Browser):
    """Begin visits; afterwards no page may have complained or asked a stranger."""
    visits = []

    @contextmanager
    def visiting(*, quiet: bool = True) -> Iterator[Visit]:
        context = chromium.new_context(
            viewport=WIDE, locale="id-ID", timezone_id="Asia/Jakarta", reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_MS)
        visit = Visit(world, context, context.new_page())
        visits.append((visit, quiet))
        try:
            yield visit
        finally:
            context.close()

    yield visiting
    own = urlsplit(world.base_url).netloc
    issuers = {urlsplit(issuer.url).netloc for issuer in world.issuers.values()}
    for visit, quiet in visits:
        strangers = visit.hosts - {own, *issuers, ""}
        assert not strangers, strangers
        loud = [said for said in visit.complaints if quiet or "Content Security Policy" in said]
        assert not loud, loud


def heading(page: Page, text: str) -> None:
    """Wait for a view by its heading."""
    page.get_by_role("heading", level=1, name=re.compile(re.escape(text))).wait_for()


def installed(page: Page) -> None:
    """Wait until the page's worker keeps it for when there is no network."""
    assert happens(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), 10)
