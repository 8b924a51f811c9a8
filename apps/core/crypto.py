"""Encryption at rest, with keys derived from SECRET_KEY and, to read what was closed before, SECRET_KEY_FALLBACKS.

The library is loaded with the first text: it takes seven MiB, and most processes never open or close one.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Unreadable(Exception):
    """What was closed cannot be opened: its key is gone, or it was changed since."""


class Box:
    """Encrypts and decrypts texts for one `purpose`; other purposes have other keys (HKDF, RFC 5869).

    It closes with `secret_key`, and opens what that or one of `fallbacks` closed.
    """

    def __init__(self, secret_key: str, purpose: str, fallbacks: Sequence[str] = ()) -> None:
        self._secret_keys, self._purpose = (secret_key, *fallbacks), purpose

    @cached_property
    def _keys(self) -> list[Fernet]:
        return [_fernet(key, self._purpose) for key in self._secret_keys]

    def close(self, text: str) -> str:
        """`text`, encrypted."""
        return self._keys[0].encrypt(text.encode()).decode()

    def open(self, closed: str) -> str:
        """The text that `close` encrypted. Raises `Unreadable` for another key, or any other text."""
        return _opened(closed, self._keys)

    def renew(self, closed: str) -> str | None:
        """`closed`, encrypted with the current key; None if it is already. Raises `Unreadable`."""
        return self.open_and_renew(closed)[1]

    def open_and_renew(self, closed: str) -> tuple[str, str | None]:
        """What `open` and `renew` return, for less than both. Raises `Unreadable`."""
        try:
            return _opened(closed, self._keys[:1]), None
        except Unreadable:
            text = self.open(closed)
        return text, self.close(text)


def _fernet(secret_key: str, purpose: str) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def _opened(closed: str, keys: Sequence[Fernet]) -> str:
    from cryptography.fernet import InvalidToken, MultiFernet

    try:
        return MultiFernet(keys).decrypt(closed.encode()).decode()
    except (InvalidToken, ValueError):
        raise Unreadable("it was closed with a key that is neither SECRET_KEY nor a fallback") from None
