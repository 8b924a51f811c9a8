"""Access tokens: JSON Web Tokens, signed, short-lived, read from a bounded cache.

Source: RFC 7519, RFC 8725 (the algorithm is pinned, never taken from the token).
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from apps.users.errors import InvalidToken

CACHE_SIZE = 10_000
# the keys of users are positive and have 63 bits
KEYS_END = 2**63


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: whose it is, of which login (an operator's: of none), until when (epoch seconds)."""

    user_id: int
    session_id: uuid.UUID | None
    expires_at: float


class AccessTokens:
    """Issues and reads access tokens; `lifetime` in seconds."""

    def __init__(self, secret: str, algorithm: str, lifetime: int) -> None:
        self._secret = secret
        self._algorithm = algorithm
        self.lifetime = lifetime
        self._cache: dict[str, Claims] = {}

    def issue(self, user_id: int, session_id: uuid.UUID | None = None) -> str:
        """A token for `user_id`, valid from now for `lifetime` seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {"sub": str(user_id), "type": "access", "iat": now, "exp": now + self.lifetime}
        claims["jti"] = uuid.uuid4().hex
        if session_id:
            claims["sid"] = str(session_id)
        return jwt.encode(claims, self._secret, self._algorithm)

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
            raise InvalidToken("The token has expired; get a new one with the refresh token.")
        return claims

    def _decode(self, token: str) -> Claims:
        options: Any = {"require": ["exp", "iat", "sub"]}
        try:
            claims = jwt.decode(token, self._secret, algorithms=[self._algorithm], options=options)
            if claims.get("type") != "access":
                raise InvalidToken("This is not an access token.")
            session_id = uuid.UUID(claims["sid"]) if "sid" in claims else None
            user_id = int(claims["sub"])
            if not 0 < user_id < KEYS_END:
                raise InvalidToken("The token is not one of this service.")
            return Claims(user_id, session_id, float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired; get a new one with the refresh token.") from None
        except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError):
            raise InvalidToken("The token is not one of this service.") from None
