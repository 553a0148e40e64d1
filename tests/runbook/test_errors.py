"""What a caller decides by stays with an error on its way through Prefect's result storage."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from runbook.errors import (
    AccessDenied,
    Busy,
    EnablementError,
    NotAuthenticated,
    UnexpectedAnswer,
    Unreachable,
)

WAYS: dict[str, Callable[[EnablementError], EnablementError]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
def test_maybe_done_and_retry_after_survive(way: str) -> None:
    error = Busy("Vault", "sys/auth", "503 sealed", "Wait.", maybe_done=True, retry_after=7.0)
    there = WAYS[way](error)
    assert (type(there), there.maybe_done, there.retry_after) == (Busy, True, 7.0)
    assert str(there) == str(error) == "Vault, sys/auth: 503 sealed. Wait."


@pytest.mark.parametrize("way", WAYS)
def test_a_broken_off_request_that_changed_nothing_stays_so(way: str) -> None:
    assert not WAYS[way](Unreachable("Git", "a", "b", "c", maybe_done=False)).maybe_done


def test_only_what_broke_off_may_have_been_done_where_nothing_else_is_said() -> None:
    assert Unreachable("Vault", "a", "b", "c").maybe_done
    assert not Busy("Vault", "a", "b", "c").maybe_done
    assert not UnexpectedAnswer("Vault", "a", "b", "c").maybe_done


def test_who_is_not_known_is_also_denied() -> None:
    assert issubclass(NotAuthenticated, AccessDenied)


def test_what_prefect_logs_of_a_try_reads_like_the_text() -> None:
    assert repr(Busy("Vault", "sys/auth", "503", "Wait.")) == "Busy: Vault, sys/auth: 503. Wait."
