"""Whoever gets hold of the pipeline's token cannot raise it: each attempt is answered with 403.

The same request by root is carried out (2xx), so that nothing but the missing right stopped the attempt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.sandbox.vault_server import VaultServer
from deployments.vault.policy import pipeline_policy
from runbook.request import EnableRequest
from tasks.auth_method import realize_mount
from tasks.group import realize_group
from tasks.policies import realize_policies
from tests.deployments.vault.conftest import Ask
from tests.rights import EMBER, token_with
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
    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    gone: str = ""

    def with_ids(self, ids: dict[str, str]) -> tuple[str, str, dict[str, Any] | None]:
        """Method, path and body to send."""
        path, body = self.path, json.dumps(self.body or None)
        for name, value in ids.items():
            path, body = path.replace(f"<{name}>", value), body.replace(f"<{name}>", value)
        return self.method, path, json.loads(body)


def role(**changes: Any) -> dict[str, Any]:
    return {**ROLE, "token_policies": ["emea-kv-r"], **changes}


ATTEMPTS = [
    # Policies.
    Attempt("rewrite its own policy", "PUT", "sys/policies/acl/narrow", {"policy": EVERYTHING}),
    Attempt("write a policy of its own", "PUT", "sys/policies/acl/mine", {"policy": EVERYTHING}),
    Attempt("give our policy another text", "PUT", "sys/policies/acl/emea-kv-r", {"policy": EVERYTHING}),
    Attempt("the same in upper case", "PUT", "sys/policies/acl/EMEA-KV-R", {"policy": EVERYTHING}),
    Attempt("the same by the older path", "PUT", "sys/policy/emea-kv-r", {"policy": EVERYTHING}),
    Attempt("delete a policy", "DELETE", "sys/policies/acl/emea-kv-rw"),
    # Tokens.
    Attempt("create a token", "POST", "auth/token/create", {"policies": ["emea-kv-rw"]}),
    Attempt("create an orphan token", "POST", "auth/token/create-orphan", {"policies": ["emea-kv-rw"]}),
    Attempt("create a token role", "POST", "auth/token/roles/mine", {"allowed_policies": "emea-kv-rw"}),
    # The role.
    Attempt("give the role another policy", "POST", ROLE_PATH, role(token_policies=["x"])),
    Attempt(
        "give the role one more policy",
        "POST",
        ROLE_PATH,
        role(token_policies=["emea-kv-r", "emea-kv-rw"]),
    ),
    Attempt("the same in one text", "POST", ROLE_PATH, role(token_policies="emea-kv-r,x")),
    Attempt("the same by the older name", "POST", ROLE_PATH, role(policies=["x"])),
    Attempt(
        "the same, role in capitals",
        "POST",
        "auth/ember-k8s/role/EMEA-OPS",
        role(token_policies=["x"]),
    ),
    Attempt("the same, field in capitals", "POST", ROLE_PATH, role(POLICIES="x")),
    Attempt("give sessions no end", "POST", ROLE_PATH, role(token_period="24h")),
    Attempt("write another role", "POST", "auth/ember-k8s/role/mine", role()),
    # The mounts.
    Attempt("use Vault's own pod", "POST", "auth/ember-k8s/config", CONFIG),
    Attempt(
        "use Vault's own pod, said",
        "POST",
        "auth/ember-k8s/config",
        {**CONFIG, "disable_local_ca_jwt": False},
    ),
    Attempt("enable another method there", "POST", "sys/auth/other-k8s", {"type": "kubernetes"}),
    Attempt("enable a method that it can log in at", "POST", "sys/auth/userpass", {"type": "userpass"}),
    Attempt("tune the mount", "POST", "sys/auth/ember-k8s/tune", {"max_lease_ttl": "87600h"}),
    Attempt("disable somebody's login", "DELETE", "sys/auth/oidc"),
    Attempt(
        "let people log in with a key of its own",
        "POST",
        "auth/oidc/config",
        {"jwt_validation_pubkeys": ["<key>"], "default_role": "users"},
    ),
    Attempt(
        "open a role for people", "POST", "auth/oidc/role/users", {"role_type": "jwt", "user_claim": "x"}
    ),
    # Identities.
    Attempt(
        "give the group another policy",
        "POST",
        "identity/group/name/vault-admins-emea",
        {"policies": ["emea-kv-rw", "narrow"]},
    ),
    Attempt(
        "give the group another policy, by its id",
        "POST",
        "identity/group/id/<our group>",
        {"policies": ["emea-kv-rw", "narrow"]},
    ),
    Attempt(
        "give another group our policy, by its id",
        "POST",
        "identity/group/id/<their group>",
        {"policies": ["emea-kv-rw"]},
    ),
    Attempt(
        "give it to another group by the path that makes them",
        "POST",
        "identity/group",
        {"id": "<their group>", "policies": ["emea-kv-rw"]},
    ),
    Attempt(
        "put itself into another group",
        "POST",
        "identity/group/id/<their group>",
        {"member_entity_ids": ["<entity>"]},
    ),
    Attempt(
        # Of a group that is there the type cannot be changed: this has to come before the run.
        "make the group one of Vault's own, with itself in it",
        "POST",
        "identity/group/name/vault-admins-emea",
        {"type": "internal", "policies": ["emea-kv-rw"], "member_entity_ids": ["<entity>"]},
        gone="identity/group/name/vault-admins-emea",
    ),
    Attempt(
        "put itself into a group that is not there yet",
        "POST",
        "identity/group/name/vault-admins-emea",
        {"policies": ["emea-kv-rw"], "member_entity_ids": ["<entity>"]},
        gone="identity/group/name/vault-admins-emea",
    ),
    Attempt("delete the group, by its id", "DELETE", "identity/group/id/<our group>"),
    Attempt(
        "give an entity a policy, by its id",
        "POST",
        "identity/entity/id/<entity>",
        {"policies": ["emea-kv-rw"]},
    ),
    Attempt(
        "write a group of its own",
        "POST",
        "identity/group/name/mine",
        {"type": "external", "policies": ["emea-kv-rw"]},
    ),
    Attempt("write a group by another path", "POST", "identity/group", {"name": "mine", "type": "external"}),
    Attempt("make an entity", "POST", "identity/entity", {"name": "mine", "policies": ["emea-kv-rw"]}),
    Attempt("list groups", "GET", "identity/group/id?list=true"),
    # Secrets, and Vault itself.
    Attempt("read a secret", "GET", "k8s_secrets/data/emea/ember/database"),
    Attempt("write a secret", "POST", "k8s_secrets/data/emea/ember/database", {"data": {"a": "b"}}),
    Attempt("list secrets", "GET", "k8s_secrets/metadata/emea?list=true"),
    Attempt("look at the audit devices", "GET", "sys/audit"),
    Attempt("keep a header out of the audit log", "DELETE", "sys/config/auditing/request-headers/X-A"),
    Attempt("mount an engine", "POST", "sys/mounts/mine", {"type": "kv"}),
    Attempt("seal Vault", "PUT", "sys/seal"),
]


@pytest.fixture
def stolen(vault: VaultServer, request_for_ember: EnableRequest) -> str:
    """A token with exactly the printed policy, of a pipeline that has done its work."""
    token = token_with(vault, pipeline_policy([EMBER]))
    with client(vault, token) as pipeline:
        for step in (realize_policies, realize_group, realize_mount):
            step(pipeline, request_for_ember)
    vault.request("POST", "k8s_secrets/data/emea/ember/database", {"data": {"password": "x"}})
    return token


@pytest.fixture
def request_for_ember() -> EnableRequest:
    return request()


@pytest.fixture
def ids(stolen: str, vault: VaultServer) -> dict[str, str]:
    """What stands for itself in attempts: groups of ours and of others, an entity, a thief's key."""
    vault.request("POST", "identity/group/name/people", {"type": "internal", "policies": ["default"]})
    entity = vault.request("POST", "identity/entity", {"name": "thief"})["data"]["id"]
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "our group": vault.request("GET", "identity/group/name/vault-admins-emea")["data"]["id"],
        "their group": vault.request("GET", "identity/group/name/people")["data"]["id"],
        "entity": entity,
        "key": json.dumps(pem.decode())[1:-1],
    }


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_the_pipelines_token_may_not(
    attempt: Attempt, stolen: str, ids: dict[str, str], vault: VaultServer, ask: Ask
) -> None:
    if attempt.gone:
        vault.request("DELETE", attempt.gone)
    asked = attempt.with_ids(ids)
    assert ask(stolen, *asked) == 403
    assert ask(vault.root_token, *asked) in {200, 204}


def test_it_may_not_take_another_groups_alias(stolen: str, vault: VaultServer, ask: Ask) -> None:
    accessor = vault.request("GET", "sys/auth")["data"]["oidc/"]["accessor"]
    vault.request("POST", "identity/group/name/root-people", {"type": "external", "policies": ["narrow"]})
    theirs = vault.request("GET", "identity/group/name/root-people")["data"]["id"]
    alias = {"name": "root-people", "mount_accessor": accessor, "canonical_id": theirs}
    vault.request("POST", "identity/group-alias", alias)
    identifier = vault.request("GET", "identity/group/name/root-people")["data"]["alias"]["id"]
    ours = {"name": "vault-admins-emea", "mount_accessor": accessor, "canonical_id": theirs}
    assert ask(stolen, "POST", f"identity/group-alias/id/{identifier}", ours) == 403
    assert ask(stolen, "POST", "identity/group-alias", {**ours, "id": identifier}) == 403
    assert ask(stolen, "POST", "identity/group-alias", alias) == 403
    assert vault.request("GET", "identity/group/name/root-people")["data"]["alias"]["name"] == "root-people"


def test_what_the_run_itself_writes_is_allowed(stolen: str, ask: Ask) -> None:
    config = {**CONFIG, "disable_local_ca_jwt": True, "token_reviewer_jwt": "a token"}
    assert ask(stolen, "POST", "auth/ember-k8s/config", config) == 204
    assert ask(stolen, "POST", ROLE_PATH, role()) == 204
    # As the command line sends a list of one.
    assert ask(stolen, "POST", ROLE_PATH, role(token_policies="emea-kv-r")) == 204
