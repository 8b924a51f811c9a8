"""What the service's admin pages share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import admin as auth_admin  # noqa: F401 - registers the groups, so that they can be taken out
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import DataError, models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.core.backoffice.actions import CommandAction
from apps.core.backoffice.links import Link, anchor, list_of, related_to
from apps.core.backoffice.lists import CappedPaginator, by
from apps.core.backoffice.log import ADDITION, CHANGE, DELETION, address_of, note_row, said
from apps.core.errors import DomainError, VersionConflict
from apps.core.models import AdminNote

M = TypeVar("M", bound=models.Model)

# there are no permissions finer than "staff", so groups would do nothing
admin.site.unregister(Group)
admin.site.site_header = admin.site.site_title = settings.PRODUCT_NAME
admin.site.index_title = "Overview"
admin.site.index_template = "admin/overview.html"


PLAIN_LOOKUPS = frozenset({"exact", "isnull", "gte", "lt", "year", "month", "day"})


class Tool(NamedTuple):
    """A button over a list: its text, and the page that it leads to, with the name that stands in its address."""

    text: str
    name: str
    view: Callable[[HttpRequest], HttpResponse]


class ServiceAdmin(admin.ModelAdmin[M]):
    """What every page here shares: lists of any length, only their own filters, and clear words instead of errors.

    `tools` are buttons over the list, each with a page of its own; `unlisted` names the columns that a list does not
    show and that may be large.
    """

    show_full_result_count = False
    # would count the rows of each filter's values
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50
    # sorted by an index, or not at all
    sortable_by: ClassVar[tuple[str, ...]] = ()
    change_list_template = "admin/service_list.html"
    change_form_template = "admin/service_form.html"
    tools: ClassVar[Sequence[Tool]] = ()
    unlisted: ClassVar[Sequence[str]] = ()

    class Media:
        css: ClassVar = {"all": ["core/admin.css"]}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow only the fields of the filters: any other would let staff probe columns that no page shows."""
        name, *rest = lookup.split("__")
        return name in self._filtered() and set(rest) <= PLAIN_LOOKUPS

    def get_urls(self) -> list[URLPattern]:
        """Django's, and a route for each of the tools."""
        page = self.admin_site.admin_view
        own = [path(f"{tool.name}/", page(tool.view), name=self._route(tool)) for tool in self.tools]
        return [*own, *super().get_urls()]

    def _route(self, tool: Tool) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{tool.name}"

    def _filtered(self) -> set[str]:
        named = {str(getattr(one, "parameter_name", one)) for one in self.list_filter}
        return named | {self.date_hierarchy} if self.date_hierarchy else named

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[M]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*self.unlisted) if is_list else rows

    def get_ordering(self, request: HttpRequest) -> Any:
        """Order a span of days by day: ordered by key, the list would read every row that is newer."""
        if self.date_hierarchy and f"{self.date_hierarchy}__year" in request.GET:
            return (f"-{self.date_hierarchy}", "-pk")
        return super().get_ordering(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list; if it cannot be shown as asked for, the whole list and the reason."""
        tools = [Link(tool.text, reverse(f"admin:{self._route(tool)}")) for tool in self.tools]
        try:
            response = super().changelist_view(request, {"tools": tools, **(extra_context or {})})
            # rendered here, where the query runs and its errors can still be answered
            return response.render() if isinstance(response, TemplateResponse) else response
        except (ValueError, OverflowError, ValidationError, DataError):
            if not request.GET:
                self.message_user(request, "The list cannot be shown: one of its rows cannot be read.", messages.ERROR)
                return redirect("admin:index")
            self.message_user(request, "The address of this page makes no sense; here is everything.", messages.ERROR)
            return redirect(request.path)
        except DomainError as error:
            return self._refused(request, error)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """The page of one row; if a command refuses, the page says why and nothing is kept.

        Without Django's transaction around it all: the command has its own, and a form may have to ask another machine.
        """
        arguments = (request, object_id, form_url, extra_context)
        try:
            try:
                return self._changeform_view(*arguments)  # type: ignore[attr-defined] # unknown to the stubs
            except VersionConflict:
                # changed between the form's look and the command's: the form looks again, and says so
                return self._changeform_view(*arguments)  # type: ignore[attr-defined] # as above
        except DomainError as error:
            return self._refused(request, error)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Redirect to what the log has about the row."""
        return redirect(list_of("core.adminnote", model=self.opts.label_lower, object_id=unquote(object_id)))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write a note instead of a LogEntry, as the two methods below do."""
        note_row(request, ADDITION, obj)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        note_row(request, CHANGE, obj, said(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            note_row(request, DELETION, row)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Django's own; if the command refuses, a message says why."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except DomainError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: DomainError) -> HttpResponse:
        self.message_user(request, str(error), messages.ERROR)
        return redirect(list_of(self.opts.label_lower))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name what is deleted; Django's own would read every row that goes with it, a million deliveries perhaps."""
        rows = list(objs)
        counts = {str(self.opts.verbose_name_plural): len(rows)}
        return [f"{row}, with everything that belongs to it" for row in rows], counts, set(), []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add the links to related rows, and a button for each action that applies."""
        row = kwargs.get("obj")
        if row is not None:
            actions = [one for one in self.actions or () if isinstance(one, CommandAction) and one.applies(row)]
            context |= {"related": related_to(row), "row_actions": actions, "list": list_of(self.opts.label_lower)}
        return super().render_change_form(request, context, *args, **kwargs)


class HistoryAdmin(ServiceAdmin[M]):
    """Rows to look at: what happened is not edited, added or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AdminNote)
class AdminNoteAdmin(HistoryAdmin[AdminNote]):
    """Who did what in the admin."""

    list_display = ("at", "by_whom", "what", "kind", "row", "message")
    list_filter = (by("user", "user_id"), by("kind", "model"), by("row", "object_id"))
    ordering = ("-id",)

    @admin.display(description="By")
    def by_whom(self, entry: AdminNote) -> object:
        return anchor(entry.who, list_of(self.opts.label_lower, user_id=entry.user_id))

    @admin.display(description="Did")
    def what(self, entry: AdminNote) -> str:
        return entry.get_flag_display()

    @admin.display(description="To a")
    def kind(self, entry: AdminNote) -> str:
        return entry.model.partition(".")[2]

    @admin.display(description="Called")
    def row(self, entry: AdminNote) -> object:
        address = address_of(entry)
        return anchor(entry.name, address) if address else entry.name
