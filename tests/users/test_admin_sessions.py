"""The sessions of users in the admin, and the admin's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.core.bus import bus
from apps.core.models import AdminNote
from apps.users.commands import EndSessions, UpdateUser, UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD
from tests.users.browsers import LOGOUT, SESSIONS, Browser

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]


def log_in_to_admin(client: Client, email: str = "boss@example.com") -> bool:
    form = {"username": email, "password": PASSWORD, "next": "/admin/"}
    return bool(client.post("/admin/login/", form).status_code == 302)


class TestAdmin:
    """Staff see and end a user's sessions; the admin's own sessions end for good, too."""

    @pytest.fixture
    def boss(self, register: Register) -> UserSnapshot:
        return register("boss@example.com", "Boss", password=PASSWORD, is_staff=True)

    @pytest.fixture
    def support(self, boss: UserSnapshot) -> Client:
        client = Client()
        assert log_in_to_admin(client)
        return client

    def run(self, support: Client, page: str, action: str, key: object) -> str:
        chosen = {"action": action, "_selected_action": [str(key)], "index": "0"}
        assert support.post(f"/admin/{page}/", chosen).status_code == 200
        return str(support.post(f"/admin/{page}/", {**chosen, "post": "yes"}, follow=True).content.decode())

    def test_the_users_page_leads_to_the_sessions(self, ada: UserSnapshot, support: Client) -> None:
        phone, laptop = Browser(HTTP_USER_AGENT="<b>Phone"), Browser(HTTP_USER_AGENT="Laptop")
        laptop.client.post(LOGOUT)
        link = f"/admin/users/session/?user={ada.id}&amp;state=live"
        assert link in support.get(f"/admin/users/user/{ada.id}/change/").content.decode()
        listed = support.get(link.replace("&amp;", "&")).content.decode()
        assert "&lt;b&gt;Phone" in listed
        assert "Laptop" not in listed
        assert "Laptop" in support.get(f"/admin/users/session/?user={ada.id}&state=over").content.decode()
        page = f"/admin/users/session/{phone.id}/change/"
        assert 'value="end"' in support.get(page).content.decode()
        assert support.post(page, {"network": "x"}).status_code == 403
        assert support.get("/admin/users/session/add/").status_code == 403

    def test_one_session_is_ended_and_it_is_in_the_log(self, ada: UserSnapshot, support: Client) -> None:
        phone, laptop = Browser(), Browser()
        assert "1 session: ended." in self.run(support, "users/session", "end", phone.id)
        assert (phone.alive, laptop.alive) == (False, True)
        note = AdminNote.objects.get()
        assert (note.who, note.message, note.model) == ("boss@example.com", "ended", "users.session")

    def test_a_user_is_logged_out_everywhere(self, register: Register, support: Client) -> None:
        eve = register("eve@example.com", password=PASSWORD, is_staff=True)
        browser, admin = Browser("eve@example.com"), Client()
        assert log_in_to_admin(admin, eve.email)
        assert "1 user: logged out everywhere." in self.run(support, "users/user", "log_out", eve.id)
        assert not browser.alive
        assert admin.get("/admin/").status_code == 302
        assert support.get("/admin/").status_code == 200, "others are not logged out"
        assert AdminNote.objects.get().message == "logged out everywhere"
        assert log_in_to_admin(admin, eve.email)

    def test_an_admin_session_that_a_deactivation_ended_stays_ended(self, register: Register, support: Client) -> None:
        eve = register("eve@example.com", password=PASSWORD, is_staff=True)
        admin = Client()
        assert log_in_to_admin(admin, eve.email)
        for active in (False, True):
            bus.execute(UpdateUser(eve.id, is_active=active))
            # nobody looks in between: that would delete the session by itself
        assert admin.get("/admin/").status_code == 302
        assert log_in_to_admin(admin, eve.email)
        assert admin.get("/admin/").status_code == 200

    def test_logging_out_elsewhere_ends_the_admins_sessions(self, boss: UserSnapshot, support: Client) -> None:
        assert Browser(boss.email).client.delete(SESSIONS).status_code == 204
        assert support.get("/admin/").status_code == 302

    def test_an_upgrade_logs_nobody_out(self, boss: UserSnapshot) -> None:
        from django.contrib.auth.base_user import AbstractBaseUser

        user = User.objects.get(id=boss.id)
        assert user.get_session_auth_hash() == AbstractBaseUser.get_session_auth_hash(user)
        bus.execute(EndSessions(boss.id))
        user.refresh_from_db()
        assert user.get_session_auth_hash() != AbstractBaseUser.get_session_auth_hash(user)
