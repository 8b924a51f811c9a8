"""What the service's admin pages share."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import DataError, models
from django.http import HttpRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse

M = TypeVar("M", bound=models.Model)

# there are no permissions finer than "staff", so groups would do nothing
admin.site.unregister(Group)
admin.site.site_header = "Patterns"
admin.site.site_title = "Patterns"
admin.site.index_title = "Overview"


PLAIN_LOOKUPS = frozenset({"exact", "isnull", "gte", "lt", "year", "month", "day"})


class ServiceAdmin(admin.ModelAdmin[M]):
    """What every page here shares: only its own filters, and a clear word for an address that makes no sense."""

    # an exact count of a large table costs more than the page
    show_full_result_count = False
    list_per_page = 50

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """By the fields of the filters alone: any other would let staff probe columns that no page shows."""
        name, *rest = lookup.split("__")
        shown = {str(field) for field in (*self.list_filter, self.date_hierarchy) if field}
        return name in shown and set(rest) <= PLAIN_LOOKUPS

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list; one that cannot be had as asked for is answered with the whole list and the reason."""
        try:
            response = super().changelist_view(request, extra_context)
            # rendered here, where the query runs and its errors can still be answered
            return response.render() if isinstance(response, TemplateResponse) else response
        except (ValueError, OverflowError, ValidationError, DataError):
            self.message_user(request, "The address of this page makes no sense; here is everything.", messages.ERROR)
            return redirect(request.path)


class HistoryAdmin(ServiceAdmin[M]):
    """Rows to look at: what happened is not edited, added or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
