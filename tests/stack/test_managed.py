"""Managed services: the broker's client gets options that its broker understands, and TLS is checked."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.core.postgresql import base
from config.broker import tls_options, transport_options
from config.load import load
from config.settings.base import django_settings


def database(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    """Django's settings of the database for these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found: dict[str, Any] = django_settings(load("test"))["DATABASES"]["default"]
    return found


def test_rabbitmq_is_not_told_of_valkeys_options() -> None:
    rabbit, valkey = (transport_options(f"{scheme}://host/", 300, "shop:") for scheme in ("amqp", "redis"))
    assert not rabbit.keys() & valkey.keys()
    assert valkey["visibility_timeout"] > 300
    assert valkey["global_keyprefix"] == "shop:"


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("redis://host/0", None),
        ("amqp://host//", None),
        ("rediss://host/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}),
        ("rediss://host/0?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem", None),
        ("amqps://host//", {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}),
    ],
)
def test_the_certificate_of_a_broker_is_checked(url: str, checked: dict[str, Any] | None) -> None:
    assert tls_options(url) == checked


def test_sslmode_of_the_database_comes_from_its_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    url = f"postgres://app@db.example.com/app?sslmode=verify-full&sslrootcert={authority}"
    found = database(monkeypatch, DATABASE_URL=url)
    assert found["OPTIONS"]["sslmode"] == "verify-full"
    assert found["OPTIONS"]["sslrootcert"] == str(authority)


def test_a_pooler_in_transaction_mode_is_asked_for_nothing_that_outlives_a_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = database(monkeypatch, DB_TRANSACTION_POOLING="true")
    assert found["DISABLE_SERVER_SIDE_CURSORS"]
    assert "options" not in found["OPTIONS"]
    parameters = base.DatabaseWrapper({**settings.DATABASES["default"], **found}).get_connection_params()
    assert parameters["prepare_threshold"] is None
