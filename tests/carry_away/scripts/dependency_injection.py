"""A container builds a part from another one; a test gives it that other one."""

from functools import cached_property

from apps.core.parts import Parts


class Container(Parts):
    """The composition root of another project."""

    @cached_property
    def rate(self) -> int:
        """Cents a minute."""
        return 30

    @cached_property
    def bill(self) -> str:
        """What ten minutes cost."""
        return f"{self.rate * 10} cents"


assert Container().bill == "300 cents"
assert Container(rate=1).bill == "10 cents"
try:
    Container(rates=1)
except TypeError:
    print("used")
