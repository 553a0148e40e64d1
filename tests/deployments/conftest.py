"""A file of connections, and the command that checks it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.traffic import Traffic
from bench.world import REPOSITORY
from deployments import connect
from tests.rights import cluster_account
from tests.world import World


@pytest.fixture
def connections(world: World, tmp_path: Path) -> dict[str, Any]:
    """A file of the world's connections, with the rights that the project's commands print."""
    account = cluster_account(world.kubernetes.admin_kubeconfig)
    account.create()
    (tmp_path / "ember.kubeconfig").write_text(account.kubeconfig("ember"))
    (tmp_path / "vault-token").write_text(world.vault.pipeline_token)
    (tmp_path / "github-token").write_text(world.github.token_of("pipeline"))
    return {
        "vault": {
            "address": world.vault.address,
            "ca_cert": {"file": str(world.vault.ca_file)},
            "token": {"file": "vault-token"},
        },
        "gitops": {
            "url": world.github.clone_url(REPOSITORY),
            "repository": REPOSITORY,
            "base_branch": "main",
            "api_url": world.github.api_url,
            "token": {"file": "github-token"},
        },
        "clusters": {"ember": {"env": "emea", "kubeconfig": {"file": "ember.kubeconfig"}}},
    }


@pytest.fixture
def check(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    def checked(document: dict[str, Any], *options: str) -> tuple[int, str]:
        """What the command ends with and prints; it writes nothing anywhere, and tells no secret."""
        file = tmp_path / "connections.yaml"
        file.write_text(yaml.safe_dump(document))
        monkeypatch.setattr(sys, "argv", ["connect", str(file), "--check", *options])
        traffic = Traffic(world)
        with pytest.raises(SystemExit) as ended:
            connect.main()
        assert traffic.writes() == []
        printed = capsys.readouterr().out
        for name in ("vault-token", "github-token"):
            assert (tmp_path / name).read_text() not in printed
        code = ended.value.code
        return (int(code), printed) if isinstance(code, int) else (1, f"{printed}{code}")

    return checked
