"""The client of the people directory, an external API: a time limit, a circuit breaker, and retries around both."""

from __future__ import annotations

import httpx
import orjson
import structlog

from apps.core.context import carried, span
from apps.core.http.dates import retry_after
from apps.core.resilience.circuit_breaker import CircuitOpen, SharedCircuitBreaker
from apps.core.resilience.retry import Retry, TransientError
from apps.core.resilience.transport import DeadlineTransport
from apps.profiles.commands import Person
from apps.profiles.directory import DirectoryRefused, DirectoryUnavailable

log = structlog.get_logger("people")
ANSWER_LIMIT_BYTES = 64 * 1024
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class PeopleClient:
    """`GET {url}/people?email=…`, with a bearer key."""

    def __init__(self, url: str, key: str, breaker: SharedCircuitBreaker, retry: Retry) -> None:
        self._breaker = breaker
        self._retry = retry
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=breaker.call_timeout,
            transport=DeadlineTransport(),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def find(self, address: str) -> Person | None:
        """Ask, with retries around the breaker: it sees each attempt as one call, and if open it ends the retries."""
        try:
            return self._retry.call(self._guarded, address)
        except CircuitOpen as error:
            raise DirectoryUnavailable(str(error), error.retry_after) from error
        except TransientError as error:
            raise DirectoryUnavailable(str(error), error.retry_after or 0.0) from error

    def _guarded(self, address: str) -> Person | None:
        return self._breaker.call(self._ask, address)

    def _ask(self, address: str) -> Person | None:
        asked = {"email": address}
        try:
            with (
                span("GET /people", "client", {"server.address": self._client.base_url.host}) as traced,
                self._client.stream("GET", "/people", params=asked, headers=carried()) as response,
            ):
                traced.note({"http.response.status_code": response.status_code})
                if response.status_code == 404:
                    return None
                if response.status_code in BUSY:
                    wait = retry_after(response.headers.get("Retry-After", ""))
                    raise TransientError(f"the people directory answered {response.status_code}", wait)
                if not response.is_success:
                    raise DirectoryRefused(f"the people directory answered {response.status_code}")
                return person(read(response))
        except httpx.HTTPError as error:
            raise TransientError(f"the people directory did not answer: {type(error).__name__}") from error


def read(response: httpx.Response) -> bytes:
    """The body. Raises TransientError if it is longer than ANSWER_LIMIT_BYTES."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > ANSWER_LIMIT_BYTES:
            raise TransientError("the people directory's answer is too long")
    return body


def person(body: bytes) -> Person:
    """The person that the directory's answer describes. Raises TransientError if it makes no sense."""
    try:
        data = orjson.loads(body)
        texts = [data[name] for name in ("display_name", "company", "avatar_url")]
    except (ValueError, KeyError, TypeError) as error:
        raise TransientError(f"the people directory's answer makes no sense: {type(error).__name__}") from error
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise TransientError("the people directory's answer makes no sense: not texts")
    display_name, company, avatar_url = texts
    safe_url = avatar_url if avatar_url.startswith(("https://", "http://")) else ""
    return Person(display_name[:200], company[:200], safe_url[:2000])
