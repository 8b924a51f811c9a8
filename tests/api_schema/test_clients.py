"""Clients that are generated from the schema: complete, typed, and used for every operation of the running service."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from apps.core.bus import bus
from apps.users.commands import RegisterUser
from apps.users.models import User
from tests.api_schema.conftest import TYPESCRIPT
from tests.api_schema.mailbox import Mailbox, open_mailbox
from tests.conftest import PASSWORD
from tests.jobs.running import run_imports
from tests.processes import ROOT, Process, Processes

VERSIONS = ("v1", "v2")
PYTHON = Path(__file__).with_name("python")
PAGE = ROOT / "docs" / "clients.md"
SCHEMA = ROOT / "openapi.yaml"
# each would let a wrong type pass
UNTYPED = {"python": re.compile(r"\bcast\b|\bAny\b|type: ignore"), "ts": re.compile(r"\bany\b|\bas\b|@ts-|\w!")}
UNSUPPORTED = "Unsupported content type application/x-ndjson"
pytestmark = pytest.mark.django_db(transaction=True)
Run = Callable[..., str]


@pytest.fixture(scope="module")
def operations() -> dict[str, re.Pattern[str]]:
    """A pattern of `METHOD path` for each operation of the schema, by its id."""
    paths = yaml.safe_load(SCHEMA.read_text())["paths"]
    found = [(method, path, operation) for path, item in paths.items() for method, operation in item.items()]
    return {
        operation["operationId"]: re.compile(f"{method.upper()} {re.sub(r'{[^}]+}', '[0-9a-f-]+', path)}")
        for method, path, operation in found
    }


@pytest.fixture
def web(processes: Processes) -> Process:
    """A real server whose log names every request."""
    for name in ("admin", *VERSIONS):
        bus.execute(RegisterUser(f"staff-{name}@example.com", name, password=PASSWORD, is_staff=True))
    for version in VERSIONS:
        bus.execute(RegisterUser(f"account-{version}@example.com", version, password=PASSWORD))
    return processes.web(
        WEB_THREADS="2",
        LOGIN_RATE_LIMIT_PER_MINUTE="1000",
        WEBHOOK_ALLOW_PRIVATE_NETWORKS="true",  # no host is looked up
        LOG_LEVEL="INFO",
    )


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Where the clients find the links that they are mailed."""
    with open_mailbox() as box:
        yield box


@pytest.fixture
def run(tmp_path: Path, mailbox: Mailbox) -> Run:
    """Runs a command to its end, in the test's folder, and returns what it printed.

    Meanwhile mails are sent and imports are run.
    """

    def to_its_end(*command: str | Path) -> str:
        with (tmp_path / "output").open("w+b") as output:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
            while process.poll() is None:
                run_imports()
                mailbox.fetch()
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            output.seek(0)
            printed = output.read().decode()
        assert process.returncode == 0, printed
        return printed

    return to_its_end


def scripts(folder: Path, source: Path, web: Process, language: str) -> list[Path]:
    """The script that uses every operation, for each version, and the example of docs/clients.md, all in `folder`."""
    text = source.read_text()
    assert not UNTYPED[language].search(text)
    for version in VERSIONS:
        (folder / f"{version}{source.suffix}").write_text(text.replace("v1", version).replace("V1", version.upper()))
    (example,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(example.splitlines()) <= 14
    for shown, here in (
        ("http://127.0.0.1:8000", web.url),
        ("admin@example.com", "staff-admin@example.com"),
        ('"admin"', f'"{PASSWORD}"'),
    ):
        assert shown in example
        example = example.replace(shown, here)
    (folder / f"example{source.suffix}").write_text(example)
    return [folder / f"{name}{source.suffix}" for name in (*VERSIONS, "example")]


def use(
    run: Run,
    web: Process,
    mailbox: Mailbox,
    program: str | Path,
    files: list[Path],
    operations: dict[str, re.Pattern[str]],
) -> None:
    """Run the scripts; every operation has to succeed, and the example to find all users."""
    *versions, example = files
    for version, script in zip(VERSIONS, versions, strict=True):
        run(program, script, web.url, f"staff-{version}@example.com", PASSWORD, mailbox.url)
    lines = [line for line in web.lines() if line["event"] == "request_finished" and line["status"] < 300]
    requests = [f"{line['method']} {line['path']}" for line in lines]
    assert {name for name, pattern in operations.items() if any(map(pattern.fullmatch, requests))} == set(operations)
    User.objects.bulk_create(User(email=f"{number}@example.com", name="Ada") for number in range(60))
    assert run(program, example).split() == list(User.objects.order_by("-id").values_list("email", flat=True))


def test_the_python_client_has_and_does_it_all(
    web: Process, mailbox: Mailbox, tmp_path: Path, run: Run, operations: dict[str, re.Pattern[str]]
) -> None:
    tools, client = Path(sys.executable).parent, tmp_path / "api_client"
    configuration = PAGE.with_suffix("") / "python.yaml"
    said = run(
        tools / "openapi-python-client", "generate", "--path", SCHEMA, "--config", configuration, "--meta", "none",
        "--output-path", client,
    )  # fmt: skip
    left_out = re.findall(r"WARNING parsing (.*)\n+(.*)", said)
    # the body that docs/clients.md names, and nothing else
    known: list[tuple[str, str]] = []
    known += [(f"POST /api/{version}/users/import within {version}.", UNSUPPORTED) for version in VERSIONS]
    assert left_out == known
    assert "Unable to" not in said
    assert {path.stem for path in client.glob("api/v*/v*.py")} == set(operations)

    files = scripts(tmp_path, PYTHON / "usage.py", web, "python")
    cache = ROOT / ".mypy_cache" / "clients"
    run(tools / "mypy", "--strict", "--warn-unreachable", "--config-file=", f"--cache-dir={cache}", *files)
    use(run, web, mailbox, sys.executable, files, operations)


def test_the_typescript_client_has_and_does_it_all(
    web: Process,
    mailbox: Mailbox,
    tmp_path: Path,
    run: Run,
    operations: dict[str, re.Pattern[str]],
    node_modules: Path,
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    types = tmp_path / "schema.d.ts"
    run(node_modules / ".bin" / "openapi-typescript", SCHEMA, "-o", types)
    assert set(re.findall(r"^    (\w+): \{$", types.read_text().partition("interface operations")[2], re.M)) == set(
        operations
    )

    files = scripts(tmp_path, TYPESCRIPT / "usage.ts", web, "ts")
    run(node_modules / ".bin" / "tsc", "--project", tmp_path)
    use(run, web, mailbox, "node", [file.with_suffix(".js") for file in files], operations)
