"""Events are described, may grow, and never break who consumes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import jsonschema_rs
import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction
from rest_framework.test import APIClient

from apps.events.bus import EVENTS, INTERNAL, Event, public_types, publish
from apps.events.description import channels, data_schema, document, schemas_of_events
from apps.events.relay import fan_out
from apps.users.events import UserDeleted, UserRegistered
from tests import published
from tests.events.record import BreakingChange, JsonObject, Record, record, recorded, without_words
from tests.processes import ROOT


def fitting(channel: str, part: str, kind: str) -> jsonschema_rs.Draft7Validator:
    """What holds a message of `kind` on `channel` to the document: its `part`, payload or headers."""
    schema = document()["channels"][channel]["messages"][kind][part]
    whole = {"allOf": [schema], "components": document()["components"]}
    return jsonschema_rs.Draft7Validator(whole, validate_formats=True)


@pytest.fixture
def described() -> dict[str, JsonObject]:
    """The schema of every event, by type; the test's own to change."""
    return deepcopy(schemas_of_events())


class TestChange:
    """The rule for change, and the record that holds it."""

    def test_what_the_code_says_is_recorded(self, described: dict[str, JsonObject]) -> None:
        assert record(recorded(), described) == recorded(), "new: python -m tests.events.record, docs/events.md"

    def test_every_version_only_adds(self) -> None:
        for kind, versions in recorded().items():
            kept: Record = {}
            for number, version in enumerate(versions, start=1):
                schema = version["schema"] | {"x-schema-version": number, "examples": [version["example"]]}
                kept = record(kept, {kind: schema})

    def test_an_event_of_every_version_is_still_read_and_still_as_described(self) -> None:
        told = {cls.type: cls for channel in channels() for cls in channel.events}
        for kind, versions in recorded().items():
            fits = jsonschema_rs.Draft7Validator(data_schema(told[kind]), validate_formats=True)
            for version in versions:
                fits.validate(version["example"])
                fits.validate(told[kind].read(version["example"]).data())

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda s: s["properties"].pop("email"), "email is gone. Make it a new type"),
            (lambda s: s["properties"]["user_id"].update(type="string"), "user_id is not what it was"),
            (lambda s: s["properties"]["email"].pop("format"), "email is not what it was"),
            (lambda s: s["required"].remove("name"), "name may be missing now"),
            (
                lambda s: (s["properties"].update(age={"type": "integer"}), s["required"].append("age")),
                "age was not always there: it needs a default",
            ),
            (lambda s: s["properties"].update(age={"type": "integer"}), "schema_version has to be 2, not 1"),
            (lambda s: s.update({"x-schema-version": 2}) or s["properties"].pop("name"), "name is gone"),
            (lambda s: s.update({"x-schema-version": 3}), "schema_version has to be 2, not 3"),
        ],
    )
    def test_a_change_that_breaks_is_refused_and_named(
        self, described: dict[str, JsonObject], change: Callable[[JsonObject], object], said: str
    ) -> None:
        change(described["user.created"])
        with pytest.raises(BreakingChange, match=f"^user.created: .*{said}"):
            record(recorded(), described)

    def test_a_type_stays(self, described: dict[str, JsonObject]) -> None:
        del described["user.deleted"]
        with pytest.raises(BreakingChange, match=r"user\.deleted is gone"):
            record(recorded(), described)

    def test_members_and_types_are_added_and_words_change_freely(self, described: dict[str, JsonObject]) -> None:
        described["user.created"]["properties"]["age"] = {"type": "integer", "examples": [36]}
        described["user.created"] |= {"x-schema-version": 2, "description": "Other words."}
        described["user.seen"] = described["user.deleted"] | {"examples": [{"user_id": 7}]}
        grown = record(recorded(), described)
        assert [len(grown[kind]) for kind in ("user.created", "user.seen", "user.deleted")] == [2, 1, 1]
        assert grown["user.created"][0] == recorded()["user.created"][0]
        assert grown["user.created"][1]["schema"]["properties"]["age"] == {"type": "integer"}

    def test_a_member_named_like_a_keyword_is_a_member(self) -> None:
        schema = {"properties": {"title": {"type": "string", "title": "x"}}, "required": ["title"]}
        assert without_words(schema)["properties"] == {"title": {"type": "string"}}


@dataclass(frozen=True)
class Bare(Event):
    """Says nothing of its members."""

    type: ClassVar[str] = "bare.told"
    key: int
    words: Annotated[str, {"description": "Words."}] = ""


@dataclass(frozen=True)
class Rich(Event):
    """Has members of every kind."""

    type: ClassVar[str] = "rich.told"
    maybe: Annotated[int | None, {"description": "A number, if there is one."}]
    names: list[str]
    colour: Literal["red", "green"]
    counts: dict[str, int]
    share: float = 0.5


class TestDescription:
    """What is made of a class."""

    def test_the_file_is_what_the_command_writes(self, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("asyncapi")
        printed = capsys.readouterr().out
        call_command("asyncapi", file=tmp_path / "a.yaml")
        assert printed == (ROOT / "asyncapi.yaml").read_text() == (tmp_path / "a.yaml").read_text()
        with pytest.raises(CommandError, match=r"nowhere/a\.yaml cannot be written: No such file"):
            call_command("asyncapi", file=tmp_path / "nowhere" / "a.yaml")

    def test_every_kind_of_member_has_its_schema(self) -> None:
        schema = data_schema(Rich)
        assert schema["properties"] == {
            "maybe": {"type": ["integer", "null"], "description": "A number, if there is one."},
            "names": {"type": "array", "items": {"type": "string"}},
            "colour": {"type": "string", "enum": ["red", "green"]},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
            "share": {"type": "number", "format": "double"},
        }
        assert schema["required"] == ["maybe", "names", "colour", "counts"]
        jsonschema_rs.Draft7Validator(schema).validate(Rich(None, ["a"], "red", {"a": 1}).data())

    def test_a_member_without_words_is_refused_with_all_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(EVENTS, Bare.type, Bare)
        with pytest.raises(ImproperlyConfigured) as refused:
            schemas_of_events()
        for missing in ("key has no description", "key has no examples", "words has no examples"):
            assert f"bare.told: {missing}" in str(refused.value)


def test_what_is_internal_is_not_described() -> None:
    internal = {name for name in EVENTS if name.startswith(INTERNAL)}
    assert internal
    assert INTERNAL not in json.dumps(document())
    described = set(schemas_of_events())
    described.discard("webhook.test")
    assert described == EVENTS.keys() - internal


class Wrong(UserRegistered):
    """Tells what no consumer was told of."""

    def data(self) -> dict[str, Any]:
        return {"user_id": "7", "email": "ada@example.com", "nick": "Ada"}


@pytest.mark.django_db
class TestPublished:
    """What is published is what is described."""

    def test_what_the_feed_tells_is_as_described(self, staff: APIClient) -> None:
        with transaction.atomic():
            for kind, schema in schemas_of_events().items():
                if kind in EVENTS:
                    publish(EVENTS[kind].read(schema["examples"][0]))
        fan_out()
        events = staff.get("/api/v1/events").json()["results"]
        assert {event["type"] for event in events} == set(public_types())
        for event in events:
            fitting("feed", "payload", event["type"]).validate(event)
            assert event.keys() == set(document()["components"]["schemas"]["feed.envelope"]["properties"])
        assert not fitting("feed", "payload", "user.created").is_valid(events[0] | {"type": "user.deleted"})

    def test_an_event_that_is_not_as_described_does_not_go_unnoticed(self) -> None:
        with transaction.atomic():
            publish(Wrong(7, "ada@example.com", "Ada"))
        seen = "\n".join(published.take())
        for wrong in ('"7" is not of type "integer"', '"name" is a required property', "'nick' was unexpected"):
            assert wrong in seen
        with transaction.atomic():
            publish(UserDeleted(7, "ada@example.com", "Ada"))
        assert published.take() == []

    def test_who_publishes_it_is_who_the_document_names(self) -> None:
        elsewhere = {
            "__name__": "apps.orders.services",
            "publish": publish,
            "event": UserDeleted(7, "a@example.com", "A"),
        }
        with transaction.atomic():
            exec("publish(event)", elsewhere)
        assert published.take() == ["user.deleted is published by apps.orders.services, not by the app users"]

    def test_the_page_and_the_document_show_every_event(self, anyone: APIClient) -> None:
        assert anyone.get("/api/asyncapi").json() == json.loads(json.dumps(document()))
        assert yaml.safe_load(anyone.get("/api/asyncapi?format=yaml").content) == document()
        page = anyone.get("/api/docs/events").content.decode()
        for kind in {kind for channel in channels() for kind in document()["channels"][channel.name]["messages"]}:
            assert f'<h3 id="{kind}"><code>{kind}</code></h3>' in page
        assert "<code>users.send_welcome_email</code>" in page
        for other in ("/", "/api/docs"):
            assert '<a href="/api/docs/events">' in anyone.get(other).content.decode()
        for path in ("/api/asyncapi", "/api/docs/events"):
            assert anyone.post(path).status_code == 405
