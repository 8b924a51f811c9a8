"""/dev/mail, in development only: every mail as it would be sent, with example values."""

from __future__ import annotations

from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.module_loading import autodiscover_modules

from apps.core.http.problems import only_safe
from apps.core.mail import MAILS, Mail


@only_safe
def mail_list(request: HttpRequest) -> HttpResponse:
    """Every kind of mail: its subject, its text, and links to its HTML and to it as a file."""
    mails = {name: mail.render(mail.example) for name, mail in sorted(_all().items())}
    return render(request, "core/mail_list.html", {"mails": mails})


@only_safe
def mail_file(request: HttpRequest, template: str) -> HttpResponse:
    """One as a file that a mail program opens."""
    mail = _one(template)
    answer = HttpResponse(mail.message(mail.example, to=["ada@example.com"]).message().as_bytes())
    answer.headers["Content-Type"] = "message/rfc822"
    answer.headers["Content-Disposition"] = f'attachment; filename="{template.rpartition("/")[2]}.eml"'
    return answer


# what reads mail knows no style sheets
@csp_update({"style-src": ["'unsafe-inline'"]})
@only_safe
def mail_page(request: HttpRequest, template: str) -> HttpResponse:
    """The HTML of one."""
    mail = _one(template)
    return HttpResponse(mail.render(mail.example).html)


def _all() -> dict[str, Mail]:
    # most are needed by workers only, and not loaded yet
    autodiscover_modules("mail")
    return MAILS


def _one(template: str) -> Mail:
    try:
        return _all()[template]
    except KeyError:
        raise Http404 from None
