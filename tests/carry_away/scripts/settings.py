"""Another service declares its settings and learns of all its mistakes at once; no value is in the message."""

import os
from dataclasses import dataclass
from pathlib import Path

from config.files import read_env_file
from config.kinds import checked, flag, integer, text
from config.reader import REQUIRED, Reader, Refused, SettingsError, depends, documented, section


def isbn(raw: str) -> str:
    """A number of 13 digits."""
    if len(raw) != 13:
        raise Refused("an ISBN has 13 digits")
    return raw


@dataclass(frozen=True, kw_only=True)
class Library:
    """The settings of a library."""

    profile: str
    key: str = section("needed", text(REQUIRED, "Signs cards", at_least=16, expected="16 characters or more"))
    loans: int = integer(5, "Books that a reader may have at a time", at_most=100)
    reminders: int = integer(depends(lambda known: 2 * known["loans"]), "Reminders of one reader a year")
    closed: bool = flag("Lend nothing")
    book_of_the_year: str = checked("9780000000002", "The ISBN of the book at the door", isbn)


Path(".env").write_text("KEY=s3cr3t\nLOANS='7'\nBOOK_OF_THE_YEAR=s3cr3t\nCLOSED = s3cr3t\n")
file = read_env_file(Path(".env"))
reader = Reader(Library, os.environ, profile="production")
assert reader.read() == Library(
    profile="production", key=None, loans=7, reminders=14, closed=False, book_of_the_year="9780000000002"
)
assert file.problems == [".env, line 4 is no NAME=value: no blanks around the =, and a comment starts with #"]
assert reader.problems == [
    "KEY is malformed: 16 characters or more",
    "BOOK_OF_THE_YEAR is malformed: an ISBN has 13 digits",
]
try:
    raise SettingsError(file.problems + reader.problems)
except SettingsError as error:
    assert str(error).count("\n  ") == 3
    assert "s3cr3t" not in str(error)

example = documented(Library)
assert "# Books that a reader may have at a time\nLOANS=5\n" in example
assert "PROFILE" not in example
print("used")
