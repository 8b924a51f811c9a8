"""A profile that is made while its user is deleted goes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.core.bus import Command, bus
from apps.profiles.commands import CreateProfiles, Person, RecordEnrichment
from apps.profiles.models import Profile
from apps.users.commands import DeleteUser, UserSnapshot
from apps.users.models import User
from tests.core.racing import overtaken


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "make",
    [
        lambda user_id: CreateProfiles((user_id,)),
        lambda user_id: RecordEnrichment(user_id, Person("Ada", "", "")),
    ],
    ids=["profile", "enrichment"],
)
def test_a_deletion_waits_for_what_is_being_made_and_takes_it_along(
    register: Callable[..., UserSnapshot], make: Callable[[int], Command[Any]]
) -> None:
    """Begun before the deletion, committed while that is under way."""
    register("boss@example.com", "Boss", is_staff=True)
    ada = register()
    assert overtaken(make(ada.id), lambda: bus.execute(DeleteUser(ada.id))) is None
    assert not User.objects.filter(id=ada.id).exists()
    assert not Profile.objects.exists()
