"""A RabbitMQ of the test's own, on loopback, if the machine has one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from kombu import Connection

from config.server.ports import free_port
from tests.waiting import wait_for

# the programs themselves: the ones on the PATH change to an account of their own
FOLDER = Path("/usr/lib/rabbitmq/bin")
# the name of a plugin that we do without
PLUGIN = re.compile("rabbitmq_(?!prelaunch)")


def is_here() -> bool:
    """Whether this machine has a RabbitMQ server."""
    return (FOLDER / "rabbitmq-server").exists() and shutil.which("epmd") is not None


@dataclass
class Rabbit:
    """A broker with its data in `folder`; `start` after `kill` or `stop` finds the data again."""

    folder: Path
    port: int = field(default_factory=free_port)
    _names: int = field(default_factory=free_port)
    _nodes: int = field(default_factory=free_port)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, for CELERY_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it, and Erlang's name service for it; returns once it takes connections."""
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "rabbitmq.conf"
        config.write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        (self.folder / "plugins").write_text("[].\n")
        self._link_libraries()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._nodes),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PLUGINS_DIR": str(self._libraries),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }
        with (self.folder / "output").open("ab") as output:
            for command in ["epmd"], [str(FOLDER / "rabbitmq-server")]:
                self._running.append(
                    subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
                )
        wait_for(self._answers, f"RabbitMQ answers; see {self.folder}", 90)

    @property
    def _libraries(self) -> Path:
        return self.folder / "libraries"

    def _link_libraries(self) -> None:
        """Leave out the plugins, which lie beside the server's libraries: it reads all of them for four seconds."""
        self._libraries.mkdir(exist_ok=True)
        for library in FOLDER.parent.glob("lib/*/plugins/*"):
            link = self._libraries / library.name
            if not PLUGIN.match(library.name) and not link.exists():
                link.symlink_to(library)

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL it, like a power cut."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        while self._running:
            program = self._running.pop()
            family = [*psutil.Process(program.pid).children(recursive=True), psutil.Process(program.pid)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(how)
            program.wait(60)
            psutil.wait_procs(family, timeout=60)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
                return True
        except OSError:
            return False


@contextmanager
def rabbit(folder: Path) -> Iterator[Rabbit]:
    """A running broker; it ends with the block."""
    broker = Rabbit(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
