"""The pages for people: found with and without a slash at the end, and an error is a page for a browser."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.core.test_problems import problem

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
# what programs send, and what would rather have a problem document than a page
PROGRAMS = ("", "*/*", "application/json", "application/problem+json, text/html;q=0.5")


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("/patterns", "/patterns/"),
        ("/patterns/retry/", "/patterns/retry"),
        ("/problems", "/problems/"),
        ("/problems/not_found/", "/problems/not_found"),
        ("/api/docs/", "/api/docs"),
        ("/api/docs/events/", "/api/docs/events"),
        ("/account/forgotten-password/", "/account/forgotten-password"),
        ("/admin", "/admin/"),
    ],
)
def test_a_page_is_found_whatever_the_slash(client: Client, asked: str, there: str) -> None:
    answer = client.get(f"{asked}?from=a%20b")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{there}?from=a%20b")
    assert client.get(there).status_code in (200, 302)


def test_nobody_is_led_to_another_host(client: Client) -> None:
    for path in ("/patterns//evil.example/", "/problems//", "/admin//evil.example"):
        answer = client.get(path)
        assert not answer.headers.get("Location", "").startswith(("//", "http")), answer.headers["Location"]


@pytest.mark.parametrize("path", ["/api/v1/things/", "/api/schema/", "/healthz/", "/metrics/"])
def test_elsewhere_a_slash_makes_another_address(client: Client, path: str) -> None:
    problem(client.get(path, headers={"Accept": BROWSER}), 404, "not_found")


@pytest.mark.parametrize("path", ["/patterns/nothing", "/patterns/nothing/", "/problems/no-such", "/api/docs/nothing"])
def test_an_unknown_page_is_a_page_for_a_browser(client: Client, path: str) -> None:
    page = client.get(path, headers={"Accept": BROWSER}, follow=True)
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert page.headers["X-Request-ID"] in page.content.decode()
    assert "Accept" in page.headers["Vary"]
    for accept in PROGRAMS:
        answer = client.get(path, headers={"Accept": accept}, follow=True)
        problem(answer, 404, "not_found")
        assert "Accept" in answer.headers["Vary"]


def test_a_form_that_was_sent_is_not_led_elsewhere(client: Client) -> None:
    problem(client.post("/patterns"), 404, "not_found")
