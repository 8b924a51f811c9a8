"""DATABASE_URL: PostgreSQL's own forms, read by libpq and checked before anybody connects.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS. Sockets by `?host=/folder`, as
a percent-encoded host or, as Google Cloud SQL has them, as `//folder/name`; several hosts with ports.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from config.hosts import host
from config.reader import Refused
from config.service_urls import ENCODE, Check, check_options, one_of, port, readable_file, split, whole_number

SCHEMES = ("postgres", "postgresql", "psql", "pgsql")
# user@//folder/of/the/socket/name
SOCKET_AS_PATH = re.compile(r"((?:[^/?@]*@)?)/(/[^?]+)/([^/?]+)(\?.*)?")
POOLED = "leave it out, connections are pooled: DB_POOL_SIZE"
HINTS = {
    **dict.fromkeys(("conn_max_age", "conn_health_checks", "connection_limit", "pool_timeout"), POOLED),
    **dict.fromkeys(("pool", "pool_size", "max_overflow", "min_size", "max_size"), POOLED),
    "pgbouncer": "leave it out and set DB_TRANSACTION_POOLING=true",
    "prepare_threshold": "leave it out and set DB_TRANSACTION_POOLING=true",
    "disable_server_side_cursors": "leave it out and set DB_TRANSACTION_POOLING=true",
    "schema": "leave it out and write options=-csearch_path%3DNAME",
    "search_path": "write options=-csearch_path%3DNAME",
    "statement_timeout": "write options=-cstatement_timeout%3D5s",
    "replication": "leave it out, the service makes ordinary connections",
    "client_encoding": "leave it out, it is UTF8",
}


def _root_certificate(value: str) -> None:
    if value != "system":
        readable_file(value)


def _each_number(value: str) -> None:
    for number in value.split(","):
        if number:
            port(number)


CHECKS: dict[str, Check] = {
    "port": _each_number,
    "sslmode": one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    # JDBC's word for sslmode=require, which libpq knows
    "ssl": one_of("true"),
    "sslnegotiation": one_of("postgres", "direct"),
    "sslcertmode": one_of("disable", "allow", "require"),
    "sslsni": one_of("0", "1"),
    "sslcompression": one_of("0", "1"),
    "sslrootcert": _root_certificate,
    **dict.fromkeys(("sslcert", "sslkey", "sslcrl", "passfile"), readable_file),
    "channel_binding": one_of("disable", "prefer", "require"),
    "gssencmode": one_of("disable", "prefer", "require"),
    "target_session_attrs": one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": one_of("disable", "random"),
    **dict.fromkeys(
        ("ssl_min_protocol_version", "ssl_max_protocol_version"), one_of("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
    ),
    **dict.fromkeys(("connect_timeout", "keepalives_idle", "keepalives_interval"), whole_number),
    **dict.fromkeys(("keepalives_count", "tcp_user_timeout"), whole_number),
    "keepalives": one_of("0", "1"),
}


def _anything(_: str) -> None:
    """Accept an option's value; libpq itself checks it."""


def postgres(raw: str) -> str:
    """Return `raw` if libpq can use all of it. Raises Refused if not."""
    parts, _ = split(raw, SCHEMES)
    names = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
    known = dict.fromkeys(names, _anything) | CHECKS
    for name in ("replication", "client_encoding"):
        known.pop(name, None)
    check_options(parts.query, known, HINTS)
    parameters = database_parameters(raw)
    if not parameters.get("dbname"):
        raise Refused("names no database: postgres://USER:PASSWORD@HOST:5432/NAME")
    _check_servers(parameters.get("host", ""), parameters.get("port", ""))
    options = dict(parse_qsl(parts.query))
    if options.get("sslrootcert") == "system" and options.get("sslmode", "verify-full") != "verify-full":
        raise Refused("sslrootcert=system wants sslmode=verify-full")
    return raw


def database_parameters(url: str) -> dict[str, str]:
    """The parameters of libpq that `url` stands for. Raises Refused if libpq cannot read it."""
    rest = url.partition("://")[2]
    if found := SOCKET_AS_PATH.fullmatch(rest):
        user, folder, name, query = found.groups(default="")
        socket = f"host={quote(unquote(folder), safe='')}"
        rest = f"{user}/{name}?{query[1:] and query[1:] + '&'}{socket}"
    try:
        found_by_libpq = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.ProgrammingError:
        # its message repeats the password
        raise Refused(f"libpq cannot read it: {ENCODE}") from None
    return {name: str(value) for name, value in found_by_libpq.items()}


def _check_servers(hosts: str, ports: str) -> None:
    names, numbers = hosts.split(","), ports.split(",")
    if ports and len(numbers) not in (1, len(names)):
        raise Refused("has ports for some of its hosts only: give each its own")
    _each_number(ports)
    for name in names:
        # a socket's folder, or its name in Linux's abstract namespace
        if name and name[0] not in "/@":
            try:
                host(name)
            except Refused as problem:
                raise Refused(f"the host {problem}") from None
