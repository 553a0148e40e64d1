"""Print the policy of the pipeline's own token.

    python -m deployments.vault.policy --connections connections.yaml --oidc-accessor ACCESSOR --group emea=ID

for the clusters of a file of connections, whose secrets need not be there yet; or with clusters instead:
``emea/ember emea/flint``.

The policy names each path that enabling these clusters needs and pins the values that may be written there,
so that whoever steals the token cannot raise its rights. ``docs/rights.md`` says what it still allows.
Pipe it to ``vault policy write enablement-pipeline -``, again for each new cluster.

A Vault administrator creates the group of an environment first: its id is pinned. The printed text begins
with the commands.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from deployments.commands import CommandError
from deployments.connection_file import read_targets
from deployments.vault.hcl import policy_text
from runbook.by_hand import administrators_command
from runbook.conventions import PolicyScope
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.objects import Alias, Group
from runbook.objects.alias import write_rules
from runbook.objects.vault_object import VaultRule
from runbook.request import EnableRequest
from runbook.rights import EXTRA_RULES, Extra, check_apart, merged, reading, vault_rules

_ACCESSOR = r"auth_[A-Za-z0-9_-]+"
_GROUP_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.\w+)?"
"""A UUID; below the root namespace the id of the namespace follows."""


def pipeline_policy(
    targets: Sequence[Cluster],
    oidc_accessor: str,
    scopes: Sequence[PolicyScope] = (),
    extras: Sequence[Extra] = (),
    groups: Mapping[str, str] | None = None,
    namespace: str = "",
    *,
    read_only: bool = False,
) -> str:
    """The policy's text.

    Args:
        targets: the clusters that may be enabled.
        oidc_accessor: accessor of the auth mount for people.
        scopes: the values of ``policy_scope`` that runs may have, by default that of the conventions; with
            ``cluster`` alone, no role may give more than the secrets of its own cluster.
        extras: rights that a run can do without.
        groups: id of the administrators' group by environment, of the one whose alias runs may write.
        namespace: Vault's, in which the policy is to be written; the text says so.
        read_only: for runs that only plan: nothing in Vault can be changed with it.

    Raises:
        InvalidInput: a value is not what it should be, two clusters share a name in Vault, or there are
            groups of two environments.
    """
    groups = groups or {}
    check_apart(targets)
    if not re.fullmatch(r"[\w./-]*", namespace):  # it stands in a comment and in a command
        raise InvalidInput(
            "input", f"--namespace {namespace!r}", "is not a namespace", "For example team or parent/team."
        )
    _check_pins(targets, oidc_accessor, extras, groups, read_only=read_only)
    rules: list[VaultRule] = []
    for target in targets:
        for scope in scopes or (target.conventions.policy_scope,):
            # Namespaces and ServiceAccount are bound in the role, where any name is allowed.
            request = EnableRequest.of_any(target, policy_scope=scope)
            rules += [_with_accessor(rule, oidc_accessor) for rule in vault_rules(request)]
    by_env = {target.env: target for target in targets}
    for env, group_id in groups.items():
        rules += write_rules(by_env[env], oidc_accessor, group_id, move="move-alias" in extras)
    rules += [EXTRA_RULES[extra] for extra in extras if extra in EXTRA_RULES]
    purpose = "plan what enabling them changes" if read_only else "enable them"
    head = [f"The pipeline's own token, to {purpose}: {', '.join(map(str, targets))}."]
    if namespace:
        head.append(f"To be written in the namespace {namespace}: export VAULT_NAMESPACE={namespace}")
    if read_only:
        return policy_text(merged(reading(rules)), "\n".join(head))
    if commands := _by_an_administrator(targets, oidc_accessor, groups):
        head += ["What a Vault administrator writes first, once for an environment:", *commands]
    return policy_text(merged(rules), "\n".join(head))


def _by_an_administrator(targets: Sequence[Cluster], accessor: str, groups: Mapping[str, str]) -> list[str]:
    """Commands that make each environment's group, and the alias where runs may not write it."""
    commands = []
    for target in {target.admin_group: target for target in targets if target.admin_group}.values():
        changes = [Group(target).compare_with(None)]
        if target.env not in groups:
            changes.append(Alias(target).compare_with(None, None, accessor))
        commands += [
            administrators_command(change.path, change.payload, target.admin_group) for change in changes
        ]
    return commands


def _check_pins(
    targets: Sequence[Cluster],
    accessor: str,
    extras: Sequence[Extra],
    groups: Mapping[str, str],
    *,
    read_only: bool,
) -> None:
    mounts = {target.people_mount for target in targets if target.people_mount}
    if mounts and not re.fullmatch(_ACCESSOR, accessor):
        raise InvalidInput(
            "input",
            f"--oidc-accessor {accessor!r}",
            "is not the accessor of an auth mount, such as auth_oidc_1a2b3c4d",
            f"Run `vault read -field=accessor sys/auth/{min(mounts)}`. It limits the alias to this mount.",
        )
    for env, group_id in groups.items():
        if env not in {target.env for target in targets} or not re.fullmatch(_GROUP_ID, group_id):
            raise InvalidInput(
                "input",
                f"--group {env}={group_id}",
                "is not an environment of these clusters with the id of its group",
                "Run `vault read -field=id identity/group/name/NAME` with the administrators' group of one.",
            )
    if len(groups) > 1:
        raise InvalidInput(
            "input",
            f"--group for {' and '.join(groups)}",
            "would let the token give the alias of one environment to the group of another",
            "Name one group, of the environment whose alias is not there yet. A Vault administrator writes "
            "the other aliases, with the commands at the head of the policy.",
        )
    if groups and read_only:
        raise InvalidInput(
            "input", "--group with --read-only", "would let the token write an alias", "Use one of them."
        )
    if "move-alias" in extras and not groups:
        raise InvalidInput(
            "input", "--allow move-alias", "needs the group that gets the alias", "Name it with --group."
        )


def _with_accessor(rule: VaultRule, accessor: str) -> VaultRule:
    if "alias_mount_accessor" not in rule.allowed:
        return rule
    return replace(rule, allowed={**rule.allowed, "alias_mount_accessor": (accessor,)})


def _target(text: str) -> Cluster:
    env, slash, name = text.partition("/")
    if not slash:
        msg = f"{text!r} is not <env>/<cluster>, for example emea/ember"
        raise argparse.ArgumentTypeError(msg)
    try:
        return Cluster(env, name)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _group(text: str) -> tuple[str, str]:
    env, equals, group_id = text.partition("=")
    if not equals:
        msg = f"{text!r} is not ENV=ID, for example emea=3f0e..."
        raise argparse.ArgumentTypeError(msg)
    return env, group_id


def main(arguments: list[str] | None = None) -> int:
    """Print the policy; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.vault.policy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", type=_target, metavar="ENV/CLUSTER")
    parser.add_argument(
        "--connections", default="", metavar="FILE", help="has the clusters and Vault's namespace"
    )
    parser.add_argument(
        "--oidc-accessor",
        help="of the auth mount for people: vault read -field=accessor sys/auth/oidc; not needed where the "
        "conventions have no administrators",
    )
    parser.add_argument(
        "--group",
        action="append",
        type=_group,
        default=[],
        metavar="ENV=ID",
        help="let runs write the alias of this environment, for this group alone: "
        "vault read -field=id identity/group/name/vault-admins-ENV (its name is the conventions'); =ID where "
        "there are no environments",
    )
    parser.add_argument(
        "--policy-scope",
        action="append",
        choices=get_args(PolicyScope),
        help="of the runs; may be given twice (default: as the conventions have it)",
    )
    parser.add_argument(
        "--allow",
        action="append",
        choices=get_args(Extra),
        default=[],
        help="a right that a run can do without; may be given several times",
    )
    parser.add_argument(
        "--read-only", action="store_true", help="for runs that only plan; nothing can be changed with it"
    )
    parser.add_argument("--namespace", default="", help="Vault namespace in which the policy is written")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(given)
    if bool(options.targets) == bool(options.connections):
        parser.error("give either ENV/CLUSTER or --connections")
    try:
        targets, namespace = (
            read_targets(Path(options.connections)) if options.connections else (options.targets, "")
        )
        if options.oidc_accessor is None and any(target.people_mount for target in targets):
            parser.error("the following arguments are required: --oidc-accessor")
        policy = pipeline_policy(
            tuple(dict.fromkeys(targets)),
            options.oidc_accessor or "",
            tuple(dict.fromkeys(options.policy_scope or ())),
            tuple(dict.fromkeys(options.allow)),
            dict(options.group),
            options.namespace or namespace,
            read_only=options.read_only,
        )
    except (CommandError, InvalidInput) as error:
        parser.error(str(error))
    sys.stdout.write(f"# Made by: python -m deployments.vault.policy {shlex.join(given)}\n{policy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
