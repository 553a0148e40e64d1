"""What is wrong in Vault, so that no login passes."""

from __future__ import annotations

from runbook.diagnosis import (
    AddressNotAllowed,
    AudienceNotInToken,
    ConfigNeverWritten,
    MountMissing,
    MountOfAnotherType,
    NameNotBound,
    NamespaceNotBound,
    ReviewerJwtNotSet,
    RoleMissing,
    VaultSealed,
    VaultUnreachable,
)
from tests.tasks.conftest import client
from tests.tasks.diagnosis.cases.case import API, STARTER, Case
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


IN_VAULT = [
    Case(
        "Vault is silent",
        VaultUnreachable,
        silent,
        "Vault, {vault}: cannot be asked from here (no answer ([Errno 111] Connection refused))",
        corrected_address,
    ),
    Case(
        "Vault is sealed",
        VaultSealed,
        sealed,
        "Vault, {vault}: is sealed",
        lambda scene: scene.vault.unseal(),
    ),
    Case(
        "the mount is missing", MountMissing, no_mount, "Vault, auth/ember-k8s: is not enabled", Scene.enable
    ),
    Case(
        "the mount is of another type",
        MountOfAnotherType,
        mount_of_another_type,
        "Vault, auth/ember-k8s: is an auth method of type approle, not kubernetes",
        moved,
    ),
    Case(
        "the config was never written",
        ConfigNeverWritten,
        config_never_written,
        "Vault, auth/ember-k8s/config: was never written",
        Scene.enable,
    ),
    Case(
        "the role is missing",
        RoleMissing,
        lambda scene: scene.delete(ROLE),
        f"Vault, {ROLE}: is not there; roles of this mount: not known to us",
        Scene.enable,
    ),
    Case(
        "the ServiceAccount's name is not bound",
        NameNotBound,
        lambda scene: scene.change_role(bound_service_account_names=["billing"]),
        f"Vault, {ROLE}: does not bind the ServiceAccount name {STARTER}; bound are: billing",
        Scene.enable,
    ),
    Case(
        "the bound name differs in case",
        NameNotBound,
        lambda scene: scene.change_role(bound_service_account_names=["Vault-Secret-Fetcher"]),
        f"Vault, {ROLE}: does not bind the ServiceAccount name {STARTER}; bound are: Vault-Secret-Fetcher "
        "(Vault-Secret-Fetcher differs in case, which counts)",
        Scene.enable,
    ),
    Case(
        "the namespace is not bound",
        NamespaceNotBound,
        lambda scene: scene.change_role(bound_service_account_namespaces=["payments"]),
        f"Vault, {ROLE}: does not bind the namespace web; bound are: payments",
        Scene.enable,
    ),
    Case(
        "what is bound only looks like a pattern",
        NamespaceNotBound,
        lambda scene: scene.change_role(bound_service_account_namespaces=["we[b]", "web?", "pay*ts"]),
        f"Vault, {ROLE}: does not bind the namespace web; bound are: we[b], web?, pay*ts",
        Scene.enable,
    ),
    Case(
        "the role demands an audience",
        AudienceNotInToken,
        lambda scene: scene.change_role(audience="vault"),
        f"Vault, {ROLE}: demands the audience 'vault'; the client's token is for {API}",
        lambda scene: scene.change_role(audience=""),
    ),
    Case(
        "the role is bound to other addresses",
        AddressNotAllowed,
        lambda scene: scene.change_role(token_bound_cidrs=["192.0.2.0/24"]),
        f"Vault, {ROLE}: accepts logins only from 192.0.2.0/24 (token_bound_cidrs); from here they come "
        "from 127.0.0.1, unless something on the way translates it",
        lambda scene: scene.change_role(token_bound_cidrs=""),
    ),
    Case(
        "the config holds no reviewer JWT",
        ReviewerJwtNotSet,
        no_reviewer_jwt,
        "Vault, auth/ember-k8s/config: holds no reviewer JWT, so Vault reviews each token with that token "
        "itself",
        Scene.enable,
    ),
]
