"""One look at all places where it shows what runs still lack after their merge.

A place that does not answer must not hold up the others: several are looked at at the same time, and those
that did not answer last time come last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import httpx

from change.gate.waking import Lacks, Log, Waker
from change.runbook import Lack
from runbook.errors import EnablementError, PermanentError, UnexpectedAnswer, Unreachable

_AT_ONCE = 8
_PATIENCE = 30.0
"""Seconds for all places together; what has not answered by then is a problem of the round."""


class Visits:
    """Looks, and remembers what is worth it from one look to the next."""

    def __init__(self, log: Log, patience: float = _PATIENCE) -> None:
        self._log = log
        self._patience = patience
        self._silent: set[str] = set()
        self._told: dict[UUID, str] = {}
        """Errors for which a run was woken, so that it is woken once where only we see the error."""

    def look(self, waiting: Sequence[Lacks], waker: Waker) -> list[EnablementError]:
        """Wake those that have a reason; returns what could not be looked at.

        Raises:
            httpx.HTTPError: the Prefect server could not be asked.
        """
        still = {each.run.id for each in waiting}
        self._told = {run: said for run, said in self._told.items() if run in still}
        now = datetime.now(UTC)
        waiting = waker.wake_where(waiting, lambda each: _why_without_a_look(each, now))
        problems: list[EnablementError] = []
        by_place: dict[str, list[Lacks]] = defaultdict(list)
        for each in waiting:
            by_place[each.runbook.place(each.asked)].append(each)
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="visit")
        try:
            begun = {
                place: pool.submit(self._prepared(by_place[place]))
                for place in sorted(by_place, key=lambda place: (place in self._silent, place))
            }
            wait(begun.values(), self._patience)
        finally:
            # Nobody waits for one that hangs; its client gives up by itself.
            pool.shutdown(wait=False, cancel_futures=True)
        self._silent.clear()
        for place, found in begun.items():
            try:
                lacks = self._result(place, found)
            except EnablementError as error:
                if not found.cancelled():  # else its turn did not come, and is the next one
                    self._silent.add(place)
                problems.append(error)
            else:
                problems += self._wake(zip(by_place[place], lacks, strict=True), waker)
        return problems

    def _prepared(self, runs: Sequence[Lacks]) -> Callable[[], list[Lack]]:
        try:
            return runs[0].runbook.prepare_visit([(each.asked, each.kind) for each in runs])
        except PermanentError as error:
            # Each run says it itself.
            answer: list[Lack] = [error] * len(runs)
            return lambda: answer
        except httpx.HTTPError:
            raise  # of the Prefect server
        except Exception as error:  # noqa: BLE001 - see `_result`
            return partial(_raise, error)

    def _result(self, place: str, found: Future[list[Lack]]) -> list[Lack]:
        if not found.done() or found.cancelled():
            remedy = "The next look asks again; the runs of the others were served."
            raise Unreachable("Connection", place, f"did not answer within {self._patience:.0f} s", remedy)
        try:
            return found.result()
        except EnablementError:
            raise
        except Exception as error:
            self._log.warning("%s could not be checked", place, exc_info=True)
            answer = f"its runs could not be checked ({type(error).__name__})"
            remedy = "Read the traceback in the log and report it. The runs of the others were served."
            raise UnexpectedAnswer("Connection", place, answer, remedy) from error

    def _wake(self, answers: Iterable[tuple[Lacks, Lack]], waker: Waker) -> list[EnablementError]:
        problems: list[EnablementError] = []
        for each, lack in answers:
            run = each.run.id
            if not isinstance(lack, PermanentError):
                if each.record and (why := each.record.why_of_lack(lack)):
                    waker.wake(each, why)
            elif self._told.get(run) == str(lack):
                problems.append(lack)
            elif not waker.wake(each, f"a look fails: {lack.subject}: {lack.answer}"):
                self._told[run] = str(lack)
        return problems


def _raise(error: Exception) -> list[Lack]:
    raise error


def _why_without_a_look(waiting: Lacks, now: datetime) -> str:
    if waiting.record is None:
        return "it has no record that this version can read"
    return waiting.record.why_of_time(now)
