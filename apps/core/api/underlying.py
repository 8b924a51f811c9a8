"""Parts of DRF's and Django's requests that have no public name. Checked with DRF 3.18.3 and Django 5.2.19."""

from __future__ import annotations

from typing import IO, Any

from django.http import HttpRequest
from rest_framework.request import Request


def django_request(request: Request) -> HttpRequest:
    """The request that DRF's `request` is wrapped around."""
    return request._request


def stream_of(request: HttpRequest) -> Any:
    """What the body of `request` is read from; HttpRequest.read() would note that the body is gone."""
    return request._stream


def put_stream(request: HttpRequest, file: IO[bytes]) -> None:
    """Let Django and DRF read the body of `request` from `file`."""
    request._stream = file  # type: ignore[assignment] # the stubs want a BinaryIO
