"""What a search for users compares: their name and e-mail without letter case and accents.

Done here rather than by PostgreSQL, whose lower() and unaccent() depend on the server's locale and rules file; the
same function folds the column and the searched text, so both always agree.
"""

from __future__ import annotations

import unicodedata

# letters that Unicode does not split into a letter and a mark
STROKES = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}  # noqa: RUF001 - they are meant
)


def searchable(*texts: str) -> str:
    """`texts` folded, one line each: "Žofie Ångström" and "ZOFIE ANGSTROM" become the same.

    Source: Unicode Standard Annex 15 (NFKD) and section 3.13 of the standard (default case folding).
    """
    joined = "\n".join(texts)
    if joined.isascii():
        return joined.lower()
    apart = unicodedata.normalize("NFKD", joined.casefold())
    bare = "".join(character for character in apart if not unicodedata.combining(character))
    return bare.casefold().translate(STROKES)
