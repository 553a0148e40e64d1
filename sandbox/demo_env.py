"""Where everything of a running demo is, for a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_environment(
    file: Path, prefect_api_url: str, vault: dict[str, Any], cluster: dict[str, Any], connections: Path
) -> None:
    """Write ``export`` lines; a secret is the file that holds it.

    Args:
        file: to be sourced by a shell.
        prefect_api_url: of the demo's server.
        vault, cluster: their sections of the connection file.
        connections: that file.
    """
    lines = {
        "PREFECT_API_URL": prefect_api_url,
        "VAULT_ADDR": vault["address"],
        "VAULT_CACERT": vault.get("ca_cert", {}).get("file", ""),
        "VAULT_TOKEN": f"$(cat '{vault['token']['file']}')",
        "KUBECONFIG": cluster["kubeconfig"]["file"],
        "CONNECTIONS": str(connections),
    }
    file.write_text("".join(f'export {name}="{value}"\n' for name, value in lines.items()))
