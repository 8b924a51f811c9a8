"""Service layer: without it each entrance has rules of its own, and a look before the insert loses the e-mail race."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

import httpx
import pytest
from django.conf import settings

from apps.core.bus import bus
from apps.core.crypto import Box
from apps.core.errors import Invalid, NotFound, VersionConflict
from apps.events.models import OutboxEvent
from apps.users.commands import DeleteUser, RegisterUser, SetPassword, UpdateUser, UserSnapshot
from apps.users.errors import EmailTaken
from apps.users.leaving_repositories import PURPOSE, Erasures
from apps.users.models import Session, User
from apps.users.services import UserService
from config.container import Container
from tests import loopback
from tests.conftest import PASSWORD
from tests.core.racing import at_once
from tests.processes import ROOT, Processes
from tests.users.fakes import FakeUsers

RACERS = 300
# imports every service in a Django that has no REST framework, as if it were not installed
WITHOUT_HTTP = """
import sys
sys.modules["rest_framework"] = sys.modules["drf_spectacular"] = sys.modules["httpx"] = None
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "apps.events", "apps.users"], AUTH_USER_MODEL="users.User",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
import django
django.setup()
import apps.users.services, apps.users.sessions, apps.events.services
"""


def test_300_racing_registrations_of_one_email_make_one_user(processes: Processes) -> None:
    web = processes.web(WEB_THREADS="4")
    limits = httpx.Limits(max_connections=RACERS)
    with loopback.client(base_url=web.url, timeout=60, limits=limits) as client:

        def register(number: int) -> tuple[int, str]:
            spelt = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate("ada")) + "@Example.com"
            answer = client.post("/api/v1/users", json={"email": spelt, "name": f"Racer {number}"})
            return answer.status_code, answer.json().get("code", "")

        outcomes = Counter(at_once(RACERS, register))
    assert outcomes == {(201, ""): 1, (409, "email_taken"): RACERS - 1}
    assert User.objects.count() == 1
    assert list(OutboxEvent.objects.values_list("type", flat=True)) == ["user.created"]


@pytest.fixture
def service() -> UserService:
    """The use cases over users in memory: no HTTP, and no SQL of their own."""
    erasures = Erasures(Box(settings.ENV.secret_key, PURPOSE))
    return UserService(FakeUsers(), Container(settings.ENV).sessions, erasures)


class TestRulesWithoutADatabase:
    """No test here may touch the database; pytest-django makes sure of that."""

    @pytest.mark.parametrize(
        ("command", "pointers"),
        [
            (RegisterUser("not an e-mail", "Ada"), ["/email"]),
            (RegisterUser("", ""), ["/email", "/name"]),
            (RegisterUser("ada@example.com", "A\x00da"), ["/name"]),
            (RegisterUser("ada@example.com", "x" * 151), ["/name"]),
            (RegisterUser("ada@example.com", "Ada", "12345"), ["/password"] * 3),
            (RegisterUser("ada.lovelace@example.com", "Ada", "ada.lovelace"), ["/password"]),
        ],
    )
    def test_what_is_refused_is_named_by_its_place(
        self, service: UserService, command: RegisterUser, pointers: list[str]
    ) -> None:
        with pytest.raises(Invalid) as refused:
            service.register(command)
        assert [problem.pointer for problem in refused.value.problems] == pointers

    def test_there_is_no_changing_nobody(self, service: UserService) -> None:
        with pytest.raises(NotFound):
            service.update(UpdateUser(7, name="Ada"))
        with pytest.raises(NotFound):
            service.delete(DeleteUser(7))
        with pytest.raises(NotFound):
            service.set_password(SetPassword(7, PASSWORD))


@pytest.mark.django_db
class TestUseCases:
    """The same use cases with an outbox to publish to."""

    def test_they_run_on_the_fake_repository(self, service: UserService) -> None:
        made = service.register(RegisterUser(" Ada@EXAMPLE.com ", " Ada ", PASSWORD))
        assert (made.email, made.name, made.version) == ("Ada@example.com", "Ada", 1)
        with pytest.raises(EmailTaken):
            service.register(RegisterUser("aDA@example.com", "Other"))
        changed = service.update(UpdateUser(made.id, name="Ada Lovelace", expected_version=1))
        assert (changed.name, changed.version) == ("Ada Lovelace", 2)
        with pytest.raises(VersionConflict):
            service.update(UpdateUser(made.id, name="Stale", expected_version=1))
        service.delete(DeleteUser(made.id))
        assert User.objects.count() == 0, "the service reached past its repository"
        assert list(OutboxEvent.objects.order_by("id").values_list("type", flat=True)) == [
            "user.created",
            "user.updated",
            "user.deleted",
        ]

    def test_a_change_that_changes_nothing_tells_nobody(self, service: UserService) -> None:
        made = service.register(RegisterUser("ada@example.com", "Ada"))
        same = service.update(UpdateUser(made.id, name="Ada", is_active=True))
        assert same.version == made.version
        assert OutboxEvent.objects.count() == 1

    def test_a_snapshot_has_no_password(self, register: Callable[..., UserSnapshot]) -> None:
        user = register(password=PASSWORD)
        kept = User.objects.get(id=user.id).password
        assert kept not in ("", PASSWORD)
        assert kept not in repr(asdict(user))
        assert PASSWORD not in repr(RegisterUser("ada@example.com", "Ada", PASSWORD))
        assert all(kept not in str(event.data) for event in OutboxEvent.objects.all())

    def test_a_new_password_ends_every_login(self, register: Callable[..., UserSnapshot]) -> None:
        user = register(password=PASSWORD)
        Session.objects.create(user_id=user.id, expires_at="2999-01-01T00:00:00Z")
        bus.execute(SetPassword(user.id, "another long pass phrase"))
        assert not Session.objects.filter(revoked_at=None).exists()


def test_the_services_need_no_web_framework() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_HTTP], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
