"""What an authenticator app does, without this service's own code for it."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from typing import Any

from rest_framework.test import APIClient

from apps.users.models import SecondFactor

TOTP = "/api/v1/auth/totp"
CONFIRM = f"{TOTP}/confirm"


def code_of(secret: str, steps: int = 0) -> str:
    """The code of now, or of some steps later: RFC 4226, section 5.3, over RFC 6238's count of 30 seconds."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    offset = digest[-1] & 15
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 10**6:06}"


def forget_steps() -> None:
    """As if time had passed: the codes of now have not been used."""
    SecondFactor.objects.update(last_step=0)


def enrol(client: APIClient) -> tuple[str, list[str]]:
    """Set up the second factor of a client's user; returns the secret, whose codes are unused, and recovery codes."""
    secret = client.post(TOTP).json()["secret"]
    answer: Any = client.post(CONFIRM, {"code": code_of(secret)})
    assert answer.status_code == 200, answer.json()
    forget_steps()
    return secret, answer.json()["recovery_codes"]
