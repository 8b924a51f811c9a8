"""For a write that is open to anyone: whoever sends a token must be active, and asking that is no trip of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error
from rest_framework.request import Request

from apps.core.api.views import ApiView
from apps.core.errors import NotAuthenticated
from apps.users.api.authentication import claims_given
from apps.users.queries import GetCaller, check_caller
from apps.users.tokens import Claims


class LateCheck(ApiView):
    """The first statement of `unit_of_work` checks the caller, so every write of a subclass runs in one.

    To be used with TokenAuthentication.
    """

    unchecked: Claims | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Run DRF's own, and keep what a token says."""
        super().initial(request, *args, **kwargs)
        self.unchecked = claims_given(request) if request.auth else None

    @contextmanager
    def unit_of_work(self, request: Request) -> Iterator[None]:
        """A transaction that begins with the check. Raises NotAuthenticated."""
        with super().unit_of_work(request):
            if self.unchecked is None:
                yield
                return
            with check_caller(self.unchecked):
                yield

    def handle_exception(self, exc: Exception) -> Any:
        """Tell a caller who may not call nothing else: what is wrong may have been found before the check."""
        if self.unchecked is not None and not isinstance(exc, NotAuthenticated | Error):
            try:
                self.bus.ask(GetCaller(self.unchecked))
            except (NotAuthenticated, Error) as error:
                exc = error
        return super().handle_exception(exc)
