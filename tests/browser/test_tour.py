"""The tour in a real browser: it works, everybody can use it, and it fits every screen in both themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from apps.core.resilience.valkey import Valkey
from apps.core.telemetry.spans import KeptSpan, SpanStore
from config.server.ports import free_port
from tests.browser.pages import text
from tests.browser.pictures import picture
from tests.npm import installed
from tests.processes import Process, Processes
from tests.waiting import wait_for

AXE = Path(__file__).with_name("axe")
PAGES = (
    "/",
    "/patterns/event-bus",
    "/patterns/settings",
    "/code/config/compare/naive/retry.py",
    "/dev/mail",
    "/problems/",
    "/api/docs/events",
    "/account/forgotten-password",
)
SCREENS = {"wide": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}
# axe's rules for each: in the second only those that depend on colours
THEMES: dict[str, tuple[str, ...]] = {"light": (), "dark": ("color-contrast", "link-in-text-block")}
# of 255, on average over a page and its opacity
DARK, LIGHT = 110, 190


@pytest.fixture
def web(processes: Processes) -> Process:
    """A server as `make run` starts it, with the tour alive."""
    port = str(free_port())
    return processes.web(
        DJANGO_SETTINGS_MODULE="config.settings.development", PORT=port, TOUR_URL=f"http://127.0.0.1:{port}"
    )


def show(browser: webdriver.Chrome, url: str, screen: str, theme: str) -> None:
    """Open the page on a screen of that kind."""
    turn_to(browser, screen, theme)
    browser.get(url)


def turn_to(browser: webdriver.Chrome, screen: str, theme: str) -> None:
    """Show what is open on another screen."""
    width, height = SCREENS[screen]
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def violations(browser: webdriver.Chrome, axe: str, *rules: str) -> list[str]:
    """What axe finds wrong with the page, by these rules or by all: the rule, and where."""
    # through the driver: the page's own policy runs no script that is not its own
    browser.execute_script(axe)
    options = {"runOnly": rules} if rules else {}
    run = "axe.run(arguments[0]).then(arguments[arguments.length - 1])"
    found: Any = browser.execute_async_script(run, options)
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


def test_the_tour(browser: webdriver.Chrome, web: Process) -> None:
    everybody_can_use_it_on_every_screen_in_both_themes(browser, web)
    an_experiment_runs_by_keyboard_and_shows_what_came_of_it(browser, web)
    a_page_stays_with_the_trace_that_its_address_names(browser, web)
    no_label_of_a_trace_covers_another_bar(browser, web)
    the_documentation_of_the_api_follows_the_theme(browser, web)
    a_telephone_shows_all_that_there_is(browser, web)


def everybody_can_use_it_on_every_screen_in_both_themes(browser: webdriver.Chrome, web: Process) -> None:
    axe = (installed(AXE) / "axe-core" / "axe.min.js").read_text()
    for page in PAGES:
        browser.get(f"{web.url}{page}")
        for theme, rules in THEMES.items():
            for screen, (width, _) in SCREENS.items():
                turn_to(browser, screen, theme)
                told = f"{page}, {screen}, {theme}"
                assert browser.execute_script("return document.documentElement.scrollWidth") <= width, told
                picture(browser, f"{page.strip('/').replace('/', '-') or 'tour'}-{screen}-{theme}")
            assert violations(browser, axe, *rules) == [], told
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]


def an_experiment_runs_by_keyboard_and_shows_what_came_of_it(browser: webdriver.Chrome, web: Process) -> None:
    show(browser, f"{web.url}/", "wide", "light")
    browser.find_element(By.CSS_SELECTOR, "form[action='/tour/racing-registrations'] button").send_keys(Keys.ENTER)
    outcome = browser.find_element(By.ID, "outcome")
    wait_for(lambda: "Kept." in outcome.text, "the outcome is shown")
    assert "201 created\n1\n409 email_taken\n2" in outcome.text
    # the page is still the same one: the script has sent the form
    assert browser.current_url == f"{web.url}/"
    browser.find_element(By.CSS_SELECTOR, "form[action='/tour/registration'] button").click()
    wait_for(lambda: "X-Request-ID" in outcome.text, "the registration is shown")
    parts = "return [...document.querySelectorAll('#now .part h3')].map((title) => title.textContent)"
    assert browser.execute_script(parts)[:2] == ["Event bus", "Circuit breaker"]


def looked(browser: webdriver.Chrome) -> int:
    """How often the page's script has asked for what changes."""
    asked = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/tour/now')).length"
    return int(browser.execute_script(asked))


def a_page_stays_with_the_trace_that_its_address_names(browser: webdriver.Chrome, web: Process) -> None:
    show(browser, f"{web.url}/?trace={'ab' * 16}", "wide", "light")
    wait_for(lambda: looked(browser) >= 2, "the script has looked")
    assert "This trace is gone" in browser.find_element(By.ID, "now").text
    picture(browser, "tour-gone")


OVERLAPS = """
const boxes = [...document.querySelectorAll(".waterfall .bar, .waterfall .bar-name")].map((a) => [a, a.getBBox()]);
const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const owner = (one) => one.matches(".bar") ? one : one.previousElementSibling;
const pairs = boxes.flatMap((one, place) => boxes.slice(0, place).map((other) => [one, other]));
return pairs.filter(([[one, box], [other, its]]) => owner(one) !== owner(other) && meet(box, its))
  .map(([[one], [other]]) => one.outerHTML + other.outerHTML);
"""


def no_label_of_a_trace_covers_another_bar(browser: webdriver.Chrome, web: Process) -> None:
    trace, names = "cd" * 16, ("COMMIT", "WITH www_mmm", "UPDATE OUTBOXEVENT", "connect")
    kept = [
        KeptSpan(trace, "1" * 16, "", names[place % 4], "client", "web@here:1", 1 + place / 50, 1.5)
        for place in range(20)
    ]
    assert SpanStore(Valkey(settings.VALKEY_URL, timeout=1.0)).keep(kept)
    show(browser, f"{web.url}/?trace={trace}", "wide", "light")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".waterfall .bar")) == len(kept)
    assert browser.execute_script(OVERLAPS) == []


BRIGHTNESS = """
const [picture, done] = arguments, image = new Image();
image.onload = () => {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [image.width, image.height];
  context.drawImage(image, 0, 0);
  const all = context.getImageData(0, 0, image.width, image.height).data;
  done(all.reduce((sum, one) => sum + one, 0) / all.length);
};
image.src = "data:image/png;base64," + picture;
"""


def the_documentation_of_the_api_follows_the_theme(browser: webdriver.Chrome, web: Process) -> None:
    show(browser, f"{web.url}/api/docs", "wide", "light")
    wait_for(lambda: "/api/v1/users" in text(browser), "Swagger UI shows the routes")
    seen: dict[str, str] = {}
    for theme in THEMES:
        turn_to(browser, "wide", theme)
        picture(browser, f"docs-{theme}")
        seen[theme] = browser.get_screenshot_as_base64()
    browser.get("about:blank")
    bright = {theme: browser.execute_async_script(BRIGHTNESS, one) for theme, one in seen.items()}
    assert bright["dark"] < DARK < LIGHT < bright["light"]


def a_telephone_shows_all_that_there_is(browser: webdriver.Chrome, web: Process) -> None:
    """Without a swipe: the chip of this page, each column of the events' tables, and each line of a mail."""
    show(browser, f"{web.url}/patterns/structured-logging", "phone", "light")
    chip = "const box = document.querySelector('.patterns [aria-current]').getBoundingClientRect();"
    assert browser.execute_script(f"{chip} return box.left >= 0 && box.right <= innerWidth")
    wider = (
        "return [...document.querySelectorAll(arguments[0])].filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    for page, boxes in {"/api/docs/events": ".scrolls", "/dev/mail": "pre"}.items():
        show(browser, f"{web.url}{page}", "phone", "light")
        assert browser.find_elements(By.CSS_SELECTOR, boxes)
        assert browser.execute_script(wider, boxes) == 0, page
