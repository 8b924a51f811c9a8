"""Clients that log in, and what tells whether they still are."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from tests.conftest import PASSWORD

AUTH = "/api/v1/auth"
SESSIONS, LOGOUT = f"{AUTH}/sessions", f"{AUTH}/logout"


class Browser:
    """A client that logs in as a browser or a phone does."""

    def __init__(self, email: str = "ada@example.com", **headers: Any) -> None:
        self.client = APIClient(**headers)
        answer = self.client.post(f"{AUTH}/token", {"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.json()
        self.take(answer.json())

    def take(self, pair: dict[str, str]) -> None:
        self.access, self.refresh_token = pair["access"], pair["refresh"]
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")

    def refresh(self, **headers: Any) -> int:
        answer = APIClient(**headers).post(f"{AUTH}/token/refresh", {"refresh": self.refresh_token})
        if answer.status_code == 200:
            self.take(answer.json())
        return int(answer.status_code)

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(SESSIONS).json()["results"]
        return found

    @property
    def id(self) -> str:
        (own,) = [row["id"] for row in self.sessions() if row["current"]]
        return str(own)

    @property
    def alive(self) -> bool:
        """Whether the access token works, on a read of each kind and on a write; all have to agree."""
        statuses = {
            self.client.get("/api/v1/users/me").status_code == 200,
            self.client.get(SESSIONS).status_code == 200,
            self.client.post("/api/v2/users", {}).status_code == 400,
        }
        (alive,) = statuses
        return alive
