"""The breaker of the people directory, in the tour."""

from __future__ import annotations

from django.conf import settings
from selenium import webdriver

from apps.core.resilience.breaker_state import ValkeyState
from apps.core.resilience.valkey import Valkey
from tests.browser.conftest import browser, chromium
from tests.browser.pictures import picture
from tests.browser.test_tour import show, web
from tests.processes import Process
from tests.waiting import wait_for

__all__ = ["browser", "chromium", "web"]


def test_an_open_breaker_counts_down_and_nothing_moves(browser: webdriver.Chrome, web: Process) -> None:
    show(browser, f"{web.url}/", "phone", "light")
    heights = "return [...document.querySelectorAll('.part')].map((one) => one.getBoundingClientRect().height)"
    before = browser.execute_script(heights)
    state = ValkeyState(Valkey(settings.VALKEY_URL, timeout=1.0, prefix=settings.VALKEY_PREFIX))
    state.failed("people", 1, "")
    left = "return [...document.querySelectorAll('[data-seconds]')].map((one) => +one.dataset.seconds)"
    wait_for(lambda: browser.execute_script(left), "it counts down")
    first = browser.execute_script(left)[0]
    wait_for(lambda: browser.execute_script(left)[0] <= first - 2, "second by second")
    assert browser.execute_script(heights) == before
    picture(browser, "tour-open-breaker")
