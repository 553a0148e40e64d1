"""The rights that a run needs in Vault, and the values that its writes have to keep to.

One list serves three: preflight asks for the capabilities in it, ``python -m deployments.vault.policy``
prints it as the policy of the pipeline's token, and a plan that needs a value outside it becomes a command
for an administrator. What a run needs on a cluster stands in `runbook.cluster_rights`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from runbook.changes import Change
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.objects import VaultObject
from runbook.objects.vault_object import VaultRule
from runbook.request import ClusterRequest, EnableRequest
from runbook.templates import filled, placeholders

Extra = Literal["move-alias", "other-mounts", "audit"]
"""Rights that a run can do without; that to move an alias: `runbook.objects.alias.write_rules`."""

EXTRA_RULES: dict[Extra, VaultRule] = {
    "other-mounts": VaultRule(
        "auth/+/config", ("read",), "whether another mount has the same API server already"
    ),
    "audit": VaultRule("sys/audit", ("read", "sudo"), "whether there is an audit log"),
}
"""Rules for what a run can do without; it says so where they lack."""


def vault_rules(request: ClusterRequest) -> tuple[VaultRule, ...]:
    """What the pipeline's token has to be allowed for one run, values pinned to what the run writes."""
    return (
        VaultRule("auth/token/lookup-self", ("read",), "whether the token is good, and for how long"),
        VaultRule("auth/token/revoke-self", ("update",), "to revoke the token of a login", asks=True),
        VaultRule(
            "sys/capabilities-self", ("update",), "to name missing rights before the first change", asks=True
        ),
        VaultRule("sys/mounts", ("read",), "whether the mount of the secrets is there"),
        VaultRule("sys/auth", ("read",), "which auth mounts there are; the accessor of the one for people"),
        *(rule for one in request.objects for rule in one.rules),
    )


def reading(rules: Iterable[VaultRule]) -> tuple[VaultRule, ...]:
    """What of these a run needs that only plans; nothing in Vault can be changed with it."""
    kept = []
    for rule in rules:
        looks = tuple(one for one in rule.capabilities if one not in {"create", "update"})
        if rule.asks or looks == rule.capabilities:
            kept.append(rule)
        elif "read" in looks:
            # Pins are for what is written.
            kept.append(VaultRule(rule.path, looks, "what is there, to compare it with what is wanted"))
    return tuple(kept)


def check_apart(targets: Iterable[Cluster]) -> None:
    """Go on if no two clusters share a name in Vault that means something else for each of them.

    Raises:
        InvalidInput: two clusters have one auth mount, one folder of secrets, one name of a policy with two
            texts, or one group or alias for the administrators of two environments.
    """
    owners: dict[str, tuple[Cluster, str]] = {}
    for target in targets:
        for name, meaning in _meanings(EnableRequest.of_any(target, policy_scope="cluster")).items():
            other, its_meaning = owners.setdefault(name, (target, meaning))
            if its_meaning != meaning:
                raise InvalidInput(
                    "input",
                    f"{other} and {target}",
                    f"share the {name}, but each cluster needs its own",
                    "Give one of them another name, or a Vault namespace of its own.",
                )


def _meanings(request: EnableRequest) -> dict[str, str]:
    """What each name of a cluster stands for: two clusters may share it where that is the same."""
    target, conventions = request.target, request.conventions
    folder, mount = conventions.environment_secrets or "", target.secrets_mount
    # By the template an environment has one folder, or a cluster has one; or all of them do.
    its_owner = " ".join(filled(one, target.env, target.name) for one in sorted(placeholders(folder)))
    found = {f"policy {name}": "somebody else's" for name in target.more_policies}
    found |= {f"policy {policy.policy}": policy.text for policy in request.policies}
    found |= {
        f"mount auth/{target.mount}": str(target),
        f"folder {mount}/{target.secrets_path} of a cluster's secrets": str(target),
        f"folder {mount}/{target.environment_path} of an environment's secrets": its_owner,
    }
    if target.admin_group:
        found |= {
            f"group {target.admin_group}": f"{target.write_policy} {its_owner}",
            f"alias {target.admin_alias.lower()}": target.admin_group,
        }
    return found


def merged(rules: Iterable[VaultRule]) -> tuple[VaultRule, ...]:
    """One rule a path, in the order of first appearance: capabilities and allowed values are united.

    Rules of several runs differ in values only; a parameter of which one run may write any value stays free.
    """
    by_path: dict[str, VaultRule] = {}
    for rule in rules:
        other = by_path.get(rule.path)
        by_path[rule.path] = rule if other is None else _united(other, rule)
    return tuple(by_path.values())


def vault_rights(request: ClusterRequest) -> dict[str, frozenset[str]]:
    """Capabilities by path, to ask ``sys/capabilities-self`` for, which does not tell of pinned values."""
    return {rule.path: frozenset(rule.capabilities) for rule in vault_rules(request)}


def beyond_pins(objects: Iterable[VaultObject], change: Change) -> tuple[str, ...]:
    """The fields of a change whose values the pipeline's policy does not allow; none if it may be written.

    A list that somebody else's values are in is one: united with ours it is not what is pinned, and Vault
    compares lists as a whole.
    """
    rules = (rule for one in objects for rule in one.rules if rule.path == change.path)
    rule = next(rules, None)
    if rule is None or not rule.allowed:
        return ()
    return tuple(
        name
        for name, value in change.payload.items()
        if not _allows(rule.allowed.get(name, rule.allowed.get("*")), value)
    )


def _allows(values: tuple[Any, ...] | None, value: Any) -> bool:
    return values == () or (values is not None and value in values)


def _united(one: VaultRule, other: VaultRule) -> VaultRule:
    allowed = {
        name: _united_values(one.allowed.get(name), other.allowed.get(name))
        for name in dict.fromkeys((*one.allowed, *other.allowed))
    }
    return VaultRule(
        one.path,
        tuple(dict.fromkeys((*one.capabilities, *other.capabilities))),
        one.why,
        allowed if one.allowed and other.allowed else {},
        tuple(name for name in one.required if name in other.required),
        one.asks,
    )


def _united_values(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if one is None or other is None:
        return one if one is not None else other or ()
    if one == () or other == ():
        return ()
    # Values may be lists, which cannot be keys.
    return (*one, *(value for value in other if value not in one))
