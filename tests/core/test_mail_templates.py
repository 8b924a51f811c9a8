"""Every mail is a pair of templates, rendered in one place, and shows at /dev/mail in development."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from django.urls import path
from django.utils.html import escape
from django.utils.module_loading import autodiscover_modules

from apps.core.http import mail_preview
from apps.core.mail import MAILS, Mail
from tests.processes import ROOT

autodiscover_modules("mail")
ODD = {
    "odd.txt": "Hello {{ name }}\n\nDear {{ name }}",
    "odd.html": "<p>{{ subject }}</p><p>Dear {{ name }}</p>",
}


@pytest.fixture
def odd() -> Iterator[Mail]:
    """A mail whose subject has a value in it."""
    loaders = [("django.template.loaders.locmem.Loader", ODD)]
    backend = {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}
    with override_settings(TEMPLATES=[backend]):
        yield Mail("odd", {"name": "Ada"})
    del MAILS["odd"]


def templates() -> list[Path]:
    """The templates of mails, without the frame that all have."""
    return [file for file in ROOT.glob("apps/*/templates/*/mail/*") if file.name != "layout.html"]


def test_every_template_belongs_to_a_mail_and_every_mail_has_both() -> None:
    files = {f"{file.parts[-3]}/mail/{file.name}" for file in templates()}
    assert files == {f"{name}.{kind}" for name in MAILS for kind in ("txt", "html")}


@pytest.mark.parametrize("name", MAILS)
def test_text_and_html_say_every_value(name: str) -> None:
    mail = MAILS[name]
    rendered = mail.render(mail.example)
    assert 5 < len(rendered.subject) < 70
    for value in mail.example.values():
        assert str(value) in rendered.text
        assert escape(value) in rendered.html
    assert f"<title>{escape(rendered.subject)}</title>" in rendered.html


def test_html_escapes_what_text_says_as_it_is(odd: Mail) -> None:
    rendered = odd.render({"name": "<b>O'Hara & Co</b>"})
    assert "<b>O'Hara & Co</b>" in rendered.text
    assert "&lt;b&gt;O&#x27;Hara &amp; Co&lt;/b&gt;" in rendered.html


def test_a_value_that_is_missing_or_unknown_is_an_error_and_no_blank(odd: Mail) -> None:
    for values in ({}, {"name": "Ada", "nane": "Ada"}):
        with pytest.raises(TypeError, match="takes name"):
            odd.render(values)


def test_two_mails_of_one_name_are_refused(odd: Mail) -> None:
    with pytest.raises(ImproperlyConfigured, match="already a mail"):
        Mail("odd", {})


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
def test_no_value_begins_another_header(odd: Mail, end: str) -> None:
    message = odd.message({"name": f"Ada{end}Bcc: eve@example.com{end}{end}Buy"}, to=["ada@example.com"])
    raw = message.message()
    assert "Bcc" not in raw
    assert message.recipients() == ["ada@example.com"]
    assert len(message.subject.splitlines()) == 1


def test_no_address_begins_another_header(odd: Mail) -> None:
    message = odd.message({"name": "Ada"}, to=["ada@example.com\r\nBcc: eve@example.com"])
    with pytest.raises(ValueError, match=r"newline|Header values"):
        message.message()


def test_the_preview_lists_every_mail_as_text_and_as_html() -> None:
    urls = ModuleType("preview_urls")
    vars(urls)["urlpatterns"] = [
        path("dev/mail", mail_preview.mail_list),
        path("dev/mail/<path:template>.eml", mail_preview.mail_file),
        path("dev/mail/<path:template>", mail_preview.mail_page),
    ]
    with override_settings(ROOT_URLCONF=urls):
        page = Client().get("/dev/mail")
        assert page.status_code == 200
        for name, mail in MAILS.items():
            rendered = mail.render(mail.example)
            assert escape(rendered.text) in page.content.decode()
            assert f'href="/dev/mail/{name}"' in page.content.decode()
            assert Client().get(f"/dev/mail/{name}").content.decode() == rendered.html
            assert f'href="/dev/mail/{name}.eml"' in page.content.decode()
            file = Client().get(f"/dev/mail/{name}.eml")
            assert file.headers["Content-Disposition"] == f'attachment; filename="{Path(name).name}.eml"'
            opened = message_from_bytes(file.content, policy=policy.default)
            assert opened["Subject"] == rendered.subject
            assert {part.get_content_type() for part in opened.walk()} >= {"text/plain", "text/html"}
        assert Client().get("/dev/mail/nothing.eml").status_code == 404
        assert "unsafe-inline" in Client().get(f"/dev/mail/{next(iter(MAILS))}").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "address", ["/dev/mail", *(f"/dev/mail/{name}{end}" for name in MAILS for end in ("", ".eml"))]
)
def test_outside_development_there_is_no_preview(address: str) -> None:
    assert Client().get(address).status_code == 404
