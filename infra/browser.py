"""A real browser (Chromium, without a window) with somebody in front of it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from infra.processes import SetupProblem
from infra.world import World


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """The machine's own Chromium, with these arguments too; SetupProblem where there is none."""
    program = shutil.which("chromium")
    if program is None:
        raise SetupProblem("Chromium belum terpasang.", "Chromium is not installed.")
    # Without a graphics card only the maps need one imitated; root has no sandbox to give.
    options = [
        *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-compositing"),
        "--disable-dev-shm-usage",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[*options, *arguments] + (["--no-sandbox"] if os.geteuid() == 0 else []),
        )
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, world: World, slug: str, username: str, path: str = "") -> None:
    """Through the realm's own issuer, from the console's page in Indonesian and back to it."""
    page.goto(f"{world.base_url}/{slug}/{path}")
    page.get_by_role("link", name="Masuk").click()
    page.wait_for_url(f"{world.issuers[slug].url}/**")
    page.locator(f'button[name="username"][value="{username}"]').click()
    page.wait_for_url(f"{world.base_url}/{slug}/**")
    page.get_by_role("button", name="Keluar").wait_for()
