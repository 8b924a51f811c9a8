"""A call that fails twice is answered by the third try, and nobody has slept."""

from apps.core.resilience.retry import Retry, TransientError

waits: list[float] = []
answers = iter([TransientError("busy"), TransientError("busy"), "done"])


def ask() -> str:
    answer = next(answers)
    if isinstance(answer, TransientError):
        raise answer
    return answer


assert Retry(max_attempts=3, base_delay=1, sleep=waits.append).call(ask) == "done"
assert len(waits) == 2
assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2
print("used")
