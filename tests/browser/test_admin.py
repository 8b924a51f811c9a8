"""The admin in a real browser: a support person logs in, looks around, and replays what stopped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from apps.core.bus import bus
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.jobs.commands import SubmitJob
from apps.users.commands import RegisterUser
from tests.processes import Process, Processes
from tests.waiting import wait_for

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1300,900"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PASSWORD = "correct horse battery staple"

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver; .ci/run installs them"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A headless browser with an empty profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def web(processes: Processes) -> Process:
    """A web server with staff, a dead letter and a job to look at."""
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    bus.execute(SubmitJob("process", None, {"rows": []}))
    fan_out()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET state = 'dead', due_at = NULL, last_error = 'ConnectionError: no mail server'"
            " WHERE receiver = 'users.send_welcome_email'"
        )
    return processes.web()


def log_in(browser: webdriver.Chrome, web: Process, password: str = PASSWORD) -> None:
    browser.get(f"{web.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("Boss@Example.com")
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()


def picture(browser: webdriver.Chrome, name: str) -> None:
    """Keep what the browser shows, where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def text(browser: webdriver.Chrome) -> str:
    """What the page says; nothing while it is being replaced by the next."""
    try:
        return browser.find_element(By.TAG_NAME, "body").text
    except (NoSuchElementException, StaleElementReferenceException):
        return ""


def test_support_looks_around_and_replays_a_dead_letter(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    picture(browser, "index")
    for page, shown in {
        "users/user": "boss@example.com",
        "profiles/profile": "profile",
        "events/outboxevent": "user.created",
        "jobs/job": "process",
        "webhooks/endpoint": "webhook",
        "webhooks/webhookdelivery": "webhook deliver",
        "breakers": "people",
    }.items():
        browser.get(f"{web.url}/admin/{page}/")
        wait_for(lambda shown=shown: shown in text(browser), f"{page} shows {shown}")  # type: ignore[misc]
        picture(browser, page.replace("/", "-"))
    browser.get(f"{web.url}/admin/events/delivery/?state__exact=dead")
    assert "no mail server" in text(browser)
    picture(browser, "dead-letters")
    browser.find_element(By.CSS_SELECTOR, "input.action-select").click()
    Select(browser.find_element(By.NAME, "action")).select_by_value("replay")
    browser.find_element(By.NAME, "index").click()
    wait_for(lambda: "1 deliveries will be tried again" in text(browser), "the replay is confirmed")
    replayed = Delivery.objects.get(receiver="users.send_welcome_email")
    assert (replayed.state, replayed.replayed_by) == ("pending", "boss@example.com")


def test_a_user_is_made_under_the_same_rules_as_everywhere(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    browser.get(f"{web.url}/admin/users/user/add/")
    browser.find_element(By.NAME, "email").send_keys("BOSS@example.com")
    browser.find_element(By.NAME, "name").send_keys("Another")
    browser.find_element(By.NAME, "_save").click()
    wait_for(lambda: "already a user with this e-mail" in text(browser), "the e-mail is refused")
    picture(browser, "user-refused")
    field = browser.find_element(By.NAME, "email")
    field.clear()
    field.send_keys("ada@example.com")
    browser.find_element(By.NAME, "_save").click()
    wait_for(lambda: "was added successfully" in text(browser), "the user is made")


def test_a_wrong_password_lets_nobody_in(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web, "wrong")
    wait_for(lambda: "correct email and password" in text(browser), "the log-in is refused")


def test_the_tour_and_the_documentation_need_no_other_server(browser: webdriver.Chrome, web: Process) -> None:
    browser.get(f"{web.url}/")
    assert "Twelve patterns" in text(browser)
    picture(browser, "tour")
    browser.get(f"{web.url}/api/docs")
    wait_for(lambda: "/api/v1/users" in text(browser), "Swagger UI shows the routes")
    picture(browser, "docs")
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert loaded
    assert all(name.startswith((web.url, "data:")) for name in loaded), loaded
