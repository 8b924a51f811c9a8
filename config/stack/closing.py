"""What `make run` ends its start with: where everything is, and commands to try it with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from config.stack.console import Console
from config.stack.plan import ROOT, Plan

JSON = "-H 'Content-Type: application/json'"
# each answer on a line of its own
CURL = r"curl -sw '\n'"


def closing_lines(plan: Plan, console: Console, people_at: Mapping[str, str], *, demo: bool) -> str:
    """Where everything is, and commands to try it with: each line that begins at the left is one."""
    places = {
        "Tour": f"{plan.url}/",
        "Docs": f"{plan.url}/api/docs",
        "Admin": f"{plan.url}/admin/   {'admin@example.com / admin' if demo else 'there is no demo login here'}",
        "State": f"{plan.state_dir}   database, logs, sent mail",
    }
    lines = [f"  {console.emphasis(f'{name:<7}')} {place}" for name, place in places.items()]
    parts = [
        "",
        *lines,
        "",
        "  Register a person, log in, and read what became of it:",
        "",
        *first_commands(plan, demo=demo),
    ]
    if people_at:
        parts += ["", "  Let the people directory fail, look at its circuit breaker, let it work again:", ""]
        parts += breaking_commands(plan, people_at)
    return "\n".join([*parts, "", "  Ctrl-C stops everything.", ""])


def first_commands(plan: Plan, *, demo: bool) -> list[str]:
    """Commands that register Ada and read her, with the company that the people directory knows."""
    login = '{"email":"admin@example.com","password":"admin"}'
    pick = """sed 's/.*"access": *"\\([^"]*\\)".*/\\1/'"""
    if demo:
        token = f"curl -s {plan.url}/api/v1/auth/token {JSON} -d '{login}' | {pick}"
        ada = "users?search=ada@example.com"
    else:
        token, ada = manage(plan, "issue_token ada@example.com"), "users/me"
    return [
        register(plan, "ada", "Ada"),
        f"TOKEN=$({token})",
        # as long as the worker and the directory need
        f'sleep 1; {CURL} "{plan.url}/api/v2/{ada}" -H "Authorization: Bearer $TOKEN"',
    ]


def breaking_commands(plan: Plan, people_at: Mapping[str, str]) -> list[str]:
    """Commands that make the people directory fail until its breaker opens; with its key, unless the person set one."""
    key = "$EXTERNAL_API_KEY" if os.environ.get("EXTERNAL_API_KEY") else people_at["EXTERNAL_API_KEY"]
    control = f'{CURL} -X PUT {people_at["EXTERNAL_API_URL"]}/control -H "Authorization: Bearer {key}"'
    return [
        f"{control} -d '{{\"status\":503}}'",
        *(register(plan, name.lower(), name) for name in ("Barbara", "Edsger")),
        f"sleep 5; {manage(plan, 'breakers')}",
        f"{control} -d '{{}}'",
    ]


def register(plan: Plan, address: str, name: str) -> str:
    """The command that registers somebody."""
    return f"""{CURL} {plan.url}/api/v1/users {JSON} -d '{{"email":"{address}@example.com","name":"{name}"}}'"""


def manage(plan: Plan, words: str) -> str:
    """A command of manage.py, with the variable that leads it to this copy."""
    place = "" if plan.state_dir == ROOT / ".local" else f"STATE_DIR={shlex.quote(str(plan.state_dir))} "
    return f"{place}.venv/bin/python manage.py {words}"
