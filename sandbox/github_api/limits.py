"""GitHub's rate limits: a number of requests an hour, and a number of writes a minute."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass, field

from sandbox.github_api.problems import Problem


@dataclass(frozen=True)
class RateLimits:
    """What each user may do. The defaults are GitHub's.

    Attributes:
        requests: in a window of ``window_seconds`` (the primary limit).
        writes_per_minute: of what makes content (a secondary limit).
        retry_after_seconds: what the answer to a hit secondary limit says in ``Retry-After``.
    """

    requests: int = 5000
    window_seconds: float = 3600
    writes_per_minute: int = 80
    retry_after_seconds: int = 60


@dataclass
class _Use:
    window_ends: float = 0
    used: int = 0
    writes: list[float] = field(default_factory=list)


class Limiter:
    """Counts each user's requests. ``limits`` may be replaced at any time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nobody has asked anything; the limits are GitHub's."""
        self.limits = RateLimits()
        self._uses: defaultdict[str, _Use] = defaultdict(_Use)

    def count(self, login: str, method: str) -> None:
        """Count a request.

        Raises:
            Problem: 403 when a limit is hit; the answer says when to come back.
        """
        use, present = self._use(login), time.time()
        if use.used >= self.limits.requests:
            raise Problem(403, f"API rate limit exceeded for user {login}.")
        use.used += 1
        if method == "GET":
            return
        use.writes = [moment for moment in use.writes if moment > present - 60]
        if len(use.writes) >= self.limits.writes_per_minute:
            raise Problem(
                403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                headers={"Retry-After": str(self.limits.retry_after_seconds)},
            )
        use.writes.append(present)

    def give_back(self, login: str) -> None:
        """Uncount a request: an answer of 304 costs nothing."""
        use = self._use(login)
        use.used = max(0, use.used - 1)

    def headers(self, login: str) -> dict[str, str]:
        """What every answer tells of the primary limit; the window's end in seconds since 1970."""
        use = self._use(login)
        return {
            "X-RateLimit-Limit": str(self.limits.requests),
            "X-RateLimit-Remaining": str(max(0, self.limits.requests - use.used)),
            "X-RateLimit-Reset": str(math.ceil(use.window_ends)),
        }

    def _use(self, login: str) -> _Use:
        use, present = self._uses[login], time.time()
        if use.window_ends <= present:
            use.window_ends, use.used = present + self.limits.window_seconds, 0
        return use
