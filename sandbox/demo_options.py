"""What `make demo` is told, by variables. Nothing else of the person's environment is read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.gitops_agent.cluster import server_of
from sandbox.processes import SandboxError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NO = frozenset({"", "0", "no", "false"})


@dataclass(frozen=True)
class DemoOptions:
    """The variables of `make demo`.

    Attributes:
        auto: AUTO=1: play the reviewer, and end by itself.
        keep: DEMO_KEEP=1: leave everything running after an AUTO run, until Ctrl-C.
        cluster, env, namespaces: CLUSTER, ENV, NAMESPACES (separated by commas).
        kubeconfig: DEMO_KUBECONFIG, an administrator of a real API server.
        vault_address, vault_token, vault_ca: DEMO_VAULT_ADDR, DEMO_VAULT_TOKEN, DEMO_VAULT_CACERT.
        repository: DEMO_GITOPS_REPO, path or URL of a repository to clone.
        distributed: DATABASE=postgresql: Prefect as `DistributedPrefect` instead of one server with SQLite.
    """

    auto: bool = False
    keep: bool = False
    cluster: str = "ember"
    env: str = "emea"
    namespaces: tuple[str, ...] = ("payments", "web")
    kubeconfig: Path | None = None
    vault_address: str = ""
    vault_token: str = ""
    vault_ca: Path | None = None
    repository: str = ""
    distributed: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> DemoOptions:
        """The options in an environment.

        Raises:
            SandboxError: a value does not fit, or names a machine that is not this one.
        """
        environment_name = environ.get("ENV", "")
        if "/" in environment_name:
            # A shell's own ENV: the path of its start-up file.
            environment_name = ""
        options = cls(
            auto=environ.get("AUTO", "").lower() not in _NO,
            keep=environ.get("DEMO_KEEP", "").lower() not in _NO,
            cluster=_name("CLUSTER", environ.get("CLUSTER") or cls.cluster),
            env=_name("ENV", environment_name or cls.env),
            namespaces=_names("NAMESPACES", environ.get("NAMESPACES") or ",".join(cls.namespaces)),
            kubeconfig=_file("DEMO_KUBECONFIG", environ),
            vault_address=environ.get("DEMO_VAULT_ADDR", "").rstrip("/"),
            vault_token=environ.get("DEMO_VAULT_TOKEN", ""),
            vault_ca=_file("DEMO_VAULT_CACERT", environ),
            repository=_repository(environ.get("DEMO_GITOPS_REPO", "")),
            distributed=_is_distributed(environ.get("DATABASE") or "sqlite"),
        )
        options._check_vault()
        allowed = [host.strip() for host in environ.get("DEMO_ALLOW_REMOTE", "").split(",") if host.strip()]
        if options.vault_address:
            _demand_local("DEMO_VAULT_ADDR", options.vault_address, allowed)
        if options.kubeconfig:
            _demand_local("DEMO_KUBECONFIG", server_of(options.kubeconfig)[0], allowed)
        return options

    def _check_vault(self) -> None:
        if self.vault_address and not self.vault_token:
            raise SandboxError("DEMO_VAULT_ADDR needs DEMO_VAULT_TOKEN, a token of that Vault.")
        if not self.vault_address and (self.vault_token or self.vault_ca):
            raise SandboxError(
                "DEMO_VAULT_TOKEN and DEMO_VAULT_CACERT go with DEMO_VAULT_ADDR, which is not set."
            )


def _is_distributed(value: str) -> bool:
    if value not in {"sqlite", "postgresql"}:
        msg = f"DATABASE={value!r} is neither sqlite nor postgresql"
        raise SandboxError(msg)
    return value == "postgresql"


def _name(variable: str, value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 63:
        msg = f"{variable}={value!r} is not a name: lower-case letters, digits and inner hyphens"
        raise SandboxError(msg)
    return value


def _names(variable: str, value: str) -> tuple[str, ...]:
    return tuple(_name(variable, part.strip()) for part in value.split(","))


def _file(variable: str, environ: Mapping[str, str]) -> Path | None:
    value = environ.get(variable, "")
    if not value:
        return None
    path = Path(value).expanduser().resolve()
    if not path.is_file():
        msg = f"{variable}={value}: there is no such file"
        raise SandboxError(msg)
    return path


def _repository(value: str) -> str:
    if not value or "://" in value or re.match(r"^[\w.-]+@[\w.-]+:", value):
        return value
    path = Path(value).expanduser().resolve()
    if not path.exists():
        msg = f"DEMO_GITOPS_REPO={value}: there is no such repository"
        raise SandboxError(msg)
    return str(path)


def _demand_local(variable: str, url: str, allowed: list[str]) -> None:
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and host not in allowed:
        msg = (
            f"{variable} leads to {host or url}, which is not this machine. The demo writes there: set "
            f"DEMO_ALLOW_REMOTE={host} if that is what you want."
        )
        raise SandboxError(msg)
