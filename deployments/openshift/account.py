"""Print the pipeline's account on a cluster: ``python -m deployments.openshift.account payments web``.

ServiceAccount, a Role in each namespace whose starter ServiceAccount is enabled, and a ClusterRole for the
rest, limited to names wherever the verb allows. The account changes nothing on the cluster but requests
tokens. The namespaces must exist; the operator's comes with the pull request, so what is needed there is in
the ClusterRole, by name. Apply it as a cluster administrator:

    python -m deployments.openshift.account payments web | oc apply --server-side -f -

and make its kubeconfig with ``python -m deployments.openshift.kubeconfig``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml

from deployments.commands import CommandError
from deployments.connection_file import read_conventions
from runbook.cluster_rights import ClusterRight, cluster_rights
from runbook.conventions import RUNBOOK, Conventions
from runbook.errors import InvalidInput
from runbook.request import EnableRequest, ReviewerToken

NAMESPACE = "vault-enablement"
ACCOUNT = "pipeline"
TOKEN_SECRET = "pipeline-token"  # noqa: S105 - the name of an object
ROLE = "vault-enablement-pipeline"

_RBAC = "rbac.authorization.k8s.io"
_HEAD = """\
# The pipeline's account on this cluster. Made by:
# {command}
# Apply it with `oc apply --server-side -f -`.
"""


def account_manifests(
    namespaces: Sequence[str],
    service_account: str = "",
    reviewer_tokens: Sequence[ReviewerToken] = ("secret",),
    conventions: Conventions = RUNBOOK,
    *,
    read_only: bool = False,
) -> list[dict[str, Any]]:
    """The objects, in the order in which they are applied.

    Args:
        namespaces: those that runs may name.
        service_account: the starter ServiceAccount in them; empty for that of the conventions.
        reviewer_tokens: the values of ``reviewer_token`` that runs may have.
        conventions: the names of the organisation.
        read_only: for runs that only plan: without tokens, which the account could become somebody else with.

    Raises:
        InvalidInput: a name is none.
    """
    rights: dict[str, list[ClusterRight]] = {"": []}  # by the namespace of their Role
    for mode in reviewer_tokens:
        request = EnableRequest(
            cluster="any",
            env="any" if conventions.environments else "",
            namespaces=tuple(namespaces),
            service_account=service_account,
            reviewer_token=mode,
            conventions=conventions,
        )
        for right in cluster_rights(request):
            if read_only and (right.verb == "create" or right.resource == "secrets"):
                continue
            # The operator's namespace comes with the pull request; a Role in it could not be made before.
            namespace = "" if right.namespace == request.conventions.operator.namespace else right.namespace
            rights.setdefault(namespace, []).append(right)
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": TOKEN_SECRET,
                "namespace": NAMESPACE,
                "annotations": {"kubernetes.io/service-account.name": ACCOUNT},
            },
            "type": "kubernetes.io/service-account-token",
        },
        *(manifest for namespace in rights for manifest in _granted(namespace, rights[namespace])),
    ]


def _granted(namespace: str, rights: Iterable[ClusterRight]) -> list[dict[str, Any]]:
    """A role, in a namespace or for the whole cluster, and its binding to the account."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": ROLE, **({"namespace": namespace} if namespace else {})}
    return [
        {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": _rules(rights)},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        },
    ]


def _rules(rights: Iterable[ClusterRight]) -> list[dict[str, Any]]:
    """One rule for each verb on a resource, with the names that it is about."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        names.setdefault((right.group, right.kind, right.verb), []).append(right.name)
    return [
        {
            "apiGroups": [group],
            "resources": [resource],
            # A list and a plain create have no name that a rule could be about; the create of a token has.
            **({"resourceNames": sorted(set(of_rule))} if all(of_rule) else {}),
            "verbs": [verb],
        }
        for (group, resource, verb), of_rule in names.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the manifests; returns 0, or 1 after saying what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m deployments.openshift.account", description=__doc__)
    parser.add_argument("namespaces", nargs="+", metavar="NAMESPACE", help="as in the parameters of a run")
    parser.add_argument(
        "--service-account",
        default="",
        help="the starter ServiceAccount, where runs name another than the conventions'",
    )
    parser.add_argument(
        "--reviewer-token",
        action="append",
        choices=get_args(ReviewerToken),
        help="of the runs; may be given twice (default: secret)",
    )
    parser.add_argument("--connections", metavar="FILE", help="has the names of your organisation, if any")
    parser.add_argument(
        "--read-only", action="store_true", help="for runs that only plan: no tokens, no Secret"
    )
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(given)
    try:
        manifests = account_manifests(
            options.namespaces,
            options.service_account,
            tuple(options.reviewer_token or ("secret",)),
            read_conventions(Path(options.connections)) if options.connections else RUNBOOK,
            read_only=options.read_only,
        )
    except (CommandError, InvalidInput) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.write(_HEAD.format(command=" ".join(["python -m deployments.openshift.account", *given])))
    yaml.safe_dump_all(manifests, sys.stdout, sort_keys=False, default_flow_style=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
