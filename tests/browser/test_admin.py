"""The admin in a real browser: a support person logs in, looks around, and replays what stopped."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import connection
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from apps.core.bus import bus
from apps.events.models import Delivery
from apps.events.relay import fan_out
from apps.jobs.commands import SubmitJob
from apps.jobs.models import Job
from apps.users.commands import RegisterUser
from apps.users.models import User
from tests.browser.pages import PASSWORD, follow, log_in, text
from tests.browser.pictures import picture
from tests.processes import Process, Processes
from tests.users.codes import code_of
from tests.waiting import wait_for


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


def test_support_looks_around_and_replays_a_dead_letter(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    assert "Circuit breakers" in text(browser)
    assert browser.find_elements(By.CSS_SELECTOR, ".panel svg rect"), "an event of this minute is a bar"
    browser.set_window_size(1300, 1400)
    picture(browser, "index")
    for page, shown in {
        "users/user": "boss@example.com",
        "profiles/profile": "profile",
        "events/outboxevent": "user.created",
        "jobs/job": "process",
        "webhooks/endpoint": "webhook",
        "webhooks/webhookdelivery": "webhook deliver",
        "breakers": "people",  # of profiles
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
    wait_for(lambda: "may happen twice" in text(browser), "it asks, and names what it will touch")
    assert "1 delivery" in text(browser)
    assert "users.send_welcome_email: user.created about user:" in text(browser)
    picture(browser, "replay-asked")
    assert Delivery.objects.get(receiver="users.send_welcome_email").state == "dead"
    browser.find_element(By.CSS_SELECTOR, "#content input[type=submit]").click()
    wait_for(lambda: "1 delivery: will be tried again." in text(browser), "the replay is confirmed")
    replayed = Delivery.objects.get(receiver="users.send_welcome_email")
    assert (replayed.state, replayed.replayed_by) == ("pending", "boss@example.com")
    browser.get(f"{web.url}/admin/core/adminnote/")
    assert "will be tried again" in text(browser)
    picture(browser, "log")
    set_up_a_second_factor(browser, web)


def set_up_a_second_factor(browser: webdriver.Chrome, web: Process) -> None:
    """By the page that the top of every page leads to; then log in with a recovery code of it."""
    browser.find_element(By.LINK_TEXT, "SECOND FACTOR").click()
    wait_for(lambda: "authenticator app" in text(browser), "the page shows what to scan")
    assert browser.find_element(By.CSS_SELECTOR, "[role=img] svg").size["width"] > 200
    picture(browser, "second-factor")
    secret = browser.find_element(By.CSS_SELECTOR, "#content code").text
    browser.find_element(By.NAME, "code").send_keys(code_of(secret))
    browser.find_element(By.CSS_SELECTOR, "#content input[type=submit]").click()
    wait_for(lambda: "recovery codes" in text(browser), "the codes are shown once")
    picture(browser, "recovery-codes")
    codes = [code.text for code in browser.find_elements(By.CSS_SELECTOR, "#content code")]
    browser.delete_all_cookies()
    log_in(browser, web)
    wait_for(lambda: "A code of your second factor is needed" in text(browser), "the password is not enough")
    picture(browser, "log-in")
    browser.find_element(By.NAME, "otp").send_keys(codes[0])
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    wait_for(lambda: "Overview" in text(browser), "both together are")


def test_links_lead_from_a_user_to_what_happened_and_back(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    browser.get(f"{web.url}/admin/users/user/")
    follow(browser, "boss@example.com", "Change user")
    picture(browser, "user")
    follow(browser, "Events", "Select event to view")
    browser.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
    wait_for(lambda: "View event" in text(browser), "the event is there")
    picture(browser, "event")
    follow(browser, "Its deliveries", "no mail server")
    browser.find_element(By.CSS_SELECTOR, "#result_list tbody th a").click()
    wait_for(lambda: "View delivery" in text(browser), "the delivery is there")
    picture(browser, "delivery")
    follow(browser, f"user:{User.objects.get().pk}", "Change user")


def test_no_page_is_wider_than_its_window(browser: webdriver.Chrome, web: Process) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    delivery, user = Delivery.objects.get(receiver="users.send_welcome_email"), User.objects.get()
    for name, page in {
        "overview": "",
        "users": "users/user/",
        "dead-letters": "events/delivery/",
        "delivery": f"events/delivery/{delivery.pk}/change/",
        "user": f"users/user/{user.pk}/change/",
        "job": f"jobs/job/{Job.objects.get().pk}/change/",
        "import": "users/user/import/",
        "breakers": "breakers/",
    }.items():
        browser.get(f"{web.url}/admin/{page}")
        for theme, width in product(("light", "dark"), (1300, 420)):
            browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
            browser.set_window_size(width, 1400)
            picture(browser, f"{theme}-{width}-{name}")
            wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{name}, {theme}, {width}"


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
    browser.get(f"{web.url}/api/docs/events")
    assert "user.created" in text(browser)
    picture(browser, "events")
    browser.set_window_size(500, 900)  # the narrowest that chromium has
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "it fits a telephone"
    picture(browser, "events-narrow")
    loaded += browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert loaded
    assert all(name.startswith((web.url, "data:")) for name in loaded), loaded
