"""A SECRET_KEY is replaced without anybody noticing, and then the old one can be removed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.core.crypto import Box, Unreadable
from apps.core.models import IdempotentAnswer
from tests.core.keys import LOST, NEW, OLD, with_keys
from tests.things.models import Thing

Works = Callable[[], bool]
THING = {"name": "New", "note": "of the answer"}


class TestBox:
    """What is kept encrypted."""

    def test_an_old_key_opens_and_the_new_one_closes(self) -> None:
        closed = Box(OLD, "a").close("text")
        box = Box(NEW, "a", [OLD])
        assert box.open(closed) == "text"
        renewed = box.renew(closed)
        assert renewed is not None
        assert Box(NEW, "a").open(renewed) == "text"
        assert box.renew(renewed) is None

    def test_anything_else_is_unreadable(self) -> None:
        box = Box(NEW, "a", [OLD])
        for closed in ("", "nonsense", "é", Box(LOST, "a").close("x"), Box(OLD, "b").close("x")):
            for use in (box.open, box.renew):
                with pytest.raises(Unreadable):
                    use(closed)


def cursor_of_a_list(anyone: APIClient) -> Works:
    Thing.objects.bulk_create([Thing(name="one"), Thing(name="two")])
    cursor = anyone.get("/api/v1/things?limit=1").json()["next"]
    return lambda: anyone.get("/api/v1/things", {"cursor": cursor}).status_code == 200


def kept_answer(anyone: APIClient) -> Works:
    first = anyone.post("/api/v1/things", THING, headers={"Idempotency-Key": "k1"})

    def works() -> bool:
        again = anyone.post("/api/v1/things", THING, headers={"Idempotency-Key": "k1"})
        return bool(again.content == first.content)

    return works


KINDS = [cursor_of_a_list, kept_answer]


@pytest.mark.django_db
class TestEachKind:
    """What was made under the old key is used under the new one."""

    @pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
    def test_it_works_while_the_old_key_is_a_fallback(
        self, make: Callable[[APIClient], Works], anyone: APIClient
    ) -> None:
        works = make(anyone)
        with with_keys(NEW, LOST, OLD):
            assert works()

    @pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
    def test_without_it_it_does_not(self, make: Callable[[APIClient], Works], anyone: APIClient) -> None:
        works = make(anyone)
        with with_keys(NEW):
            assert not works()

    def test_what_is_touched_is_encrypted_anew(self, anyone: APIClient) -> None:
        works = kept_answer(anyone)
        with with_keys(NEW, OLD):
            assert works()
        with with_keys(NEW):
            assert works()

    def test_an_answer_that_no_key_opens_is_a_conflict_and_no_error(self, anyone: APIClient) -> None:
        key = {"Idempotency-Key": "k1"}
        anyone.post("/api/v1/things", THING, headers=key)
        with with_keys(NEW):
            answer = anyone.post("/api/v1/things", THING, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_lost")
        assert IdempotentAnswer.objects.count() == 1
