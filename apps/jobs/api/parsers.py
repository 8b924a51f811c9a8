"""Files as request bodies: not parsed here, but read piece by piece later."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.core.http.refusals import UnsupportedMediaType


class FileParser(BaseParser):
    """Takes a file of one media type unparsed; a subclass says which, and in what charsets it may be written."""

    # the first counts for a body that names none
    charsets: ClassVar[tuple[str, ...]] = ("utf-8",)

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The file itself."""
        return stream

    def charset(self, request: Request) -> str:
        """The charset of the body, by Python's name for it. Raises UnsupportedMediaType for one not listed."""
        _, parameters = parse_header_parameters(request.META.get("CONTENT_TYPE") or "")
        named = parameters.get("charset", self.charsets[0])
        try:
            found = codecs.lookup(named).name
        except (LookupError, ValueError):
            found = ""
        if found not in {codecs.lookup(charset).name for charset in self.charsets}:
            known = ", ".join(self.charsets)
            raise UnsupportedMediaType(named, f"{self.media_type} is read in {known}, and not in {named}.")
        return found


class TableParser(FileParser):
    """The table of POST /process. JSON is UTF-8 and nothing else (RFC 8259, section 8.1)."""

    media_type = "application/json"
    charsets: ClassVar = ("utf-8", "us-ascii")
