"""Template tags of the service's admin pages."""

from __future__ import annotations

import calendar as months_of
from datetime import UTC, date, datetime
from typing import Any

from django import template
from django.db.models import Max, Min

from apps.core.backoffice import overview
from apps.core.backoffice.log import address_of
from apps.core.models import AdminNote

register = template.Library()


@register.simple_tag
def overview_panels() -> list[overview.Drawn]:
    """The overview's panels, drawn now."""
    return overview.draw()


@register.simple_tag
def recent_notes(user: Any) -> list[tuple[AdminNote, str]]:
    """What the user did last in the admin, each with the address of its row."""
    return [(entry, address_of(entry)) for entry in AdminNote.objects.filter(user_id=user.pk).order_by("-id")[:10]]


@register.inclusion_tag("admin/date_hierarchy.html")
def calendar(cl: Any) -> dict[str, Any]:
    """Years, then months, then days to choose from, between the first and the last row of the list.

    Django's own asks for the dates that have rows, which reads the whole table; this one takes two look-ups in the
    column's index, and shows days without rows too.
    """
    name = cl.date_hierarchy
    bounds = cl.root_queryset.order_by().aggregate(first=Min(name), last=Max(name))
    if bounds["first"] is None:
        return {"show": False}
    first, last = bounds["first"].astimezone(UTC).date(), bounds["last"].astimezone(UTC).date()
    year, month, day = (_number(cl.params.get(f"{name}__{part}")) for part in ("year", "month", "day"))

    def link(**parts: int) -> str:
        chosen = {f"{name}__{part}": value for part, value in parts.items()}
        text: str = cl.get_query_string(chosen, [f"{name}__"])
        return text

    everything = {"link": link(), "title": "All dates"} if year else None
    year = year or (first.year if first.year == last.year else 0)
    if not year:
        choices = [{"link": link(year=one), "title": str(one)} for one in range(first.year, last.year + 1)]
        return {"show": True, "back": None, "choices": choices}
    if not month:
        choices = [
            {"link": link(year=year, month=one), "title": f"{months_of.month_name[one]} {year}"}
            for one in range(1, 13)
            if (first.year, first.month) <= (year, one) <= (last.year, last.month)
        ]
        return {"show": True, "back": everything, "choices": choices}
    whole_month = {"link": link(year=year, month=month), "title": f"{months_of.month_name[month]} {year}"}
    if day:
        return {"show": True, "back": whole_month, "choices": [{"title": f"{day} {months_of.month_name[month]}"}]}
    days = [date(year, month, one) for one in range(1, months_of.monthrange(year, month)[1] + 1)]
    choices = [
        {"link": link(year=year, month=month, day=one.day), "title": str(one.day)}
        for one in days
        if first <= one <= last
    ]
    return {"show": True, "back": {"link": link(year=year), "title": str(year)}, "choices": choices}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


@register.filter
def ago(moment: datetime | None) -> str:
    """How long since `moment`: 45 s, 12 min, 3 h, 2 d."""
    return overview.age((datetime.now(UTC) - moment).total_seconds() if moment else None)
