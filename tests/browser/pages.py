"""What a person does in a browser."""

from __future__ import annotations

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By

from tests.processes import Process
from tests.waiting import wait_for

PASSWORD = "correct horse battery staple"


def log_in(browser: webdriver.Chrome, web: Process, password: str = PASSWORD) -> None:
    browser.get(f"{web.url}/admin/")
    browser.find_element(By.NAME, "username").send_keys("Boss@Example.com")
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()


def text(browser: webdriver.Chrome) -> str:
    """What the page says; empty while it is being replaced by the next."""
    try:
        return browser.find_element(By.TAG_NAME, "body").text
    except (NoSuchElementException, StaleElementReferenceException):
        return ""


def follow(browser: webdriver.Chrome, link: str, shown: str) -> None:
    """Click the first link with this text and wait for the page behind it."""
    browser.find_element(By.ID, "content").find_element(By.LINK_TEXT, link).click()
    wait_for(lambda: shown in text(browser), f"{link} leads to {shown}")
