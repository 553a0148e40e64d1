"""GitHub's rate limits: a number of requests an hour, and a number of writes a minute."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from deployments.sandbox.github_api.problems import Problem

_DOCUMENTATION = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
_READS = ("GET", "HEAD")


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
    window_ends: float
    used: int = 0
    writes: deque[float] = field(default_factory=deque)


class Limiter:
    """Counts each user's requests. ``limits`` may be replaced at any time."""

    def __init__(self, limits: RateLimits) -> None:
        self._first_limits = self.limits = limits
        self._uses: dict[str, _Use] = {}

    def forget(self) -> None:
        """Nobody has asked anything; the limits are those of the beginning."""
        self.limits = self._first_limits
        self._uses.clear()

    def count(self, login: str, method: str) -> None:
        """Count a request.

        Raises:
            Problem: 403 when a limit is hit; the answer says when to come back.
        """
        use = self._use(login)
        if use.used >= self.limits.requests:
            message = f"API rate limit exceeded for user {login}."
            raise Problem(403, message, documentation=_DOCUMENTATION)
        use.used += 1
        if method in _READS:
            return
        present = time.time()
        while use.writes and use.writes[0] < present - 60:
            use.writes.popleft()
        if len(use.writes) >= self.limits.writes_per_minute:
            raise Problem(
                403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                documentation=f"{_DOCUMENTATION}#about-secondary-rate-limits",
                headers={"Retry-After": str(self.limits.retry_after_seconds)},
            )
        use.writes.append(present)

    def give_back(self, login: str) -> None:
        """Uncount a request: an answer of 304 costs nothing."""
        use = self._use(login)
        use.used = max(0, use.used - 1)

    def rate(self, login: str) -> dict[str, int]:
        """``limit``, ``remaining``, ``used`` and ``reset`` (seconds since 1970)."""
        use = self._use(login)
        return {
            "limit": self.limits.requests,
            "remaining": max(0, self.limits.requests - use.used),
            "reset": math.ceil(use.window_ends),
            "used": use.used,
        }

    def _use(self, login: str) -> _Use:
        present = time.time()
        use = self._uses.get(login)
        if use is None or use.window_ends <= present:
            writes = use.writes if use else deque[float]()
            use = self._uses[login] = _Use(present + self.limits.window_seconds, writes=writes)
        return use
