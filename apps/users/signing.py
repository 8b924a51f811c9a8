"""Signs and verifies JSON Web Tokens; what their claims mean stands in tokens.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt

from apps.users.errors import InvalidToken
from apps.users.tokens import EXPIRED, LEEWAY_SECONDS

# the first that fits counts: some are subclasses of others
REASONS: tuple[tuple[type[jwt.InvalidTokenError], str], ...] = (
    (jwt.ExpiredSignatureError, EXPIRED),
    (jwt.ImmatureSignatureError, "The token is not valid yet; the clock of this service or of its issuer is wrong."),
    (jwt.InvalidSignatureError, "The token's signature is not one of this service."),
    (jwt.InvalidAlgorithmError, "The token is signed with another algorithm than this service uses."),
    (jwt.MissingRequiredClaimError, "The token lacks a claim that this service needs: exp, iat or sub."),
    (jwt.InvalidIssuedAtError, "The token's iat is no time."),
    (jwt.DecodeError, "The token is malformed."),
)


def sign(claims: dict[str, Any], key: str, algorithm: str) -> str:
    """The token that says `claims`."""
    return jwt.encode(claims, key, algorithm)


def verified(token: str, keys: Sequence[str], algorithm: str) -> dict[str, Any]:
    """What `token` says, verified with the first of `keys` that signed it. Raises InvalidToken, with the reason."""
    options: Any = {"require": ["exp", "iat", "sub"]}
    refused = jwt.InvalidTokenError()
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=[algorithm], options=options, leeway=LEEWAY_SECONDS)
        except jwt.InvalidSignatureError as error:
            refused = error
        except jwt.InvalidTokenError as error:
            raise InvalidToken(_reason(error)) from None
    raise InvalidToken(_reason(refused))


def _reason(error: jwt.InvalidTokenError) -> str:
    fitting = (words for kind, words in REASONS if isinstance(error, kind))
    return next(fitting, "The token is not one of this service.")
