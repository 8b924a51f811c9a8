"""URLs of the services around this one: split as RFC 3986 says, and checked before anything connects to them.

A raw `#`, `?`, `/` or `@` in a password moves the host somewhere else for some client, so all of them are refused
until they are percent-encoded. No message repeats anything of a URL except the names of its options.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from config.hosts import host
from config.reader import Refused

HTTP = ("http", "https")
REDIS = ("redis", "rediss", "unix")
AMQP = ("amqp", "amqps", "pyamqp")
SMTP = ("smtp", "smtps", "smtp+tls", "smtp+ssl")
HOSTLESS = ("filemail", "consolemail", "memorymail", "dummymail")

LEGAL = re.compile(r"(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
OPTION = re.compile(r"[A-Za-z_]{1,40}")
ENCODE = (
    "percent-encode the characters in a user, a password or a name that have a meaning in URLs:"
    " # is %23, / is %2F, ? is %3F, @ is %40, % is %25, [ is %5B, a blank is %20"
)
Check = Callable[[str], None]


def split(raw: str, schemes: tuple[str, ...]) -> tuple[SplitResult, str]:
    """`raw` in its parts, and its authority without user and password. Raises Refused."""
    scheme, separator, rest = raw.partition("://")
    if not separator or scheme not in schemes:
        raise Refused(f"a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
    if not LEGAL.fullmatch(rest or "-") or "%00" in rest:
        raise Refused(ENCODE)
    authority, behind = re.match(r"([^/?]*)(.*)", rest).groups()  # type: ignore[union-attr] # matches anything
    user, _, at = authority.rpartition("@")
    if re.search(r"[\[\]@]", user) or "@" in behind:
        raise Refused(ENCODE)
    try:
        return urlsplit(raw), at
    except ValueError:
        raise Refused("the brackets belong around an IPv6 address") from None


def http(raw: str) -> str:
    """The base of an HTTP API, without a slash at its end. Raises Refused."""
    parts, at = split(raw, HTTP)
    _server(at)
    if parts.query or "?" in raw:
        raise Refused("leave the query (? and what follows) out")
    if parts.username is not None:
        raise Refused("leave user and password out")
    return raw.rstrip("/")


def with_token(raw: str) -> str:
    """The address of a page, with `{token}` where a link's token goes: behind the host. Raises Refused."""
    if raw.count("{token}") != 1:
        raise Refused("must have {token} in it once, e.g. https://app.example.com/password-reset?token={token}")
    before = raw.partition("{token}")[0]
    if not re.search("://[^/?#]+[/?#]", before):
        raise Refused("{token} belongs behind the host, e.g. https://app.example.com/password-reset?token={token}")
    # a page may read the token from what follows a #, which browsers keep to themselves
    parts, at = split(raw.replace("{token}", "token").replace("#", "?", 1).replace("?", "/"), HTTP)
    _server(at)
    if parts.username is not None:
        raise Refused("leave user and password out")
    return raw


def sentry(raw: str) -> str:
    """A Sentry DSN. Raises Refused."""
    parts, at = split(raw, HTTP)
    _server(at)
    if not parts.username or not re.fullmatch(r"[0-9]+", parts.path.rsplit("/")[-1]):
        raise Refused("a DSN, https://KEY@HOST/PROJECT")
    return raw


def mail(raw: str) -> str:
    """The URL of where mail goes. Raises Refused."""
    parts, at = split(raw, SMTP + HOSTLESS)
    if parts.scheme in SMTP:
        _server(at)
        if parts.path.strip("/"):
            raise Refused("leave what follows host and port out")
    elif parts.scheme == "filemail" and (at or not parts.path.strip("/")):
        raise Refused("filemail:// wants a folder, filemail:////var/mail for /var/mail")
    if parts.query:
        raise Refused("there are no options: smtp+tls:// is STARTTLS, smtp+ssl:// is TLS from the start")
    return raw


def redis(raw: str) -> str:
    """A Redis or Valkey that redis-py and Celery's client both understand. Raises Refused."""
    parts, at = split(raw, REDIS)
    if parts.scheme == "unix":
        if at or not parts.path.strip("/"):
            raise Refused("unix:// wants a socket, unix:///run/valkey.sock?db=0")
    else:
        _server(at)
        if not re.fullmatch(r"/?|/[0-9]{1,6}", parts.path):
            raise Refused("what follows host and port must be the number of a database, as in /0")
    known: dict[str, Check] = {"db": _matching("[0-9]{1,6}", "the number of a database")}
    if parts.scheme == "rediss":
        known |= TLS_OPTIONS
    check_options(parts.query, known, REDIS_HINTS)
    return raw


def broker(raw: str) -> str:
    """The broker of Celery's messages: as `redis`, or RabbitMQ. Raises Refused."""
    if raw.partition("://")[0] in REDIS:
        return redis(raw)
    parts, at = split(raw, (*REDIS, *AMQP))
    _server(at)
    check_options(parts.query, {}, {})
    return raw


def check_options(query: str, known: Mapping[str, Check], hints: Mapping[str, str]) -> None:
    """Check the options of a URL by `known`; for others the message gives what `hints` has. Raises Refused."""
    wrong = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        shown = name if OPTION.fullmatch(name) else "a part of the query"
        if name not in known:
            wrong.append(f"{shown} is no option: {hints.get(name.lower(), 'leave it out')}")
            continue
        try:
            known[name](value)
        except Refused as problem:
            wrong.append(f"{shown} {problem}")
    if wrong:
        raise Refused("; ".join(wrong))


def one_of(*words: str) -> Check:
    """Checks that an option is one of `words`."""
    return _matching("|".join(map(re.escape, words)), ", ".join(words[:-1]) + f" or {words[-1]}")


def whole_number(value: str) -> None:
    """Checks that an option is a whole number that an int of C holds."""
    if not re.fullmatch("[0-9]{1,9}", value):
        raise Refused("must be a whole number")


def readable_file(value: str) -> None:
    """Checks that an option names a file that this process may read."""
    if not Path(value).is_file() or not os.access(value, os.R_OK):
        raise Refused("must name a file that can be read")


def port(value: str) -> None:
    """Checks a port."""
    if not re.fullmatch("[0-9]{1,5}", value) or not 1 <= int(value) <= 65_535:
        raise Refused("the port must be a whole number from 1 to 65535")


def _matching(pattern: str, expected: str) -> Check:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise Refused(f"must be {expected}")

    return check


def _server(authority: str) -> None:
    """Check the host and port of one server."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", unquote(authority))
    if found is None or not found[1]:
        raise Refused("names no host")
    try:
        host(found[1])
    except Refused as problem:
        raise Refused(f"the host {problem}") from None
    if found[2] is not None:
        port(found[2])


TLS_OPTIONS: dict[str, Check] = {
    "ssl_cert_reqs": one_of("required", "optional", "none"),
    "ssl_check_hostname": one_of("true", "false"),
    "ssl_ca_certs": readable_file,
    "ssl_certfile": readable_file,
    "ssl_keyfile": readable_file,
}
_BOUNDED = "leave it out, the service has time limits of its own"
_SECURE = "only rediss:// has it"
REDIS_HINTS = {
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout", "timeout", "health_check_interval"), _BOUNDED),
    **dict.fromkeys(TLS_OPTIONS, _SECURE),
    "ssl": "write rediss:// instead",
    "password": "write it before the host, :PASSWORD@",
    "username": "write it before the host, USER:PASSWORD@",
    "virtual_host": "write db",
}
