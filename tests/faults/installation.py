"""A whole installation with a failing proxy in front of each of its systems."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import yaml

from bench.world import REPOSITORY
from tests.faults.faults import Script
from tests.faults.proxy import Proxy, Server
from tests.faults.run import Scene
from tests.rights import cluster_account
from tests.world import World


@dataclass(frozen=True)
class Proxies:
    """The proxies of one world, and the script that they follow."""

    world: World
    script: Script
    vault: Proxy
    cluster: Proxy
    github: Proxy
    kubeconfig: str
    plans: Path

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of the connections that lead through the proxies, for `World.connect`."""
        real = self.world
        return {
            "vault__address": self.vault.url,
            "vault__ca_cert": self.vault.ca_pem,
            # What the pull request says must not depend on the port of a proxy.
            "vault__address_for_clusters": real.vault.address,
            "vault__ca_cert_for_clusters": real.vault.ca_pem,
            "gitops__url": real.github.clone_url(REPOSITORY).replace(real.github.url, self.github.url),
            "gitops__api_url": real.github.api_url.replace(real.github.url, self.github.url),
            "cluster__kubeconfig": self.kubeconfig,
        }

    def scene(self) -> Scene:
        """The same for a run without Prefect."""
        fields: dict[str, dict[str, Any]] = {
            "vault": {"token": self.world.vault.pipeline_token},
            "gitops": {
                "repository": REPOSITORY,
                "base_branch": "main",
                "token": self.world.github.token_of("pipeline"),
            },
            "cluster": {},
        }
        for name, value in self.changes.items():
            connection, field = name.split("__")
            fields[connection][field] = value
        return Scene(**fields, parameters=self.world.parameters, plans=str(self.plans))


@contextmanager
def proxies_of(world: World, plans: Path) -> Iterator[Proxies]:
    """Put a proxy in front of Vault, cluster, and GitHub with its Git; ``plans``: see `Scene`."""
    script = Script()
    account = cluster_account(world.kubernetes.admin_kubeconfig)
    account.create()
    with ExitStack() as stack:
        vault = stack.enter_context(
            Proxy(Server(world.vault.address, world.vault.ca_pem, lambda _path: "Vault"), script)
        )
        cluster = stack.enter_context(
            Proxy(
                # Vault's own TokenReviews come here too, since the address in its config is this one.
                Server(world.kubernetes.url, world.kubernetes.ca_pem, lambda _path: "cluster", _is_ours),
                script,
            )
        )
        github = stack.enter_context(Proxy(Server(world.github.url, None, _github_or_git), script))
        kubeconfig = _through(account.kubeconfig("ember"), cluster)
        yield Proxies(world, script, vault, cluster, github, kubeconfig, plans)


def _is_ours(headers: Message) -> bool:
    return headers.get("User-Agent", "").startswith("vault-enablement")


def _github_or_git(path: str) -> str:
    return "Git" if ".git/" in path else "GitHub"


def _through(kubeconfig: str, proxy: Proxy) -> str:
    config = yaml.safe_load(kubeconfig)
    assert proxy.ca_pem is not None
    cluster = config["clusters"][0]["cluster"]
    cluster["server"] = proxy.url
    cluster["certificate-authority-data"] = base64.b64encode(proxy.ca_pem.encode()).decode()
    return yaml.safe_dump(config)
