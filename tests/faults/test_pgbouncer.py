"""PgBouncer in transaction mode before the database: everything works, though no session outlives a transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from apps.users.models import User
from config.server.ports import free_port
from config.stack.postgres import database_answers
from tests import loopback
from tests.processes import Processes, running
from tests.waiting import wait_for

PROGRAM = shutil.which("pgbouncer")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no pgbouncer on this machine: apt-get install pgbouncer"
)
CONFIG = """
[databases]
* = host={HOST} port={PORT} user={USER} password={PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


@pytest.fixture
def pooled(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    """Starts processes of the service, which reach the database through PgBouncer."""
    database, port = connection.settings_dict, free_port()
    config = tmp_path / "pgbouncer.ini"
    config.write_text(CONFIG.format(**database, port=port))
    tmp_path.chmod(0o755)
    with (tmp_path / "pgbouncer.log").open("wb") as output, config.open("rb") as text:
        # it refuses to run as root
        command = ["setpriv", "--reuid=nobody", "--clear-groups", str(PROGRAM)] if is_root() else [str(PROGRAM)]
        pooler = subprocess.Popen(
            [*command, "/dev/stdin"], stdin=text, stdout=output, stderr=output, start_new_session=True
        )
    url = f"postgres://{database['USER']}@127.0.0.1:{port}/{database['NAME']}"
    try:
        wait_for(lambda: database_answers(url), f"PgBouncer answers; see {tmp_path}/pgbouncer.log")
        yield from running(tmp_path, DATABASE_URL=url, DB_TRANSACTION_POOLING="true")
    finally:
        connection.close()
        pooler.kill()
        pooler.wait()


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def test_registrations_events_and_imports_work(pooled: Processes, tmp_path: Path) -> None:
    web = pooled.web()
    pooled.relay()
    pooled.worker()
    with loopback.client(base_url=web.url, timeout=20) as http:
        for number in range(50):
            body = {"email": f"u{number}@example.com", "name": "Load"}
            assert http.post("/api/v1/users", json=body).status_code == 201
    # mails of one second may share a file
    wait_for(lambda: sum(f.read_text().count("Message-ID:") for f in pooled.mail.glob("*")) >= 50, "the mail is out")
    people = tmp_path / "people.csv"
    people.write_text("email,name\n" + "".join(f"i{number}@example.com,X\n" for number in range(12_000)))
    done = pooled.manage("import_users", str(people))
    assert done.returncode == 0, done.stderr
    assert User.objects.filter(email__startswith="i").count() == 12_000
