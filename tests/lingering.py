"""A program that stays until a test ends it."""

from __future__ import annotations

LINGERING = "import time; time.sleep(600)"
"""For ``python -c``. Nothing waits for its end; it has one, so that a child that the code under test, or a
test that was killed itself, leaves behind does not stay for ever."""
