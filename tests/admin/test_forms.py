"""The admin's forms: nobody undoes, without seeing it, what others did meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users.commands import RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.models import User
from tests.admin.conftest import again, changed, form_of
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(register: Callable[..., UserSnapshot]) -> UserSnapshot:
    return register()


def page_of(user: UserSnapshot) -> str:
    return f"/admin/users/user/{user.id}/change/"


def test_a_stale_form_changes_nothing_and_says_what_was_changed_by_whom(support: Client, ada: UserSnapshot) -> None:
    stale = changed(support, page_of(ada), name="Ada King")
    eve = bus.execute(RegisterUser("eve@example.com", "Eve", PASSWORD, is_staff=True))
    other = Client()
    assert other.login(username=eve.email, password=PASSWORD)
    assert other.post(page_of(ada), changed(other, page_of(ada), is_active=False)).status_code == 302

    answer = support.post(page_of(ada), stale)
    assert answer.status_code == 200
    assert "changed by eve@example.com since you opened the page" in str(form_of(answer).non_field_errors())
    assert "from yes to no" in str(form_of(answer).errors["is_active"])
    kept = User.objects.get(id=ada.id)
    assert (kept.name, kept.is_active) == ("Ada", False)

    # the person looks at it and saves again: their change alone
    assert support.post(page_of(ada), again(answer)).status_code == 302
    kept.refresh_from_db()
    assert (kept.name, kept.is_active) == ("Ada King", False)


def test_both_changed_the_same_and_the_person_decides(support: Client, ada: UserSnapshot) -> None:
    stale = changed(support, page_of(ada), name="Mine")
    bus.execute(UpdateUser(ada.id, name="Theirs"))
    answer = support.post(page_of(ada), stale)
    assert "from “Ada” to “Theirs”" in str(form_of(answer).errors["name"])
    assert form_of(answer)["name"].value() == "Mine"
    assert "by " not in str(form_of(answer).non_field_errors()).replace("changed since", "")
    assert support.post(page_of(ada), again(answer)).status_code == 302
    assert User.objects.get(id=ada.id).name == "Mine"


def test_what_the_form_does_not_show_counts_too(support: Client, ada: UserSnapshot) -> None:
    stale = changed(support, page_of(ada), name="Ada King")
    bus.execute(SetPassword(ada.id, "quite another phrase"))
    answer = support.post(page_of(ada), stale)
    assert "does not show what was changed" in str(form_of(answer).non_field_errors())
    assert support.post(page_of(ada), again(answer)).status_code == 302


def test_a_change_between_the_forms_look_and_the_commands_is_found(
    support: Client, ada: UserSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = changed(support, page_of(ada), name="Ada King")
    from apps.users.admin import UserAdmin

    save = UserAdmin.save_model

    def overtaken(*args: Any) -> None:
        monkeypatch.undo()
        bus.execute(UpdateUser(ada.id, is_active=False))
        save(*args)

    monkeypatch.setattr(UserAdmin, "save_model", overtaken)
    answer = support.post(page_of(ada), stale)
    assert "from yes to no" in str(form_of(answer).errors["is_active"])
    assert User.objects.get(id=ada.id).name == "Ada"


@pytest.mark.parametrize("seen", [None, "", "x", "{}", "[]", '{"version": 1}', '{"version":1,"note":0,"values":{}}'])
def test_a_form_that_does_not_say_what_it_shows_is_refused(support: Client, ada: UserSnapshot, seen: Any) -> None:
    sent = changed(support, page_of(ada), name="Ada King")
    sent = {key: value for key, value in sent.items() if key != "seen"} | ({} if seen is None else {"seen": seen})
    assert support.post(page_of(ada), sent).status_code == 200
    assert User.objects.get(id=ada.id).name == "Ada"


def test_only_what_was_changed_is_sent(support: Client, ada: UserSnapshot) -> None:
    sent = []

    def note(command: UpdateUser) -> None:
        sent.append(command)

    with bus.replaced(UpdateUser, note):  # type: ignore[arg-type] # answers nothing, which the admin does not read
        support.post(page_of(ada), changed(support, page_of(ada), name="Ada King"))
    assert sent == [UpdateUser(ada.id, name="Ada King", expected_version=1)]
    assert AdminNote.objects.get().message == "changed Name"
