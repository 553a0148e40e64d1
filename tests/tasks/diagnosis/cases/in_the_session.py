"""What is wrong with what a login gives."""

from __future__ import annotations

from runbook.diagnosis.causes import Causes
from tests.tasks.diagnosis.cases.case import STARTER, case, change_role
from tests.tasks.diagnosis.scene import POLICY, ROLE, Scene

OWN = "k8s_secrets/data/emea/ember/enablement-probe"


IN_THE_SESSION = [
    case(Causes.POLICY_MISSING, lambda scene: scene.delete(POLICY), Scene.enable, policy="emea-kv-r"),
    case(
        Causes.POLICY_LACKS_RULE,
        lambda scene: scene.admin.write(POLICY, {"policy": 'path "billing/*" { capabilities = ["read"] }'}),
        policy="emea-kv-r",
        path=OWN,
    ),
    *(
        case(
            Causes.POLICY_NOT_HANDED_OUT,
            change_role(token_policies=policies),
            change_role(token_policies=["emea-kv-r"]),
            role=ROLE,
            policy="emea-kv-r",
            ours="emea-kv-r",
            instead=instead,
        )
        for policies, instead in ((["billing"], "billing"), ([], "no policy"))
    ),
    case(
        Causes.SESSION_READS_TOO_MUCH,
        lambda scene: scene.admin.write(
            POLICY, {"policy": 'path "k8s_secrets/data/*" { capabilities = ["read"] }'}
        ),
        account=f"payments/{STARTER}",
        path="k8s_secrets/data/not-emea/enablement-probe",
        policies="default, emea-kv-r",
    ),
    case(
        Causes.SECRETS_MOUNT_MISSING,
        lambda scene: scene.delete("sys/mounts/k8s_secrets"),
        lambda scene: scene.admin.write(
            "sys/mounts/k8s_secrets", {"type": "kv", "options": {"version": "2"}}
        ),
        mount="k8s_secrets",
    ),
]
