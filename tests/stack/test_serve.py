"""The web server ends in an orderly way, replaces dead workers, and refuses an address it cannot use."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from django.http import HttpResponse, StreamingHttpResponse

from config.server.ports import free_port
from config.server.serve import AddressError, address, in_one_piece
from tests import loopback
from tests.processes import ROOT
from tests.stack.programs import Program, all_gone, running
from tests.waiting import wait_for

SERVE = (
    "from config.server.serve import listen, serve;"
    "serve('tests.stack.slow_app:application', listen('127.0.0.1', {}), passed=False, workers=2, threads=2, preload={})"
)

USABLE = {
    "DJANGO_SETTINGS_MODULE": "config.settings.development",
    "DATABASE_URL": "postgres:///x",
    "REDIS_URL": "redis://x",
}


@pytest.fixture(params=[False, True], ids=["", "preload"])
def preload(request: pytest.FixtureRequest) -> bool:
    """Whether the workers are forks."""
    return bool(request.param)


@contextmanager
def serving(folder: Path, preload: bool) -> Iterator[tuple[Program, str]]:
    port = free_port()
    with running(folder, "-c", SERVE.format(port, preload)) as program:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answer(url), "the server answers")
        yield program, url


def answer(url: str, seconds: float = 0) -> int:
    """The process id of the worker that answered a request of that length; 0 without an answer."""
    try:
        return int(loopback.get(f"{url}/{seconds}", timeout=20).text)
    except httpx.HTTPError:
        return 0


def test_sigterm_lets_the_requests_in_hand_finish(tmp_path: Path, preload: bool) -> None:
    with serving(tmp_path, preload) as (program, url), ThreadPoolExecutor(8) as clients:
        wait_for(lambda: len({answer(url) for _ in range(8)}) == 2, "both workers answer")
        family = program.family()
        before = busy_threads(url)
        requests = [clients.submit(answer, url, 1.0) for _ in range(4)]
        wait_for(lambda: busy_threads(url) >= before + 4, "the server has the requests", 5)
        program.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: not answer(url), "it takes no new ones", 5)
        assert all(request.result() for request in requests)
        assert program.popen.wait(5) == 0
        all_gone(family, seconds=1)
        assert program.output().count("at exit") == 2


def busy_threads(url: str) -> int:
    """Connections that are open on the server's side."""
    port = int(url.rpartition(":")[2])
    connections = psutil.net_connections("tcp4")
    return sum(c.laddr.port == port and c.status == psutil.CONN_ESTABLISHED for c in connections if c.laddr)


def test_a_dead_worker_is_replaced(tmp_path: Path, preload: bool) -> None:
    with serving(tmp_path, preload) as (program, url):
        worker = answer(url)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: (now := answer(url)) and now != worker, "another worker answers")
        assert program.popen.poll() is None


def test_a_kept_connection_does_not_wait_for_its_clients_acknowledgements(tmp_path: Path) -> None:
    """RFC 1122, section 4.2.3.2, lets a client delay them, by 40 ms on Linux; an answer is more than one segment."""
    with serving(tmp_path, False) as (_, url):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            assert min(seconds_for_the_rest(client) for _ in range(10)) < 0.03


@pytest.mark.django_db  # with an answer's end Django looks after the connections that another test may have left
def test_an_answer_is_sent_in_one_piece_and_closed() -> None:
    answer = HttpResponse(b"all of it")
    assert in_one_piece(answer) == [b"all of it"]
    assert answer.closed
    stream = StreamingHttpResponse(iter([b"part", b"part"]))
    assert in_one_piece(stream) is stream


def seconds_for_the_rest(client: socket.socket) -> float:
    """How long the second part of an answer takes to come, for a client that delays its acknowledgements."""
    client.sendall(b"GET /0?streamed HTTP/1.1\r\nHost: x\r\n\r\n")
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    head, _, body = client.recv(4096).partition(b"\r\n\r\n")
    begun, length = time.monotonic(), int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += client.recv(4096)
    return time.monotonic() - begun


def test_no_worker_outlives_a_killed_main_process(tmp_path: Path, preload: bool) -> None:
    with serving(tmp_path, preload) as (program, _):
        family = program.family()
        program.popen.kill()
        program.popen.wait()
        all_gone(family)


LEAVING = """
import os, select, socket
from config.server.leaving import accept_no_more

descriptors = lambda: len(os.listdir("/proc/self/fd"))
polls = select.epoll(), select.epoll()
with socket.create_server(("127.0.0.1", 0)) as listener, listener.dup() as twin:
    polls[0].register(listener)
    polls[1].register(twin)
    before = descriptors()
    accept_no_more()
    assert descriptors() == before
    with socket.create_connection(listener.getsockname()):
        print("heard", [poll.poll(0) for poll in polls])
        listener.accept()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker accepts until it ends")
def test_a_worker_that_leaves_hears_of_no_client_and_leaves_it_to_the_others(tmp_path: Path) -> None:
    # in a process of its own: it is about all sockets of a process
    with running(tmp_path, "-c", LEAVING) as program:
        assert program.popen.wait(60) == 0, program.output()
        assert program.output() == "heard [[], []]\n"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000.0", "²"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(AddressError, match="PORT must be a number from 1 to 65535"):
        address({"PORT": port})


def test_a_host_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressError, match=r"cannot listen on HOST=192\.0\.2\.1"):
        address({"HOST": "192.0.2.1", "PORT": str(free_port())})


def test_a_taken_port_is_refused_even_where_ports_can_be_shared() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AddressError, match="is taken"):
            address({"PORT": str(other.getsockname()[1])})


@pytest.mark.parametrize("number", ["99", "0"])
def test_a_descriptor_that_is_no_listening_socket_is_refused(tmp_path: Path, number: str) -> None:
    with running(tmp_path, "-m", "config.server", "--fd", number, **USABLE) as program:
        assert program.popen.wait(60) == 1
        assert program.output() == (
            f"--fd {number} is no listening socket: pass the number of one that this process has inherited\n"
        )


HELD = """
import multiprocessing
from types import SimpleNamespace
from config.server.granian_parts import hold_signals_back
from tests.stack.slow_app import tell_what_is_held_back

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    process = multiprocessing.Process(target=tell_what_is_held_back)
    server = SimpleNamespace(_spawn_worker=lambda: SimpleNamespace(start=process.start))
    hold_signals_back(server)
    server._spawn_worker().start()
    process.join()
"""


def test_the_first_worker_too_starts_with_signals_held_back(tmp_path: Path) -> None:
    (tmp_path / "held.py").write_text(HELD)
    with running(tmp_path, str(tmp_path / "held.py"), PYTHONPATH=str(ROOT)) as program:
        assert program.popen.wait(60) == 0
        assert "['SIGINT', 'SIGTERM']" in program.output()
