"""The ACL policies of the runbook, and when a policy in Vault is the same as ours.

The rules are the runbook's, to the letter, although ``sudo`` is not needed and ``list`` on ``data/`` does
nothing in KV version 2 (it works on ``metadata/``): operators compare them with what they know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

import hcl2

from runbook.adoption import NOT_NEEDED, nothing_to_adopt
from runbook.changes import Change, Difference, foreign
from runbook.names import SECRETS_MOUNT
from runbook.request import EnableRequest

Rules = Mapping[str, tuple[str, ...]]
"""Capabilities by path: ``{"k8s_secrets/data/moc/*": ("read", "list")}``."""

_LINES_SHOWN = 12
"""Lines of a difference that fit into a message."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An ACL policy that we want to be there."""

    name: str
    rules: Rules

    @property
    def text(self) -> str:
        """The policy in HCL, one rule a block, in the order of ``rules``."""
        return "\n".join(
            f'path "{path}" {{\n  capabilities = {json.dumps(list(capabilities))}\n}}\n'
            for path, capabilities in self.rules.items()
        )


def read_policy(env: str) -> Policy:
    """``<env>-kv-r``: workloads of the environment read all secrets of the environment."""
    return Policy(f"{env}-kv-r", {f"{SECRETS_MOUNT}/data/{env}/*": ("read", "list")})


def write_policy(env: str) -> Policy:
    """``<env>-kv-rw``: administrators of the environment write its secrets."""
    return Policy(
        f"{env}-kv-rw",
        {
            f"{SECRETS_MOUNT}/data/{env}/*": ("create", "read", "update", "delete", "list", "sudo"),
            f"{SECRETS_MOUNT}/*": ("list",),
            f"{SECRETS_MOUNT}/metadata/{env}/*": (
                "create",
                "read",
                "update",
                "patch",
                "delete",
                "list",
                "sudo",
            ),
        },
    )


def wanted_policies(request: EnableRequest) -> tuple[Policy, ...]:
    """The policies of a run: both of the environment, and the cluster's own with ``policy_scope=cluster``."""
    target = request.target
    policies = [read_policy(target.env), write_policy(target.env)]
    if request.policy_scope == "cluster":
        own = f"{SECRETS_MOUNT}/data/{target.secrets_path}*"
        policies.append(Policy(target.cluster_read_policy, {own: ("read", "list")}))
    return tuple(policies)


def role_policy(request: EnableRequest) -> str:
    """Name of the policy that the cluster's role hands out."""
    cluster_only = request.policy_scope == "cluster"
    return request.target.cluster_read_policy if cluster_only else request.target.read_policy


def rules_of(text: str) -> dict[str, frozenset[str]] | None:
    """The rules of a policy text; None if it uses more than paths with capabilities, or is not HCL."""
    try:
        parsed: dict[str, Any] = hcl2.loads(text.rstrip() + "\n")
    except Exception:  # noqa: BLE001 - hcl2 documents no error type; "not to be understood" is an answer here
        return None
    rules: dict[str, frozenset[str]] = {}
    for block in parsed.pop("path", []):
        for path, body in block.items():
            if not isinstance(body, dict):
                return None
            fields = {key: value for key, value in body.items() if not key.startswith("__")}
            capabilities = fields.pop("capabilities", None)
            if fields or not isinstance(capabilities, list):
                return None
            name = path.strip('"')
            rules[name] = rules.get(name, frozenset()) | {str(part).strip('"') for part in capabilities}
    leftover = [key for key in parsed if not key.startswith("__")]
    return None if leftover else rules


def _lacking(ours: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]) -> list[str]:
    """Where ``theirs`` grants less than ``ours``, a sentence each.

    Vault applies one rule to a request, the most specific path that matches, and ``deny`` beats all. So below
    a path of ours the longest glob of theirs that covers it has to grant what ours does, and each rule that
    may be more specific there as well: what it does not repeat it takes away.
    """
    gaps = []
    for path, capabilities in ours.items():
        widest = _covering(path, theirs)
        weighed = {path: theirs[widest] if widest is not None else frozenset[str]()}
        if widest is not None:
            # One of ours below is weighed by itself.
            weighed |= {
                rule: theirs[rule] for rule in _more_specific(path, widest, theirs) if rule not in ours
            }
        for rule, granted in weighed.items():
            missing = sorted(capabilities if "deny" in granted else capabilities - granted)
            if missing:
                gaps.append(f"{rule} lacks {', '.join(missing)}")
    return gaps


_WILD = re.compile(r"\*$|\+|\{\{")
"""Where a path stops being literal: a glob at its end, ``+`` for a segment, a template. Vault takes a ``*``
elsewhere as it stands, and so it does a ``+`` inside a segment: rather one rule too many is weighed."""


def _covering(path: str, theirs: Iterable[str]) -> str | None:
    """The longest of their paths that matches all that ``path`` does; None if none is sure to."""
    covering = [
        rule
        for rule in theirs
        if rule == path or (_literal(rule) == rule[:-1] and path.startswith(rule[:-1]) and rule[-1] == "*")
    ]
    return max(covering, key=len, default=None)


def _more_specific(path: str, widest: str, theirs: Iterable[str]) -> Iterator[str]:
    """Their rules that Vault may apply to something below ``path`` instead of ``widest``, which covers it.

    The later the first wildcard of a path, the more specific it is.
    """
    prefix, bar = _literal(path), len(_literal(widest))
    for rule in theirs:
        literal = _literal(rule)
        meets = prefix.startswith(literal) or (path.endswith("*") and literal.startswith(prefix))
        # What a template stands for is not known. A LIST of a folder also finds the rule without its slash.
        late = len(literal) >= bar or "{{" in rule or rule == prefix.rstrip("/")
        if rule != widest and meets and late:
            yield rule


def _literal(path: str) -> str:
    return _WILD.split(path, maxsplit=1)[0]


def compare(wanted: Policy, current: str | None, *, adopted: bool = False) -> Change:
    """What to do for a policy.

    A policy that grants all of our rules is kept, whatever else it grants. One that does not was written by
    somebody with a reason that we do not know.

    Args:
        wanted: the runbook's policy.
        current: the text in Vault, None where there is no such policy.
        adopted: take what is there as it stands.

    Raises:
        Conflict: the policy is there, lacks a rule of ours, and is not adopted.
        InvalidInput: it is adopted, and is not there.
    """
    path = f"sys/policies/acl/{wanted.name}"
    subject = f"policy/{wanted.name}"
    if current is None:
        if adopted:
            raise nothing_to_adopt(subject)
        text = (Difference("policy", None, wanted.text),)
        return Change(subject, "absent", "create", path, {"policy": wanted.text}, text)
    note = NOT_NEEDED if adopted else ""
    rules = rules_of(current)
    ours = {name: frozenset(capabilities) for name, capabilities in wanted.rules.items()}
    if current.strip() == wanted.text.strip() or rules == ours:
        return Change(subject, "same", "none", path, note=note)
    gap = "; ".join(_lacking(ours, rules)) if rules is not None else _not_understood(wanted, current)
    if not gap:
        more = "grants more than the runbook's rules; kept as it is"
        return Change(subject, "same or more", "none", path, note=f"{more}; {note}" if note else more)
    if adopted:
        return Change(subject, "foreign", "none", path, note=f"adopted as it stands: {gap}")
    raise foreign(
        subject,
        f"is there with other rules: {gap}",
        f"Somebody wrote it otherwise and it is not overwritten. Compare `vault policy read {wanted.name}` "
        "with the rules of the runbook and change or remove it by hand, or take it as it stands with "
        f"adopt=['{subject}']. Then re-run.",
    )


def _not_understood(wanted: Policy, current: str) -> str:
    """A policy that says more than paths with capabilities cannot be weighed: its lines beside ours."""
    lines = list(unified_diff(wanted.text.split("\n"), current.strip().split("\n"), lineterm="", n=0))
    changed = [line for line in lines[2:] if not line.startswith("@@") and line.strip("+- ")]
    rest = f" … and {len(changed) - _LINES_SHOWN} lines more" if len(changed) > _LINES_SHOWN else ""
    return f"it uses more than paths with capabilities: {' | '.join(changed[:_LINES_SHOWN])}{rest}"
