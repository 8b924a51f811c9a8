"""Passwords as text: the same password however a keyboard or a phone spells it.

Source: RFC 8265, section 4.2 (OpaqueString): spaces beyond ASCII become U+0020, the rest is normalised to NFC; letter
case and everything else stay as typed.
"""

from __future__ import annotations

import unicodedata

from django.contrib.auth.hashers import check_password, make_password


def prepared(password: str) -> str:
    """`password` as it is hashed and compared."""
    if password.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    return unicodedata.normalize("NFC", spaced)


def hash_of(password: str) -> str:
    """The hash of a new password, to be kept."""
    return make_password(prepared(password))


def matches(password: str, kept: str | None) -> bool:
    """Whether `kept` is a hash of `password`; None stands for an unknown user, matches nothing and takes as long.

    Hashes made before passwords were prepared are of what was typed, so that is tried too. How many hashes are computed
    depends only on `password`, never on what is kept: the time tells nothing about the user.
    """
    tried = [_is(spelling, kept) for spelling in dict.fromkeys((prepared(password), password))]
    return any(tried)


def _is(password: str, kept: str | None) -> bool:
    if kept is None:
        make_password(password)
        return False
    return check_password(password, kept)
