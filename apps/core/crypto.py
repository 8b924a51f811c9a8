"""Encryption at rest, with keys derived from SECRET_KEY."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Unreadable(Exception):
    """What was closed cannot be opened: its key is gone, or it was changed since."""


class Box:
    """Encrypts and decrypts texts for one `purpose`; other purposes have other keys (HKDF, RFC 5869)."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        key = HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def close(self, text: str) -> str:
        """`text`, encrypted."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, closed: str) -> str:
        """The text that `close` encrypted. Raises `Unreadable` if that was under another key, or is no such text."""
        try:
            return self._fernet.decrypt(closed.encode()).decode()
        except (InvalidToken, ValueError):
            raise Unreadable("it was not closed with the SECRET_KEY of now") from None
