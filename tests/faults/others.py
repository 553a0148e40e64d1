"""What others have put into Vault before a run comes, and whether it is still there.

In each object that a run writes there is something of somebody else's, beside which the run has something to
add; a policy of theirs grants more than ours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runbook.objects.policy import environment_policy
from tests.faults.installation import Proxies
from tests.faults.run import Scene
from tests.rights import EMBER
from tests.world import World

POLICY, GROUP = "sys/policies/acl/emea-kv-r", "identity/group/name/vault-admins-emea"
CONFIG, ROLE = "auth/ember-k8s/config", "auth/ember-k8s/role/emea-ops"

_SURPLUS = 'path "k8s_secrets/metadata/emea/*" {\n  capabilities = ["list"]\n}\n'
_THEIRS: dict[str, dict[str, Any]] = {
    POLICY: {"policy": environment_policy(EMBER).text + _SURPLUS},
    GROUP: {"policies": ["audit-readers"], "metadata": {"team": "blue"}},
    CONFIG: {"issuer": "https://issuer.example.com"},
    ROLE: {
        "bound_service_account_names": ["billing"],
        "bound_service_account_namespaces": ["billing", "ledger"],
    },
}
_BESIDE: dict[str, dict[str, Any]] = {
    GROUP: {"type": "external"},
    # Nothing in there is as the run wants it: all of ours is to be written, and all of theirs to be kept.
    CONFIG: {"kubernetes_host": "https://before.example.com", "kubernetes_ca_cert": "of before"},
    ROLE: {"token_ttl": "9h"},
}


def put_there(world: World) -> None:
    """Write it, as its owners did."""
    world.vault.request("POST", "sys/auth/ember-k8s", {"type": "kubernetes"})
    for path, theirs in _THEIRS.items():
        world.vault.request("POST", path, theirs | _BESIDE.get(path, {}))


def missing(world: World) -> list[str]:
    """What of it is gone."""
    return [
        f"{path}: {field} has {there.get(field)!r} and lacks {value!r}"
        for path, theirs in _THEIRS.items()
        for there in [world.vault.request("GET", path).get("data") or {}]
        for field, value in theirs.items()
        if not _holds(there.get(field), value)
    ]


def _holds(there: Any, theirs: Any) -> bool:
    if isinstance(theirs, list):
        return set(theirs) <= set(there or ())
    if isinstance(theirs, dict):
        return theirs.items() <= (there or {}).items()
    return bool(there == theirs)


def without_pins(proxies: Proxies) -> Scene:
    """The scene of a run whose token may write what others use too, and that was told so."""
    scene = proxies.scene()
    vault = scene.vault | {"token": proxies.world.vault.root_token, "pinned_policy": False}
    told = {"adopt": [CONFIG], "cluster_moved": True}
    return replace(scene, vault=vault, parameters=scene.parameters | told)
