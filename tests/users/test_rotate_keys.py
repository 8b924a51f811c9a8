"""`manage.py rotate_keys`: what is kept of accounts is encrypted anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.core.crypto import Box
from apps.users import totp
from apps.users.commands import DeleteUser, UserSnapshot
from apps.users.models import SecondFactor
from tests.core.keys import LOST, NEW, OLD, counts, rotate, with_keys

pytestmark = pytest.mark.django_db


@pytest.fixture
def factor(register: Callable[..., UserSnapshot]) -> Callable[[str], SecondFactor]:
    """Makes a second factor whose secret a key has closed."""

    def make(key: str) -> SecondFactor:
        user = register(f"{SecondFactor.objects.count()}@example.com")
        return SecondFactor.objects.create(user_id=user.id, secret=Box(key, totp.PURPOSE).close("a secret"))

    return make


def test_second_factors_and_people_who_are_being_erased(
    factor: Callable[[str], SecondFactor], register: Callable[..., UserSnapshot], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = factor(OLD)
    bus.execute(DeleteUser(register("eve@example.com").id))
    with with_keys(NEW, OLD):
        said = rotate(capsys)
        assert {what: done for what, done in counts(said).items() if done != (0, [])} == {
            "second factors": (1, []),
            "people who are being erased": (1, []),
        }
        assert (said["old_keys"], said["old_keys_can_go"], said["status"]) == (1, True, 0)
        kept.refresh_from_db()
        assert Box(NEW, totp.PURPOSE).open(kept.secret) == "a secret"
        assert {renewed for renewed, _ in counts(rotate(capsys)).values()} == {0}, "a second time it finds nothing"


def test_a_second_factor_that_no_key_opens_is_named(
    factor: Callable[[str], SecondFactor], capsys: pytest.CaptureFixture[str]
) -> None:
    lost = factor(LOST)
    with with_keys(NEW, OLD):
        said = rotate(capsys)
    assert counts(said)["second factors"] == (0, [lost.pk])
    assert (said["old_keys_can_go"], said["status"]) == (False, 3)


def test_the_old_key_stays_as_long_as_an_access_token_lives(capsys: pytest.CaptureFixture[str]) -> None:
    with with_keys(NEW, OLD):
        said = rotate(capsys)
    assert {"what": "access tokens", "seconds": settings.ACCESS_TOKEN_EXPIRE_MINUTES * 60} in said["signed"]
