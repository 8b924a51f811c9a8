"""Removes secrets and e-mail addresses from what leaves the service in logs and error reports.

They are recognised by name (a key of the event, at any depth), and by how they look in a text, since libraries write
what they were given into messages and exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

SECRET_WORDS = (
    "password",
    "passwd",
    "otp",
    "secret",
    "token",
    "authorization",
    "cookie",
    "api_key",
    "credential",
    "dsn",
)
# names that hold one of the words above but no secret
HARMLESS = frozenset({"token_type", "tokens", "attempt_token"})
HIDDEN = "[hidden]"
EMAIL = "[email]"
# what this service makes itself, on every line: need not be checked
PLAIN = frozenset({"timestamp", "level", "logger", "request_id", "method", "ip"})

# a text without any of these has nothing to hide; most have none
SUSPECT = re.compile(r"[@=:%$]|eyJ|whsec_|[Bb]earer|BEARER|[Bb]asic |[Aa]uthorization|[Cc]ookie|Failing row")
_QUOTED = r"""\\*b?(?P<q>["']).*?(?:(?P=q)|$)"""
# a client that chooses a text must not choose how long it takes: a repetition is bounded, or what it has matched is
# either replaced or cannot begin another match
RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # user and password of a URL
    (re.compile(r"""(://)[^\s@"'<>]{0,300}@"""), rf"\1{HIDDEN}@"),
    # tokens; a run of such letters is looked at once, and only if it is one that a full stop and another run follow
    (re.compile(r"(?<![\w-])(?=[\w-]++\.[\w-])([\w-]*?)\beyJ[\w-]{5,}+\.[\w-]+(?:\.[\w-]*)?"), rf"\1{HIDDEN}"),
    (re.compile(r"\bwhsec_[\w+/=-]+"), HIDDEN),
    # password hashes
    (re.compile(r"\b(?:argon2|pbkdf2_\w{1,20}|bcrypt\w{0,20}|scrypt|md5)\$[^\s,)'\"]+"), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s{1,5}[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # headers: their values have blanks and semicolons
    (
        re.compile(
            rf"(authorization|cookie)(\\*[\"']?\s{{0,5}}[:=,]\s{{0,5}})(?:{_QUOTED}|[^\n\"']+)",
            re.IGNORECASE | re.MULTILINE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    # name=value, 'name': 'value', "name": "value"
    (
        re.compile(
            r"((?:password|passwd|pwd|otp|secret|token|api[_-]?key|credential|dsn)[\w-]{0,40}\\*[\"']?\s{0,5}[:=]\s{0,5})"
            rf"(?:{_QUOTED}|[^\s,;&\"')}}\]]+)",
            re.IGNORECASE | re.MULTILINE,
        ),
        rf"\1{HIDDEN}",
    ),
    # PostgreSQL shows the values that it refused
    (re.compile(r"(Key \([^\n]{1,200}?\)=)\((?:[^\n]*\)|[^\n]*)"), rf"\1({HIDDEN})"),
    (re.compile(r"(Failing row contains )\((?:[^\n]*\)|[^\n]*)"), rf"\1({HIDDEN})"),
    (re.compile(r"(?<![\w.+%-])[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), EMAIL),
)
# and the statement with its values, if the cursor put them in on this side
STATEMENT_LINE = re.compile(r"^LINE \d+: .*$", re.MULTILINE)
LITERAL = re.compile(r"'[^']*(?:'|$)")


def scrub(text: str) -> str:
    """`text` without what looks like a secret or an e-mail address."""
    if not SUSPECT.search(text):
        return text
    for pattern, instead in RULES:
        text = pattern.sub(instead, text)
    if "LINE " in text:
        text = STATEMENT_LINE.sub(lambda line: LITERAL.sub(f"'{HIDDEN}'", line[0]), text)
    return text


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: hides the value of every key that names a secret, at any depth, and scrubs all texts."""
    for key, value in event.items():
        if _names_a_secret(key):
            event[key] = HIDDEN
        elif isinstance(value, str):
            if key not in PLAIN:
                event[key] = scrub(value)
        elif isinstance(value, Mapping | list | tuple):
            event[key] = redacted(value)
    return event


def redacted(value: Any) -> Any:
    """A copy of a JSON-like value with secrets hidden."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: HIDDEN if _names_a_secret(str(key)) else redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return value


def redact_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: scrubs the traceback, after it has become a text."""
    if trace := event.get("exception"):
        event["exception"] = scrub(trace) if isinstance(trace, str) else redacted(trace)
    return event


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return name not in HARMLESS and any(word in name for word in SECRET_WORDS)
