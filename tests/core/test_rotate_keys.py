"""`manage.py rotate_keys`: after it the old key can be removed."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core import key_rotation
from apps.core.bus import bus
from apps.core.crypto import Box
from apps.core.key_rotation import RotateKeys
from tests.core.keys import LOST, NEW, OLD, counts, rotate, with_keys
from tests.things.models import Thing
from tests.things.services import SECRETS


@pytest.mark.django_db
class TestRotation:
    """manage.py rotate_keys."""

    def thing(self, key: str) -> Thing:
        return Thing.objects.create(name=str(Thing.objects.count()), secret=Box(key, SECRETS).close("a secret"))

    def test_everything_is_encrypted_anew_and_the_old_key_can_go(
        self, anyone: APIClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new, key = {"name": "New"}, {"Idempotency-Key": "k1"}
        first = anyone.post("/api/v1/things", new, headers=key)
        thing = self.thing(OLD)
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            assert {what: done for what, done in counts(said).items() if done != (0, [])} == {
                "idempotent answers": (1, []),
                SECRETS: (1, []),
            }
            assert (said["old_keys"], said["old_keys_can_go"], said["status"]) == (1, True, 0)
            thing.refresh_from_db()
            assert Box(NEW, SECRETS).open(thing.secret) == "a secret"
            assert {renewed for renewed, _ in counts(rotate(capsys)).values()} == {0}, "a second time it finds nothing"
        with with_keys(NEW):
            assert anyone.post("/api/v1/things", new, headers=key).content == first.content

    def test_what_no_key_opens_is_named_and_stops_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        lost, good = self.thing(LOST), self.thing(OLD)
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            assert counts(said)[SECRETS] == (1, [lost.pk])
            assert (said["old_keys_can_go"], said["status"]) == (False, 3)
            with pytest.raises(SystemExit):
                call_command("rotate_keys")
            assert "The old keys must stay" in capsys.readouterr().out
        good.refresh_from_db()
        assert Box(NEW, SECRETS).open(good.secret) == "a secret"

    def test_killed_in_the_middle_it_goes_on_where_it_is_run_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(5):
            self.thing(OLD)
        monkeypatch.setattr(key_rotation, "BATCH", 2)
        renew, left = Box.renew, iter(range(3))

        def until_it_dies(box: Box, closed: str) -> str | None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return renew(box, closed)

        with with_keys(NEW, OLD):
            with monkeypatch.context() as patch:
                patch.setattr(Box, "renew", until_it_dies)
                with pytest.raises(KeyboardInterrupt):
                    bus.execute(RotateKeys())
            done = {one.what: one.renewed for one in bus.execute(RotateKeys())}
        assert done[SECRETS] == 2, "three were done before"
        renewed = [Box(NEW, SECRETS).open(row.secret) for row in Thing.objects.all()]
        assert renewed == ["a secret"] * 5

    def test_of_many_that_no_key_opens_the_first_are_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(key_rotation, "NAMED", 2)
        ids = sorted(self.thing(LOST).pk for _ in range(5))
        with with_keys(NEW, OLD):
            said = rotate(capsys)
        (row,) = [row for row in said["rotated"] if row["what"] == SECRETS]
        assert (row["lost"], row["unreadable"]) == (5, ids[:2])
        assert (said["old_keys_can_go"], said["old_keys_can_go_at"]) == (False, None)

    def test_it_says_when_the_old_key_can_go(self, capsys: pytest.CaptureFixture[str]) -> None:
        with with_keys(NEW, OLD):
            said = rotate(capsys)
            call_command("rotate_keys")
        runs_out = {one["what"]: one["seconds"] for one in said["signed"]}
        assert runs_out.items() >= {"cursors": None, "log-ins to the admin": 43200}.items()
        longest = max(seconds for seconds in runs_out.values() if seconds)
        left = datetime.fromisoformat(said["old_keys_can_go_at"]) - timezone.now()
        assert longest - 60 < left.total_seconds() <= longest
        assert "empty SECRET_KEY_FALLBACKS after" in capsys.readouterr().out

    def test_a_secret_that_changes_meanwhile_is_left_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = self.thing(OLD)
        newer = Box(NEW, SECRETS).close("a newer secret")
        renew = Box.renew

        def while_it_works(box: Box, closed: str) -> str | None:
            Thing.objects.update(secret=newer)
            return renew(box, closed)

        monkeypatch.setattr(Box, "renew", while_it_works)
        with with_keys(NEW, OLD):
            done = {one.what: one.renewed for one in bus.execute(RotateKeys())}
        row.refresh_from_db()
        assert (row.secret, done[SECRETS]) == (newer, 0)
