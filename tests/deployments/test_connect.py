"""``python -m deployments.connect`` against a real Prefect server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from connections import VaultConnection
from sandbox.environment import CHECKOUT
from sandbox.prefect_server import PrefectServer

pytestmark = pytest.mark.long


def connect(file: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployments.connect", *options, str(file)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(directory: Path, vault: dict[str, object]) -> Path:
    (directory / "token").write_text("hunter2\n")
    file = directory / "connections.yaml"
    file.write_text(yaml.safe_dump({"vault": {"token": {"file": "token"}, **vault}}))
    return file


async def test_it_makes_and_updates_a_connection(prefect_harness: PrefectServer, tmp_path: Path) -> None:
    server = {"PREFECT_API_URL": prefect_harness.api_url}
    name = "vault-of-test-connect"
    file = write(tmp_path, {"name": name, "address": "https://one.example", "namespace": "team"})
    made = connect(file, **server)
    assert (made.returncode, made.stdout) == (0, f"saved vault-connection/{name}\n"), made.stderr
    block: VaultConnection = await VaultConnection.aload(name)
    assert (block.address, block.namespace) == ("https://one.example", "team")
    assert block.token is not None
    assert block.token.get_secret_value() == "hunter2"

    write(tmp_path, {"name": name, "address": "https://two.example"})
    updated = connect(file, **server)
    assert updated.returncode == 0, updated.stderr
    block = await VaultConnection.aload(name)
    assert (block.address, block.namespace) == ("https://two.example", None)
    assert "hunter2" not in made.stdout + made.stderr + updated.stdout + updated.stderr


async def test_a_dry_run_saves_nothing(prefect_harness: PrefectServer, tmp_path: Path) -> None:
    file = write(tmp_path, {"name": "vault-only-checked", "address": "https://one.example"})
    checked = connect(file, "--dry-run", PREFECT_API_URL=prefect_harness.api_url)
    assert (checked.returncode, checked.stdout) == (0, "would save vault-connection/vault-only-checked\n")
    with pytest.raises(ValueError, match="Unable to find block document"):
        await VaultConnection.aload("vault-only-checked")


async def test_nothing_is_saved_when_one_connection_is_wrong(
    prefect_harness: PrefectServer, tmp_path: Path
) -> None:
    file = write(tmp_path, {"name": "vault-beside-a-wrong-one", "address": "https://one.example"})
    file.write_text(file.read_text() + "clusters:\n  smaug:\n    kubeconfig: {file: absent}\n")
    refused = connect(file, PREFECT_API_URL=prefect_harness.api_url)
    assert refused.returncode == 1
    assert "nothing was done" in refused.stderr
    assert "clusters.smaug.kubeconfig: the file" in refused.stderr
    assert "Traceback" not in refused.stderr
    with pytest.raises(ValueError, match="Unable to find block document"):
        await VaultConnection.aload("vault-beside-a-wrong-one")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "No Prefect server is named; set PREFECT_API_URL"),
        (
            "http://127.0.0.1:9/api",
            "was not saved. The Prefect server at http://127.0.0.1:9/api does not",
        ),
    ],
)
def test_without_a_server_it_says_so(url: str, message: str, tmp_path: Path) -> None:
    file = write(tmp_path, {"address": "https://one.example"})
    environment = {"PREFECT_CLIENT_MAX_RETRIES": "0", **({"PREFECT_API_URL": url} if url else {})}
    failed = connect(file, **environment)
    assert failed.returncode == 1
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
