"""What a waiting run saw when it looked last, and when a look at the world is worth waking it.

A run that waits has no process. It leaves a record with what it saw; whoever watches for it compares that
with what is there now. That a wake-up is lost does no harm: the next comparison finds the same difference.
The run decides itself whether it may go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, field_validator

LABEL, LACK_LABEL = "enablement.gate", "enablement.lack"
"""Labels of the flow run that hold its records, as JSON."""


class WaitRecord(BaseModel):
    """What a run that waits leaves in a label of its own, whatever it waits for.

    Attributes:
        label: the key of that label.
        since: when it began to wait.
        until: when it gives up; None for never.
        suspensions: how often the run had been suspended when it looked. One that works and was suspended
            more often since has been woken already.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: ClassVar[str]

    since: AwareDatetime
    until: AwareDatetime | None
    suspensions: int

    @classmethod
    def of_labels(cls, labels: Mapping[str, Any]) -> Self | None:
        """The record among the labels of a flow run; None if there is none that this version can read."""
        text = labels.get(cls.label)
        try:
            return cls.model_validate_json(text) if isinstance(text, str) else None
        except ValidationError:
            return None

    def why_of_time(self, now: datetime) -> str:
        """Why the time is a reason to look again; empty if it is not."""
        return "its deadline has passed" if self.until is not None and now >= self.until else ""


class GateRecord(WaitRecord):
    """What a run saw when it looked last.

    Attributes:
        number: of its pull request; None if it has none.
        url: the pull request's page.
        pull_request: its state; ``none`` if it has none.
        head: commit that is proposed.
        shared: whether other people's commits are on the branch, which we then never rewrite.
        base: commit of the base branch that was looked at.
        remaining: fingerprint of what was missing there.
        served_versions: of the SecretStore on the cluster, which the change depends on.
        wanted: meaning of the change, by path; see `runbook.gitops.landing`.
        passed: whether the run has gone through.
    """

    label = LABEL

    number: int | None
    url: str | None
    pull_request: Literal["open", "closed", "merged", "none"]
    head: str
    shared: bool
    base: str
    remaining: str
    served_versions: tuple[str, ...]
    wanted: dict[str, dict[str, Any]]
    passed: bool = False

    @field_validator("wanted")
    @classmethod
    def _is_meaning(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        # Anybody may edit a label; one that nobody can compare with would stop the look at all runs.
        for path, wanted in value.items():
            names = next((wanted[key] for key in ("builds", "elements", "opens") if key in wanted), None)
            is_list = isinstance(names, list) and all(isinstance(each, str) for each in names)
            if not (isinstance(wanted.get("sha256"), str) or is_list):
                msg = f"{path}: neither the hash of a file nor what it is to build upon or to list"
                raise ValueError(msg)
        return value

    def why_of_pull_requests(self, open_heads: Mapping[int, str]) -> str:
        """Why the open pull requests of the repository are a reason to look again; empty if they are not.

        Args:
            open_heads: commit that is proposed, by number.
        """
        if self.number is None:
            return ""
        is_open = self.number in open_heads
        if self.pull_request == "open" and not is_open:
            return f"pull request #{self.number} was merged or closed"
        if self.pull_request != "open" and is_open:
            return f"pull request #{self.number} is open again"
        if is_open and open_heads[self.number] != self.head:
            return f"somebody pushed to the branch of pull request #{self.number}"
        return ""

    def why_of_base(self, base: str, remaining: str, *, landed: bool) -> str:
        """Why the head of the base branch is a reason to look again; empty if it is not.

        Args:
            base: its commit.
            remaining: fingerprint of what is missing there.
            landed: whether nothing is missing.
        """
        if landed:
            return f"its change is on the base branch at {base[:12]}"
        if base == self.base:
            return ""
        if remaining != self.remaining:
            return f"the base branch moved to {base[:12]}, which affects its change"
        if self.shared and self.pull_request == "open":
            # Our own branch would be rebuilt without a conflict; this one may have one now.
            return f"the base branch moved to {base[:12]}, and its own branch has commits of others"
        return ""


class LackRecord(WaitRecord):
    """What a run still lacked when it looked last after its merge.

    Attributes:
        kind: of what lacks; begins the keys of the suspensions.
        lacking: fingerprint of it, see `fingerprint_of`.
        over: whether the wait has ended, whichever way: the next one of this kind begins anew.
    """

    label = LACK_LABEL

    kind: str
    lacking: str
    over: bool = False

    def why_of_lack(self, lacking: Iterable[str]) -> str:
        """Why what lacks now is a reason to look again; empty if it is not."""
        left = tuple(lacking)
        if not left:
            return "everything that it waits for is there"
        if fingerprint_of(left) == self.lacking:
            return ""
        return f"what it lacks has changed; next is {left[0]}"


def fingerprint_of(lacking: Iterable[str]) -> str:
    """Of what lacks, whose order does not count: the same for the same, and short for a label."""
    return hashlib.sha256("\n".join(sorted(lacking)).encode()).hexdigest()[:16]
