"""What the document and the URL configuration say of every route, so that no test has to list them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.api.schema import document

JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """A method of a route."""

    method: str
    path: str
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def address(self) -> str:
        """Where it can be called: each key is that of a user; no other row is looked for before the body."""
        return re.sub(r"\{\w+\}", lambda _: str(get_user_model()._default_manager.latest("pk").pk), self.path)

    @property
    def example(self) -> dict[str, Any]:
        """A good body in JSON; empty if the route takes none."""
        content = self.said.get("requestBody", {"content": {}})["content"]
        return dict(content[JSON]["examples"]["Example"]["value"]) if JSON in content else {}

    @property
    def needs_body(self) -> bool:
        """Whether a request without a body is refused."""
        return bool(self.said.get("requestBody", {}).get("required"))

    @property
    def is_open(self) -> bool:
        """Whether anyone may call it."""
        return not self.said.get("security") or {} in self.said["security"]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The schemas of the parameters of its query."""
        return {each["name"]: each["schema"] for each in self.said.get("parameters", []) if each["in"] == "query"}


def operations() -> list[Operation]:
    """Every operation of the document."""
    paths = document()["paths"].items()
    return [Operation(method.upper(), path, said) for path, item in paths for method, said in item.items()]


def takers() -> list[Operation]:
    """Those that take a JSON body."""
    return [operation for operation in operations() if operation.example]


def might_be_sent_one() -> list[Operation]:
    """Those that take a JSON body, and those of the same methods that take none at all."""
    return [o for o in operations() if o.example or (o.method in ("POST", "PATCH") and "requestBody" not in o.said)]


def lists() -> list[Operation]:
    """Those that answer a page."""
    return [operation for operation in operations() if "limit" in operation.parameters]


def api_routes(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The path and the view of each route of the document, from the URL configuration."""
    for pattern in (resolver or get_resolver()).url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from api_routes(pattern, path)
        elif isinstance(pattern, URLPattern) and path.startswith("api/v"):
            view = getattr(pattern.callback, "cls", None)
            if view is not None and view.schema is not None:
                yield path, view


def view_of(operation: Operation) -> Any:
    """The view behind `operation`."""
    views = {"/" + re.sub(r"<\w+:(\w+)>", r"{\1}", path): view for path, view in api_routes()}
    return views[operation.path]
