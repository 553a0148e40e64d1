"""Waiting in tests: never a fixed time, but until it is so, and with a word on what was seen instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(
    look: Callable[[], Any],
    told: Callable[[], object] = lambda: "it did not happen in time",
    *,
    seconds: float = 120.0,
    pause: float = 0.05,
) -> Any:
    """What ``look`` finds, as soon as that is something.

    Args:
        look: asked again and again.
        told: what the test says where it finds nothing.
        seconds: until that is given up.
        pause: seconds between two looks.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, told()
        time.sleep(pause)
    return found
