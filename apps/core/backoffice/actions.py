"""Actions of the admin: a command for each selected row, once a person has seen what it will touch and said yes.

As Django's own deletion does: the first POST answers with a page that names the rows, the second one acts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from apps.core.backoffice.links import Link, list_of, page_of
from apps.core.backoffice.log import CHANGE, DELETION, note_row
from apps.core.bus import Command, bus
from apps.core.errors import DomainError

M = TypeVar("M", bound=models.Model)
# a form of Django's has up to 1,000 fields
MOST_ROWS = 500
NAMED_ROWS = 100
TOLD_REFUSALS = 10


def always(row: models.Model) -> bool:
    """Applies to any row."""
    return True


@dataclass(frozen=True, eq=False)
class CommandAction(Generic[M]):
    """An action: `label` on the button, `effect` on the page that asks, `done` in the log and in the message after.

    `applies` says for which rows the button makes sense; the command has the last word. `describe` names a row on the
    page that asks. `answer` turns the command's answer into a secret that the next page shows and that is kept nowhere,
    not in a message either. `deletes` says that the row is gone afterwards.
    """

    do_not_call_in_templates: ClassVar[bool] = True

    name: str
    label: str
    effect: str
    done: str
    command: Callable[[M, HttpRequest], Command[Any]]
    applies: Callable[[M], bool] = always
    describe: Callable[[M], str] = str
    answer: Callable[[M, Any], str] | None = None
    deletes: bool = False

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def short_description(self) -> str:
        """Django's name for the text in the list of actions."""
        return self.label

    def __call__(
        self, page: admin.ModelAdmin[M], request: HttpRequest, queryset: models.QuerySet[M]
    ) -> HttpResponse | None:
        """Ask, or act if the person has said yes."""
        rows = list(queryset[: MOST_ROWS + 1])
        if not rows:
            page.message_user(request, "None of the selected rows is there any more.", messages.ERROR)
            return None
        if len(rows) > MOST_ROWS:
            page.message_user(request, f"Select up to {MOST_ROWS} rows at a time; nothing was done.", messages.ERROR)
            return None
        if request.POST.get("post") != "yes":
            return self._ask(page, request, rows)
        model = page.opts.label_lower
        if secrets := self._act(page, request, rows):
            return shown_once(page, request, self.label, secrets)
        return redirect(page_of(model, rows[0].pk)) if request.POST.get("back") == "row" and len(rows) == 1 else None

    def _ask(self, page: admin.ModelAdmin[M], request: HttpRequest, rows: list[M]) -> HttpResponse:
        model = page.opts.label_lower
        chosen = [(ACTION_CHECKBOX_NAME, str(row.pk)) for row in rows]
        back = request.POST.get("back", "")
        question = Question(
            title=self.label,
            effect=self.effect,
            noun=str(page.opts.verbose_name if len(rows) == 1 else page.opts.verbose_name_plural),
            rows=[Link(self.describe(row), page_of(model, row.pk)) for row in rows],
            hidden=[("action", self.name), ("index", "0"), ("back", back), *chosen],
            cancel=page_of(model, rows[0].pk) if back == "row" else request.get_full_path(),
            trail=Link(str(page.opts.verbose_name_plural).capitalize(), list_of(model)),
        )
        return confirm(request, question)

    def _act(self, page: admin.ModelAdmin[M], request: HttpRequest, rows: list[M]) -> list[tuple[Link, str]]:
        refusals, secrets = [], []
        for row in rows:
            try:
                answer = bus.execute(self.command(row, request))
            except DomainError as error:
                refusals.append(f"{row}: {error}")
                continue
            note_row(request, DELETION if self.deletes else CHANGE, row, self.done)
            if self.answer:
                secrets.append((Link(str(row), page_of(page.opts.label_lower, row.pk)), self.answer(row, answer)))
        if acted := len(rows) - len(refusals):
            noun = page.opts.verbose_name if acted == 1 else page.opts.verbose_name_plural
            page.message_user(request, f"{acted} {noun}: {self.done}.", messages.SUCCESS)
        for refusal in refusals[:TOLD_REFUSALS]:
            page.message_user(request, refusal, messages.ERROR)
        if len(refusals) > TOLD_REFUSALS:
            more = len(refusals) - TOLD_REFUSALS
            page.message_user(request, f"{more} more were refused.", messages.ERROR)
        return secrets


@dataclass(frozen=True)
class Question:
    """What the page that asks says: it names `rows`, and posts `hidden` and `post=yes` to where it came from."""

    title: str
    effect: str
    noun: str
    rows: Sequence[Link]
    hidden: Sequence[tuple[str, str]]
    cancel: str
    trail: Link

    @property
    def named(self) -> Sequence[Link]:
        """The rows that fit on a page."""
        return self.rows[:NAMED_ROWS]

    @property
    def more(self) -> int:
        """How many more rows there are."""
        return max(len(self.rows) - NAMED_ROWS, 0)


def confirm(request: HttpRequest, question: Question) -> HttpResponse:
    """The page that asks `question`."""
    context = {**admin.site.each_context(request), "title": question.title, "question": question}
    return TemplateResponse(request, "admin/confirm.html", context)


def deletion(model: type[M], command: Callable[[M, HttpRequest], Command[Any]]) -> CommandAction[M]:
    """The deletion of selected rows of `model`: Django's own logs all of them before it deletes any."""
    return CommandAction[M](
        "delete_selected",
        "Delete",
        "Each is deleted with everything that belongs to it. This cannot be undone.",
        "deleted",
        command,
        # no button on the page of a row, which has Django's own
        applies=lambda row: False,
        deletes=True,
    )


def shown_once(
    page: admin.ModelAdmin[Any], request: HttpRequest, title: str, secrets: Sequence[tuple[Link, str]]
) -> HttpResponse:
    """The answer that shows `secrets`, each with the row it belongs to: on this page only, kept nowhere."""
    rows = list_of(page.opts.label_lower)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "shown": secrets,
        "trail": Link(str(page.opts.verbose_name_plural).capitalize(), rows),
        "back": secrets[0][0].address if len(secrets) == 1 else rows,
    }
    return TemplateResponse(request, "admin/shown_once.html", context, headers={"Cache-Control": "no-store"})
