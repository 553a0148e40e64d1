"""What is wrong in Vault, so that no login passes."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.diagnosis.causes import Causes
from runbook.errors import Conflict
from sandbox.certificates import CertificateAuthority
from tests.tasks.conftest import client
from tests.tasks.diagnosis.cases.case import API, STARTER, case, change_role
from tests.tasks.diagnosis.scene import CONFIG, MOUNT, ROLE, Scene


def no_mount(scene: Scene) -> None:
    scene.delete(f"sys/auth/{MOUNT}")


def mount_of_another_type(scene: Scene) -> None:
    no_mount(scene)
    scene.admin.write(f"sys/auth/{MOUNT}", {"type": "approle"})


def config_never_written(scene: Scene) -> None:
    role = dict(scene.admin.role(MOUNT, "emea-ops") or {})
    no_mount(scene)
    scene.admin.write(f"sys/auth/{MOUNT}", {"type": "kubernetes"})
    kept = ("bound_service_account_names", "bound_service_account_namespaces", "token_policies")
    scene.admin.write(ROLE, {key: role[key] for key in kept})


def no_reviewer_jwt(scene: Scene) -> None:
    config = dict(scene.admin.kubernetes_config(MOUNT) or {})
    scene.admin.write(
        CONFIG,
        {key: config[key] for key in ("kubernetes_host", "kubernetes_ca_cert")}
        | {"disable_local_ca_jwt": True},
    )


def sealed(scene: Scene) -> None:
    scene.values["vault"] = scene.vault.address
    scene.vault.seal()
    scene.elsewhere.callback(scene.vault.unseal)


def silent(scene: Scene) -> None:
    """The pipeline's connection has an address at which nothing listens."""
    scene.values["vault"] = scene.closed_port()
    scene.pipeline = scene.elsewhere.enter_context(
        client(scene.vault, scene.vault.pipeline_token, scene.values["vault"])
    )


def corrected_address(scene: Scene) -> None:
    scene.pipeline = scene.elsewhere.enter_context(client(scene.vault, scene.vault.pipeline_token))


def moved(scene: Scene) -> None:
    """The mount of another type makes room, and a run follows."""
    no_mount(scene)
    scene.enable()


def cleared(scene: Scene, **fields: Any) -> None:
    """An administrator clears what a run stops at, and the run follows."""
    with pytest.raises(Conflict, match=next(iter(fields))):
        scene.enable()
    scene.change_config(**fields)
    scene.enable()


IN_VAULT = [
    case(
        Causes.VAULT_UNREACHABLE,
        silent,
        corrected_address,
        address="{vault}",
        why="no answer ([Errno 111] Connection refused)",
    ),
    case(Causes.VAULT_SEALED, sealed, lambda scene: scene.vault.unseal(), address="{vault}"),
    case(Causes.MOUNT_MISSING, no_mount, Scene.enable, mount=MOUNT),
    case(Causes.MOUNT_OF_ANOTHER_TYPE, mount_of_another_type, moved, mount=MOUNT, type="approle"),
    case(Causes.CONFIG_NEVER_WRITTEN, config_never_written, Scene.enable, mount=MOUNT),
    case(
        Causes.ROLE_MISSING,
        lambda scene: scene.delete(ROLE),
        Scene.enable,
        mount=MOUNT,
        role="emea-ops",
        there="none",
    ),
    *(
        case(
            Causes.NAME_NOT_BOUND,
            change_role(bound_service_account_names=[name]),
            Scene.enable,
            role=ROLE,
            name=STARTER,
            bound=f"{name}{but}",
        )
        for name, but in (
            ("billing", ""),
            ("Vault-Secret-Fetcher", " (Vault-Secret-Fetcher differs in case)"),
        )
    ),
    *(
        case(
            Causes.NAMESPACE_NOT_BOUND,
            change_role(bound_service_account_namespaces=bound),
            Scene.enable,
            role=ROLE,
            namespace="web",
            bound=", ".join(bound),
        )
        # The second only look like patterns.
        for bound in (["payments"], ["we[b]", "web?", "pay*ts"])
    ),
    case(
        Causes.AUDIENCE_NOT_IN_TOKEN,
        change_role(audience="vault"),
        change_role(audience=""),
        role=ROLE,
        audience="vault",
        token_audiences=API,
    ),
    case(
        Causes.ADDRESS_NOT_ALLOWED,
        change_role(token_bound_cidrs=["192.0.2.0/24"]),
        change_role(token_bound_cidrs=""),
        role=ROLE,
        allowed="192.0.2.0/24",
        ours="127.0.0.1",
    ),
    case(
        Causes.ROLE_BINDS_ANYBODY,
        change_role(bound_service_account_names=["*"]),
        change_role(bound_service_account_names=[STARTER]),
        role=ROLE,
        unlisted="bound_service_account_names=*",
        command=f"`vault write {ROLE} bound_service_account_names={STARTER} "
        "bound_service_account_namespaces=payments,web bound_service_account_namespace_selector=`",
    ),
    case(
        Causes.CONFIG_OF_OTHERS_DECIDES,
        lambda scene: scene.change_config(pem_keys=[CertificateAuthority("a thief").pem]),
        lambda scene: cleared(scene, pem_keys=[]),
        mount=MOUNT,
        fields="pem_keys",
    ),
    case(
        Causes.CONFIG_OF_OTHERS,
        lambda scene: scene.change_config(issuer="https://issuer.example.com"),
        lambda scene: cleared(scene, issuer=""),
        mount=MOUNT,
        fields="issuer",
    ),
    case(Causes.REVIEWER_JWT_NOT_SET, no_reviewer_jwt, Scene.enable, mount=MOUNT),
]
