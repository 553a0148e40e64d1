"""Whoever gets hold of the pipeline's token cannot raise it: each attempt is answered with 403.

The same request by root is carried out (2xx), so that nothing but the missing right stopped the attempt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.vault.policy import pipeline_policy
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.rights import vault_rules
from sandbox.vault_server import VaultServer
from tests.deployments.vault.conftest import Ask
from tests.rights import EMBER, printed_policy, token_with
from tests.steps import realize_group, realize_mount, realize_policies
from tests.tasks.conftest import client, request

EVERYTHING = 'path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }'
ROLE_PATH = "auth/ember-k8s/role/emea-ops"
ROLE = {
    "alias_name_source": "serviceaccount_uid",
    "bound_service_account_names": ["vault-secret-fetcher"],
    "bound_service_account_namespaces": ["payments"],
    "token_ttl": 3600,
}
CONFIG = {"kubernetes_host": "https://127.0.0.1:1", "kubernetes_ca_cert": "a CA"}


@dataclass(frozen=True)
class Attempt:
    """One request of somebody who wants more than the token was made for.

    Attributes:
        path: ids that only Vault knows stand in it, and in the body, as names: see `ids`.
        gone: what root deletes before; else the pipeline has done its work.
    """

    name: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
    gone: str = ""

    def with_ids(self, ids: dict[str, str]) -> tuple[str, str, dict[str, Any] | None]:
        """Method, path and body to send."""
        path, body = self.path, json.dumps(self.body or None)
        for name, value in ids.items():
            path, body = path.replace(f"<{name}>", value), body.replace(f"<{name}>", value)
        return self.method, path, json.loads(body)


def role(**changes: Any) -> dict[str, Any]:
    return {**ROLE, "token_policies": ["emea-kv-r"], **changes}


OUR_ALIAS = "identity/group-alias/id/<our alias>"


def alias(**changes: Any) -> dict[str, Any]:
    ours = {"name": "vault-admins-emea", "mount_accessor": "<accessor>", "canonical_id": "<our group>"}
    return {name: value for name, value in {**ours, **changes}.items() if value is not None}


ABSENT_GROUP: dict[str, dict[str, Any]] = {
    "with nothing said": {},
    "as it should be": {"type": "external", "policies": ["emea-kv-rw"]},
    "one of Vault's own": {"type": "internal", "policies": ["emea-kv-rw"]},
    "with itself in it": {"policies": ["emea-kv-rw"], "member_entity_ids": ["<entity>"]},
}
OTHER_ALIASES: dict[str, dict[str, Any]] = {
    "to a group with an alias": {"canonical_id": "<root people>"},
    "to a group without one": {"canonical_id": "<free people>"},
    "on another mount": {"mount_accessor": "<our mount>"},
    "to nothing, so that Vault makes a group": {"canonical_id": None},
    "with no group at all": {"canonical_id": ""},
    "under another name": {"name": "root-people-too"},
    "with data": {"custom_metadata": {"a": "b"}},
}

ATTEMPTS = [
    # Policies.
    Attempt("rewrite its own policy", "sys/policies/acl/narrow", {"policy": EVERYTHING}, method="PUT"),
    Attempt("write a policy of its own", "sys/policies/acl/mine", {"policy": EVERYTHING}, method="PUT"),
    Attempt(
        "give our policy another text", "sys/policies/acl/emea-kv-r", {"policy": EVERYTHING}, method="PUT"
    ),
    Attempt("the same in upper case", "sys/policies/acl/EMEA-KV-R", {"policy": EVERYTHING}, method="PUT"),
    Attempt("the same by the older path", "sys/policy/emea-kv-r", {"policy": EVERYTHING}, method="PUT"),
    Attempt("delete a policy", "sys/policies/acl/emea-kv-rw", method="DELETE"),
    # Tokens.
    Attempt("create a token", "auth/token/create", {"policies": ["emea-kv-rw"]}),
    Attempt("create an orphan token", "auth/token/create-orphan", {"policies": ["emea-kv-rw"]}),
    Attempt("create a token role", "auth/token/roles/mine", {"allowed_policies": "emea-kv-rw"}),
    # The role.
    Attempt("give the role another policy", ROLE_PATH, role(token_policies=["x"])),
    Attempt("give the role one more policy", ROLE_PATH, role(token_policies=["emea-kv-r", "emea-kv-rw"])),
    Attempt("the same in one text", ROLE_PATH, role(token_policies="emea-kv-r,x")),
    Attempt("the same by the older name", ROLE_PATH, role(policies=["x"])),
    Attempt("the same, role in capitals", "auth/ember-k8s/role/EMEA-OPS", role(token_policies=["x"])),
    Attempt("the same, field in capitals", ROLE_PATH, role(POLICIES="x")),
    Attempt("give sessions no end", ROLE_PATH, role(token_period="24h")),
    Attempt("write another role", "auth/ember-k8s/role/mine", role()),
    # The mounts.
    Attempt("use Vault's own pod", "auth/ember-k8s/config", CONFIG),
    Attempt("use Vault's own pod, said", "auth/ember-k8s/config", {**CONFIG, "disable_local_ca_jwt": False}),
    *(
        Attempt(
            f"set {field} of the config",
            "auth/ember-k8s/config",
            {**CONFIG, "disable_local_ca_jwt": True, field: value},
        )
        for field, value in {
            "pem_keys": ["<key>"],
            "issuer": "https://issuer.example.com",
            "disable_iss_validation": False,
            "use_annotations_as_alias_metadata": True,
        }.items()
    ),
    Attempt("enable another method there", "sys/auth/other-k8s", {"type": "kubernetes"}),
    Attempt("enable a method that it can log in at", "sys/auth/userpass", {"type": "userpass"}),
    Attempt("tune the mount", "sys/auth/ember-k8s/tune", {"max_lease_ttl": "87600h"}),
    Attempt("disable somebody's login", "sys/auth/oidc", method="DELETE"),
    Attempt(
        "let people log in with a key of its own",
        "auth/oidc/config",
        {"jwt_validation_pubkeys": ["<key>"], "default_role": "users"},
    ),
    Attempt("open a role for people", "auth/oidc/role/users", {"role_type": "jwt", "user_claim": "x"}),
    # Identities.
    Attempt(
        "give the group another policy",
        "identity/group/name/vault-admins-emea",
        {"policies": ["emea-kv-rw", "narrow"]},
    ),
    Attempt(
        "give the group another policy, by its id",
        "identity/group/id/<our group>",
        {"policies": ["emea-kv-rw", "narrow"]},
    ),
    Attempt(
        "give another group our policy, by its id",
        "identity/group/id/<their group>",
        {"policies": ["emea-kv-rw"]},
    ),
    Attempt(
        "give it to another group by the path that makes them",
        "identity/group",
        {"id": "<their group>", "policies": ["emea-kv-rw"]},
    ),
    Attempt(
        "put itself into another group",
        "identity/group/id/<their group>",
        {"member_entity_ids": ["<entity>"]},
    ),
    *(
        Attempt(
            f"make the group that is not there {how}",
            "identity/group/name/vault-admins-emea",
            body,
            gone="identity/group/name/vault-admins-emea",
        )
        for how, body in ABSENT_GROUP.items()
    ),
    Attempt(
        "change what a templated policy may go by",
        "identity/group/name/vault-admins-emea",
        {"metadata": {"responsibility": "everything"}},
    ),
    # The alias, after root has taken ours away: else its name is in use.
    *(
        Attempt(f"bind the alias {how}", "identity/group-alias", alias(**changes), gone=OUR_ALIAS)
        for how, changes in OTHER_ALIASES.items()
    ),
    Attempt(
        "rename a stranger's alias by its id",
        "identity/group-alias/id/<root alias>",
        alias(name="free-people", canonical_id="<root people>"),
    ),
    Attempt(
        "take a stranger's alias by its id in the body",
        "identity/group-alias",
        alias(id="<root alias>", canonical_id="<root people>"),
        gone=OUR_ALIAS,
    ),
    Attempt("delete the group, by its id", "identity/group/id/<our group>", method="DELETE"),
    Attempt(
        "give an entity a policy, by its id", "identity/entity/id/<entity>", {"policies": ["emea-kv-rw"]}
    ),
    Attempt(
        "write a group of its own",
        "identity/group/name/mine",
        {"type": "external", "policies": ["emea-kv-rw"]},
    ),
    Attempt("write a group by another path", "identity/group", {"name": "mine", "type": "external"}),
    Attempt("make an entity", "identity/entity", {"name": "mine", "policies": ["emea-kv-rw"]}),
    Attempt("list groups", "identity/group/id?list=true", method="GET"),
    # Secrets, and Vault itself.
    Attempt("read a secret", "k8s_secrets/data/emea/ember/database", method="GET"),
    Attempt("write a secret", "k8s_secrets/data/emea/ember/database", {"data": {"a": "b"}}),
    Attempt("list secrets", "k8s_secrets/metadata/emea?list=true", method="GET"),
    Attempt("look at the audit devices", "sys/audit", method="GET"),
    Attempt("keep a header out of the audit log", "sys/config/auditing/request-headers/X-A", method="DELETE"),
    Attempt("mount an engine", "sys/mounts/mine", {"type": "kv"}),
    Attempt("seal Vault", "sys/seal", method="PUT"),
]


@pytest.fixture
def stolen(vault: VaultServer) -> str:
    """A token with exactly the printed policy, of a pipeline that has done its work."""
    token = token_with(vault, printed_policy(vault))
    with client(vault, token) as pipeline:
        for step in (realize_policies, realize_group, realize_mount):
            step(pipeline, request())
    vault.request("POST", "k8s_secrets/data/emea/ember/database", {"data": {"password": "x"}})
    return token


@pytest.fixture
def ids(stolen: str, vault: VaultServer) -> dict[str, str]:
    """What stands for itself in attempts: groups of ours and of others, an entity, a thief's key."""
    vault.request("POST", "identity/group/name/people", {"type": "internal", "policies": ["default"]})
    for name in ("root-people", "free-people"):
        vault.request("POST", f"identity/group/name/{name}", {"type": "external", "policies": ["all"]})
    vault.request("PUT", "sys/policies/acl/all", {"policy": EVERYTHING})
    groups = {
        name: vault.request("GET", f"identity/group/name/{name}")["data"]
        for name in ("vault-admins-emea", "people", "root-people", "free-people")
    }
    mounts = vault.request("GET", "sys/auth")["data"]
    accessor = mounts["oidc/"]["accessor"]
    root_alias = {
        "name": "root-people",
        "mount_accessor": accessor,
        "canonical_id": groups["root-people"]["id"],
    }
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "our group": groups["vault-admins-emea"]["id"],
        "our alias": groups["vault-admins-emea"]["alias"]["id"],
        "their group": groups["people"]["id"],
        "root people": groups["root-people"]["id"],
        "free people": groups["free-people"]["id"],
        "root alias": vault.request("POST", "identity/group-alias", root_alias)["data"]["id"],
        "accessor": accessor,
        "our mount": mounts["ember-k8s/"]["accessor"],
        "entity": vault.request("POST", "identity/entity", {"name": "thief"})["data"]["id"],
        "key": json.dumps(pem.decode())[1:-1],
    }


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_the_pipelines_token_may_not(
    attempt: Attempt, stolen: str, ids: dict[str, str], vault: VaultServer, ask: Ask
) -> None:
    if attempt.gone:
        vault.request("DELETE", replace(attempt, path=attempt.gone).with_ids(ids)[1])
    asked = attempt.with_ids(ids)
    assert ask(stolen, *asked) == 403
    assert ask(vault.root_token, *asked) in {200, 204}


def spellings(group_id: str) -> list[Any]:
    """Other ways to say an id, which Vault might take for the one that is pinned or for somebody's."""
    return [
        group_id.upper(),
        [group_id],
        f" {group_id}",
        f"{group_id},",
        {"id": group_id},
        f"{group_id}*",
        "*",
    ]


def test_no_other_spelling_of_an_id_passes_and_members_get_what_they_had(
    stolen: str, ids: dict[str, str], vault: VaultServer, ask: Ask
) -> None:
    vault.request("DELETE", f"identity/group-alias/id/{ids['our alias']}")
    ours = {"name": "vault-admins-emea", "mount_accessor": ids["accessor"]}
    for group in ("root people", "our group"):
        for spelled in spellings(ids[group]):
            body = {**ours, "canonical_id": spelled}
            assert ask(stolen, "POST", "identity/group-alias", body) in {400, 403}, spelled
        doubled = {**ours, "canonical_id": ids["our group"], "CANONICAL_ID": ids["root people"]}
        assert ask(stolen, "POST", "identity/group-alias", doubled) in {400, 403}
    assert policies_of(vault, "root-people") == ["all"]
    assert policies_of(vault, "vault-admins-emea") == []
    # What the run writes is allowed, and gives nobody more than the group's own policy.
    own = {**ours, "canonical_id": ids["our group"]}
    assert ask(stolen, "POST", "identity/group-alias", own) == 200
    assert policies_of(vault, "vault-admins-emea") == ["emea-kv-rw"]


def policies_of(vault: VaultServer, group: str) -> list[str]:
    """What a member of the identity provider's group gets."""
    login = {"role": "users", "jwt": vault.sign_user_jwt([group])}
    return list(vault.request("POST", "auth/oidc/login", login)["auth"].get("identity_policies") or [])


def test_with_two_environments_the_alias_of_neither_reaches_the_others_group(
    vault: VaultServer, ask: Ask
) -> None:
    moc = Cluster("moc", "smaug")
    token = token_with(vault, printed_policy(vault, [EMBER, moc]))
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    group = "identity/group/name/vault-admins-{}"
    vault.request("POST", group.format("moc"), {"type": "external", "policies": ["moc-kv-rw"]})
    id_of = {env: vault.request("GET", group.format(env))["data"]["id"] for env in ("emea", "moc")}
    for alias_env, group_env in product(id_of, id_of):
        body = {
            "name": f"vault-admins-{alias_env}",
            "mount_accessor": accessor,
            "canonical_id": id_of[group_env],
        }
        allowed = alias_env == group_env == "emea"
        assert ask(token, "POST", "identity/group-alias", body) == (200 if allowed else 403)
    with pytest.raises(InvalidInput, match="alias of one environment to the group of another"):
        pipeline_policy([EMBER, moc], accessor, groups=id_of)


def test_what_the_run_itself_writes_is_allowed(stolen: str, ask: Ask) -> None:
    config = {**CONFIG, "disable_local_ca_jwt": True, "token_reviewer_jwt": "a token"}
    assert ask(stolen, "POST", "auth/ember-k8s/config", config) == 204
    assert ask(stolen, "POST", ROLE_PATH, role()) == 204
    # As the command line sends a list of one.
    assert ask(stolen, "POST", ROLE_PATH, role(token_policies="emea-kv-r")) == 204


def test_with_the_read_only_policy_nothing_of_a_run_can_be_written(
    stolen: str, vault: VaultServer, ask: Ask
) -> None:
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    written = [rule for rule in vault_rules(request()) if "create" in rule.capabilities and not rule.asks]
    bodies: list[dict[str, Any]] = [
        {name: values[0] if values else "1" for name, values in rule.allowed.items()} for rule in written
    ]
    token = token_with(vault, pipeline_policy([EMBER], accessor, read_only=True))
    paths = [rule.path for rule in written]
    assert [ask(token, "POST", *asked) for asked in zip(paths, bodies, strict=True)] == [403] * 5
    read = [path for path in paths if not path.startswith("sys/auth/")]
    assert {ask(token, "GET", path) for path in read} == {200, 404}
