"""How long to wait before the next try."""

import random
from datetime import datetime
from email.utils import parsedate_to_datetime


class Backoff:
    """Exponential waits with full jitter, so that many clients do not come back together.

    Args:
        first_seconds: Most that the first wait lasts.
        most_seconds: Most that any wait lasts.
        rng: Source of the jitter; one of its own when None.
    """

    def __init__(
        self, *, first_seconds: float = 0.5, most_seconds: float = 30.0, rng: random.Random | None = None
    ) -> None:
        self._first_seconds = first_seconds
        self._most_seconds = most_seconds
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret

    def seconds(self, attempt: int) -> float:
        """Return the wait after a failed attempt.

        Args:
            attempt: Number of the attempt that failed, from 1.

        Returns:
            Seconds, uniform in [0, min(most, first * 2**(attempt - 1))].
        """
        # The exponent is held low: 2.0**1024 overflows, and the cap is reached long before.
        ceiling = min(self._most_seconds, self._first_seconds * 2.0 ** min(attempt - 1, 60))
        return self._rng.uniform(0, ceiling)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return the wait that a Retry-After header asks for.

    Args:
        value: The header: whole seconds or an HTTP date; None where absent.
        now: The time, aware.

    Returns:
        Seconds, at least 0; None where the header is absent or cannot be read.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - now).total_seconds())
