"""The plan of a run: everything that it will change, for a person to read and approve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook.changes import FOUND_AS_SAID, Action, Change, Difference, pending, shown
from runbook.foreign_text import block, code, markdown


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the pull request: its path and the unified diff."""

    path: str
    diff: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    Attributes:
        subject: for whom, in words: ``emea/ember``.
        files: edits of the GitOps repository, empty when the change has landed.
        changes: objects of Vault in the order in which the steps write them, those as wanted included.
    """

    subject: str
    files: tuple[PlannedFile, ...]
    changes: tuple[Change, ...]

    @classmethod
    def read(cls, plan: Mapping[str, Any]) -> Plan:
        """A plan that was stored as JSON; see `changes_of`."""
        return cls(plan["cluster"], tuple(PlannedFile(**file) for file in plan["files"]), changes_of(plan))

    @property
    def writes_nothing(self) -> bool:
        """Whether everything is as wanted already."""
        return not self.files and not pending(self.changes)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON with a stable order."""
        return {
            "cluster": self.subject,
            "files": [{"path": file.path, "diff": file.diff} for file in self.files],
            "changes": [change.as_json() for change in self.changes],
        }

    @property
    def sha256(self) -> str:
        """Hash over everything that would be written, as 64 hex digits."""
        return plan_sha256(self.as_json())

    def markdown(self) -> str:
        """The plan for a person."""
        parts = [f"# Plan for {self.subject}", "", self._summary(), ""]
        if self.files:
            parts += ["## Git", ""]
            for file in self.files:
                parts += [code(file.path), "", block(file.diff, "diff"), ""]
        parts += ["## Vault", "", what_changes(self.changes), ""]
        stay = [code(one.object) for one in self.changes if one.action == "none" and not one.conditional]
        if stay:
            parts += [f"As wanted already: {', '.join(stay)}.", ""]
        parts.append(f"Plan hash: `{self.sha256}`")
        return "\n".join(parts)

    def _summary(self) -> str:
        if self.writes_nothing:
            return "Nothing to change: repository and Vault are as wanted."
        git = f"{len(self.files)} files in a pull request" if self.files else "no pull request"
        return f"{git}; {len(pending(self.changes))} of {len(self.changes)} objects of Vault."


def plan_sha256(plan: Mapping[str, Any]) -> str:
    """Hash of a plan as JSON; the same for one that has been stored and read again."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def changes_of(plan: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of a plan that was stored as JSON, without what would be written: only what differs."""
    return tuple(
        Change(
            object=one["object"],
            found=one["found"],
            action=one["action"],
            path=one["path"],
            differences=tuple(Difference(**part) for part in one["differences"]),
            note=one["note"],
            conditional=tuple(one["conditional"]),
        )
        for one in plan["changes"]
    )


def vault_section(changes: Sequence[Change]) -> str:
    """Markdown of changes: a table of the objects, then the texts of new policies."""
    rows = ["| object | what happens | found | fields |", "|---|---|---|---|"]
    texts = []
    for change in changes:
        fields, text = _fields(change)
        texts += text
        note = f" ({_cell(change.note)})" if change.note else ""
        object_ = _in_table(code(change.object))
        rows.append(f"| {object_} | {_HAPPENS[change.action]} | {change.found}{note} | {fields} |")
    return "\n".join([*rows, *texts])


def to_approve(changes: Sequence[Change]) -> str:
    """The same for whoever approves it: of what is or may be written, and of what is foreign."""
    shown = [one for one in changes if one.action != "none" or one.conditional or one.found == "foreign"]
    return vault_section(shown) if shown else "Nothing: everything is as wanted."


def what_changes(changes: Sequence[Change]) -> str:
    """Markdown of what is written and nothing else: a line for each object, then the texts of policies."""
    lines, texts = [], []
    for change in changes:
        if change.action == "none" and not change.conditional:
            continue
        fields, text = _fields(change)
        texts += text
        note = f" ({markdown(change.note)})" if change.note else ""
        found = f", was {change.found}" if change.found not in FOUND_AS_SAID else ""
        lines.append(f"- {code(change.object)} {_HAPPENS[change.action]}{found}{note}: {fields}")
    return "\n".join([*lines, *texts]) or "Nothing."


_HAPPENS: dict[Action, str] = {"none": "stays", "create": "**is created**", "update": "**is updated**"}


def _fields(change: Change) -> tuple[str, list[str]]:
    """What becomes of the fields, and lines with the text of a policy."""
    text = next((part.after for part in change.differences if part.field == "policy"), None)
    if text is not None:
        return "rules below", ["", code(change.object), "", block(text, "hcl")]
    if not change.differences and change.conditional:
        words = f"{', '.join(change.conditional)}: replaced only if no login works with the one in Vault"
        return words, []
    return "; ".join(_field(change, part) for part in change.differences), []


def _field(change: Change, part: Difference) -> str:
    before = "" if change.action == "create" else f"{_cell(part.before)} → "
    return f"{part.field}: {before}{_cell(part.after)}"


def _cell(value: Any) -> str:
    return _in_table(markdown(shown(value)))


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")
