"""Mail that users get."""

from __future__ import annotations

from django.core.mail import EmailMessage

from apps.users.commands import SendWelcome

WELCOME = """Hello {name},

welcome! Your account is ready.
"""


def send_welcome(command: SendWelcome) -> None:
    """Send the welcome e-mail. Raises what the mail server's library raises."""
    EmailMessage(
        subject="Welcome",
        body=WELCOME.format(name=command.name),
        to=[command.email],
        headers={"Message-ID": command.message_id},
    ).send()
