"""Encryption at rest, with keys derived from SECRET_KEY and, to read what was closed before, SECRET_KEY_FALLBACKS."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Unreadable(Exception):
    """What was closed cannot be opened: its key is gone, or it was changed since."""


class Box:
    """Encrypts and decrypts texts for one `purpose`; other purposes have other keys (HKDF, RFC 5869).

    It closes with `secret_key`, and opens what that or one of `fallbacks` closed.
    """

    def __init__(self, secret_key: str, purpose: str, fallbacks: Sequence[str] = ()) -> None:
        keys = [_fernet(key, purpose) for key in (secret_key, *fallbacks)]
        self._current = keys[0]
        self._any = MultiFernet(keys)

    def close(self, text: str) -> str:
        """`text`, encrypted."""
        return self._current.encrypt(text.encode()).decode()

    def open(self, closed: str) -> str:
        """The text that `close` encrypted. Raises `Unreadable` for another key, or any other text."""
        try:
            return self._any.decrypt(closed.encode()).decode()
        except (InvalidToken, ValueError):
            raise Unreadable("it was closed with a key that is neither SECRET_KEY nor a fallback") from None

    def renew(self, closed: str) -> str | None:
        """`closed`, encrypted with the current key; None if it is already. Raises `Unreadable`."""
        return self.open_and_renew(closed)[1]

    def open_and_renew(self, closed: str) -> tuple[str, str | None]:
        """What `open` and `renew` return, for less than both. Raises `Unreadable`."""
        try:
            return self._current.decrypt(closed.encode()).decode(), None
        except (InvalidToken, ValueError):
            text = self.open(closed)
        return text, self.close(text)


def _fernet(secret_key: str, purpose: str) -> Fernet:
    key = HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
