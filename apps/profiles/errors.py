"""What the use cases of profiles refuse."""

from apps.core.errors import DomainError


class CacheAway(DomainError):
    """The cache cannot be told to forget something now; what it has ends by itself, a day after REDIS_TTL."""

    code = "cache_away"

    def __init__(self) -> None:
        super().__init__("The cache does not answer, so it cannot be told to forget; try again when REDIS_URL answers.")
