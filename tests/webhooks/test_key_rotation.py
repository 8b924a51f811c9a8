"""A SECRET_KEY is replaced and no endpoint notices: secrets are read by an old key and kept by the new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.bus import bus
from apps.webhooks.commands import CheckEndpoint, RegisterEndpoint, RotateSecret, SendTest
from apps.webhooks.models import Endpoint, WebhookDelivery
from apps.webhooks.repositories import SendQueue
from apps.webhooks.secrets import SecretBox
from tests.core.keys import LOST, NEW, OLD, counts, rotate, with_keys

pytestmark = pytest.mark.django_db


@pytest.fixture
def works() -> Callable[[], bool]:
    """Whether a message is signed with the secrets that were made under the old key."""
    with bus.replaced(CheckEndpoint, lambda command: None):
        endpoint = bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    second = bus.execute(RotateSecret(endpoint.id)).secret
    bus.execute(SendTest(endpoint.id))

    def both_sign() -> bool:
        queue = SendQueue(SecretBox(str(settings.SECRET_KEY), [*map(str, settings.SECRET_KEY_FALLBACKS)]))
        WebhookDelivery.objects.update(due_at=Now() - timedelta(seconds=1), token=None)
        (message,) = queue.claim(1, failing=False)
        return message.secrets == (second, endpoint.secret)

    return both_sign


def test_they_sign_while_the_old_key_is_a_fallback(works: Callable[[], bool]) -> None:
    with with_keys(NEW, LOST, OLD):
        assert works()


def test_without_it_they_do_not(works: Callable[[], bool]) -> None:
    with with_keys(NEW):
        assert not works()


def test_what_is_touched_is_encrypted_anew(works: Callable[[], bool]) -> None:
    with with_keys(NEW, OLD):
        assert works()
    with with_keys(NEW):
        assert works()


def test_the_secret_that_a_rotation_replaces_is_kept_under_the_new_key() -> None:
    with bus.replaced(CheckEndpoint, lambda command: None):
        endpoint = bus.execute(RegisterEndpoint("https://93.184.216.34/hook"))
    with with_keys(NEW, OLD):
        bus.execute(RotateSecret(endpoint.id))
    assert SecretBox(NEW).open(Endpoint.objects.get().previous_secret) == endpoint.secret


def endpoint(key: str, **more: Any) -> Endpoint:
    return Endpoint.objects.create(url="https://a.example.com", secret=SecretBox(key).close("whsec_x"), **more)


def test_a_rotation_encrypts_both_secrets_anew(capsys: pytest.CaptureFixture[str]) -> None:
    day = timezone.now() + timedelta(days=1)
    row = endpoint(OLD, previous_secret=SecretBox(OLD).close("whsec_y"), previous_secret_until=day)
    with with_keys(NEW, OLD):
        said = rotate(capsys)
        assert counts(said)["webhook secrets"] == counts(said)["previous webhook secrets"] == (1, [])
        assert {renewed for renewed, _ in counts(rotate(capsys)).values()} == {0}, "a second time it finds nothing"
    row.refresh_from_db()
    assert [SecretBox(NEW).open(it) for it in (row.secret, row.previous_secret)] == ["whsec_x", "whsec_y"]


def test_what_no_key_opens_is_named_if_it_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    lost, good = endpoint(LOST), endpoint(OLD)
    out_of_use = {"previous_secret": SecretBox(LOST).close("whsec_z"), "previous_secret_until": timezone.now()}
    endpoint(NEW, **out_of_use)
    with with_keys(NEW, OLD):
        said = rotate(capsys)
    assert counts(said)["webhook secrets"] == (1, [lost.id])
    assert counts(said)["previous webhook secrets"] == (0, [])
    assert (said["old_keys_can_go"], said["status"]) == (False, 3)
    good.refresh_from_db()
    assert SecretBox(NEW).open(good.secret) == "whsec_x"
