"""The small people directory, for an EXTERNAL_API_URL that is not set."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from signal import SIGTERM

from config.server.ports import free_port
from config.stack.child import Child
from config.stack.closing import ANEW, CURL, manage, register
from config.stack.plan import PYTHON, Plan
from config.stack.stand_ins import StandIn


def stand_in(environment: Mapping[str, str]) -> StandIn | None:
    """The directory on a free port, with a key of its own or the person's; None if there is a real one."""
    if environment.get("EXTERNAL_API_URL"):
        return None
    port, given = free_port(), environment.get("EXTERNAL_API_KEY", "")
    url, key = f"http://127.0.0.1:{port}", given or secrets.token_urlsafe(16)
    command = (PYTHON, "-m", "config.stack.people", "--port", str(port))
    its = {**environment, "EXTERNAL_API_KEY": key}
    return StandIn(
        child=Child(name="people", command=command, environment=its, stop=((SIGTERM, 1.0),), tier=0),
        said=f"people directory on 127.0.0.1:{port}",
        settings={"EXTERNAL_API_URL": url, "EXTERNAL_API_KEY": key},
        does="Let the people directory fail, look at its circuit breaker, let it work again and close the breaker:",
        # a person's own key is not shown
        commands=partial(breaking_commands, url, "$EXTERNAL_API_KEY" if given else key),
    )


def breaking_commands(url: str, key: str, plan: Plan) -> list[str]:
    """Commands that make the people directory fail until its breaker opens, and mend both."""
    control = f'{CURL} -X PUT {url}/control -H "Authorization: Bearer {key}"'
    return [
        f"{control} -d '{{\"status\":503}}'",
        *(register(plan, f"{name.lower()}-{ANEW}@example.com", name) for name in ("Barbara", "Edsger")),
        f"sleep 5; {manage(plan, 'breakers')}",
        f"{control} -d '{{}}'",
        # by itself it would let a probe through half a minute later
        manage(plan, "breakers --reset people"),
    ]
