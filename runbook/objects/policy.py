"""The ACL policies of a cluster, and when a policy in Vault is the same as ours.

By default the rules are the runbook's, to the letter, although ``sudo`` is not needed and ``list`` on
``data/`` does nothing in KV version 2 (it works on ``metadata/``): operators compare them with what they
know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff

from runbook.changes import Change, Difference, foreign
from runbook.names import Cluster
from runbook.objects.vault_object import NOT_NEEDED, WRITE, Seen, VaultObject, VaultRule, nothing_to_adopt
from runbook.policy_rules import filled_rules, lacking, rules_of
from runbook.templates import filled

_LINES_SHOWN = 12
"""Lines of a difference that fit into a message."""


@dataclass(frozen=True, slots=True)
class Policy(VaultObject):
    """An ACL policy that we want to be there.

    Attributes:
        policy: its name.
        paths: capabilities by path: ``{"k8s_secrets/data/moc/*": ("read", "list")}``.
        adopted: whether one that lacks our rules is taken as it stands.
        own_text: these paths as an organisation's template has them.
    """

    policy: str
    paths: Mapping[str, tuple[str, ...]]
    adopted: bool = False
    own_text: str = ""

    @property
    def text(self) -> str:
        """The policy in HCL, one rule a block, in the order of ``paths``; or as an organisation wrote it."""
        return self.own_text or "\n".join(
            f'path "{path}" {{\n  capabilities = {json.dumps(list(capabilities))}\n}}\n'
            for path, capabilities in self.paths.items()
        )

    @property
    def name(self) -> str:
        return f"policy/{self.policy}"

    @property
    def row(self) -> str:
        return "Policies are free or as wanted"

    @property
    def path(self) -> str:
        """Where Vault has it."""
        return f"sys/policies/acl/{self.policy}"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        why = "exactly this text: whoever may write any text is root"
        return (VaultRule(self.path, WRITE, why, {"policy": (self.text,)}),)

    def compare(self, seen: Seen) -> Change:
        """A policy that grants all of our rules is kept, whatever else it grants.

        One that does not was written by somebody with a reason that we do not know.
        """
        return self.compare_with(seen.vault.policy(self.policy))

    def compare_with(self, current: str | None) -> Change:
        """The same with the text in Vault, None where there is no such policy."""
        if current is None:
            if self.adopted:
                raise nothing_to_adopt(self.name)
            text = (Difference("policy", None, self.text),)
            return Change(self.name, "absent", "create", self.path, {"policy": self.text}, text)
        note = NOT_NEEDED if self.adopted else ""
        as_we_write_it = Change(self.name, "same", "none", self.path, note=note)
        if current.strip() == self.text.strip():
            return as_we_write_it
        rules = rules_of(current)
        ours = {name: frozenset(capabilities) for name, capabilities in self.paths.items()}
        if rules == ours:
            return as_we_write_it
        gap = "; ".join(lacking(ours, rules)) if rules is not None else self._not_understood(current)
        if not gap:
            more = "grants more than the runbook's rules; kept as it is"
            note = f"{more}; {note}" if note else more
            return Change(self.name, "same or more", "none", self.path, note=note)
        if self.adopted:
            note = f"adopted as it stands: {gap}"
            return Change(self.name, "foreign", "none", self.path, note=note)
        raise foreign(
            self.name,
            f"has other rules: {gap}",
            f"A run does not overwrite it. Compare `vault policy read {self.policy}` with the rules of the "
            "runbook, correct or delete it by hand, and retry; or start a new run with "
            f"adopt=['{self.name}'] to adopt it as it stands.",
        )

    def _not_understood(self, current: str) -> str:
        """A policy that says more than paths with capabilities cannot be weighed: its lines beside ours."""
        lines = list(unified_diff(self.text.split("\n"), current.strip().split("\n"), lineterm="", n=0))
        changed = [line for line in lines[2:] if not line.startswith("@@") and line.strip("+- ")]
        rest = f" … and {len(changed) - _LINES_SHOWN} lines more" if len(changed) > _LINES_SHOWN else ""
        return f"it uses more than paths with capabilities: {' | '.join(changed[:_LINES_SHOWN])}{rest}"


_Paths = dict[str, tuple[str, ...]]

_WRITE_ALL = ("create", "read", "update", "delete", "list", "sudo")
_WRITE_METADATA = ("create", "read", "update", "patch", "delete", "list", "sudo")


def environment_policy(cluster: Cluster) -> Policy:
    """Workloads of the environment read all secrets of the environment."""
    rules = cluster.conventions.policies.environment_rules
    return _reading(cluster, cluster.read_policy, cluster.environment_path, rules)


def cluster_policy(cluster: Cluster) -> Policy:
    """Workloads of one cluster read the secrets of that cluster."""
    rules = cluster.conventions.policies.cluster_rules
    return _reading(cluster, cluster.cluster_read_policy, cluster.secrets_path, rules)


def administrators_policy(cluster: Cluster) -> Policy:
    """Administrators of the environment write its secrets."""
    mount, path, policies = cluster.secrets_mount, cluster.environment_path, cluster.conventions.policies
    if policies.rules == "kv-v2":
        paths: _Paths = {
            f"{mount}/data/{path}*": ("create", "read", "update", "patch", "delete"),
            f"{mount}/metadata/{path}*": ("create", "read", "update", "patch", "delete", "list"),
        } | {f"{mount}/{action}/{path}*": ("update",) for action in ("delete", "undelete", "destroy")}
    else:
        paths = {
            f"{mount}/data/{path}*": _WRITE_ALL,
            f"{mount}/*": ("list",),
            f"{mount}/metadata/{path}*": _WRITE_METADATA,
        }
    return _made(cluster, cluster.write_policy, path, paths, policies.administrators_rules)


def _reading(cluster: Cluster, name: str, path: str, rules: str | None) -> Policy:
    mount = cluster.secrets_mount
    if cluster.conventions.policies.rules == "kv-v2":
        paths: _Paths = {f"{mount}/data/{path}*": ("read",), f"{mount}/metadata/{path}*": ("list",)}
    else:
        paths = {f"{mount}/data/{path}*": ("read", "list")}
    return _made(cluster, name, path, paths, rules)


def _made(cluster: Cluster, name: str, path: str, paths: _Paths, rules: str | None) -> Policy:
    """The policy with these paths, or with an organisation's own text."""
    if rules is None:
        return Policy(name, paths)
    text = filled_rules(
        filled(rules, cluster.env, cluster.name), cluster.secrets_mount, path.removesuffix("/")
    )
    granted = rules_of(text) or {}
    return Policy(name, {path: tuple(sorted(one)) for path, one in granted.items()}, own_text=text)
