"""What is wrong with what a login gives."""

from __future__ import annotations

from runbook.diagnosis import (
    PolicyLacksRule,
    PolicyMissing,
    PolicyNotHandedOut,
    SecretsMountMissing,
    SessionReadsTooMuch,
)
from tests.tasks.diagnosis.cases.case import STARTER, Case
from tests.tasks.diagnosis.scene import POLICY, ROLE, Scene

OWN = "k8s_secrets/data/emea/ember/enablement-probe"


def too_much(scene: Scene) -> None:
    scene.admin.write(POLICY, {"policy": 'path "k8s_secrets/data/*" { capabilities = ["read"] }'})


IN_THE_SESSION = [
    Case(
        "the policy of the role is missing",
        PolicyMissing,
        lambda scene: scene.delete(POLICY),
        "Vault, policy emea-kv-r: does not exist; the role hands it out all the same, and it grants nothing",
        Scene.enable,
    ),
    Case(
        "the policy is there without our rule",
        PolicyLacksRule,
        lambda scene: scene.admin.write(POLICY, {"policy": 'path "billing/*" { capabilities = ["read"] }'}),
        f"Vault, policy emea-kv-r: does not let a session read {OWN}",
    ),
    Case(
        "the role hands out another policy",
        PolicyNotHandedOut,
        lambda scene: scene.change_role(token_policies=["billing"]),
        f"Vault, {ROLE}: hands out billing, not emea-kv-r",
        lambda scene: scene.change_role(token_policies=["emea-kv-r"]),
    ),
    Case(
        "the role hands out no policy",
        PolicyNotHandedOut,
        lambda scene: scene.change_role(token_policies=[]),
        f"Vault, {ROLE}: hands out no policy, not emea-kv-r",
        lambda scene: scene.change_role(token_policies=["emea-kv-r"]),
    ),
    Case(
        "the session may read too much",
        SessionReadsTooMuch,
        too_much,
        f"Vault, session of payments/{STARTER}: may read k8s_secrets/data/not-emea/enablement-probe, which "
        "must not be allowed; its policies: default, emea-kv-r",
    ),
    Case(
        "the secrets engine is missing",
        SecretsMountMissing,
        lambda scene: scene.delete("sys/mounts/k8s_secrets"),
        "Vault, k8s_secrets/: is not enabled, so there is nothing to read",
        lambda scene: scene.admin.write(
            "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "2"}}
        ),
    ),
]
