"""Mail to users."""

from __future__ import annotations

from django.core.mail import EmailMessage

from apps.core.mail import send

WELCOME = """Hello {name},

welcome! Your account is ready.
"""


def send_welcome(email: str, name: str, message_id: str) -> None:
    """Send the welcome e-mail. Raises what the mail server's library raises."""
    body = WELCOME.format(name=name)
    send(EmailMessage(subject="Welcome", body=body, to=[email], headers={"Message-ID": message_id}))
