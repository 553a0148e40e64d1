"""What preflight says of GitHub and the GitOps repository when one of them is not as it has to be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments.sandbox.environment import clean_environment
from deployments.sandbox.github_api import GitHubApi
from runbook.errors import AccessDenied, InvalidInput, PrerequisiteMissing, TransientError
from runbook.request import EnableRequest
from tasks.preflight import repository as rows
from tests.systems.github.conftest import Scripted, http
from tests.tasks.conftest import request as make
from tests.tasks.preflight.installation import REPOSITORY, Installation, failed, row, the_error
from tests.world import seed_repository

NOBODY = "http://127.0.0.1:1"


def test_a_good_repository_is_described_row_by_row(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    found = installation.look(request_for_ember, installation.only("repository", "vault"))
    assert failed(found) == []
    assert row(found, rows.PROPOSE).found == REPOSITORY
    assert row(found, rows.READ).found.startswith("main at ")
    assert row(found, rows.EDITS).found == f"{len(found.edits)} files"
    assert found.edits


def test_an_unknown_cluster_is_answered_with_those_that_there_are(installation: Installation) -> None:
    request = make(cluster="embre")
    every_right = installation.vault.root_token
    found = installation.look(request, installation.only("repository", "vault", vault__token=every_right))
    assert failed(found) == ["Overlay of emea/embre", "ArgoCD Applications of emea/embre"]
    error = the_error(found, request)
    assert isinstance(error, PrerequisiteMissing)
    assert "Git, Overlay of emea/embre: no cluster 'embre' in 'emea'; there are: ember, flint" in error.answer
    assert row(found, rows.EDITS).status == "not checked"
    assert found.edits == ()


def test_an_unknown_environment_is_answered_with_those_that_there_are(installation: Installation) -> None:
    request = make(env="apac")
    every_right = installation.vault.root_token
    found = installation.look(request, installation.only("repository", "vault", vault__token=every_right))
    assert failed(found) == ["Overlay of apac/ember", "ArgoCD Applications of apac/ember"]
    assert "no environment 'apac'; there are: emea, moc" in the_error(found, request).answer


def test_a_wrong_token_is_said_by_api_and_git(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    wrong = "ghp_nobodyHasThisTokenNobodyHasThisTok"
    connections = installation.only("repository", gitops__token=wrong)
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.PROPOSE, rows.READ]
    assert all(isinstance(error, AccessDenied) for error in found.errors)
    error = the_error(found, request_for_ember)
    assert not isinstance(error, TransientError)
    assert "GitHub, repository of sandbox/gitops: 401" in error.answer
    assert "Git, branch main of " in error.answer
    assert "Authentication failed" in error.answer


def test_a_token_that_may_only_read_is_told_so_and_the_repository_is_still_looked_at(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    token = installation.github.token_of("read-only")
    found = installation.look(
        request_for_ember, installation.only("repository", "vault", gitops__token=token)
    )
    assert failed(found) == [rows.PROPOSE]
    assert row(found, rows.READ).status == row(found, "Overlay of emea/ember").status == "ok"
    error = the_error(found, request_for_ember)
    assert isinstance(error, AccessDenied)
    assert "GitHub, sandbox/gitops: our token may not push to it" in str(error)
    assert "set `fork`" in error.remedy


def test_a_token_that_may_only_read_is_enough_to_propose_from_a_fork(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    token = installation.github.token_of("read-only")
    connections = installation.only("repository", gitops__token=token, gitops__fork="read-only")
    found = installation.look(request_for_ember, connections)
    assert failed(found) == []
    assert row(found, rows.PROPOSE).found == "sandbox/gitops, from the fork of read-only"


def test_a_repository_that_cannot_be_reached_is_worth_another_try(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    connections = installation.only(
        "repository", gitops__api_url=f"{NOBODY}/api", gitops__url=f"{NOBODY}/{REPOSITORY}.git"
    )
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.PROPOSE, rows.READ]
    error = the_error(found, request_for_ember)
    assert isinstance(error, TransientError)
    assert "GitHub, repository: no answer" in error.answer
    assert f"Git, branch main of {NOBODY}/{REPOSITORY}.git" in error.answer
    assert row(found, rows.CONTENT).status == "not checked"


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"gitops__base_branch": "trunk"}, [rows.READ], "Remote branch trunk not found"),
        ({"gitops__repository": "sandbox/nothing"}, [rows.PROPOSE], "404"),
        ({"gitops__url": "{github}/sandbox/nothing.git"}, [rows.READ], "not found"),
    ],
)
def test_a_repository_or_branch_that_is_not_there_is_named(
    installation: Installation,
    request_for_ember: EnableRequest,
    changes: dict[str, str],
    expected: list[str],
    words: str,
) -> None:
    filled = {key: value.format(github=installation.github.url) for key, value in changes.items()}
    found = installation.look(request_for_ember, installation.only("repository", **filled))
    assert failed(found) == expected
    error = the_error(found, request_for_ember)
    assert isinstance(error, PrerequisiteMissing)
    assert words in error.answer


def test_an_api_address_that_would_send_the_token_in_clear_is_refused(
    installation: Installation, request_for_ember: EnableRequest
) -> None:
    connections = installation.only("repository", gitops__api_url="http://github.example.com/api")
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [rows.PROPOSE]
    assert isinstance(the_error(found, request_for_ember), InvalidInput)


def answer_about(headers: Mapping[str, str] | None = None, **fields: object) -> bytes:
    """What GitHub says of the repository."""
    there = {
        "full_name": REPOSITORY,
        "default_branch": "main",
        "archived": False,
        "fork": False,
        "clone_url": "https://github.example.com/sandbox/gitops.git",
        "html_url": "https://github.example.com/sandbox/gitops",
        "permissions": {"push": True, "pull": True},
    }
    return http(200, {**there, **fields}, headers)


def test_an_archived_repository_takes_no_proposal(
    installation: Installation, request_for_ember: EnableRequest, scripted: Scripted
) -> None:
    scripted.answers = [answer_about(archived=True)]
    found = installation.look(
        request_for_ember, installation.only("repository", gitops__api_url=scripted.url)
    )
    assert failed(found) == [rows.PROPOSE]
    assert "is archived" in the_error(found, request_for_ember).answer


def test_what_github_does_not_tell_of_an_apps_token_is_not_held_against_it(
    installation: Installation, request_for_ember: EnableRequest, scripted: Scripted
) -> None:
    # Of an App's token GitHub says that it may not push, whatever the App may do.
    scripted.answers = [
        answer_about(permissions={"push": False, "pull": False}),
        http(403, {"message": "Resource not accessible by integration"}),
    ]
    found = installation.look(
        request_for_ember, installation.only("repository", gitops__api_url=scripted.url)
    )
    assert failed(found) == []
    assert row(found, rows.PROPOSE).status == "not checked"


@pytest.mark.parametrize(
    ("days", "status"), [(3, "warning"), (60, "ok"), (None, "not checked")], ids=["soon", "later", "not told"]
)
def test_a_github_token_that_ends_during_the_wait_is_a_warning(
    installation: Installation,
    request_for_ember: EnableRequest,
    scripted: Scripted,
    days: int | None,
    status: str,
) -> None:
    headers = {}
    if days is not None:
        end = datetime.now(UTC) + timedelta(days=days)
        headers["github-authentication-token-expiration"] = f"{end:%Y-%m-%d %H:%M:%S} UTC"
    scripted.answers = [answer_about(headers)]
    connections = installation.only("repository", gitops__api_url=scripted.url)
    found = row(installation.look(request_for_ember, connections), rows.TOKEN_END)
    assert found.status == status
    assert days is None or f"{end:%Y-%m-%d}" in found.found


ARGOCD = "argocd/overlays/moc-infra/applications"


def without_applications(repository: Path) -> None:
    """As osc/osc-cl1 of the real repository: an overlay, and nothing that deploys it."""
    shutil.rmtree(repository / ARGOCD / "envs/emea/ember")


def with_a_broken_chain(repository: Path) -> None:
    """The group is not listed, the sibling is gone, and nobody deploys the folder."""
    (repository / ARGOCD / "envs/emea/ember/kustomization.yaml").write_text("resources: []\n")
    (repository / ARGOCD / "envs/emea/ember/cluster-management/cluster-resources.yaml").unlink()
    (repository / ARGOCD / "app-of-apps/kustomization.yaml").write_text(
        "resources: [app-of-apps-flint.yaml]\n"
    )


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubApi]:
    seeds: dict[str, Any] = {}
    for change in (without_applications, with_a_broken_chain):
        directory = tmp_path_factory.mktemp(change.__name__)
        seed = seed_repository(directory)
        change(seed)
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qam", "Break it"],
            cwd=seed,
            env=clean_environment(directory / "home"),
            check=True,
        )
        seeds[f"broken/{change.__name__}"] = seed
    with GitHubApi(tmp_path_factory.mktemp("broken"), seeds) as api:
        yield api


def connections_to(broken: GitHubApi, name: str) -> dict[str, str]:
    return {
        "gitops__repository": f"broken/{name}",
        "gitops__url": broken.clone_url(f"broken/{name}"),
        "gitops__api_url": broken.api_url,
        "gitops__token": broken.token_of("pipeline"),
    }


def test_a_cluster_that_argocd_does_not_deploy_is_said_before_any_change(
    installation: Installation, request_for_ember: EnableRequest, broken: GitHubApi
) -> None:
    connections = installation.only("repository", "vault", **connections_to(broken, "without_applications"))
    found = installation.look(request_for_ember, connections)
    assert failed(found) == ["ArgoCD Applications of emea/ember"]
    assert "an Application put there would never be synced" in the_error(found, request_for_ember).answer
    assert row(found, "App-of-apps of emea/ember").status == "not checked"


def test_every_broken_link_of_the_argocd_chain_is_named_at_once(
    installation: Installation, request_for_ember: EnableRequest, broken: GitHubApi
) -> None:
    connections = installation.only("repository", "vault", **connections_to(broken, "with_a_broken_chain"))
    found = installation.look(request_for_ember, connections)
    assert failed(found) == [
        "Application of the cluster's resources",
        "ArgoCD builds cluster-management",
        "App-of-apps of emea/ember",
    ]
    assert the_error(found, request_for_ember).answer.startswith("3 prerequisites are not met.")
