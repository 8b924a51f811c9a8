"""What follows from users' own events."""

from __future__ import annotations

from apps.events.bus import on
from apps.users.events import UserRegistered
from apps.users.mail import send_welcome


@on(UserRegistered, waits=True)
def send_welcome_email(event: UserRegistered) -> None:
    """Greet a new user; the Message-ID is the same on a repeat, so that a mail server can recognise it."""
    send_welcome(event.email, event.name, message_id=f"<welcome-{event.user_id}@patterns>")
