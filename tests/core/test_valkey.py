"""Scripts on Valkey: what is sent is what was given, whatever is in it."""

from __future__ import annotations

import redis
from django.conf import settings

from apps.core.resilience.valkey import Valkey

ECHO = "return {KEYS[1], ARGV[1], ARGV[2]}"


def test_keys_and_arguments_arrive_as_they_are(valkey: redis.Redis) -> None:
    given = ["ключ", "two\r\n$1\r\nlines", ""]
    assert Valkey(settings.ENV.redis_url).run(ECHO, given[:1], [*given[1:]]) == given


def test_a_script_that_the_server_has_forgotten_is_sent_again(valkey: redis.Redis) -> None:
    scripts = Valkey(settings.ENV.redis_url)
    assert scripts.run(ECHO, ["a"], [1, 2]) == ["a", "1", "2"]
    valkey.script_flush()
    assert scripts.run(ECHO, ["a"], [1, 2]) == ["a", "1", "2"]
