"""Headers of pages, CORS, and answers from before any view."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from rest_framework.test import APIClient

from config.load import load
from config.reader import SettingsError

pytestmark = pytest.mark.django_db
PAGES = ["/", "/api/docs", "/api/docs/events", "/problems/invalid", "/admin/login/", "/admin/nowhere"]
ORIGIN = "https://app.example.com"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_allows_no_inline_script_and_no_frame(client: Client, path: str) -> None:
    answer = client.get(path, follow=True)
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    text = answer.content.decode()
    assert "<style" not in text
    assert " style=" not in text
    assert " onclick=" not in text
    assert text.count("<script") == text.count("<script src=")


def test_json_carries_no_policy(client: Client) -> None:
    assert "Content-Security-Policy" not in client.get("/healthz").headers


def test_without_the_setting_no_origin_is_let_in(client: Client) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    for answer in (client.get("/api/v1/things/1", headers=asked), client.options("/api/v1/things", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.fixture
def cors(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service with CORS_ALLOWED_ORIGINS set."""
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", ORIGIN)
    base = importlib.import_module("config.settings.base")
    made = base.django_settings(load("test"))
    with override_settings(**{name: made[name] for name in ("MIDDLEWARE", "CORS_ALLOWED_ORIGINS")}):
        yield Client()


def test_with_the_setting_that_origin_is_let_in_and_no_other(cors: Client) -> None:
    preflight = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match,idempotency-key,x-api-version",
    }
    answer = cors.options("/api/v1/things/1", headers=preflight)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert all(name in allowed for name in preflight["Access-Control-Request-Headers"].split(","))
    assert "Access-Control-Allow-Credentials" not in answer.headers

    refused = cors.get("/api/v1/things/1", headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "ETag" in refused.headers["Access-Control-Expose-Headers"]

    other = cors.get("/api/v1/things/1", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Origin" not in cors.get("/readyz", headers={"Origin": ORIGIN}).headers


@pytest.mark.parametrize(
    "value", ["*", "app.example.com", "https://app.example.com/path", "https://a:99999", "ftp://a"]
)
def test_what_is_no_origin_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", value)
    with pytest.raises(SettingsError, match="CORS_ALLOWED_ORIGINS is malformed"):
        load("test")


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nowhere", "/api/v1/nowhere", "/api/v9/things", "/api/v1/things/1"]
)
def test_every_answer_under_api_names_version_and_limit(client: Client, path: str) -> None:
    for host in ("testserver", "evil.example.com"):
        answer = client.get(path, headers={"Host": host})
        assert 400 <= answer.status_code < 500
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-API-Version"] == "v1"
        assert answer.headers["RateLimit-Policy"] == f'"default";q={settings.ENV.rate_limit_per_minute};w=60'
        assert answer.headers["RateLimit"].startswith('"default";r=')


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "json"),
        ("*/*", "json"),
        ("application/yaml", "yaml"),
        ("application/json;q=0.1, application/yaml", "yaml"),
        ("application/yaml;q=0.5, application/json;q=0.9", "json"),
        ("application/vnd.oai.openapi, */*;q=0.1", "yaml"),
        ("application/vnd.aai.asyncapi+yaml, */*;q=0.1", "yaml"),
        ("text/html", "json"),
    ],
)
def test_a_schema_comes_as_the_client_prefers_it(anyone: APIClient, accept: str, kind: str) -> None:
    for path in ("/api/schema", "/api/asyncapi"):
        answer = anyone.get(path, headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith(f"application/{kind}")
        assert answer.headers["Vary"] == "Accept"


def test_the_admin_takes_forms_of_its_own_origin_and_of_those_that_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSRF_TRUSTED_ORIGINS", "https://Admin.example.com:443")
    made = importlib.import_module("config.settings.base").django_settings(load("test"))
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/admin/login/").cookies["csrftoken"].value

    def status(origin: str) -> int:
        form = {"username": "x", "password": "x", "csrfmiddlewaretoken": token}
        return browser.post("/admin/login/", form, headers={"Origin": origin}).status_code

    assert [status(origin) for origin in ("http://testserver", "https://admin.example.com")] == [200, 403]
    with override_settings(CSRF_TRUSTED_ORIGINS=made["CSRF_TRUSTED_ORIGINS"]):
        browser = Client(enforce_csrf_checks=True)
        token = browser.get("/admin/login/").cookies["csrftoken"].value
        assert status("https://admin.example.com") == 200
        assert status("https://evil.example.com") == 403
