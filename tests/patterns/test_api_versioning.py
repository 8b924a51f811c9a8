"""API versioning: without it the first new field breaks a client, or every handler exists twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.test import APIClient

from apps.core.bus import bus
from apps.users import reads
from apps.users.api.v1 import UserV1
from apps.users.api.versions import USER, checked
from apps.users.commands import IssueToken, RegisterUser, UserSnapshot
from apps.users.queries import GetUser
from apps.users.tokens import Claims
from tests.configured import configured
from tests.processes import ROOT, Processes

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]

V1 = {"id", "email", "name", "is_active", "created_at"}
V2 = V1 | {
    "updated_at",
    "version",
    "email_verified_at",
    "profile",  # of profiles
}


@pytest.fixture
def ada(register: Register) -> UserSnapshot:
    """A user."""
    return register()


@pytest.fixture
def client(ada: UserSnapshot, client_of: ClientOf) -> APIClient:
    """A client logged in as Ada."""
    return client_of(ada)


@pytest.mark.parametrize(
    ("path", "headers", "version", "fields"),
    [
        ("/api/v1/users/me", {}, "v1", V1),
        ("/api/v2/users/me", {}, "v2", V2),
        ("/api/users/me", {}, "v1", V1),
        ("/api/users/me", {"X-API-Version": "v1"}, "v1", V1),
        ("/api/users/me", {"X-API-Version": "v2"}, "v2", V2),
        ("/api/v1/users/me", {"X-API-Version": "v2"}, "v1", V1),
        ("/api/v2/users/me", {"X-API-Version": "v1"}, "v2", V2),
        ("/api/v2/users/me", {"X-API-Version": "v9"}, "v2", V2),
    ],
)
def test_the_path_decides_then_the_header_then_the_default(
    client: APIClient, path: str, headers: dict[str, str], version: str, fields: set[str]
) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["X-API-Version"] == version
    assert answer.json().keys() == fields


def test_an_unknown_version_is_404_in_the_path_and_400_in_the_header(client: APIClient) -> None:
    for path in ("/api/v3/users/me", "/api/v0/users/me", "/api/v01/users/me", "/api/v1"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    for header in ("v3", "2", "V2", "v2, v1", ""):
        answer = client.get("/api/users/me", headers={"X-API-Version": header})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_version"), header
        assert "v1, v2" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "version"),
    [
        ("get", "/api/v2/nowhere", {}, 404, "v2"),
        ("get", "/api/nowhere", {"X-API-Version": "v2"}, 404, "v2"),
        ("get", "/api/v3/users", {}, 404, "v1"),
        ("put", "/api/v2/users", {}, 405, "v2"),
        ("get", "/api/v2/users", {}, 403, "v2"),
        ("post", "/api/v2/users", {}, 400, "v2"),
        ("get", "/api/users/me", {"X-API-Version": "v7"}, 400, "v1"),
        ("get", "/api/schema", {}, 200, "v1"),
    ],
)
def test_every_answer_says_its_version(
    client: APIClient, method: str, path: str, headers: dict[str, str], status: int, version: str
) -> None:
    answer = client.generic(method.upper(), path, "{}", content_type="application/json", headers=headers)
    assert (answer.status_code, answer.headers["X-API-Version"]) == (status, version)


def test_outside_the_api_there_is_no_version(client: APIClient) -> None:
    assert "X-API-Version" not in client.get("/healthz").headers


def test_v1_has_never_changed(client: APIClient, ada: UserSnapshot) -> None:
    assert client.get("/api/v1/users/me").json() == {
        "id": ada.id,
        "email": "ada@example.com",
        "name": "Ada",
        "is_active": True,
        "created_at": ada.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_v2_adds_and_takes_nothing_away(client: APIClient) -> None:
    old = client.get("/api/v1/users/me").json()
    fresh = client.get("/api/v2/users/me").json()
    assert old.items() <= fresh.items()
    assert (fresh["version"], fresh["updated_at"]) == (1, old["created_at"])
    assert client.get("/api/v1/users/me").json() == old


def test_a_representation_of_one_version_is_no_cached_answer_of_the_other(client: APIClient) -> None:
    tags = [client.get(f"/api/{version}/users/me").headers["ETag"] for version in ("v1", "v2")]
    assert tags[0] != tags[1]
    answer = client.get("/api/users/me", headers={"X-API-Version": "v2", "If-None-Match": tags[0]})
    assert answer.status_code == 200
    assert "X-API-Version" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("prefix", "headers"), [("/api/v1", {}), ("/api/v2", {}), ("/api", {}), ("/api", {"X-API-Version": "v2"})]
)
def test_where_a_new_thing_is_said_to_be_it_is(staff: APIClient, prefix: str, headers: dict[str, str]) -> None:
    made = staff.post(f"{prefix}/users", {"email": "grace@example.com", "name": "Grace"}, headers=headers)
    assert made.headers["Location"] == f"{prefix}/users/{made.json()['id']}"
    assert staff.get(made.headers["Location"], headers=headers).status_code == 200


@pytest.fixture
def announced(ada: UserSnapshot, client_of: ClientOf) -> Any:
    """A client of a service that has announced v1's end."""
    with configured(api_v1_sunset=date(2027, 6, 30)):
        yield client_of(ada)


def test_the_end_of_v1_is_announced_on_every_answer_of_it(announced: APIClient) -> None:
    asked = {
        "/api/v1/users/me?a=1": "/api/v2/users/me?a=1",
        "/api/users/me": "/api/v2/users/me",
        "/api/v1/nowhere": "/api/v2/nowhere",
    }
    for path, successor in asked.items():
        headers = announced.get(path).headers
        assert headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        assert headers["Deprecation"].startswith("@")
        assert 0 < int(headers["Deprecation"].removeprefix("@")) <= 1814313600, "deprecated before it ends"
        assert f'<{successor}>; rel="successor-version"' in headers["Link"]


def test_v2_is_not_announced_to_end(announced: APIClient) -> None:
    for path, version in (("/api/v2/users/me", ""), ("/api/users/me", "v2")):
        headers = announced.get(path, headers={"X-API-Version": version} if version else {}).headers
        assert not {"Sunset", "Deprecation", "Link"} & headers.keys()


def test_the_announcement_stands_beside_a_lists_own_links(
    announced: APIClient, register: Register, client_of: ClientOf
) -> None:
    boss = client_of(register("boss@example.com", is_staff=True))
    link = boss.get("/api/v1/users?limit=1").headers["Link"]
    assert link.count("rel=") == 3
    assert 'rel="first"' in link
    assert 'rel="next"' in link
    assert '</api/v2/users?limit=1>; rel="successor-version"' in link


def test_without_a_day_set_nothing_is_announced(client: APIClient) -> None:
    assert not {"Sunset", "Deprecation", "Link"} & client.get("/api/v1/users/me").headers.keys()


V3 = """
from apps.users.api import v2

class UserV3(v2.UserV2):
    version_name = "v3"

    @classmethod
    def represent(cls, row):
        return super().represent(row) | {"initial": row["name"][:1]}

class UserPageV3(v2.UserPageV2):
    results = UserV3(many=True)

USER, PAGE = UserV3, UserPageV3
"""


@pytest.mark.django_db(transaction=True)
def test_one_module_and_one_word_make_a_version(processes: Processes, tmp_path: Path) -> None:
    copy, token = tmp_path / "copy", bus.execute(IssueToken(bus.execute(RegisterUser("ada@example.com", "Ada")).email))
    for folder in ("apps", "config"):
        shutil.copytree(ROOT / folder, copy / folder)
    (copy / "apps/users/api/v3.py").write_text(V3)
    base = copy / "config/settings/base.py"
    base.write_text(base.read_text().replace('VERSIONS = ["v1", "v2"]', 'VERSIONS = ["v1", "v2", "v3"]'))
    ask = f"""
import json
from django.test import Client
from apps.core.api.schema import document
headers = {{"Authorization": "Bearer {token}"}}
asked = [("/api/v3/users/me", {{}}), ("/api/users/me", {{"X-API-Version": "v3"}}), ("/api/v1/users/me", {{}})]
for path, more in asked:
    answer = Client().get(path, headers=headers | more)
    print(json.dumps([answer.status_code, answer.headers["X-API-Version"], sorted(answer.json())]))
print(json.dumps(sorted(document()["components"]["schemas"]["UserV3"]["properties"])))
"""
    shutil.copy(ROOT / "manage.py", copy)
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", ask]
    # the copy has no tests, so no settings of theirs
    environment = processes.environment() | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    third, by_header, first, schema = map(json.loads, done.stdout.splitlines())
    assert third == by_header == [200, "v3", sorted(V2 | {"initial"})]
    assert first == [200, "v1", sorted(V1)]
    assert set(schema) == V2


class ReadsMore(UserV1):
    """Shows a field that it does not ask for."""

    @classmethod
    def represent(cls, row: dict[str, Any]) -> dict[str, Any]:
        return super().represent(row) | {"staff": row["is_staff"]}


class TaggedByNothing(UserV1):
    """Does not ask for what its entity tag is made of."""

    tagged_by = ()


class AsksForTheUnknown(UserV1):
    """Asks for a field that no query has."""

    shows = (*UserV1.shows, "shoe_size")


@pytest.mark.parametrize(
    ("shape", "named"),
    [(ReadsMore, "is_staff"), (TaggedByNothing, "version"), (AsksForTheUnknown, "shoe_size")],
)
def test_a_version_that_would_fail_at_a_request_fails_at_import(shape: type[UserV1], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        checked(shape)


def test_a_renamed_column_changes_no_version(ada: UserSnapshot, monkeypatch: Any) -> None:
    """A version knows only names of fields: the column of each stands once, in reads.py."""
    for shape in USER.values():
        assert not [name for name in (*shape.shows, *shape.tagged_by) if "__" in name]
    monkeypatch.setitem(reads.FIELDS, "called", "name")
    asked = GetUser(ada.id, ("id", "called"), Claims(ada.id, None, time.time() + 60))
    before = bus.ask(asked)
    monkeypatch.setitem(reads.FIELDS, "called", "email")
    reads.one_user.cache_clear()
    after = bus.ask(asked)
    reads.one_user.cache_clear()
    assert (before, after) == ({"id": ada.id, "called": "Ada"}, {"id": ada.id, "called": "ada@example.com"})
