"""Signing secrets: made, kept encrypted, and used to sign.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from apps.core.crypto import Box

PURPOSE = "webhook secrets"
PREFIX = "whsec_"
SECRET_BYTES = 32


class SecretBox(Box):
    """Makes secrets, and keeps them encrypted."""

    def __init__(self, secret_key: str, fallbacks: Sequence[str] = ()) -> None:
        super().__init__(secret_key, PURPOSE, fallbacks)

    def make(self) -> str:
        """A new secret, `whsec_` and 32 random bytes in base64."""
        return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()

    def readable(self, closed: str) -> str | None:
        """The secret that `closed` holds; None if it cannot be opened, or cannot sign."""
        return self.read_and_renew(closed)[0]

    def read_and_renew(self, closed: str) -> tuple[str | None, str | None]:
        """What `readable` returns, and `closed` under the current key if it was an earlier one's."""
        try:
            secret, renewed = self.open_and_renew(closed)
            Webhook(secret)
        except Exception:  # whatever is wrong with it, nothing can be signed with it
            return None, None
        return secret, renewed


def sign(body: str, message_id: str, at: datetime, signing_secrets: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt; a signature for each secret, so that either verifies it during a rotation."""
    signatures = " ".join(Webhook(secret).sign(message_id, at, body) for secret in signing_secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signatures}
