"""The three systems of a run, and what preflight says of them when one thing is wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from bench.traffic import Traffic
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.checks import Check
from runbook.errors import EnablementError, TransientError
from runbook.request import EnableRequest
from sandbox.certificates import CertificateAuthority
from sandbox.github_api import GitHubApi
from sandbox.kubernetes_api import KubernetesApi
from sandbox.vault_server import VaultServer
from tasks.preflight.findings import Findings
from tasks.preflight.step import Connections, investigate
from tasks.runbooks import ENABLE_CLUSTER
from tests.tasks.conftest import request as request_for

REPOSITORY = "sandbox/gitops"
NOBODY_LISTENS = "https://127.0.0.1:1"
"""An address whose port is closed: below 1024, and of no service that a machine runs."""

ANOTHER_CA = CertificateAuthority("somebody else").pem


@dataclass
class Installation:
    """Systems that a run finds, each as it has to be; a test changes one thing and looks."""

    vault: VaultServer
    kubernetes: KubernetesApi
    github: GitHubApi
    kubeconfig: str
    secrets: list[str] = field(default_factory=list)

    def connections(self, **changes: Any) -> Connections:
        """The connections, with fields changed by ``<connection>__<field>``: ``vault__token=...``."""

        def of(connection: str, **values: Any) -> dict[str, Any]:
            prefix = f"{connection}__"
            return values | {
                key.removeprefix(prefix): value for key, value in changes.items() if key.startswith(prefix)
            }

        vault = of(
            "vault", address=self.vault.address, ca_cert=self.vault.ca_pem, token=self.vault.pipeline_token
        )
        repository = of(
            "gitops",
            url=self.github.clone_url(REPOSITORY),
            repository=REPOSITORY,
            base_branch="main",
            api_url=self.github.api_url,
            token=self.github.token_of("pipeline"),
        )
        cluster = of("cluster", kubeconfig=self.kubeconfig)
        self.secrets = [
            str(part) for part in (vault["token"], repository["token"], *tokens_in(cluster)) if part
        ]
        return Connections(
            VaultConnection.model_validate(vault),
            GitOpsRepository.model_validate(repository),
            ClusterConnection.model_validate(cluster),
        )

    def only(self, *kept: str, **changes: Any) -> Connections:
        """Some of the connections (``"vault"``, ``"repository"``, ``"cluster"``); others are not asked."""
        every = self.connections(**changes)
        return Connections(
            vault=every.vault if "vault" in kept else None,
            repository=every.repository if "repository" in kept else None,
            cluster=every.cluster if "cluster" in kept else None,
        )

    def look(self, request: EnableRequest, connections: Connections | None = None) -> Findings:
        """What preflight finds. It writes nothing and tells no secret, whatever is wrong."""
        chosen = connections or self.connections()
        traffic = Traffic(self)
        findings = investigate(ENABLE_CLUSTER, chosen, request)
        assert traffic.writes() == []
        said = "\n".join([*map(str, findings.rows), *map(str, findings.errors)])
        for secret in self.secrets:
            assert secret not in said
        return findings

    def ask(self, *kept: str, request: EnableRequest | None = None, **changes: Any) -> Findings:
        """What preflight finds with these connections alone; for emea/ember if no other run is given."""
        return self.look(request or request_for(), self.only(*kept, **changes))


def tokens_in(cluster: dict[str, Any]) -> list[str]:
    """The tokens of a kubeconfig, as far as it is one."""
    try:
        parsed = yaml.safe_load(cluster["kubeconfig"])
        return [str(user["user"]["token"]) for user in parsed["users"]]
    except (yaml.YAMLError, TypeError, KeyError):
        return []


def kubeconfig_with(text: str, *, token: str = "", server: str = "", ca_pem: str = "") -> str:
    """A kubeconfig with something of it replaced."""
    config = yaml.safe_load(text)
    (cluster,), (user,) = config["clusters"], config["users"]
    if token:
        user["user"]["token"] = token
    if server:
        cluster["cluster"]["server"] = server
    if ca_pem:
        cluster["cluster"]["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    return yaml.safe_dump(config)


def with_kubeconfig(**replaced: str) -> Callable[[Installation], dict[str, Any]]:
    """A change of the connection: as `kubeconfig_with`."""
    return lambda there: {"cluster__kubeconfig": kubeconfig_with(there.kubeconfig, **replaced)}


def row(findings: Findings, prerequisite: str) -> Check:
    """The row of a prerequisite."""
    (found,) = (one for one in findings.rows if one.prerequisite == prerequisite)
    return found


def failed(findings: Findings) -> list[str]:
    """The prerequisites that are not met."""
    return [one.prerequisite for one in findings.rows if one.status == "failed"]


def the_error(findings: Findings) -> EnablementError:
    """What the step raises: it says system, object, answer and remedy."""
    error = findings.error()
    assert error is not None
    assert error.system
    assert error.subject
    assert error.answer
    assert "Nothing was changed." in error.remedy
    return error


def refused(
    findings: Findings, prerequisites: list[str], kind: type[EnablementError], *words: str
) -> EnablementError:
    """The error of a step for which these prerequisites are not met; its text has each of the words.

    It is worth another try if the errors of all rows, which are of this kind, are.
    """
    assert failed(findings) == prerequisites
    assert all(isinstance(one, kind) for one in findings.errors), findings.errors
    error = the_error(findings)
    assert isinstance(error, TransientError) == issubclass(kind, TransientError)
    assert len(findings.errors) > 1 or isinstance(error, kind)
    for part in words:
        assert part in str(error)
    return error


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong, and what preflight says of it.

    Attributes:
        change: changes the systems if need be; returns the fields of the connections that are changed.
        failed: the prerequisites that are not met.
        kind: of the error of each.
        words: parts of the text of the error.
        others: status of other rows.
        ask: the connections that there are, if not the usual ones.
        request: parameters of the run that are changed.
    """

    change: Callable[[Installation], dict[str, Any] | None]
    failed: list[str]
    kind: type[EnablementError]
    words: tuple[str, ...] = ()
    others: dict[str, str] = field(default_factory=dict)
    ask: tuple[str, ...] = ()
    request: dict[str, Any] = field(default_factory=dict)

    def check(self, installation: Installation, *usual: str) -> Findings:
        """Change it, and look."""
        changes = self.change(installation) or {}
        found = installation.ask(*(self.ask or usual), request=request_for(**self.request), **changes)
        refused(found, self.failed, self.kind, *self.words)
        assert {name: row(found, name).status for name in self.others} == self.others
        return found
