"""The rights that a run needs in Vault, and the values that its writes have to keep to.

One list serves three: preflight asks for the capabilities in it, ``python -m deployments.vault.policy``
prints it as the policy of the pipeline's token, and a plan that needs a value outside it becomes a command
for an administrator. What a run needs on a cluster stands in `runbook.cluster_rights`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runbook.changes import Change
from runbook.names import Cluster
from runbook.policies import role_policy, wanted_policies
from runbook.request import EnableRequest

Extra = Literal["move-alias", "other-mounts", "audit"]
"""Rights that a run can do without; see `extra_rules`."""

KEEP_LOCAL_JWT_OUT = "disable_local_ca_jwt"
"""Must be true in each write of a config. Without it, a Vault that runs in a cluster itself would send the
token of its own pod to whatever host the config names."""

_WRITE = ("create", "read", "update")
"""Vault decides path by path, and version by version, whether a write is a create or an update."""


@dataclass(frozen=True, slots=True)
class VaultRule:
    """Capabilities on one path.

    Attributes:
        path: ``+`` stands for one whole segment.
        why: what a run does there, for whoever reads the policy.
        allowed: the values that a parameter may have, by parameter; any value where there are none. Other
            parameters are refused, unless there is ``*``. No entry at all: anything may be written.
        required: parameters that a request must have, a read too.
    """

    path: str
    capabilities: tuple[str, ...]
    why: str
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def vault_rules(request: EnableRequest) -> tuple[VaultRule, ...]:
    """What the pipeline's token has to be allowed for one run, values pinned to what the run writes."""
    target = request.target
    return (
        VaultRule("auth/token/lookup-self", ("read",), "whether the token is good, and for how long"),
        VaultRule("auth/token/revoke-self", ("update",), "to end a session that was opened by a login"),
        VaultRule("sys/capabilities-self", ("update",), "to name before the first change what is lacking"),
        VaultRule("sys/mounts", ("read",), "whether the mount of the secrets is there"),
        VaultRule("sys/auth", ("read",), "which auth mounts there are; the accessor of the people's one"),
        *(
            VaultRule(
                f"sys/policies/acl/{policy.name}",
                _WRITE,
                "exactly this text: whoever may write any text is root",
                {"policy": (policy.text,)},
            )
            for policy in wanted_policies(request)
        ),
        VaultRule(
            f"identity/group/name/{target.admin_group}",
            _WRITE,
            "the administrators' group, with its own policy alone and without members of Vault's own",
            {"type": ("external",), "policies": _as_list(target.write_policy), "metadata": ()},
        ),
        VaultRule(
            "identity/lookup/group",
            ("update",),
            "which group has the alias; changes nothing",
            {"alias_name": (target.admin_group,), "alias_mount_accessor": ()},
        ),
        VaultRule(
            "identity/group-alias",
            ("create", "update"),
            "the alias; without an id, so that no other one can be changed",
            {"name": (target.admin_group,), "mount_accessor": (), "canonical_id": ()},
        ),
        VaultRule(
            f"sys/auth/{target.mount}",
            ("create", "update", "sudo"),
            "to enable the auth method, of this type; sudo because the path is one of root's",
            {"type": ("kubernetes",)},
        ),
        VaultRule(
            f"auth/{target.mount}/config",
            _WRITE,
            "host, CA and reviewer's token; never the token of Vault's own pod (the read has to say it too)",
            # A read has its parameters in the URL, as text.
            {KEEP_LOCAL_JWT_OUT: (True, "true"), "*": ()},
            (KEEP_LOCAL_JWT_OUT,),
        ),
        VaultRule(
            f"auth/{target.mount}/role/{target.role}",
            _WRITE,
            "who may log in; the names are free, what they get is not",
            {
                "alias_name_source": ("serviceaccount_uid",),
                "bound_service_account_names": (),
                "bound_service_account_namespace_selector": (),
                "bound_service_account_namespaces": (),
                "token_policies": _as_list(role_policy(request)),
                "token_ttl": (),
            },
        ),
    )


def extra_rules(extra: Extra, targets: Iterable[Cluster]) -> tuple[VaultRule, ...]:
    """Rules for what a run can do without; it says so where they lack."""
    if extra == "other-mounts":
        why = "whether another mount has the same API server already"
        return (VaultRule("auth/+/config", ("read",), why),)
    if extra == "audit":
        return (VaultRule("sys/audit", ("read", "sudo"), "whether there is an audit log"),)
    names = tuple(dict.fromkeys(target.admin_group for target in targets))
    return (
        VaultRule(
            "identity/group-alias/id/+",
            ("create", "update"),
            "to move an alias to its group. With the id of another one this takes that from its group",
            {"name": names, "mount_accessor": (), "canonical_id": ()},
        ),
    )


def merged(rules: Iterable[VaultRule]) -> tuple[VaultRule, ...]:
    """One rule a path, in the order of first appearance: capabilities and allowed values are united.

    Rules of several runs differ in values only; a parameter of which one run may write any value stays free.
    """
    by_path: dict[str, VaultRule] = {}
    for rule in rules:
        other = by_path.get(rule.path)
        by_path[rule.path] = rule if other is None else _united(other, rule)
    return tuple(by_path.values())


def vault_rights(request: EnableRequest) -> dict[str, frozenset[str]]:
    """Capabilities by path, to ask ``sys/capabilities-self`` for, which does not tell of pinned values."""
    return {rule.path: frozenset(rule.capabilities) for rule in vault_rules(request)}


def beyond_pins(request: EnableRequest, change: Change) -> tuple[str, ...]:
    """The fields of a change whose values the pipeline's policy does not allow; none if it may be written.

    A list that somebody else's values are in is one: united with ours it is not what is pinned, and Vault
    compares lists as a whole.
    """
    rule = next((rule for rule in vault_rules(request) if rule.path == change.path), None)
    if rule is None or not rule.allowed:
        return ()
    return tuple(
        name
        for name, value in change.payload.items()
        if not _allows(rule.allowed.get(name, rule.allowed.get("*")), value)
    )


def administrators_command(path: str, payload: Mapping[str, Any]) -> str:
    """``vault write`` with these values, for a shell; of a map each entry, of a list each value."""
    words = ["vault", "write", path]
    for name, value in payload.items():
        if isinstance(value, Mapping):
            words += [f"{name}={key}={entry}" for key, entry in value.items()]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [f"{name}={entry}" for entry in value]
        else:
            words.append(f"{name}={value}")
    return shlex.join(words)


def _as_list(name: str) -> tuple[Any, ...]:
    """A list of one name, as clients send it: ours a list, the command line a text."""
    return ([name], name)


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
    )


def _united_values(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if one is None or other is None:
        return one if one is not None else other or ()
    if one == () or other == ():
        return ()
    # Values may be lists, which cannot be keys.
    return (*one, *(value for value in other if value not in one))
