"""Mail to users."""

from __future__ import annotations

from apps.core.mail import Mail, send
from apps.users.letters import Letter

NAME, LINK = "Ada Lovelace", "https://example.com/account/password-reset?token=eyJrIjo3fQ.c2lnbmF0dXJl"
WELCOME = Mail("users/mail/welcome", {"name": NAME})
PASSWORD_RESET = Mail("users/mail/password_reset", {"name": NAME, "link": LINK})
PASSWORD_CHANGED = Mail("users/mail/password_changed", {"name": NAME})


def send_welcome(email: str, name: str, message_id: str) -> None:
    """Send the welcome e-mail. Raises what the mail server's library raises."""
    send(WELCOME.message({"name": name}, to=[email], message_id=message_id))


def send_password_reset(letter: Letter) -> None:
    """Send the link for a new password. Raises as above."""
    send(PASSWORD_RESET.message({"name": letter.name, "link": letter.link}, to=[letter.email]))


def send_password_changed(email: str, name: str, message_id: str) -> None:
    """Tell the user that their password was changed. Raises as above."""
    send(PASSWORD_CHANGED.message({"name": name}, to=[email], message_id=message_id))
