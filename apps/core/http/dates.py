"""Dates and waits in HTTP headers."""

from __future__ import annotations

import email.utils
import time


def retry_after(text: str) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date (RFC 9110, section 10.2.3); else None."""
    if text.isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
