"""Starts Django as the environment says, asks it a few things and keeps the answers: python -m tests.stack.boot FILE"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django


def main(file: Path) -> None:
    """Write one JSON object: by path, the status and the headers of each answer."""
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    from config.celery import app

    call_command("check", fail_level="WARNING", deploy=settings.ENV.profile == "production")
    client = Client(headers={"host": "localhost", "origin": "https://app.example.com"}, raise_request_exception=False)

    def seen(answer: Any) -> dict[str, Any]:
        return {"status": answer.status_code, **{name.lower(): value for name, value in answer.headers.items()}}

    person = {"email": f"{settings.ENV.state_dir.name}@example.com", "name": "Ada"}
    answers = {
        "profile": settings.ENV.profile,
        "debug": settings.DEBUG,
        "tasks": len(app.tasks),
        "transport": app.connection().transport.driver_type,
        "register": seen(client.post("/api/v1/users", person, content_type="application/json")),
        **{path: seen(client.get(path)) for path in ("/healthz", "/metrics", "/api/v1/nowhere", "/nowhere")},
        "/api/v2/users": seen(client.get("/api/v2/users", headers={"authorization": "Bearer x"})),
    }
    file.write_text(json.dumps(answers, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
