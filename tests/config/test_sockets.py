"""DATABASE_URL and REDIS_URL in every form that libpq and redis-py know, against servers that listen on sockets."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import redis
from django.conf import settings
from kombu import Connection

from apps.core.postgresql.base import DatabaseWrapper
from config.broker import broker_url
from config.load import load
from config.server.ports import free_port
from config.settings.base import django_settings
from config.stack.postgres import Postgres
from config.stack.supervisor import Supervisor
from config.stack.valkey import Valkey


@pytest.fixture(scope="module")
def sockets() -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Valkey on sockets in a folder, and what a URL needs to reach them."""
    folder = Path(tempfile.mkdtemp(prefix="sockets-"))
    folder.chmod(0o711)
    # capitals, a blank and a sign that a URL cannot hold as they are; servers under another account write here
    at = folder / "Of the #1"
    at.mkdir()
    at.chmod(0o777)
    # the stack's own server has no sockets, and admits nobody through one
    access = folder / "pg_hba.conf"
    access.write_text("local all app scram-sha-256\nhost all app 127.0.0.1/32 scram-sha-256\n")
    postgres = Postgres(folder / "pg", free_port(), throwaway=True)
    valkey = Valkey(folder / "valkey", free_port(), throwaway=True)
    with Supervisor(folder / "logs") as supervisor:
        postgres.prepare(supervisor.run_once)
        for child, options in (
            (postgres.child(), ("-c", f'unix_socket_directories="{at}"', "-c", f"hba_file={access}")),
            (valkey.child(), ("--unixsocket", str(at / "valkey.sock"), "--unixsocketperm", "777")),
        ):
            supervisor.start(dataclasses.replace(child, command=(*child.command, *options)))
        assert supervisor.wait_for(postgres.ready, 30)
        assert supervisor.wait_for(valkey.ready, 30)
        postgres.create_database()
        yield {
            "folder": str(at),
            "port": str(postgres.port),
            "user": urlsplit(postgres.url()).netloc.rpartition("@")[0],
            "name": urlsplit(postgres.url()).path[1:],
            "valkey": urlsplit(valkey.url()).netloc.rpartition("@")[0],
        }
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("form", "on_socket"),
    [
        ("postgres:///{name}", True),
        ("postgres://{user}@/{name}?host={quoted}&port={port}", True),
        ("postgresql://{user}@{quoted}:{port}/{name}", True),
        ("pgsql://{user}@/{folder_encoded}/{name}?port={port}", True),
        ("postgres://{user}@127.0.0.1:1,127.0.0.1:{port}/{name}?target_session_attrs=read-write", False),
        ("postgres://{user}@127.0.0.1:{port},[::1]/{name}?connect_timeout=2&application_name=x", False),
        # most servers have a time zone of their own, and a new connection is told ours
        ("postgres://{user}@127.0.0.1:{port}/{name}?options=-c%20timezone%3DAsia/Kolkata", False),
    ],
)
def test_libpqs_forms_reach_the_server(
    sockets: dict[str, str], form: str, on_socket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = quote(sockets["folder"], safe="")
    # what libpq takes if the URL says nothing
    monkeypatch.setenv("PGHOST", sockets["folder"])
    monkeypatch.setenv("PGPORT", sockets["port"])
    user, _, password = sockets["user"].partition(":")
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", password)
    url = form.format(**sockets, quoted=quoted, folder_encoded=quote(sockets["folder"]))
    monkeypatch.setenv("DATABASE_URL", url)
    found = django_settings(load("test"))["DATABASES"]["default"]
    wrapper: Any = DatabaseWrapper({**settings.DATABASES["default"], **found}, alias="on a socket")
    try:
        with wrapper.cursor() as cursor:
            settled = "current_setting('lock_timeout'), current_setting('TimeZone')"
            cursor.execute(f"SELECT inet_server_addr() IS NULL, current_database(), {settled}")
            assert cursor.fetchone() == (on_socket, sockets["name"], "10s", "UTC")
    finally:
        wrapper.close()
        wrapper.close_pool()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://app@db/app?conn_max_age=60", "conn_max_age is no option: leave it out, connections are pooled"),
        ("postgres://app@db/app?pgbouncer=true", "pgbouncer is no option: leave it out and set DB_TRANSACTION_POOLING"),
        ("postgres://app@db/app?schema=public", "schema is no option: leave it out and write options="),
        ("postgres://app@db/app?pool=1&slow_ms=2", "; slow_ms is no option: leave it out"),
        ("postgres://app@db/app?client_encoding=latin1", "client_encoding is no option: leave it out, it is UTF8"),
        ("postgres://app@db/app?sslmode=on", "sslmode must be disable, allow, "),
        ("postgres://app@db/app?sslrootcert=/nowhere.pem", "sslrootcert must name a file that can be read"),
        ("postgres://app@db/app?sslrootcert=system&sslmode=require", "wants sslmode=verify-full"),
        ("postgres://app@db/app?target_session_attrs=master", "target_session_attrs must be any, "),
        ("postgres://app@db/app?connect_timeout=soon", "connect_timeout must be a whole number"),
        ("postgres://app@db/app?port=99999", "from 1 to 65535"),
        ("postgres://app@a:1,b:2,c/app?port=5,6", "give each its own"),
        ("postgres://app@db:0/app", "from 1 to 65535"),
        ("postgres://app@d b/app", "percent-encode"),
        ("postgres://app@db", "names no database"),
        ("postgres:///?host=/run/postgresql", "names no database"),
    ],
)
def test_what_would_fail_later_is_named_at_the_start(refusal: Any, url: str, said: str) -> None:
    (problem,) = refusal(DATABASE_URL=url)
    assert problem.startswith("DATABASE_URL is malformed: ")
    assert said in problem


def test_an_option_of_the_session_does_not_undo_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://app@db/app?options=-csearch_path%3Dours")
    options = django_settings(load("test"))["DATABASES"]["default"]["OPTIONS"]["options"]
    assert "lock_timeout=10s" in options
    assert options.endswith(" -csearch_path=ours")


@pytest.mark.parametrize("number", ["", "?db=3"])
def test_valkey_on_a_socket_serves_cache_and_broker(sockets: dict[str, str], number: str) -> None:
    user = f"{sockets['valkey']}@" if sockets["valkey"] else ""
    url = f"unix://{user}{quote(sockets['folder'])}/valkey.sock{number}"
    with redis.Redis.from_url(url) as client:
        assert client.ping()
        with Connection(broker_url(url), transport_options={"socket_timeout": 2}) as broker:
            broker.SimpleQueue("of-the-test").put({"ok": True})
        assert client.llen("of-the-test") == 1
        client.flushdb()


def test_a_database_in_the_query_is_the_brokers_too() -> None:
    assert broker_url("redis://h:6379?db=3") == "redis://h:6379/3"
    kept = "rediss://:p%40w@h:6379/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem"
    assert broker_url(kept) == kept
    assert broker_url("rediss://:p%40w@h/1?db=2&ssl_cert_reqs=none") == "rediss://:p%40w@h/2?ssl_cert_reqs=none"
    assert broker_url("amqp://h//") == "amqp://h//"
