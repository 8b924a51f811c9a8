"""Codes of the second factor: a secret that the service and an authenticator app share, and what both make of the time.

Sources: RFC 6238 (SHA-1, 6 digits, 30 seconds: what every app can do), RFC 4226, section 7.5, for the recovery codes'
length, and https://github.com/google/google-authenticator/wiki/Key-Uri-Format.

The library is loaded with the first code, as by apps/core/crypto.py.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

PURPOSE = "second factors"
DIGITS, STEP_SECONDS, SECRET_BYTES = 6, 30, 20
# a phone's clock may be one step off, and a code is typed in the next one
STEPS_OFF = (0, -1, 1)
RECOVERY_CODES, RECOVERY_BYTES = 10, 10
CODE = re.compile(f"[0-9]{{{DIGITS}}}")


def new_secret() -> str:
    """A new secret in base32, as people type it into an app: 32 letters and digits."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def address(secret: str, email: str, issuer: str) -> str:
    """The otpauth address that an app reads from the QR code."""
    # as some apps show a plus sign for the blank of a form's encoding
    return _totp(secret).get_provisioning_uri(email, issuer).replace("+", "%20")


def step_of(secret: str, code: str, now: float) -> int | None:
    """The time step that `code` belongs to, around `now` (epoch seconds); None if it is no code of these steps."""
    if not CODE.fullmatch(code):
        return None
    from cryptography.hazmat.primitives.twofactor import InvalidToken

    current = int(now) // STEP_SECONDS
    for step in (current + off for off in STEPS_OFF):
        try:
            _totp(secret).verify(code.encode(), step * STEP_SECONDS)
        except InvalidToken:
            continue
        return step
    return None


def recovery_codes() -> list[str]:
    """New recovery codes, 80 random bits each: too many to guess, so a plain digest of them may be kept."""
    drawn = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in drawn]


def as_typed(code: str) -> str:
    """A code of either kind without what people and apps put in between, in lower case."""
    return re.sub(r"[\s-]", "", code).lower()


def _totp(secret: str) -> TOTP:
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 # what apps can do; an HMAC
