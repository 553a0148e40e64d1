"""Another way to the same end: sessions by AppRole, not a given token; a reviewer's token made on request.

Such a run asks what the usual one asks, and a few things more.
"""

from __future__ import annotations

from dataclasses import replace

from sandbox.vault_seed import PIPELINE_POLICY
from tests.faults.faults import Point
from tests.faults.installation import Proxies
from tests.faults.run import Scene
from tests.world import World

LOGIN = "Vault: POST auth/approle/login"
REVOKE = "Vault: POST auth/token/revoke-self"
REVIEWERS_TOKEN = (
    "cluster: POST /api/v1/namespaces/external-secrets-operator/serviceaccounts/eso-vault-auth/token"
)
ROLE = "auth/approle/role/pipeline"
SESSION = 600
"""Seconds that a session of the pipeline lasts if nobody ends it."""

_ROLE_ID, _SECRET_ID = "pipeline-of-the-fault-tests", "7d1f0c52-the-secret-id-of-the-fault-tests"


def is_of_the_other_way(point: Point) -> bool:
    """Whether the usual run has no such request, or (ending a session) for another session only."""
    return point.name in {LOGIN, REVOKE, REVIEWERS_TOKEN}


def other_way(proxies: Proxies) -> Scene:
    """The scene of such a run; `let_in` first."""
    scene = proxies.scene()
    vault = {key: value for key, value in scene.vault.items() if key != "token"}
    return replace(
        scene,
        vault=vault | {"approle_role_id": _ROLE_ID, "approle_secret_id": _SECRET_ID},
        parameters=scene.parameters | {"reviewer_token": "token-request", "reviewer_token_lifetime": "24h"},
    )


def let_in(world: World) -> None:
    """Make the AppRole, with the same ids each time."""
    vault = world.vault
    vault.request("POST", "sys/auth/approle", {"type": "approle"})
    role = {"token_policies": [PIPELINE_POLICY], "token_no_default_policy": True, "token_ttl": SESSION}
    vault.request("POST", ROLE, role | {"token_max_ttl": SESSION})
    vault.request("POST", f"{ROLE}/role-id", {"role_id": _ROLE_ID})
    vault.request("POST", f"{ROLE}/custom-secret-id", {"secret_id": _SECRET_ID})


def reset(world: World) -> None:
    """Vault as such a run finds it."""
    world.vault.reset()
    let_in(world)
