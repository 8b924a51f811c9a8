"""Texts for people: which characters can be seen, and which must not be in them."""

from __future__ import annotations

import re
import unicodedata

# a range that ECMAScript (in JSON Schema) and Python read alike
CONTROLS = r"\u0000-\u001f\u007f-\u009f"
# what shows nothing by itself: white space, fillers, joiners, marks of direction, variation selectors
# (Default_Ignorable_Code_Point of Unicode and the blanks beside it, as far as one \u spells them)
INVISIBLE = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
)
# words with a hyphen, as the names of figures spell them
_HYPHENED = re.compile(r"\b(log ins?|half open|e mail)\b")
_CONTROL = re.compile(f"[{CONTROLS}]")
_INVISIBLE = re.compile(f"[{INVISIBLE}\U000e0000-\U000e0fff\U0001d159]")
# separators, marks that need a letter to stand on, controls and formats
_SHOW_NOTHING = ("Z", "M", "Cc", "Cf", "Cs")


def has_controls(text: str) -> bool:
    """Whether `text` has a C0 or C1 control character; line breaks and tabs are control characters too."""
    return _CONTROL.search(text) is not None


def shows(text: str) -> bool:
    """Whether a reader of `text` sees anything."""
    return any(not unicodedata.category(c).startswith(_SHOW_NOTHING) and not _INVISIBLE.match(c) for c in text)


def in_words(name: str) -> str:
    """The name of a figure as people read it: "log-ins listed" for log_ins_listed."""
    return _HYPHENED.sub(lambda found: found[0].replace(" ", "-"), name.replace("_", " "))
