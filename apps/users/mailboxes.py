"""One mailbox has one spelling, so that it has one account.

Source: RFC 5321, section 4.1.2: a quoted local part means what is between its quotes, and should be written without
them if it can be; RFC 5322, section 3.2.3, says when it can.
"""

from __future__ import annotations

import re

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def one_spelling(email: str) -> str:
    """`email` trimmed, its domain in lower case, its local part without quotes and escapes that it does not need."""
    local, at, domain = email.strip().rpartition("@")
    if not at:
        return domain
    return f"{_unquoted(local)}@{domain.lower()}"


def local_part(email: str) -> str:
    """What the local part of `email` means: the text itself, without quotes and escapes."""
    local = email.rpartition("@")[0]
    quoted = _QUOTED.fullmatch(local)
    return _ESCAPED.sub(r"\1", quoted[1]) if quoted else local


def _unquoted(local: str) -> str:
    if not _QUOTED.fullmatch(local):
        return local
    meant = local_part(f"{local}@")
    if _PLAIN.fullmatch(meant):
        return meant
    return '"' + meant.replace("\\", r"\\").replace('"', r"\"") + '"'
