"""What `make run` ends its start with: where everything is, and commands to try it with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from config.stack.console import Console
from config.stack.plan import ROOT, Plan

JSON = "-H 'Content-Type: application/json'"
# each answer on a line of its own
CURL = r"curl -sw '\n'"
# a number that no line before had: pasted again, the lines register somebody else
ANEW = "$(date +%s)"


def closing_lines(plan: Plan, console: Console, more: Mapping[str, list[str]], *, demo: bool) -> str:
    """Where everything is, and commands to try it with: each line that begins at the left is one.

    `more` are others, by what they do.
    """
    places = {
        "Tour": f"{plan.url}/",
        "Docs": f"{plan.url}/api/docs",
        "Admin": f"{plan.url}/admin/   {'admin@example.com / admin' if demo else 'there is no demo login here'}",
        "State": f"{plan.state_dir}   database, logs, sent mail",
        "Lines": f"{plan.state_dir}/logs/web.log has all; here the tour's own looks (/tour/now) are left out",
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
    for does, commands in more.items():
        parts += ["", f"  {does}", "", *commands]
    return "\n".join([*parts, "", "  Ctrl-C stops everything.", ""])


def first_commands(plan: Plan, *, demo: bool) -> list[str]:
    """Commands that register Ada and read her, with what became of it meanwhile."""
    login = '{"email":"admin@example.com","password":"admin"}'
    pick = """sed 's/.*"access": *"\\([^"]*\\)".*/\\1/'"""
    if demo:
        token = f"curl -s {plan.url}/api/v1/auth/token {JSON} -d '{login}' | {pick}"
        ada = "users?search=$ADA"
    else:
        token, ada = manage(plan, "issue_token $ADA"), "users/me"
    return [
        f"ADA=ada-{ANEW}@example.com",
        register(plan, "$ADA", "Ada"),
        f"TOKEN=$({token})",
        # as long as the workers need
        f'sleep 1; {CURL} "{plan.url}/api/v2/{ada}" -H "Authorization: Bearer $TOKEN"',
    ]


def register(plan: Plan, address: str, name: str) -> str:
    """The command that registers somebody; the shell puts in what `address` has of variables."""
    return f"""{CURL} {plan.url}/api/v1/users {JSON} -d '{{"email":"'{address}'","name":"{name}"}}'"""


def manage(plan: Plan, words: str) -> str:
    """A command of manage.py, with the variable that leads it to this copy."""
    place = "" if plan.state_dir == ROOT / ".local" else f"STATE_DIR={shlex.quote(str(plan.state_dir))} "
    return f"{place}.venv/bin/python manage.py {words}"
