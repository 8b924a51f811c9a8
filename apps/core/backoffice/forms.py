"""Forms of the admin that cannot undo what others did meanwhile.

A form carries what the person saw, with its version. What they changed is worked out from that, not from the row of
now; and if the row was changed meanwhile, nothing is saved: the form comes back, says what was changed, by whom if that
is known, and shows the present values wherever the person had left them alone.
Source: M. Fowler, Patterns of Enterprise Application Architecture: Optimistic Offline Lock.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import QueryDict

from apps.core.backoffice.log import notes_of

M = TypeVar("M", bound=models.Model)
TOO_OLD = "This form does not say which version of the row it shows; nothing was saved. Load the page again."


class Seen(forms.JSONField):
    """What the person saw: `{version, note, values}`, `note` being the number of the newest entry in the log."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class VersionedForm(forms.ModelForm[M]):
    """A form over a row with a `version`; `changes` is what the person changed, by field, once the form is valid."""

    seen = Seen(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["seen"]
            return
        names = [name for name in self.fields if name in self.initial]
        newest = notes_of(self._meta.model._meta.label_lower, self.instance.pk).values_list("id", flat=True).first()
        self._present = {
            "version": self.instance.version,  # type: ignore[attr-defined] # Versioned; a Protocol cannot join the bound
            "note": newest or 0,
            "values": {name: self.initial[name] for name in names},
        }
        self.initial["seen"] = self._present

    @property
    def changes(self) -> dict[str, Any]:
        """The values of the fields that the person changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self._present["values"]}

    @property
    def seen_version(self) -> int:
        """The version of the row that the person saw."""
        return int(self.cleaned_data["seen"]["version"])

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError for a form that does not say what was seen."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if "seen" not in self.fields:
            return given
        seen: Any = given.get("seen")
        if not _is_seen(seen, self._present["values"]):
            raise ValidationError(TOO_OLD, code="version")
        self.initial |= seen["values"]
        if seen["version"] != self._present["version"]:
            self._refuse(seen)
        return given

    def _refuse(self, seen: dict[str, Any]) -> None:
        mine, before, now = set(self.changed_data), seen["values"], self._present["values"]
        for name in now:
            if before[name] != now[name]:
                self.add_error(name, f"Changed meanwhile from {shown(before[name])} to {shown(now[name])}.")
        notes = notes_of(self._meta.model._meta.label_lower, self.instance.pk).filter(id__gt=seen["note"])
        people = sorted(set(notes.values_list("who", flat=True)[:100]))
        by = f" by {', '.join(people)}" if people else ""
        unseen = "" if before != now else " This form does not show what was changed."
        said = (
            f"This was changed{by} since you opened the page.{unseen} Nothing is saved yet: look at it and save again."
        )
        self.add_error(None, ValidationError(said, code="version"))
        self.data = _with(self.data, {name: now[name] for name in now if name not in mine}, self._present)


def _is_seen(seen: Any, values: dict[str, Any]) -> bool:
    return (
        isinstance(seen, dict)
        and all(isinstance(seen.get(name), int) for name in ("version", "note"))
        and isinstance(seen.get("values"), dict)
        and seen["values"].keys() == values.keys()
    )


def _with(data: Any, values: dict[str, Any], seen: dict[str, Any]) -> QueryDict:
    """`data` with `values`, as a browser would send them, and with what the person sees from now on."""
    copy: QueryDict = data.copy()
    for name, value in values.items():
        copy.pop(name, None)
        if isinstance(value, list):
            copy.setlist(name, value)
        elif value is not False:
            copy[name] = "on" if value is True else value
    copy["seen"] = json.dumps(seen)
    return copy


def shown(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"“{value}”"
