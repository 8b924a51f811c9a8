"""A real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from selenium import webdriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WINDOW = (1300, 900)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A headless browser, which costs a second of CPU to start."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver; .ci/run installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> webdriver.Chrome:
    """The browser as if it had just been started: it shows nothing and keeps nothing of the test before."""
    origin = urlsplit(chromium.current_url)
    chromium.get("about:blank")
    if origin.netloc:
        kept = {"origin": f"{origin.scheme}://{origin.netloc}", "storageTypes": "all"}
        chromium.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.set_window_size(*WINDOW)
    # what was read is not shown again; selenium has no types for it
    chromium.get_log("browser")  # type: ignore[no-untyped-call]
    return chromium
