"""A program that stays until a test ends it."""

from __future__ import annotations

LINGERING = "import signal; signal.alarm(600); signal.pause()"
"""For ``python -c``: waits for the signal of the test. The alarm, in seconds, ends only what the code under
test, or a test that was killed itself, leaves behind."""
