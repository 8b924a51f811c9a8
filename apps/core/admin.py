"""What the service's admin pages share."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

M = TypeVar("M", bound=models.Model)

admin.site.site_header = "Patterns"
admin.site.site_title = "Patterns"
admin.site.index_title = "Overview"


class HistoryAdmin(admin.ModelAdmin[M]):
    """Rows to look at: what happened is not edited, added or deleted by hand."""

    # an exact count of a large table costs more than the page
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
