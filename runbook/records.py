"""The record of one change that was made: enough to find it in the systems' own logs, and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runbook.changes import Action, Change, Difference, shown
from runbook.foreign_text import code, markdown


@dataclass(frozen=True, slots=True)
class Context:
    """In whose name a run changes things.

    Attributes:
        flow_run: id of the flow run; Vault's audit log has it as ``X-Correlation-Id``.
        pull_request: address of the one that the change was approved with; None where none was needed.
        triggered_by: who or what made the flow run, as far as Prefect knows.
        approved_by: who approved the plan; empty where nobody was asked, or before anybody was.
    """

    flow_run: str
    pull_request: str | None
    triggered_by: str
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One write.

    Attributes:
        system: ``"Vault"``, ``"Git"``, ``"GitHub"`` or ``"OpenShift"``.
        change: what was written. Secrets stand in it as words.
        context: in whose name.
        acted_as: whom the system took us for.
        at: when the system had answered, or had not.
        secrets: SHA-256 of secret values, by field.
        confirmed: whether it had. If not, nobody knows whether the change was made but the system's own log.
    """

    system: str
    change: Change
    context: Context
    acted_as: str
    at: datetime
    secrets: Mapping[str, str] = field(default_factory=dict)
    confirmed: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, one line of a log."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "system": self.system,
            "object": self.change.object,
            "action": self.change.action,
            "path": self.change.path,
            "confirmed": self.confirmed,
            "found": self.change.found,
            "note": self.change.note,
            "fields": [
                {
                    "field": part["field"],
                    "before": part["before"],
                    "after": f"sha256:{self.secrets[part['field']]}"
                    if part["field"] in self.secrets
                    else part["after"],
                }
                for part in self.change.as_json()["differences"]
            ],
            "flow_run": self.context.flow_run,
            "pull_request": self.context.pull_request,
            "actor": {
                "triggered_by": self.context.triggered_by,
                "approved_by": self.context.approved_by or None,
                "acted_as": self.acted_as,
            },
        }

    def __str__(self) -> str:
        unclear = "" if self.confirmed else "; no answer came, so it may not have been made"
        return f"{self.system}: {self.change}{unclear}"


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it is read back.

    Attributes:
        at: when the system had answered, ISO 8601.
        fields: names of the fields that were written.
        found: what the object was before, in a word; empty in a record of an older version.
    """

    at: str
    system: str
    object: str
    action: Action
    path: str
    fields: tuple[str, ...]
    confirmed: bool
    found: str
    note: str

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Written:
        """From `Record.as_json`, of this or of an older version, whose writes were all confirmed."""
        return cls(
            record["at"],
            record["system"],
            record["object"],
            record["action"],
            record["path"],
            tuple(part["field"] for part in record["fields"]),
            record.get("confirmed", True),
            record.get("found", ""),
            record.get("note", ""),
        )


def records_page(records: Sequence[Mapping[str, Any]]) -> str:
    """Markdown of records, of this or of an older version, for people: in whose name, and a line for each."""
    lines = []
    for one in records:
        at = one["at"][:19].replace("T", " ")
        unclear = "" if one.get("confirmed", True) else ", or not: no answer came"
        change = f"{one['system']}: {code(one['object'])} {_WORDS[one['action']]}{unclear}"
        lines.append(f"- {at}: {change} ({'; '.join(map(_field, one['fields']))})")
    started = (f"- The run was started by {markdown(one['actor']['triggered_by'])}" for one in records)
    names = map(_in_whose_name, records)
    return "\n".join([*dict.fromkeys((*started, *names)), "", "In UTC:", "", *lines])


_WORDS = {"none": "left as it was", "create": "created", "update": "updated"}
_LONG = 80


def _field(part: Mapping[str, Any]) -> str:
    before, after = shown(part["before"]), shown(part["after"])
    if max(len(before), len(after)) > _LONG:
        return str(part["field"])
    return f"{part['field']}: {'' if part['before'] is None else f'{markdown(before)} → '}{markdown(after)}"


def _in_whose_name(record: Mapping[str, Any]) -> str:
    actor = record["actor"]
    by = f", approved by {code(actor['approved_by'])}" if actor.get("approved_by") else ""
    return f"- In {record['system']} the run acted as {code(actor['acted_as'])}{by}"


def pushed(branch: str, before: str | None, commit: str, files: Sequence[str]) -> Change:
    """A branch of the GitOps repository that now holds our commit; ``before`` it held another, if any."""
    fields = (Difference("commit", before, commit), Difference("files", None, list(files)))
    path = f"refs/heads/{branch}"
    if before is None:
        return Change(f"branch/{branch}", "absent", "create", path, {}, fields)
    return Change(f"branch/{branch}", "different", "update", path, {}, fields)


def opened(number: int, url: str, plan_sha256: str) -> Change:
    """A pull request that shows a plan."""
    fields = (Difference("plan", None, plan_sha256),)
    return Change(f"pull-request/{number}", "absent", "create", url, {}, fields)


def opening(repository: str, branch: str, plan_sha256: str) -> Change:
    """A pull request of a branch whose number we did not learn."""
    fields = (Difference("plan", None, plan_sha256), Difference("branch", None, branch))
    return Change("pull-request", "absent", "create", f"repos/{repository}/pulls", {}, fields)


def updated(number: int, url: str, before: str | None, plan_sha256: str) -> Change:
    """A pull request whose text, or a comment below it, shows another plan than before."""
    fields = (Difference("plan", before, plan_sha256),)
    return Change(f"pull-request/{number}", "different", "update", url, {}, fields)
