"""Middleware: no page reads more of a body than it needs, and no answer leaves half a request on the connection.

The API's views bound their bodies themselves. A page of the admin would parse ten megabytes of a form, or write files
to the disk, before it asks who is there; so a form has the bound of a JSON body, unless its view says `body_limit` and
enforces it.

A server must read a request's body to the end or close the connection behind its answer (RFC 9112, section 9.3). An
answer that comes without a look at the body, such as a 401 or a 412, would make Granian close it without a word, and
the client's next request on it would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from apps.core.http.problems import too_large

# so much is read and thrown away; after a longer body the connection is closed
SMALL_BYTES = 64 * 1024


class RequestBodyMiddleware:
    """Reads a small body to its end before the answer goes out; the answer to a large one says `Connection: close`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """413 for a form past the bound, before anything reads it."""
        if hasattr(view, "cls") or hasattr(view, "body_limit"):
            return None
        length, limit = request.META.get("CONTENT_LENGTH") or "", settings.BODY_LIMIT
        return too_large(request, limit) if length.isdigit() and int(length[:20]) > limit else None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        length = request.META.get("CONTENT_LENGTH")
        if length and length != "0":
            if length.isdigit() and int(length[:20]) <= SMALL_BYTES:
                with suppress(UnreadablePostError):
                    request.read()
            else:
                response.headers["Connection"] = "close"
        return response
