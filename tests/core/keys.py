"""The service after a restart with other keys, and what `manage.py rotate_keys` says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from apps.core.api import idempotency
from apps.core.bus import Bus, bus
from config.container import Container

OLD, NEW, LOST = settings.ENV.secret_key, "n" * 40, "l" * 40


@contextmanager
def with_keys(secret_key: str, *fallbacks: str) -> Iterator[None]:
    """The service as it is after a restart with these keys."""
    env = dataclasses.replace(settings.ENV, secret_key=secret_key, secret_key_fallbacks=fallbacks)
    restarted, before = Bus(), bus._handlers
    Container(env).wire(restarted)
    idempotency._box.cache_clear()
    with override_settings(ENV=env, SECRET_KEY=secret_key, SECRET_KEY_FALLBACKS=list(fallbacks)):
        bus._handlers = restarted._handlers
        try:
            yield
        finally:
            bus._handlers = before
            idempotency._box.cache_clear()


def rotate(capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command says, and its status."""
    capsys.readouterr()
    try:
        call_command("rotate_keys", "--json")
        status = 0
    except SystemExit as error:
        status = int(str(error.code))
    return json.loads(capsys.readouterr().out) | {"status": status}


def counts(said: Any) -> dict[str, tuple[int, list[Any]]]:
    """How many were encrypted anew, and which could not be read, by what they are."""
    return {row["what"]: (row["re_encrypted"], row["unreadable"]) for row in said["rotated"]}
