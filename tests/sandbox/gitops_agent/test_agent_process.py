"""The agent as a process, and what it tells when the repository or the cluster fail it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from sandbox.github_api import GitHubApi
from sandbox.gitops_agent.source import RepositoryError
from sandbox.kubernetes_api import KubernetesApi
from sandbox.processes import Supervisor, file_exists
from tests.sandbox.gitops_agent.merged_repository import AgentOf, Repository


def test_the_process_says_when_it_runs_and_ends_on_sigterm(
    tmp_path: Path, repository: Repository, api: KubernetesApi, environment: dict[str, str]
) -> None:
    state = tmp_path / "state"
    options = f"--branch main --environment emea --cluster ember --state-dir {state}"
    with Supervisor(tmp_path / "logs") as supervisor:
        agent = supervisor.start(
            "agent",
            [
                *(sys.executable, "-m", "sandbox.gitops_agent", *options.split()),
                *("--repository", repository.url, "--kubeconfig", str(api.admin_kubeconfig)),
            ],
            environment=environment,
            ready=file_exists(state / "ready.json"),
        )
        supervisor.stop("agent")
    assert agent.exit_status == 128 + signal.SIGTERM
    assert "cluster-resources-ember: synced, " in agent.tail()


def test_a_repository_that_does_not_answer_is_reported_once_and_tried_again(
    repository: Repository, agent_of: AgentOf, lines: list[str]
) -> None:
    away = repository.path.rename(repository.path.with_name("away"))
    agent = agent_of()
    agent.round()
    agent.round()
    assert sum(line.startswith("repository: git could not look at the branch") for line in lines) == 1
    away.rename(repository.path)
    agent.round()
    assert "repository: fine again" in lines
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")


def test_a_branch_that_is_not_there_is_named(agent_of: AgentOf, lines: list[str]) -> None:
    agent_of(branch="release").round()
    assert "no branch release" in lines[0]


def test_a_cluster_that_does_not_answer_is_reported_and_tried_again(
    agent_of: AgentOf, api: KubernetesApi, lines: list[str]
) -> None:
    agent = agent_of()
    api.stop()
    agent.round()
    assert any("the API server does not answer" in line for line in lines)
    api.start()
    agent.round()
    assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")


def test_the_token_reaches_the_server_and_nothing_else(
    tmp_path: Path, repository: Repository, agent_of: AgentOf, lines: list[str]
) -> None:
    with GitHubApi(tmp_path / "github", repositories={"sandbox/gitops": repository.path}) as github:
        token = github.token_of("pipeline")
        token_file = tmp_path / "token"
        token_file.write_text(token)
        url = github.clone_url("sandbox/gitops")
        branch = github.default_branch("sandbox/gitops")
        agent_of(repository=url, branch=branch).round()
        assert any("could not look at the branch" in line for line in lines), "it asks for a token"
        agent = agent_of(repository=url, branch=branch, token_file=token_file, state_dir=tmp_path / "second")
        agent.round()
        assert agent.report.applications["cluster-resources-ember"].startswith("synced, ")
    assert token not in "".join(lines)
    for file in (tmp_path / "second").rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes(), file


def test_a_password_in_the_url_is_refused(agent_of: AgentOf) -> None:
    with pytest.raises(RepositoryError, match="give a token file instead"):
        agent_of(repository="https://me:secret@git.example.com/gitops.git")


def test_a_kubeconfig_with_a_client_certificate_works_and_leaves_no_file(
    tmp_path: Path, agent_of: AgentOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "TEST_KUBECONFIG" not in os.environ:
        pytest.skip("needs an API server that knows client certificates: TEST_KUBECONFIG")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    agent = agent_of(kubeconfig=Path(os.environ["TEST_KUBECONFIG"]))
    assert agent.cluster.items("v1", "Namespace")
    assert list(temporary.iterdir()) == []
