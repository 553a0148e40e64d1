"""Print the policy of the pipeline's own token: ``python -m deployments.vault.policy emea/ember moc/smaug``.

The policy names each path that enabling these clusters needs and pins the values that may be written there,
so that whoever gets hold of the token cannot raise it. What such a person can still reach stands in
``docs/rights.md``. Hand it to ``vault policy write enablement-pipeline -``, again for each new cluster.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from deployments.vault.hcl import policy_text
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.request import EnableRequest, PolicyScope
from runbook.rights import Extra, VaultRule, extra_rules, merged, vault_rules

_ANY_NAMESPACE = ("any",)
"""A run's namespaces and ServiceAccount are bound in the role, where any name is allowed."""


def pipeline_policy(
    targets: Sequence[Cluster],
    scopes: Sequence[PolicyScope] = ("env",),
    extras: Sequence[Extra] = (),
    oidc_accessor: str = "",
) -> str:
    """The policy's text.

    Args:
        targets: the clusters that may be enabled.
        scopes: the values of ``policy_scope`` that runs may have; with ``cluster`` alone, no role may give
            more than the secrets of its own cluster.
        extras: rights that a run can do without.
        oidc_accessor: accessor of the people's auth mount, to pin the alias to it; else any accessor.
    """
    rules: list[VaultRule] = []
    for target in targets:
        for scope in scopes:
            request = EnableRequest(
                cluster=target.name,
                env=target.env,
                namespaces=_ANY_NAMESPACE,
                cluster_connection=target.name,
                policy_scope=scope,
            )
            rules += vault_rules(request)
    for extra in extras:
        rules += extra_rules(extra, targets)
    if oidc_accessor:
        rules = [_with_accessor(rule, oidc_accessor) for rule in rules]
    made_by = command_line(targets, scopes, extras, oidc_accessor)
    head = f"The pipeline's own token, to enable {', '.join(map(str, targets))}. Made by:\n{made_by}"
    return policy_text(merged(rules), head)


def command_line(
    targets: Sequence[Cluster], scopes: Sequence[PolicyScope], extras: Sequence[Extra], oidc_accessor: str
) -> str:
    """The command that prints this very policy."""
    words = ["python -m deployments.vault.policy", *map(str, targets)]
    words += [f"--policy-scope {scope}" for scope in scopes if tuple(scopes) != ("env",)]
    words += [f"--allow {extra}" for extra in extras]
    words += [f"--oidc-accessor {oidc_accessor}"] if oidc_accessor else []
    return " ".join(words)


def _with_accessor(rule: VaultRule, accessor: str) -> VaultRule:
    if "mount_accessor" not in rule.allowed:
        return rule
    return replace(rule, allowed={**rule.allowed, "mount_accessor": (accessor,)})


def _target(text: str) -> Cluster:
    env, slash, name = text.partition("/")
    if not slash:
        msg = f"{text!r} is not <env>/<cluster>, for example emea/ember"
        raise argparse.ArgumentTypeError(msg)
    try:
        return Cluster(env, name)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Print the policy; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m deployments.vault.policy", description=__doc__)
    parser.add_argument("targets", nargs="+", type=_target, metavar="ENV/CLUSTER")
    parser.add_argument(
        "--policy-scope",
        action="append",
        choices=get_args(PolicyScope),
        help="of the runs; may be given twice (default: env)",
    )
    parser.add_argument(
        "--allow",
        action="append",
        choices=get_args(Extra),
        default=[],
        help="a right that a run can do without; may be given several times",
    )
    parser.add_argument(
        "--oidc-accessor",
        default="",
        help="pin the alias to this accessor: vault read -field=accessor sys/auth/oidc",
    )
    options = parser.parse_args(arguments)
    sys.stdout.write(
        pipeline_policy(
            tuple(dict.fromkeys(options.targets)),
            tuple(dict.fromkeys(options.policy_scope or ("env",))),
            tuple(dict.fromkeys(options.allow)),
            options.oidc_accessor,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
