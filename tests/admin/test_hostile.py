"""Addresses and keys that somebody makes up for the admin."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address",
    [
        "profiles/profile/?enriched_at__year=99999",
        "users/user/?created_at__year=0",
        "users/user/?email__regex=[",
        "users/user/?id__range=1",
        "jobs/job/?status__exact=%00",
        "users/user/?password__startswith=argon2",
        "webhooks/endpoint/?secret__startswith=x",
    ],
)
def test_an_address_of_the_admin_that_makes_no_sense_is_no_error_and_no_oracle(support: Client, address: str) -> None:
    answer = support.get(f"/admin/{address}")
    assert answer.status_code in (302, 400)


@pytest.mark.parametrize(
    "page",
    [
        "events/delivery",
        "jobs/job",
        "webhooks/endpoint",
        "webhooks/webhookdelivery",
    ],
)
@pytest.mark.parametrize("key", ["abc", "\0", "1"])
def test_an_action_on_a_key_that_is_none_is_no_error(support: Client, page: str, key: str) -> None:
    for action in ("replay", "cancel", "run_again", "rotate", "send_again"):
        answer = support.post(f"/admin/{page}/", {"action": action, "_selected_action": [key]})
        assert answer.status_code in (200, 302)
