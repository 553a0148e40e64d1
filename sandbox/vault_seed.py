"""What is in the sandbox's Vault before the pipeline comes: what the runbook takes for granted.

A KV version 2 mount ``k8s_secrets``, an auth mount ``oidc/`` for people, a policy and a token for the
pipeline, and the audit log told to write down the pipeline's correlation id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import requests

from sandbox.ports import ANSWER_SECONDS

SECRETS_MOUNT = "k8s_secrets"
OIDC_MOUNT = "oidc"
OIDC_ROLE = "users"
PIPELINE_POLICY = "enablement-pipeline"
CORRELATION_HEADER = "X-Correlation-Id"

_SYSTEM_POLICIES = frozenset({"root", "default", "response-wrapping"})


class VaultAdmin:
    """The few plain requests that seeding and resetting need, as root."""

    def __init__(self, address: str, ca_file: str, token: str = "", namespace: str = "") -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc
        self._session.verify = ca_file
        if token:
            self._session.headers["X-Vault-Token"] = token
        if namespace:
            self._session.headers["X-Vault-Namespace"] = namespace

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request below ``/v1/``; the answer's JSON, or ``{}`` for an empty body and for 404.

        Raises:
            requests.HTTPError: any other answer of 400 or above.
        """
        answer = self._session.request(
            method, f"{self._address}/v1/{quote(path)}", json=body, timeout=ANSWER_SECONDS
        )
        if answer.status_code == 404:
            return {}
        if not answer.ok:
            msg = f"{method} {path}: {answer.status_code} {answer.text.strip()}"
            raise requests.HTTPError(msg, response=answer)
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document

    def keys(self, path: str) -> list[str]:
        """Names below a path; empty when there is nothing."""
        names: list[str] = self.request("LIST", path).get("data", {}).get("keys", [])
        return names


PolicyMaker = Callable[[VaultAdmin], str]
"""Does what an administrator does before the pipeline's policy is printed, and returns the policy's text."""


def make_group(admin: VaultAdmin, group: str, policy: str, responsibility: str) -> tuple[str, str]:
    """Make the administrators' group of an environment, if it is not there, as ``docs/rights.md`` says.

    Returns:
        The accessor of the auth mount for people, and the group's id: what the policy pins.
    """
    path = f"identity/group/name/{group}"
    if not admin.request("GET", path).get("data"):
        metadata = {"responsibility": responsibility}
        admin.request("POST", path, {"type": "external", "policies": [policy], "metadata": metadata})
    accessor: str = admin.request("GET", f"sys/auth/{OIDC_MOUNT}")["data"]["accessor"]
    group_id: str = admin.request("GET", path)["data"]["id"]
    return accessor, group_id


class VaultSeed:
    """Brings a Vault to the state that the pipeline expects to find, from empty or from used."""

    def __init__(self, admin: VaultAdmin, user_key_pem: str, pipeline_policy: PolicyMaker | None) -> None:
        """
        Args:
            admin: with the root token.
            user_key_pem: public key with which the JWTs of users are checked at ``oidc/``.
            pipeline_policy: makes the HCL of all that the pipeline's token may do; without it, that is
                nothing.
        """
        self._admin = admin
        self._user_key_pem = user_key_pem
        self._pipeline_policy = pipeline_policy

    def apply(self) -> None:
        """Make what is missing and remove what is not ours. Safe to call again and again."""
        self._remove_namespaces()
        self._remove_identities()
        self._reset_auth_mounts()
        self._reset_secret_mounts()
        self._reset_policies()
        self._admin.request(
            "POST", f"sys/config/auditing/request-headers/{CORRELATION_HEADER}", {"hmac": False}
        )

    def pipeline_token(self) -> str:
        """A new renewable token of the pipeline, with the policy `PIPELINE_POLICY` alone."""
        answer = self._admin.request(
            "POST",
            "auth/token/create-orphan",
            {
                "policies": [PIPELINE_POLICY],
                "no_default_policy": True,
                "ttl": "12h",
                "display_name": "pipeline",
            },
        )
        token: str = answer["auth"]["client_token"]
        return token

    def _remove_namespaces(self) -> None:
        for namespace in self._admin.keys("sys/namespaces"):
            self._admin.request("DELETE", f"sys/namespaces/{namespace.rstrip('/')}")

    def _remove_identities(self) -> None:
        for kind in ("group-alias", "group", "entity"):
            for identifier in self._admin.keys(f"identity/{kind}/id"):
                self._admin.request("DELETE", f"identity/{kind}/id/{identifier}")

    def _reset_auth_mounts(self) -> None:
        mounts = self._admin.request("GET", "sys/auth")["data"]
        kept = {"token/"}
        if mounts.get(f"{OIDC_MOUNT}/", {}).get("type") == "oidc":
            kept.add(f"{OIDC_MOUNT}/")
        for path in mounts.keys() - kept:
            self._admin.request("DELETE", f"sys/auth/{path.rstrip('/')}")
        if f"{OIDC_MOUNT}/" not in kept:
            self._admin.request("POST", f"sys/auth/{OIDC_MOUNT}", {"type": "oidc"})
        # Without an identity provider: users' JWTs are signed by a key that only the sandbox has.
        self._admin.request(
            "POST",
            f"auth/{OIDC_MOUNT}/config",
            {"jwt_validation_pubkeys": [self._user_key_pem], "default_role": OIDC_ROLE},
        )
        for role in self._admin.keys(f"auth/{OIDC_MOUNT}/role"):
            if role != OIDC_ROLE:
                self._admin.request("DELETE", f"auth/{OIDC_MOUNT}/role/{role}")
        self._admin.request(
            "POST",
            f"auth/{OIDC_MOUNT}/role/{OIDC_ROLE}",
            {
                "role_type": "jwt",
                "user_claim": "sub",
                "groups_claim": "groups",
                "bound_audiences": [OIDC_MOUNT],
                "token_ttl": "5m",
            },
        )

    def _reset_secret_mounts(self) -> None:
        mounts = self._admin.request("GET", "sys/mounts")["data"]
        kept = {"cubbyhole/", "identity/", "sys/"}
        secrets = mounts.get(f"{SECRETS_MOUNT}/", {})
        if secrets.get("type") == "kv" and (secrets.get("options") or {}).get("version") == "2":
            kept.add(f"{SECRETS_MOUNT}/")
        for path in mounts.keys() - kept:
            self._admin.request("DELETE", f"sys/mounts/{path.rstrip('/')}")
        if f"{SECRETS_MOUNT}/" in kept:
            self._remove_secrets("")
        else:
            self._admin.request(
                "POST", f"sys/mounts/{SECRETS_MOUNT}", {"type": "kv", "options": {"version": "2"}}
            )
            self._wait_for_secrets()

    def _remove_secrets(self, folder: str) -> None:
        for name in self._admin.keys(f"{SECRETS_MOUNT}/metadata/{folder}"):
            if name.endswith("/"):
                self._remove_secrets(folder + name)
            else:
                self._admin.request("DELETE", f"{SECRETS_MOUNT}/metadata/{folder}{name}")

    def _wait_for_secrets(self) -> None:
        # A new KV version 2 mount answers 400 "Upgrading from non-versioned to versioned data" for a moment.
        deadline = time.monotonic() + 10.0
        while True:
            try:
                self._admin.keys(f"{SECRETS_MOUNT}/metadata")
            except requests.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _reset_policies(self) -> None:
        for name in set(self._admin.keys("sys/policies/acl")) - _SYSTEM_POLICIES - {PIPELINE_POLICY}:
            self._admin.request("DELETE", f"sys/policies/acl/{name}")
        if self._pipeline_policy:
            self._admin.request(
                "PUT",
                f"sys/policies/acl/{PIPELINE_POLICY}",
                {"policy": self._pipeline_policy(self._admin)},
            )
