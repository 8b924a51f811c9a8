"""What schemathesis has to know besides the schema."""

from __future__ import annotations

import atexit
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies
from hypothesis.strategies._internal import regex
from hypothesis.strategies._internal.strings import OneCharStringStrategy
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.checks import ignored_auth, missing_required_header

HEADER = "Idempotency-Key"
sre: Any = vars(regex)["sre"]  # the parser of `re`
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
# the files that the API takes are texts; the schema's pattern says what they may hold
schemathesis.openapi.format("binary", strategies.text(min_size=1))

of_pattern = regex._strategy


def repeated_as_text(codes: Any, context: Any, is_unicode: bool, *, alphabet: Any) -> Any:
    """A repeated character class as one text; checked with hypothesis 6.170.

    Hypothesis draws it character by character: for addresses and names of some hundred characters that took four
    fifths of the whole run.
    """
    if isinstance(codes, tuple) and codes[0] in REPEATS:
        least, most, part = codes[1]
        one = of_pattern(part, context, is_unicode, alphabet=alphabet)
        if isinstance(one, OneCharStringStrategy):
            return strategies.text(one, min_size=least, max_size=None if most == sre.MAXREPEAT else most)
    return of_pattern(codes, context, is_unicode, alphabet=alphabet)


regex._strategy = repeated_as_text


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, schema: dict[str, Any]) -> None:
    """Leave out what schemathesis looks for in vain, seconds for each address in a body.

    No text that fits the pattern breaks `format: uri`, and none is exactly as long as the longest by chance.
    """
    for part in _parts(schema):
        if part.get("format") == "uri" and "pattern" in part:
            del part["format"], part["maxLength"]


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(child)


@schemathesis.serializer("text/csv", "application/x-ndjson")
def send_text(context: schemathesis.SerializationContext, value: Any) -> bytes | None:
    """A text is sent unchanged; anything else cannot be a file, so it is left out."""
    return value.encode() if isinstance(value, str) else None


TABLES = (
    # the values of a row may be any JSON
    "/process",  # of jobs
)


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:
    """Leave out a NUL within a table, which the schema cannot do."""
    if context.operation is None or not context.operation.path.endswith(TABLES):
        return True
    return "\\u0000" not in json.dumps(body, default=str)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Give each of several calls a key of its own: a repeat would get an answer about what was deleted since."""
    headers: Any = case.headers
    if case.meta and case.meta.phase.name == TestPhase.STATEFUL and headers and HEADER in headers:
        headers[HEADER] = uuid.uuid4().hex


# who calls besides staff: name, beginning of the paths, token; and the file for what they were answered
OTHERS: list[tuple[str, str, str]] = json.loads(os.environ["OTHERS"])
ANSWERED = Path(os.environ["ANSWERED"])
answered = {name: Counter[int]() for name, _, _ in OTHERS}
atexit.register(lambda: ANSWERED.write_text(json.dumps(answered)))


class Bearer(AuthBase):
    """Logs a request in with a token, or with none, whatever header it had."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers.pop("Authorization", None)
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@schemathesis.check
def others_are_answered_by_the_schema_too(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Send as another what staff have sent: to make a case takes longer than to send it twice."""
    for name, path, token in OTHERS:
        if case.operation.path.startswith(path):
            answer = case.call(auth=Bearer(token))
            answered[name][answer.status_code] += 1
            case.validate_response(answer, excluded_checks=NOT_AGAIN)


# the others are about the header that is changed here, and have been made for staff
NOT_AGAIN = [others_are_answered_by_the_schema_too, ignored_auth, missing_required_header]
