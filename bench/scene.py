"""Where steps 5 to 10 find their systems: handed from the bench to the process in which they are measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from runbook.request import EnableRequest


@dataclass(frozen=True, slots=True)
class Scene:
    """Addresses, and the names of files and Blocks; no secret.

    Attributes:
        vault_address, vault_ca_file, vault_token_file: Vault, and a token that may do everything.
        kubeconfig_file: the pipeline's account on a cluster that has everything of the pull request.
        namespace, service_account: the starter ServiceAccount there.
        vault_block, cluster_block: the same two systems as connections in the Prefect server.
        home: HOME of child processes.
    """

    vault_address: str
    vault_ca_file: str
    vault_token_file: str
    kubeconfig_file: str
    namespace: str
    service_account: str
    vault_block: str
    cluster_block: str
    home: str

    @classmethod
    def read(cls, file: Path) -> Scene:
        """What `write` wrote."""
        return cls(**json.loads(file.read_text()))

    def write(self, file: Path) -> None:
        """Keep it in a file."""
        file.write_text(json.dumps(asdict(self)))

    @property
    def vault_ca(self) -> str:
        """Vault's CA, PEM."""
        return Path(self.vault_ca_file).read_text()

    def request(self, way: str, number: int) -> EnableRequest:
        """The request for a cluster in an environment, neither of which Vault has seen."""
        name = f"bench-{way}-{number}"
        return EnableRequest(
            cluster=name,
            env=name,
            namespaces=(self.namespace,),
            service_account=self.service_account,
            vault=self.vault_block,
            cluster_connection=self.cluster_block,
        )
