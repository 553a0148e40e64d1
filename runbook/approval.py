"""Whether what a step would do now is a part of the plan that was approved.

Between approval and writing lie hours or days, and the systems belong to many people. Less to do than was
approved is fine: somebody did a part of it by hand. Anything else to do was seen by nobody, and stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook.changes import Change, Difference, pending, shown
from runbook.errors import PlanMoved

_UNSET: tuple[Any, ...] = (None, "", 0, False, [], {}, ())
"""What Vault shows of a field that nobody has set."""


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """The Vault part of a plan that somebody approved.

    Attributes:
        sha256: hash of the whole plan, as it stands in the pull request.
        changes: `Change.as_json` of each object.
        pull_request: address of the one whose merge approved it; None where its change came another way.
        approver: who merged it, or a person in the run's form; empty if nobody was asked.
    """

    sha256: str
    changes: Sequence[Mapping[str, Any]]
    pull_request: str | None
    approver: str = ""

    def check(self, changes: Iterable[Change]) -> None:
        """Go on if these changes are a part of the plan.

        Raises:
            PlanMoved: they are not; nothing of them may be written.
        """
        moved = [(change, words) for change in pending(changes) for words in self._beyond(change)]
        if moved:
            raise PlanMoved(
                "Vault",
                ", ".join(dict.fromkeys(change.object for change, _ in moved)),
                f"has changed since plan {self.sha256[:12]} was approved, and this would be written without "
                f"approval: {'; '.join(words for _, words in moved)}",
                "Find out who changed it. A new run makes a new plan from what is there now, and asks for "
                "approval again where one is needed.",
            )

    def _beyond(self, change: Change) -> Iterator[str]:
        """What of a change the plan does not cover, a sentence each."""
        planned = next((one for one in self.changes if one["object"] == change.object), None)
        if planned is None:
            yield f"{change.object}, which is not in the plan"
            return
        if change.found == "absent" and planned["found"] != "absent":
            # Of what a standby does not show yet, a create would replace what others keep in it.
            yield f"{change.object}, which is not there but was when the plan was made"
            return
        by_field = {part["field"]: part for part in planned["differences"]}
        for part in change.differences:
            if part.field in planned["conditional"]:
                continue
            approved = by_field.get(part.field)
            if approved is None:
                yield f"{change.object}, {_words(part)}; the plan does not change this field"
            elif not _covers(Difference(part.field, approved["before"], approved["after"]), part):
                plan = _words(Difference(part.field, approved["before"], approved["after"]))
                yield f"{change.object}, {_words(part)}; the plan has {plan}"


def _covers(approved: Difference, now: Difference) -> bool:
    """Whether ``now`` adds, removes and overwrites nothing that ``approved`` does not.

    Of lists and mappings several people keep their own entries: only what is added or removed counts, not
    what is there beside it.
    """
    if isinstance(now.after, list | tuple):
        gone, come = _items(now)
        approved_gone, approved_come = _items(approved)
        return gone <= approved_gone and come <= approved_come
    if isinstance(now.after, Mapping):
        return _entries(now).items() <= _entries(approved).items()
    # A value that somebody set meanwhile is not overwritten: whoever approved never saw it.
    return now.after == approved.after and (now.before == approved.before or now.before in _UNSET)


def _items(part: Difference) -> tuple[set[str], set[str]]:
    before, after = set(part.before or ()), set(part.after or ())
    return before - after, after - before


def _entries(part: Difference) -> dict[str, Any]:
    before = part.before or {}
    return {key: value for key, value in part.after.items() if key not in before or before[key] != value}


def _words(part: Difference) -> str:
    return f"{part.field}: {shown(part.before)} → {shown(part.after)}"
