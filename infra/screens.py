"""Pictures of the console, each role at its main view, for people who read about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from infra import browser
from infra.stories import STORIES
from infra.world import PROVINCE, World

HEIGHTS: Final = {1280: 800, 360: 740}
SETTLING: Final = 2_000
"""Milliseconds after which a map is drawn and those on it stand still."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A view to be pictured: `{trip}` in its path stands for a trip that went astray.

    `shows` is a selector of what must be there first, and is scrolled to.
    """

    name: str
    slug: str
    username: str
    path: str
    shows: str
    width: int = 1280


ASTRAY: Final = next(story for story in STORIES if story.deviations == ("WRONG_REGION",))
HOME: Final = ASTRAY.traveller.tenant
SCREENS: Final = (
    Screen("inspector-queue", HOME, "inspektur", "deviations", "main .rows, main table"),
    Screen("inspector-case", HOME, "inspektur", "trips/{trip}", ".map"),
    Screen("live-map", HOME, "inspektur", "live", ".map"),
    Screen("operator-trip", HOME, "operator", "trips/new", "main form"),
    Screen("traveller-phone", HOME, ASTRAY.traveller.username, "trips/{trip}", "article", 360),
    Screen("province", PROVINCE.slug, "pengawas", "", "main table"),
)


def take(
    running: World,
    folder: Path,
    *,
    screens: Sequence[Screen] = SCREENS,
    given: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write NAME.png for each screen; `given` is what stands for the words in their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with browser.chromium() as chromium:
        for screen in screens:
            page = _visit(chromium, running, screen, given or {})
            taken.append(folder / f"{screen.name}.png")
            page.screenshot(path=taken[-1], animations="disabled")
            page.context.close()
    return taken


def _visit(chromium: Browser, running: World, screen: Screen, given: Mapping[str, str]) -> Page:
    context = chromium.new_context(
        viewport={"width": screen.width, "height": HEIGHTS[screen.width]},
        locale="id-ID",
        timezone_id="Asia/Makassar",
        reduced_motion="reduce",
    )
    page = context.new_page()
    path = screen.path.format(**given)
    browser.sign_in(page, running, screen.slug, screen.username, path)
    shown = page.locator(screen.shows).first
    shown.wait_for()
    shown.scroll_into_view_if_needed()
    if page.locator(".map").count():
        page.locator(".map canvas").first.wait_for()
        page.wait_for_timeout(SETTLING)
    return page
