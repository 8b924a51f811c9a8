"""Pages that stay put while rows come and go, and cursors that only the list that gave them out takes."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.things.models import Thing

pytestmark = pytest.mark.django_db
THINGS = "/api/v1/things"


@pytest.fixture(autouse=True)
def many() -> list[str]:
    """The names of 25 things, newest first."""
    Thing.objects.bulk_create([Thing(name=f"thing{number:02}") for number in range(25)])
    return [f"thing{number:02}" for number in range(25)][::-1]


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def test_pages_lead_through_all_of_it_and_back(anyone: APIClient, many: list[str]) -> None:
    pages = [anyone.get(THINGS, {"limit": 10})]
    for number in range(2):
        Thing.objects.create(name=f"late{number}")
        Thing.objects.filter(name=many[number]).delete()
        pages.append(anyone.get(THINGS, {"limit": 10, "cursor": pages[-1].json()["next"]}))
    assert [name for page in pages for name in names(page)] == many
    assert pages[0].json()["previous"] is None
    assert pages[2].json()["next"] is None
    back = anyone.get(THINGS, {"limit": 10, "cursor": pages[2].json()["previous"]})
    assert names(back) == names(pages[1])
    top = anyone.get(THINGS, {"limit": 10, "cursor": back.json()["previous"]})
    assert names(top) == ["late1", "late0", *many[2:10]]
    assert top.json()["previous"] is None


def test_the_link_header_leads_the_same_way(anyone: APIClient, many: list[str]) -> None:
    first = anyone.get(f"{THINGS}?limit=20")
    links = {part.split('"')[1]: part.split(">")[0].strip(" <") for part in first.headers["Link"].split(", ")}
    assert links.keys() == {"first", "next"}
    second = anyone.get(links["next"])
    assert names(second) == many[20:]
    assert 'rel="prev"' in second.headers["Link"]


def test_twenty_by_default_a_hundred_at_most(anyone: APIClient) -> None:
    assert len(names(anyone.get(THINGS))) == 20
    assert len(names(anyone.get(THINGS, {"limit": 100}))) == 25


def test_a_cursor_belongs_to_its_list_in_any_version(anyone: APIClient) -> None:
    cursor = anyone.get(THINGS, {"limit": 10}).json()["next"]
    for same in ("/api/v2/things", "/api/things"):
        assert anyone.get(same, {"cursor": cursor}).status_code == 200


def test_a_cursor_of_ones_own_making_is_refused(anyone: APIClient) -> None:
    genuine = anyone.get(THINGS, {"limit": 1}).json()["next"]
    for wrong in ("x", genuine[:-1], f"{genuine}x", "WzEsMV0:abc"):
        answer = anyone.get(THINGS, {"cursor": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor"), wrong
