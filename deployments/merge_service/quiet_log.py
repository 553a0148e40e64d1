"""A log that strangers cannot fill: what anybody on the network can cause is one line a minute."""

from __future__ import annotations

import logging
import time

_AGAIN_SECONDS = 60.0


class QuietLog:
    """One line a text and minute, however often it is to be written. Used by one thread."""

    def __init__(self, log: logging.Logger) -> None:
        """Args: log: where the lines go."""
        self._log = log
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, text: str) -> None:
        """Write it, or count it for the next time. ``text`` is one of a few: never what a stranger sent."""
        now = time.monotonic()
        if now < self._next.get(text, now):
            self._left_out[text] = self._left_out.get(text, 0) + 1
            return
        self._next[text] = now + _AGAIN_SECONDS
        more = self._left_out.pop(text, 0)
        self._log.warning("%s%s", text, f" (And {more} times more before.)" if more else "")
