"""What the steps of one execution of a run share: a clone, and answers that do not change.

A run is executed in one process, from its start, resumption or retry to its end or the next gate; what is
shared ends with that. A step that is not a part of an execution shares nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from connections import GitOpsRepository
from runbook.documents import one_tree
from systems.gitops import GitOpsClone

T = TypeVar("T")


class _Shared(ExitStack):
    """Closing it removes the clone."""

    def __init__(self) -> None:
        super().__init__()
        self.clone: tuple[GitOpsRepository, GitOpsClone] | None = None
        self.answers: dict[Hashable, Any] = {}

    def close(self) -> None:
        self.clone = None
        super().close()


_SHARED: ContextVar[_Shared | None] = ContextVar("shared", default=None)


@contextmanager
def execution() -> Iterator[None]:
    """One execution of a run."""
    with _Shared() as shared:
        before = _SHARED.set(shared)
        try:
            yield
        finally:
            _SHARED.reset(before)


@contextmanager
def cloned(repository: GitOpsRepository, *, anew: bool = False) -> Iterator[GitOpsClone]:
    """The clone of this execution, which may be some seconds old: see `GitOpsClone.renew`.

    It is made if there is none, if the connection is another one by now, after an error, and if asked for
    ``anew``. What a step reads of it counts together.
    """
    shared = _SHARED.get()
    if shared is None:
        with execution(), cloned(repository) as base:
            yield base
        return
    if anew or shared.clone is None or shared.clone[0] != repository:
        shared.close()
        shared.clone = repository, shared.enter_context(repository.clone())
    try:
        with one_tree():
            yield shared.clone[1]
    except BaseException:
        shared.close()
        raise


def share(question: Hashable, answer: object) -> None:
    """Have this execution know the answer to a question, in place of an older one."""
    if shared := _SHARED.get():
        shared.answers[question] = answer


def once(question: Hashable, ask: Callable[[], T]) -> T:
    """The answer to a question that one execution asks once, unless it is not answered."""
    shared = _SHARED.get() or _Shared()
    if question not in shared.answers:
        shared.answers[question] = ask()
    answer: T = shared.answers[question]
    return answer
