"""The ACL policies of the runbook, and when a policy in Vault is the same as ours.

The rules are the runbook's, to the letter, although ``sudo`` is not needed and ``list`` on ``data/`` does
nothing in KV version 2 (it works on ``metadata/``): operators compare them with what they know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff

from runbook.changes import Change, Difference, foreign
from runbook.names import SECRETS_MOUNT, Cluster
from runbook.objects.vault_object import NOT_NEEDED, WRITE, Seen, VaultObject, VaultRule, nothing_to_adopt
from runbook.policy_rules import lacking, rules_of

_LINES_SHOWN = 12
"""Lines of a difference that fit into a message."""


@dataclass(frozen=True, slots=True)
class Policy(VaultObject):
    """An ACL policy that we want to be there.

    Attributes:
        policy: its name.
        paths: capabilities by path: ``{"k8s_secrets/data/moc/*": ("read", "list")}``.
        adopted: whether one that lacks our rules is taken as it stands.
    """

    policy: str
    paths: Mapping[str, tuple[str, ...]]
    adopted: bool = False

    @property
    def text(self) -> str:
        """The policy in HCL, one rule a block, in the order of ``paths``."""
        return "\n".join(
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
        rules = rules_of(current)
        ours = {name: frozenset(capabilities) for name, capabilities in self.paths.items()}
        if current.strip() == self.text.strip() or rules == ours:
            return Change(self.name, "same", "none", self.path, note=note)
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


def read_policy(env: str) -> Policy:
    """``<env>-kv-r``: workloads of the environment read all secrets of the environment."""
    return Policy(f"{env}-kv-r", {f"{SECRETS_MOUNT}/data/{env}/*": ("read", "list")})


def write_policy(env: str) -> Policy:
    """``<env>-kv-rw``: administrators of the environment write its secrets."""
    everything = ("create", "read", "update", "delete", "list", "sudo")
    paths = {
        f"{SECRETS_MOUNT}/data/{env}/*": everything,
        f"{SECRETS_MOUNT}/*": ("list",),
        f"{SECRETS_MOUNT}/metadata/{env}/*": ("create", "read", "update", "patch", "delete", "list", "sudo"),
    }
    return Policy(f"{env}-kv-rw", paths)


def cluster_policy(cluster: Cluster) -> Policy:
    """``<env>-<cluster>-kv-r``: workloads of one cluster read the secrets of that cluster."""
    paths = {f"{SECRETS_MOUNT}/data/{cluster.secrets_path}*": ("read", "list")}
    return Policy(cluster.cluster_read_policy, paths)
