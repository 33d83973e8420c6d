"""The system's Chromium, driven without a window."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

_NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launched(playwright: Playwright) -> Browser:
    """Raises LookupError, which says what to do, where there is none."""
    found = next((path for name in _NAMES if name and (path := shutil.which(name))), None)
    if found is None:
        raise LookupError("There is no Chromium: apt-get install chromium, or say in CHROMIUM where one is.")
    return playwright.chromium.launch(executable_path=found, args=_FLAGS)
