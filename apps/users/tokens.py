"""Access tokens: JSON Web Tokens, signed, short-lived, read from a bounded cache.

Source: RFC 7519, RFC 8725 (the algorithm is pinned, never taken from the token).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.users.errors import InvalidToken

CACHE_SIZE = 10_000
# the clock of the process that issued a token may be ahead of ours. Only `iat` and `nbf` get this: `exp` is the time
# that the client was told, and a few seconds matter little to a token of minutes
LEEWAY_SECONDS = 10
# the keys of users are positive and have 63 bits
KEYS_END = 2**63
EXPIRED = "The token has expired; get a new one with the refresh token."


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: whose it is, of which login (older tokens: none), until when (epoch seconds)."""

    user_id: int
    session_id: uuid.UUID | None
    expires_at: float


class AccessTokens:
    """Issues and reads access tokens; `lifetime` in seconds. Tokens signed with one of `fallbacks` are read too."""

    def __init__(self, secret: str, algorithm: str, lifetime: int, fallbacks: Sequence[str] = ()) -> None:
        self._secret = secret
        self._keys = (secret, *fallbacks)
        self._algorithm = algorithm
        self.lifetime = lifetime
        self._cache: dict[str, Claims] = {}

    def issue(self, user_id: int, session_id: uuid.UUID | None = None) -> str:
        """A token for `user_id`, valid from now for `lifetime` seconds."""
        from apps.users import signing  # noqa: PLC0415 - a tenth of a second, and few processes sign or read

        now = int(time.time())
        claims: dict[str, Any] = {"sub": str(user_id), "type": "access", "iat": now, "exp": now + self.lifetime}
        claims["jti"] = uuid.uuid4().hex
        if session_id:
            claims["sid"] = str(session_id)
        return signing.sign(claims, self._secret, self._algorithm)

    def read(self, token: str) -> Claims:
        """What `token` says. Raises InvalidToken for anything but an unexpired access token of ours."""
        claims = self._cache.get(token)
        if claims is None:
            claims = self._decode(token)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[token] = claims
        if claims.expires_at <= time.time():
            self._cache.pop(token, None)
            raise InvalidToken(EXPIRED)
        return claims

    def _decode(self, token: str) -> Claims:
        from apps.users import signing  # noqa: PLC0415 - as above

        try:
            claims = signing.verified(token, self._keys, self._algorithm)
            if claims.get("type") != "access":
                raise InvalidToken("This is not an access token.")
            session_id = uuid.UUID(claims["sid"]) if "sid" in claims else None
            user_id = int(claims["sub"])
            if not 0 < user_id < KEYS_END:
                raise InvalidToken("The token names no user of this service.")
            return Claims(user_id, session_id, float(claims["exp"]))
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise InvalidToken("The token names no user or login of this service.") from None
