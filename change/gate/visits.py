"""One look at all places where it shows what runs still lack after their merge.

A place that does not answer must not hold up the others: several are looked at at the same time. What has not
answered when a look ends goes on, and counts for the next one; nobody asks it a second time meanwhile.
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
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="visit")
        self._under_way: dict[str, tuple[Sequence[Lacks], Future[list[Lack]]]] = {}
        """By place, whose turn comes in this order: for which runs it is asked, and the answer."""
        self._told: dict[UUID, str] = {}
        """Errors for which a run was woken, so that it is woken once where only we see the error. They are
        kept: a run that was woken works for a while, and has to be known when it waits again."""

    def close(self) -> None:
        """Nobody waits for a place that hangs; its client gives up by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self, waiting: Sequence[Lacks], waker: Waker) -> list[EnablementError]:
        """Wake those that have a reason; returns what could not be looked at.

        Raises:
            httpx.HTTPError: the Prefect server could not be asked.
        """
        now = datetime.now(UTC)
        waiting = waker.wake_where(waiting, lambda each: _why_without_a_look(each, now))
        records = {each.run.id: each.record for each in waiting}
        by_place: dict[str, list[Lacks]] = defaultdict(list)
        for each in waiting:
            by_place[each.runbook.place(each.asked)].append(each)
        for place in sorted(by_place.keys() - self._under_way.keys()):
            self._under_way[place] = by_place[place], self._pool.submit(self._prepared(by_place[place]))
        wait([answer for _, answer in self._under_way.values()], self._patience)
        problems: list[EnablementError] = []
        for place, (runs, answer) in tuple(self._under_way.items()):
            try:
                lacks = self._result(place, answer)
            except EnablementError as error:
                problems += [error] if place in by_place else []
            else:
                # One that has looked itself meanwhile may wait for another thing now.
                answers = zip(runs, lacks, strict=True)
                problems += self._wake(
                    [(each, lack) for each, lack in answers if records.get(each.run.id) == each.record], waker
                )
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
        if not found.done():
            remedy = "The next look waits for it again; the runs of the others were served."
            raise Unreachable("Connection", place, f"did not answer within {self._patience:.0f} s", remedy)
        del self._under_way[place]
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
