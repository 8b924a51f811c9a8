"""Request bodies, read whole and within a bound before anything else happens to the request.

A client may pause in the middle of its body for as long as it likes. So a body is read before a transaction is open,
and while no connection to the database is held: into memory if it is small, else into a temporary file.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from django.db import connection
from django.http import HttpRequest

from apps.core.api.underlying import put_stream, stream_of
from apps.core.http.refusals import ContentTooLarge, MalformedBody, Unavailable

PIECE_BYTES = 1024 * 1024
# of a spooled body; the rest of it is on the disk
IN_MEMORY_BYTES = PIECE_BYTES


def declared_bytes(request: HttpRequest) -> int:
    """What Content-Length says; 0 without one. No server passes on a longer body. Raises MalformedBody."""
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedBody("Content-Length must be a number of bytes.")
    return int(text)


def pieces(stream: Any, limit: int, declared: int = 0) -> Iterator[bytes]:
    """A body of up to `limit` bytes in pieces of a mebibyte. Raises ContentTooLarge past the limit.

    Raises MalformedBody if it ends before the `declared` length: the client went away, and half a body is not a body
    (RFC 9112, section 8).
    """
    read = 0
    try:
        while piece := stream.read(PIECE_BYTES):
            read += len(piece)
            if read > limit:
                raise ContentTooLarge(limit)
            yield piece
    except OSError as error:
        raise MalformedBody("The body could not be read to its end.") from error
    if read < declared:
        raise MalformedBody(f"The body ended after {read} of the {declared} bytes that Content-Length names.")


class Taken:
    """A body that has come in: `file` stands at its beginning, `digest` is its SHA-256, `size` its bytes."""

    def __init__(self, request: HttpRequest, limit: int, file: IO[bytes]) -> None:
        """Read the body of `request` into `file`; whoever reads the request from now on reads `file`.

        Raises ContentTooLarge past `limit` bytes, MalformedBody for half a body, Unavailable on a full disk.
        """
        declared = declared_bytes(request)
        if declared > limit:
            raise ContentTooLarge(limit)
        digest, self.size, self.file, self._request = hashlib.sha256(), 0, file, request
        for piece in pieces(stream_of(request), limit, declared):
            digest.update(piece)
            self.size += len(piece)
            _keep(file, piece)
        file.seek(0)
        self.digest = digest.hexdigest()
        put_stream(request, file)

    def close(self) -> None:
        """Close the file; from now on the request's body is empty."""
        self.file.close()
        put_stream(self._request, io.BytesIO())


def _keep(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise Unavailable("There is no room for the body at the moment; try again.") from error


def in_memory(request: HttpRequest, limit: int) -> Taken:
    """The body of `request`, up to `limit` bytes. Raises as `Taken` does."""
    return Taken(request, limit, io.BytesIO())


def spooled(request: HttpRequest, limit: int) -> Taken:
    """The body of `request`, up to `limit` bytes, in a temporary file that is gone when it is closed.

    Raises as `Taken` does, and leaves nothing behind then.
    """
    give_connection_back()
    # closed by the view that asked
    file: Any = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
    try:
        return Taken(request, limit, file)
    except BaseException:
        file.close()
        raise


def give_connection_back() -> None:
    """Let others have this thread's connection to the database while it waits for its client."""
    if connection.connection is not None and not connection.in_atomic_block:
        connection.close()
