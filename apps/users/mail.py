"""Mail to users."""

from __future__ import annotations

import re

from apps.core.mail import Mail, send
from apps.users.letters import Letter, Undoing

NAME, EMAIL = "Ada Lovelace", "ada@example.org"
LINK = "https://example.com/account/email-verification?token=eyJrIjo3fQ.c2lnbmF0dXJl"
WELCOME = Mail("users/mail/welcome", {"name": NAME, "link": LINK})
EMAIL_VERIFICATION = Mail("users/mail/email_verification", {"name": NAME, "link": LINK})
EMAIL_CHANGE = Mail("users/mail/email_change", {"name": NAME, "link": LINK})
EMAIL_CHANGED = Mail("users/mail/email_changed", {"name": NAME, "link": LINK, "new_email": EMAIL})
EMAIL_CHANGE_UNDONE = Mail("users/mail/email_change_undone", {"name": NAME, "link": LINK})
PASSWORD_RESET = Mail("users/mail/password_reset", {"name": NAME, "link": LINK})
PASSWORD_CHANGED = Mail("users/mail/password_changed", {"name": NAME})
SECOND_FACTOR_ON = Mail("users/mail/second_factor_on", {"name": NAME})
SECOND_FACTOR_OFF = Mail("users/mail/second_factor_off", {"name": NAME})
# what a reader of mail makes a link of
LINKED = re.compile(r"[/:@\\]|\.\S")


def called(name: str) -> str:
    """What a mail calls somebody: their name, unless it would be a link, which anybody could send to anybody."""
    return "you" if LINKED.search(name) else name


def send_welcome(email: str, name: str, link: str, message_id: str) -> None:
    """Send the welcome e-mail, with a link that verifies the address. Raises what the mail server's library raises."""
    send(WELCOME.message({"name": called(name), "link": link}, to=[email], message_id=message_id))


def send_letter(mail: Mail, letter: Letter) -> None:
    """Send a mail with a link in it. Raises as above."""
    send(mail.message({"name": called(letter.name), "link": letter.link}, to=[letter.email]))


def send_email_changed(undoing: Undoing, message_id: str) -> None:
    """Tell the old address of the new one, with a link that undoes the change. Raises as above."""
    letter = undoing.letter
    values = {"name": called(letter.name), "link": letter.link, "new_email": undoing.new_email}
    send(EMAIL_CHANGED.message(values, to=[letter.email], message_id=message_id))


def send_password_changed(email: str, name: str, message_id: str) -> None:
    """Tell the user that their password was changed. Raises as above."""
    send(PASSWORD_CHANGED.message({"name": called(name)}, to=[email], message_id=message_id))


def send_second_factor_changed(email: str, name: str, message_id: str, *, in_force: bool) -> None:
    """Tell the user that their second factor came into force, or was removed. Raises as above."""
    mail = SECOND_FACTOR_ON if in_force else SECOND_FACTOR_OFF
    send(mail.message({"name": called(name)}, to=[email], message_id=message_id))
