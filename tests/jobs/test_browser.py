"""A file of users is imported, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from apps.core.bus import bus
from apps.users.commands import RegisterUser
from tests.browser.conftest import browser, chromium
from tests.browser.pages import PASSWORD, follow, log_in, text
from tests.browser.pictures import picture
from tests.processes import Process, Processes
from tests.waiting import wait_for

__all__ = ["browser", "chromium"]


@pytest.fixture
def web(processes: Processes) -> Process:
    """A web server with staff."""
    bus.execute(RegisterUser("boss@example.com", "Boss", PASSWORD, is_staff=True))
    return processes.web()


def give(browser: webdriver.Chrome, file: Path, content: bytes) -> None:
    """Choose a file in the form for imports, and send it."""
    file.write_bytes(content)
    browser.find_element(By.NAME, "file").send_keys(str(file))
    browser.find_element(By.CSS_SELECTOR, "#content input[type=submit]").click()


def test_a_file_of_users_is_imported_and_its_page_tells_how_it_went(
    browser: webdriver.Chrome, web: Process, processes: Processes, tmp_path: Path
) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    follow(browser, "Import users", "up to 50 MB")
    give(browser, tmp_path / "people.xlsx", b"PK\x03\x04\0\0")
    wait_for(lambda: "ends neither in .csv nor in .ndjson" in text(browser), "a spreadsheet is refused")
    picture(browser, "import-refused")
    lines = "".join(f"user{number}@example.com,User {number}\n" for number in range(5_000))
    give(browser, tmp_path / "people.csv", f"email,name\n{lines}user7@example.com,Seven\nnobody,Nobody\n".encode())
    wait_for(lambda: "The import of people.csv has begun." in text(browser), "the page of the job is there")
    picture(browser, "job-waits")
    processes.relay()
    processes.worker()
    wait_for(lambda: "Success" in text(browser), "the page shows by itself that the job has ended")
    assert '"created": 5000' in text(browser)
    assert "email_taken" in text(browser)
    picture(browser, "job")


def test_a_file_too_large_is_refused_in_words(browser: webdriver.Chrome, web: Process, tmp_path: Path) -> None:
    log_in(browser, web)
    wait_for(lambda: "Overview" in text(browser), "the overview is there")
    browser.get(f"{web.url}/admin/users/user/import/")
    give(browser, tmp_path / "large.csv", b"email,name\n" + b"a@example.com,A\n" * 4_000_000)
    wait_for(lambda: "The file is larger than 50 MB" in text(browser), "it says so")
