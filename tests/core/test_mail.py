"""One connection to the mail server for many mails; what the server says about one is that mail's outcome."""

from __future__ import annotations

from smtplib import SMTPRecipientsRefused

import pytest
from django.core.mail import EmailMessage

from apps.core.mail import kept_connections, send
from tests.mail_server import Server


def mail_to(*names: str) -> None:
    for name in names:
        send(EmailMessage("Subject", "Body", to=[f"{name}@example.com"]))


def test_many_mails_go_over_one_connection(mail_server: Server) -> None:
    with kept_connections():
        mail_to("ada", "bob", "eve")
    assert (mail_server.conversations, len(mail_server.mails)) == (1, 3)


def test_outside_the_block_none_is_kept(mail_server: Server) -> None:
    mail_to("ada", "bob")
    assert mail_server.conversations == 2


def test_a_refused_recipient_is_that_mail_s_outcome(mail_server: Server) -> None:
    with kept_connections():
        mail_to("ada")
        with pytest.raises(SMTPRecipientsRefused):
            mail_to("nobody")
        mail_to("bob")
    assert mail_server.mails == ["ada@example.com", "bob@example.com"]
    assert mail_server.conversations == 1


@pytest.mark.parametrize("good_bye", [b"", b"421 too many for today\r\n"], ids=["cut off", "421"])
def test_a_server_that_ends_the_conversation_is_greeted_anew(mail_server: Server, good_bye: bytes) -> None:
    mail_server.most, mail_server.good_bye = 2, good_bye
    with kept_connections():
        mail_to("ada", "bob", "eve", "dan", "kim")
    assert [address[:3] for address in mail_server.mails] == ["ada", "bob", "eve", "dan", "kim"]
    assert mail_server.conversations == 3


def test_it_is_tried_again_once_and_not_for_ever(mail_server: Server) -> None:
    mail_server.most = 0
    with kept_connections(), pytest.raises(OSError, match="onnection"):
        mail_to("ada")
    assert mail_server.conversations == 1
