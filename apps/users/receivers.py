"""What follows from users' own events: mails, whose links are made at this moment."""

from __future__ import annotations

from django.conf import settings

from apps.core.bus import bus
from apps.events.bus import on
from apps.users import letters, mail
from apps.users.events import (
    EmailChanged,
    EmailChangeRequested,
    EmailChangeUndone,
    PasswordChanged,
    PasswordResetRequested,
    SecondFactorChanged,
    UserRegistered,
    VerificationRequested,
)
from apps.users.queries import IsThere


@on(UserRegistered, waits=True)
def send_welcome_email(event: UserRegistered) -> None:
    """Greet a new user who is still there; on a repeat the Message-ID is the same, and mail servers recognise it."""
    if not bus.ask(IsThere(event.user_id)):
        return
    link = bus.ask(letters.WriteWelcome(event.user_id, event.email))
    mail.send_welcome(event.email, event.name, link, message_id=f"<welcome-{event.user_id}@{settings.PRODUCT_SLUG}>")


@on(PasswordResetRequested, waits=True)
def send_password_reset(event: PasswordResetRequested) -> None:
    """Send the link to whoever has the address; nothing, if nobody has."""
    if letter := bus.ask(letters.WriteReset(event.email)):
        mail.send_letter(mail.PASSWORD_RESET, letter)


@on(PasswordChanged, waits=True)
def send_password_changed(event: PasswordChanged) -> None:
    """Tell whoever had the account when its password changed, if it is still there."""
    if not bus.ask(IsThere(event.user_id)):
        return
    message_id = f"<password-{event.user_id}-{event.version}@{settings.PRODUCT_SLUG}>"
    mail.send_password_changed(event.email, event.name, message_id)


@on(SecondFactorChanged, waits=True)
def send_second_factor_changed(event: SecondFactorChanged) -> None:
    """Tell the user that a log-in needs a code now, or no longer does, if they are still there."""
    if not bus.ask(IsThere(event.user_id)):
        return
    message_id = f"<second-factor-{event.user_id}-{event.generation}@{settings.PRODUCT_SLUG}>"
    mail.send_second_factor_changed(event.email, event.name, message_id, in_force=event.in_force)


@on(VerificationRequested, waits=True)
def send_email_verification(event: VerificationRequested) -> None:
    """Send the link to whoever has the address and has not verified it."""
    if letter := bus.ask(letters.WriteVerification(event.email)):
        mail.send_letter(mail.EMAIL_VERIFICATION, letter)


@on(EmailChangeRequested, waits=True)
def send_email_change(event: EmailChangeRequested) -> None:
    """Send the link to the address that the user wants to have."""
    if letter := bus.ask(letters.WriteChange(event.change_id)):
        mail.send_letter(mail.EMAIL_CHANGE, letter)


@on(EmailChanged, waits=True)
def send_email_changed(event: EmailChanged) -> None:
    """Tell the address that the user had, and let it undo the change."""
    if undoing := bus.ask(letters.WriteUndo(event.change_id)):
        mail.send_email_changed(undoing, message_id=f"<email-{event.change_id}@{settings.PRODUCT_SLUG}>")


@on(EmailChangeUndone, waits=True)
def send_email_change_undone(event: EmailChangeUndone) -> None:
    """Send a link for a new password to the address that is the user's again."""
    if letter := bus.ask(letters.WriteUndone(event.change_id)):
        mail.send_letter(mail.EMAIL_CHANGE_UNDONE, letter)
