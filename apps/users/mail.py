"""Mail to users."""

from __future__ import annotations

from apps.core.mail import Mail, send

WELCOME = Mail("users/mail/welcome", {"name": "Ada Lovelace"})


def send_welcome(email: str, name: str, message_id: str) -> None:
    """Send the welcome e-mail. Raises what the mail server's library raises."""
    send(WELCOME.message({"name": name}, to=[email], message_id=message_id))
