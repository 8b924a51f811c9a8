"""Pictures of what the browser shows, to be looked at."""

from __future__ import annotations

import os
from pathlib import Path

from selenium import webdriver


def picture(browser: webdriver.Chrome, name: str) -> None:
    """Keep a picture of what the browser shows, if SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))
