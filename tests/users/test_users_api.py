"""The users' routes: who may see and change whom, conditional requests, pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.events.models import OutboxEvent
from apps.users.commands import UserSnapshot
from apps.users.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
Register = Callable[..., UserSnapshot]
ClientOf = Callable[[UserSnapshot | None], APIClient]
USERS = "/api/v1/users"


@pytest.fixture
def ada(register: Register) -> UserSnapshot:
    """A user."""
    return register("ada@example.com", "Ada")


@pytest.fixture
def as_ada(ada: UserSnapshot, client_of: ClientOf) -> APIClient:
    """A client logged in as Ada."""
    return client_of(ada)


@pytest.fixture
def as_eve(register: Register, client_of: ClientOf) -> APIClient:
    """A client logged in as somebody else."""
    return client_of(register("eve@example.com", "Eve"))


def events() -> list[str]:
    return list(OutboxEvent.objects.order_by("id").values_list("type", flat=True))


class TestRegistration:
    """POST /users, open to anyone."""

    def test_it_answers_with_the_user_and_where_it_is(self, anyone: APIClient, client_of: ClientOf) -> None:
        answer = anyone.post(USERS, {"email": " Ada@EXAMPLE.com ", "name": " Ada ", "password": "long enough phrase"})
        body = answer.json()
        assert answer.status_code == 201
        assert (body["email"], body["name"], body["is_active"]) == ("Ada@example.com", "Ada", True)
        assert answer.headers["Location"] == f"{USERS}/{body['id']}"
        assert answer.headers["ETag"].startswith('"')
        assert not User.objects.get().is_staff
        token = anyone.post("/api/v1/auth/token", {"email": "ADA@example.com", "password": "long enough phrase"})
        anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {token.json()['access']}")
        found = anyone.get(answer.headers["Location"])
        assert (found.json(), found.headers["ETag"]) == (body, answer.headers["ETag"])

    def test_nobody_makes_himself_staff(self, anyone: APIClient) -> None:
        more = {"is_staff": True, "is_active": False, "id": 7, "version": 9}
        answer = anyone.post(USERS, {"email": "eve@example.com", "name": "Eve", **more})
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{n}", "unknown") for n in more]
        assert not User.objects.exists()

    def test_a_taken_email_is_409_in_any_letter_case(self, anyone: APIClient, ada: UserSnapshot) -> None:
        answer = anyone.post(USERS, {"email": "ADA@Example.Com", "name": "Other"})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
        assert events() == ["user.created"]

    def test_names_of_the_world_are_kept_as_they_are(self, anyone: APIClient) -> None:
        for number, name in enumerate(["Ægir Þór", "李小龍", "O'Brien <b>", "👩‍🚀", "x" * 150]):
            answer = anyone.post(USERS, {"email": f"user{number}@example.com", "name": name})
            assert (answer.status_code, answer.json()["name"]) == (201, name)


class TestWhoSeesWhom:
    """A stranger does not learn that a user is there."""

    def test_self_and_staff(self, ada: UserSnapshot, as_ada: APIClient, staff: APIClient) -> None:
        for client in (as_ada, staff):
            assert client.get(f"{USERS}/{ada.id}").json()["email"] == "ada@example.com"

    @pytest.mark.parametrize("method", ["get", "patch", "delete"])
    def test_others_get_the_404_of_a_user_that_is_not_there(
        self, ada: UserSnapshot, as_eve: APIClient, method: str
    ) -> None:
        refused = getattr(as_eve, method)(f"{USERS}/{ada.id}", {"name": "Mallory"})
        nobody = getattr(as_eve, method)(f"{USERS}/{ada.id + 1000}", {"name": "Mallory"})
        assert refused.status_code == nobody.status_code == 404
        differing = {"instance", "request_id", "detail"}
        assert {k: v for k, v in refused.json().items() if k not in differing} == {
            k: v for k, v in nobody.json().items() if k not in differing
        }
        assert User.objects.get(id=ada.id).name == "Ada"

    @pytest.mark.parametrize("method", ["get", "patch", "delete"])
    def test_without_a_token_it_is_401(self, ada: UserSnapshot, anyone: APIClient, method: str) -> None:
        for path in (f"{USERS}/{ada.id}", f"{USERS}/me"):
            answer = getattr(anyone, method)(path)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_the_list_is_for_staff(self, as_ada: APIClient, anyone: APIClient, staff: APIClient) -> None:
        assert [client.get(USERS).status_code for client in (anyone, as_ada, staff)] == [401, 403, 200]

    def test_the_list_is_for_staff_even_where_it_finds_something(self, as_ada: APIClient) -> None:
        assert as_ada.get(USERS, {"search": "nobody at all"}).status_code == 403
        assert "results" not in as_ada.get(USERS, {"search": "ada"}).json()

    def test_staff_that_is_no_longer_staff_sees_no_more(self, ada: UserSnapshot, staff: APIClient) -> None:
        User.objects.filter(is_staff=True).update(is_staff=False)
        assert staff.get(f"{USERS}/{ada.id}").status_code == 404
        assert staff.get(USERS).status_code == 403


class TestChanges:
    """PATCH and DELETE."""

    def test_a_user_changes_their_name(self, ada: UserSnapshot, as_ada: APIClient) -> None:
        answer = as_ada.patch(f"{USERS}/{ada.id}", {"name": "Ada Lovelace"})
        assert (answer.status_code, answer.json()["name"]) == (200, "Ada Lovelace")
        assert events() == ["user.created", "user.updated"]

    def test_email_and_rights_are_not_changed(self, ada: UserSnapshot, as_ada: APIClient) -> None:
        changes = {"email": "new@example.com", "is_staff": True, "password": "x"}
        answer = as_ada.patch(f"{USERS}/{ada.id}", {"name": "New", **changes})
        assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{n}", "unknown") for n in changes]
        user = User.objects.get(id=ada.id)
        assert (user.email, user.name, user.is_staff, user.version) == ("ada@example.com", "Ada", False, 1)

    def test_whether_somebody_is_active_is_for_staff(
        self, ada: UserSnapshot, as_ada: APIClient, staff: APIClient
    ) -> None:
        refused = as_ada.patch(f"{USERS}/{ada.id}", {"is_active": False, "name": "X"})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert User.objects.get(id=ada.id).name == "Ada"
        assert staff.patch(f"{USERS}/{ada.id}", {"is_active": False}).json()["is_active"] is False

    def test_staff_deletes_and_says_so(self, ada: UserSnapshot, as_ada: APIClient, staff: APIClient) -> None:
        assert as_ada.delete(f"{USERS}/{ada.id}").status_code == 403
        gone = staff.delete(f"{USERS}/{ada.id}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert staff.get(f"{USERS}/{ada.id}").status_code == 404
        assert staff.delete(f"{USERS}/{ada.id}").status_code == 404
        assert events()[-1] == "user.deleted"

    @pytest.mark.parametrize(
        "body", [{"name": ""}, {"name": None}, {"name": "x" * 151}, {"name": "a\nb"}, {"is_active": "perhaps"}]
    )
    def test_bad_values_are_refused(self, ada: UserSnapshot, staff: APIClient, body: dict[str, Any]) -> None:
        answer = staff.patch(f"{USERS}/{ada.id}", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(body))}"]

    def test_me_is_the_caller_under_every_method(
        self, ada: UserSnapshot, as_ada: APIClient, register: Register, client_of: ClientOf
    ) -> None:
        assert as_ada.get(f"{USERS}/me").content == as_ada.get(f"{USERS}/{ada.id}").content
        assert as_ada.patch(f"{USERS}/me", {"name": "Countess"}).json()["name"] == "Countess"
        assert as_ada.delete(f"{USERS}/me", {"password": PASSWORD}).status_code == 403, "she has no password"
        as_grace = client_of(register("grace@example.com", "Grace", password=PASSWORD))
        assert as_grace.delete(f"{USERS}/me", {"password": PASSWORD}).status_code == 204
        assert as_grace.get(f"{USERS}/me").status_code == 401


class TestConditional:
    """ETag, If-None-Match and If-Match (RFC 9110)."""

    def test_what_is_unchanged_is_not_sent_again(self, as_ada: APIClient) -> None:
        first = as_ada.get(f"{USERS}/me")
        tag = first.headers["ETag"]
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = as_ada.get(f"{USERS}/me", headers={"If-None-Match": given})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        as_ada.patch(f"{USERS}/me", {"name": "Ada L"})
        changed = as_ada.get(f"{USERS}/me", headers={"If-None-Match": tag})
        assert (changed.status_code, changed.json()["name"]) == (200, "Ada L")
        assert changed.headers["ETag"] != tag

    def test_of_two_editors_the_second_is_told(self, ada: UserSnapshot, as_ada: APIClient, staff: APIClient) -> None:
        path = f"{USERS}/{ada.id}"
        tag = as_ada.get(path).headers["ETag"]
        won = staff.patch(path, {"name": "First"}, headers={"If-Match": tag})
        lost = as_ada.patch(path, {"name": "Second"}, headers={"If-Match": tag})
        assert (won.status_code, lost.status_code, lost.json()["code"]) == (200, 412, "precondition_failed")
        assert as_ada.get(path).json()["name"] == "First"
        assert as_ada.patch(path, {"name": "Third"}, headers={"If-Match": won.headers["ETag"]}).status_code == 200
        assert staff.delete(path, headers={"If-Match": tag}).status_code == 412
        assert staff.delete(path, headers={"If-Match": "*"}).status_code == 204

    def test_a_weak_tag_is_no_match_for_a_change(self, as_ada: APIClient) -> None:
        tag = as_ada.get(f"{USERS}/me").headers["ETag"]
        assert as_ada.patch(f"{USERS}/me", {"name": "X"}, headers={"If-Match": f"W/{tag}"}).status_code == 412


class TestList:
    """GET /users: pages that stay put while rows come and go."""

    @pytest.fixture
    def many(self, staff: APIClient, register: Register) -> list[str]:
        """25 users beside the caller, newest first."""
        return [register(f"user{number:02}@example.com", f"User {number}").email for number in range(25)][::-1]

    def emails(self, answer: Any) -> list[str]:
        return [row["email"] for row in answer.json()["results"]]

    def test_pages_lead_through_all_of_it_and_back(self, staff: APIClient, many: list[str], register: Register) -> None:
        pages = [staff.get(USERS, {"limit": 10})]
        for number in range(2):
            register(f"late{number}@example.com")
            User.objects.filter(email=many[number]).delete()
            pages.append(staff.get(USERS, {"limit": 10, "cursor": pages[-1].json()["next"]}))
        assert [email for page in pages for email in self.emails(page)] == [*many, "staff@example.com"]
        assert pages[0].json()["previous"] is None
        assert pages[2].json()["next"] is None
        back = staff.get(USERS, {"limit": 10, "cursor": pages[2].json()["previous"]})
        assert self.emails(back) == self.emails(pages[1])
        top = staff.get(USERS, {"limit": 10, "cursor": back.json()["previous"]})
        assert self.emails(top) == ["late1@example.com", "late0@example.com", *many[2:10]]
        assert top.json()["previous"] is None

    def test_the_link_header_leads_the_same_way(self, staff: APIClient, many: list[str]) -> None:
        first = staff.get(f"{USERS}?limit=20&is_active=true")
        links = {part.split('"')[1]: part.split(">")[0].strip(" <") for part in first.headers["Link"].split(", ")}
        assert links.keys() == {"first", "next"}
        second = staff.get(links["next"])
        assert self.emails(second) == [*many[20:], "staff@example.com"]
        assert 'rel="prev"' in second.headers["Link"]
        # a filter that needs escaping, and one that is given twice, lead to the same page
        given = f"{USERS}?search=example.com%26%20&search=example.com&limit=20"
        links = {
            part.split('"')[1]: part.split(">")[0].strip(" <") for part in staff.get(given).headers["Link"].split(", ")
        }
        assert links["first"].partition("?")[2] == "search=example.com%26+&search=example.com&limit=20"
        assert staff.get(links["next"]).json()["next"] is None
        assert links["next"].count("cursor=") == staff.get(links["next"]).headers["Link"].count("&cursor=") == 1

    def test_twenty_by_default_a_hundred_at_most(self, staff: APIClient, many: list[str]) -> None:
        assert len(self.emails(staff.get(USERS))) == 20
        assert len(self.emails(staff.get(USERS, {"limit": 100}))) == 26
        for wrong in ("0", "101", "-1", "ten", "1.5", "9" * 50, "²"):
            answer = staff.get(USERS, {"limit": wrong})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit"), wrong

    def test_a_cursor_belongs_to_its_list(self, staff: APIClient, many: list[str]) -> None:
        cursor = staff.get(USERS, {"limit": 10}).json()["next"]
        assert staff.get("/api/v2/users", {"cursor": cursor}).status_code == 200
        assert staff.get("/api/users", {"cursor": cursor}).status_code == 200
        for other in (
            "/api/v1/webhooks",
            "/api/v1/events",
            "/api/v1/webhooks/1/deliveries",
        ):
            answer = staff.get(other, {"cursor": cursor})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor"), other

    def test_a_cursor_of_ones_own_making_is_refused(self, staff: APIClient, many: list[str]) -> None:
        genuine = staff.get(USERS, {"limit": 1}).json()["next"]
        for wrong in ("x", genuine[:-1], f"{genuine}x", "WzEsMV0:abc"):
            answer = staff.get(USERS, {"cursor": wrong})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor"), wrong

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("USER07", 1),
            ("user 7", 1),
            ("user1", 10),
            ("%", 0),
            ("_", 0),
            ("example.com", 26),
            ("\\", 0),
            ("  User 7 ", 1),
        ],
    )
    def test_search_is_for_a_part_of_name_or_email(
        self, staff: APIClient, many: list[str], search: str, found: int
    ) -> None:
        assert len(self.emails(staff.get(USERS, {"search": search, "limit": "100"}))) == found

    def test_active_ones_alone(self, staff: APIClient, many: list[str]) -> None:
        User.objects.filter(email=many[0]).update(is_active=False)
        assert self.emails(staff.get(USERS, {"is_active": "false"})) == [many[0]]
        assert many[0] not in self.emails(staff.get(f"{USERS}?is_active=true&limit=100"))
        assert staff.get(USERS, {"is_active": "maybe"}).status_code == 400
