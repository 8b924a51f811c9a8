"""Signing secrets: made, kept encrypted, and put to use.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32


class SecretBox:
    """Makes secrets, and encrypts them with a key derived from SECRET_KEY."""

    def __init__(self, secret_key: str) -> None:
        key = HKDF(hashes.SHA256(), 32, salt=None, info=b"webhook secrets").derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def make(self) -> str:
        """A new secret, `whsec_` and 32 random bytes in base64."""
        return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()

    def close(self, secret: str) -> str:
        """`secret`, encrypted."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, closed: str) -> str:
        """The secret that `close` encrypted. Raises InvalidToken where SECRET_KEY was another then."""
        return self._fernet.decrypt(closed.encode()).decode()


def sign(body: str, message_id: str, at: datetime, signing_secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt; a signature for each secret, so that either verifies during a rotation."""
    signatures = " ".join(Webhook(secret).sign(message_id, at, body) for secret in signing_secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signatures}
