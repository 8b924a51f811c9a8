"""Dependency injection without a framework: a container builds each part once, and takes any part ready-made.

A subclass is the composition root: it has a `cached_property` for each part, which builds that part from others. What
a test gives to the constructor takes the place of the built one:

    class Container(Parts):
        @cached_property
        def people(self) -> People:
            return PeopleClient(self.env.people_url)

    Container(env).people                       # a client, built when first asked for
    Container(env, people=FakePeople()).people  # the fake

Source: M. Seemann, Dependency Injection Principles, Practices, and Patterns, ch. 4.1 (composition root).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Parts:
    """A container; `given` are parts by the names of its cached properties."""

    def __init__(self, **given: Any) -> None:
        """Raises TypeError for a name that is not a part of this container."""
        for name, part in given.items():
            if not isinstance(getattr(type(self), name, None), cached_property):
                raise TypeError(f"{type(self).__name__} has no part {name!r}")
            # where a cached property keeps what it has built
            vars(self)[name] = part
