"""What is kept about a person: how each app tells it to them, and how it erases it.

An app says so in its `personal.py`, with a Holding for each place where something is kept; its AppConfig.ready()
imports it. The use cases that walk through them stand in apps/users/leaving.py and export.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

# a domain that nobody can have: RFC 2606, section 2
DOMAIN = "erased.invalid"
PAGE = 200
# what an e-mail that is longer goes on with, before and after: RFC 5322, section 3.2.3
NOT_BEFORE, NOT_AFTER = r"(?<![A-Za-z0-9.!#$%&'*+/=?^_`{|}~-])", r"(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
ESCAPE_BEFORE = r"(?<=\\[bfnrt])|(?<=\\[0-7][0-7][0-7])"
Row = Mapping[str, object]


@dataclass(frozen=True)
class Person:
    """A user, as what is kept about them names them."""

    user_id: int
    email: str
    name: str
    is_staff: bool = False
    # whether they have shown that the e-mail is theirs
    verified: bool = False
    # e-mails that they had before, and that nobody else has now
    others: tuple[str, ...] = ()
    # when they were deleted, in ISO 8601: what names the e-mail later is about somebody else, who has it since
    gone_at: str = ""

    @property
    def emails(self) -> tuple[str, ...]:
        """Every e-mail that is known of them."""
        return (self.email, *self.others)

    @property
    def pseudonym(self) -> str:
        """What stands in the place of their e-mail, and always the same, so that what was about one stays about one."""
        return f"erased-{self.user_id}@{DOMAIN}"

    @property
    def called(self) -> str:
        """What stands in the place of their name."""
        return number_of(self.user_id)

    @property
    def written(self) -> str:
        """A regular expression of Python and PostgreSQL that finds their e-mails, but not ada@x.org in nada@x.org."""
        return f"{NOT_BEFORE}(?:{self._any_of(self.emails)}){NOT_AFTER}"

    @property
    def escaped(self) -> str:
        """The same, also for the text of a JSON document, and for what `encode(…, 'escape')` makes of bytes."""
        emails = [spelt for email in self.emails for spelt in (json.dumps(email)[1:-1], email)]
        return f"(?:{NOT_BEFORE}|{ESCAPE_BEFORE})(?:{self._any_of(emails)}){NOT_AFTER}"

    @property
    def values(self) -> dict[str, Any]:
        """The same for a statement, by name."""
        return {
            "user_id": self.user_id,
            "called": self.called,
            "pseudonym": self.pseudonym,
            "written": self.written,
            "escaped": self.escaped,
            "gone_at": self.gone_at or None,
        }

    def _any_of(self, texts: Sequence[str]) -> str:
        return "|".join(map(re.escape, texts))

    def scrub(self, value: Any) -> Any:
        """`value`, of JSON, with the pseudonym for their e-mail wherever it is, and for texts that are their name."""
        if isinstance(value, str):
            if value.strip().casefold() == self.name.strip().casefold():
                return self.called
            return re.sub(self.written, self.pseudonym, value, flags=re.IGNORECASE)
        if isinstance(value, dict):
            return {name: self.scrub(one) for name, one in value.items()}
        return [self.scrub(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Holding:
    """A place where something is kept about people; None: there is nothing to do.

    `tell` gives the rows about a person, the newest first. `at_once` erases in the transaction that deletes them, a
    bounded number of rows. `step` erases the next batch after the key `after` ("" at first) and returns the key to go
    on from, or None at the end: it is repeated, and must not mind. With `waits` a step asks another machine, and no
    transaction is open.
    """

    name: str
    tell: Callable[[Person], Iterator[Row]] | None = None
    at_once: Callable[[Person], None] | None = None
    step: Callable[[Person, str], str | None] | None = None
    waits: bool = False


def number_of(user_id: int) -> str:
    """What a user is called once they are erased."""
    return f"user {user_id}"


HOLDINGS: dict[str, Holding] = {}
# what events about a person are filed under
_aggregates: list[Callable[[Person], Iterable[str]]] = []


def hold(holding: Holding) -> None:
    """Have `holding` told and erased. Raises ValueError for a second one of the name."""
    if holding.name in HOLDINGS:
        raise ValueError(f"there is already a holding {holding.name!r}")
    HOLDINGS[holding.name] = holding


def file_under(aggregates: Callable[[Person], Iterable[str]]) -> None:
    """Have the events of `aggregates` told and erased with a person."""
    _aggregates.append(aggregates)


def aggregates_of(person: Person) -> list[str]:
    """What the events about `person` are filed under."""
    return [one for aggregates in _aggregates for one in aggregates(person)]


def erase_at_once(person: Person) -> None:
    """Erase what can be in the transaction that deletes `person`."""
    for holding in HOLDINGS.values():
        if holding.at_once:
            holding.at_once(person)


def newest(rows: QuerySet[Any, Any]) -> Iterator[Row]:
    """The dictionaries of `rows`, which have the key "id", newest first and a page at a time."""
    page = list(rows.order_by("-id")[:PAGE])
    while page:
        yield from page
        page = list(rows.filter(id__lt=page[-1]["id"]).order_by("-id")[:PAGE])


def walk(model: type[Model], after: str, limit: int, change: Callable[[int, int], object]) -> str | None:
    """Call `change(first, last)` with the keys of the next `limit` rows; the key to go on from, or None at the end.

    A table without an index that would find a person is gone through this way, a short piece in each transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT min(id), max(id), count(*) FROM (SELECT id FROM {model._meta.db_table} WHERE id > %s"  # noqa: S608 - a table of ours
            " ORDER BY id LIMIT %s) page",
            [int(after or 0), limit],
        )
        first, last, found = cursor.fetchone()
    if not found:
        return None
    change(first, last)
    return str(last) if found == limit else None
