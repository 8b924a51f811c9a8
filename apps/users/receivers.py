"""What users' own events lead to."""

from __future__ import annotations

from apps.core.bus import bus
from apps.events.bus import on
from apps.users.commands import SendWelcome
from apps.users.events import UserRegistered


@on(UserRegistered, waits=True)
def send_welcome_email(event: UserRegistered) -> None:
    """Greet a new user; the Message-ID is the same on a repeat, so that a mail server can tell it is one."""
    bus.execute(SendWelcome(event.email, event.name, f"<welcome-{event.user_id}@patterns>"))
