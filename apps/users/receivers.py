"""What follows from users' own events."""

from __future__ import annotations

from apps.core.bus import bus
from apps.events.bus import on
from apps.users import mail
from apps.users.events import PasswordChanged, PasswordResetRequested, UserRegistered
from apps.users.letters import WriteReset


@on(UserRegistered, waits=True)
def send_welcome_email(event: UserRegistered) -> None:
    """Greet a new user; the Message-ID is the same on a repeat, so that a mail server can recognise it."""
    mail.send_welcome(event.email, event.name, message_id=f"<welcome-{event.user_id}@patterns>")


@on(PasswordResetRequested, waits=True)
def send_password_reset(event: PasswordResetRequested) -> None:
    """Send the link to whoever has the address; nothing, if nobody has."""
    if letter := bus.ask(WriteReset(event.email)):
        mail.send_password_reset(letter)


@on(PasswordChanged, waits=True)
def send_password_changed(event: PasswordChanged) -> None:
    """Tell whoever had the account when its password changed."""
    message_id = f"<password-{event.user_id}-{event.version}@patterns>"
    mail.send_password_changed(event.email, event.name, message_id)
