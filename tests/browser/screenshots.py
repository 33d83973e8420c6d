"""`make screenshots`: the README's pictures of the pages, from the demo's history."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from local.template import ROOT
from local.testing import Service, running
from tests.browser.chromium import launched
from tests.browser.conftest import session

FOLDER = ROOT / "docs" / "screenshots"
SIZE: ViewportSize = {"width": 1360, "height": 850}


def main() -> None:
    """Fills a service of its own, and looks at it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as service:
        demo = [sys.executable, "-m", "local.demo"]
        subprocess.run(demo, env={**os.environ, "DATA_DIR": str(service.folder.path)}, check=True)
        with sync_playwright() as playwright:
            browser = launched(playwright)
            for theme in ("light", "dark"):
                page = browser.new_page(viewport=SIZE, color_scheme=theme, device_scale_factor=1.5)
                page.add_init_script(f"sessionStorage.session ??= {json.dumps(session(service, 'root', ['admin']))}")
                _gallery(page, service, theme)
                _dashboard(page, service, theme)
            browser.close()


def _gallery(page: Page, service: Service, theme: str) -> None:
    page.goto(service.url)
    page.locator(".tile img.seen").nth(8).wait_for()
    _shoot(page, f"gallery-{theme}")
    page.locator(".tile a").nth(2).click()
    page.locator(".frame img.seen").wait_for()
    _shoot(page, f"image-{theme}")


def _dashboard(page: Page, service: Service, theme: str) -> None:
    page.goto(f"{service.url}/dashboard.html?days=90")
    page.locator(".trend canvas").first.wait_for()
    page.wait_for_load_state("networkidle")
    _shoot(page, f"dashboard-{theme}")


def _shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=82)


if __name__ == "__main__":
    main()
