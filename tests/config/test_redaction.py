"""What is secret is hidden in whatever a process writes, by the names of values and by how texts look."""

from __future__ import annotations

import time
from typing import Any

import pytest

from config.redaction import EMAIL, HIDDEN, redact, redact_exception, scrub


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ({"password": "x"}, {"password": HIDDEN}),
        ({"New-Password": "x"}, {"New-Password": HIDDEN}),
        ({"Authorization": "Bearer x"}, {"Authorization": HIDDEN}),
        ({"refresh_token": "x", "token": None}, {"refresh_token": HIDDEN, "token": HIDDEN}),
        ({"webhook_secret": "x"}, {"webhook_secret": HIDDEN}),
        ({"API-Key": "x"}, {"API-Key": HIDDEN}),
        ({"Set-Cookie": "x"}, {"Set-Cookie": HIDDEN}),
        ({"sentry_dsn": "x"}, {"sentry_dsn": HIDDEN}),
        ({"body": {"user": {"password": "x", "name": "Ada"}}}, {"body": {"user": {"password": HIDDEN, "name": "Ada"}}}),
        ({"items": [{"token": "x"}, ("y", {"secret": 1})]}, {"items": [{"token": HIDDEN}, ["y", {"secret": HIDDEN}]]}),
        ({"headers": {b"authorization": "x"}}, {"headers": {b"authorization": HIDDEN}}),
        ({"token_type": "Bearer", "path": "/auth/token"}, {"token_type": "Bearer", "path": "/auth/token"}),
    ],
)
def test_what_a_name_says_is_secret_is_hidden_at_any_depth(given: dict[str, Any], logged: dict[str, Any]) -> None:
    assert redact(None, "info", given) == logged


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connection to postgres://app:hunter2@db:5432/app failed", "hunter2"),
        ("Error 111 connecting to redis://:hunter2@valkey:6379/0.", "hunter2"),
        ("postgres://app:hunt/er2@db/app", "er2"),
        ("https://hunter2@errors.example.com/1", "hunter2"),
        ("host=db user=app password=hunter2 dbname=app", "hunter2"),
        ("GET https://example.com/hook?access_token=hunter2&page=2", "hunter2"),
        ("GET /reset?api-key=hunter2", "hunter2"),
        ("Authorization: Bearer hunter2hunter2", "hunter2"),
        ("bad header b'authorization': b'Basic aHVudGVyMjpodW50ZXIy'", "aHVudGVy"),
        ("Authorization: hunter2", "hunter2"),
        ("[(b'Authorization', b'hunter2')]", "hunter2"),
        ("Cookie: a=b; sessionid=hunter2; c=d", "hunter2"),
        ("Set-Cookie: sessionid=hunter2; HttpOnly", "hunter2"),
        ("sent Bearer hunter2.hunter2", "hunter2"),
        ("cannot read eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJ"),
        ("signing with whsec_aHVudGVyMmh1bnRlcjI=", "aHVu"),
        ("args=() kwargs={'password': 'hunter2 is long', 'a': 1}", "hunter2"),
        ("args=() kwargs={'password': 'hunter2 is long', 'a': 1}", "long"),
        ('body {"new_password": "hunter2"}', "hunter2"),
        ('body "{\\"secret\\": \\"hunter2\\"}"', "hunter2"),
        ("Task users.welcome[1] raised: ValueError('ada.l+x@example.com')", "ada.l"),
        ("GET /people?email=ada%40example.com", "ada"),
        ("duplicate key\nDETAIL:  Key (lower(email::text))=(ada@localhost) already exists.", "ada"),
        ("DETAIL:  Failing row contains (3, argon2$hunter2, Ada, null).", "Ada"),
        ("argon2$argon2id$v=19$m=102400,t=2,p=8$hunter2", "argon2id"),
        ("no such column\nLINE 1: ...ERS WHERE name = 'Ada Lovelace' AND x = 'hunter2", "Ada"),
        ("no such column\nLINE 1: ...ERS WHERE name = 'Ada Lovelace' AND x = 'hunter2", "hunter2"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_any_text(text: str, secret: str) -> None:
    for found in (
        scrub(text),
        redact(None, "info", {"event": text})["event"],
        str(redact(None, "info", {"data": [{"args": (text,)}]})),
        redact_exception(None, "error", {"exception": f"Traceback\n{text}\n"})["exception"],
    ):
        assert secret not in found
        assert HIDDEN in found or EMAIL in found


@pytest.mark.parametrize(
    "text",
    [
        "request_finished",
        "/api/v1/users/1?limit=20&cursor=abc",
        "breaker: open",
        "Task users.welcome[2f5c] succeeded in 0.1s",
        "http://127.0.0.1:8000/readyz: 503",
        "::1",
        'File "/app/apps/users/tokens.py", line 12, in read',
        "ValueError: the token is too old",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("piece", ["a", "token", "://", "Bearer ", "eyJaaaaa.", "%40", "a@", "cookie:", "'", "Key ("])
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    """A pattern that takes quadratic time would need minutes for this."""
    scrub(piece * (200_000 // len(piece)))


HOSTILE = [
    "-eyJaaaaa",
    "eyJ-",
    "Failing row contains (",
    "Key (",
    "Key (a)=(",
    "a@",
    "a%40",
    "token\\",
    "://",
    "cookie:",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_line_takes_time_by_its_length_and_not_by_its_square(unit: str) -> None:
    def seconds(length: int) -> float:
        text = "password=" + unit * (length // len(unit))
        taken = []
        for _ in range(3):
            start = time.process_time()
            scrub(text)
            taken.append(time.process_time() - start)
        return min(taken)

    # four times as long is four times the work, not sixteen times; under a hundredth of a second nothing is measured
    assert seconds(160_000) < 9 * max(seconds(40_000), 0.01)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a-eyJabcdefgh.abc.def,x", f"a-{HIDDEN},x"),
        ("eyJabc.eyJabcdefgh.abc", f"eyJabc.{HIDDEN}"),
        ("=eyJabcdefgh.eyJabc", f"={HIDDEN}"),
        ("Failing row contains (1, ada).", f"Failing row contains ({HIDDEN})."),
        ("Failing row contains (1, ada", f"Failing row contains ({HIDDEN})"),
        ("Key (name)=(Ada (the first)) exists", f"Key (name)=({HIDDEN}) exists"),
    ],
)
def test_what_is_hidden_of_a_line(text: str, shown: str) -> None:
    assert scrub(text) == shown
