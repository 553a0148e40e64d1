"""Runs on repositories that hold odd things, and on clusters that serve one version of the SecretStore."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from runbook.errors import PrerequisiteMissing, UnexpectedAnswer
from sandbox.fixture_repository import make_repository
from sandbox.github_api import GitHubApi
from tests.flows.test_watch import look
from tests.github_checkout import Checkout
from tests.run import at_the_gate, enable, land
from tests.world import World

OVERLAY = "cluster-scope/overlays/prod/emea/ember"
ELSEWHERE = "sandbox/elsewhere"
BRANCH = "enable-vault/emea/ember"


@pytest.fixture
def checkout(world: World, tmp_path: Path) -> Checkout:
    """Somebody's clone of the repository."""
    return world.clone(tmp_path)


def _push(checkout: Checkout, branch: str = "main") -> None:
    checkout.git("commit", "--quiet", "--message", "Something of ours")
    checkout.git("push", "--quiet", "origin", f"HEAD:{branch}")


def _add_submodule(checkout: Checkout) -> None:
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},docs")


def _add_deep_tree(checkout: Checkout) -> None:
    blob = checkout.git("hash-object", "-w", f"{OVERLAY}/kustomization.yaml")
    checkout.git("update-index", "--add", "--cacheinfo", f"100644,{blob},cluster-scope/{1500 * 'a/'}x.yaml")


def _take_back(checkout: Checkout) -> None:
    """Remove them before anything is checked out: pytest cannot remove a tree so deep."""
    checkout.git("fetch", "--quiet", "origin")
    checkout.git("reset", "--quiet", "origin/main")
    checkout.git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "cluster-scope/a", "docs")
    _push(checkout)


def _bomb() -> str:
    levels = [f"  a{number}: &a{number} [{', '.join(9 * [f'*a{number - 1}'])}]\n" for number in range(1, 14)]
    return "commonAnnotations:\n  a0: &a0 [x]\n" + "".join(levels)


def _add_bomb(checkout: Checkout) -> None:
    file = checkout.folder / OVERLAY / "kustomization.yaml"
    file.write_text(file.read_text() + _bomb())
    checkout.git("add", "--all")


@pytest.mark.long
async def test_what_is_beside_our_files_keeps_no_run_from_its_end(world: World, checkout: Checkout) -> None:
    run = await at_the_gate(world)
    _add_submodule(checkout)
    _add_deep_tree(checkout)
    _push(checkout)

    found = await look()
    assert found.problems == ()
    await run.resume()
    assert await run.go() == "Suspended", run.error
    _take_back(checkout)
    await land(world, run)
    assert await run.go() == "Completed", run.error


@pytest.mark.long
async def test_a_file_that_expands_without_end_fails_the_run_that_needs_it_and_no_look(
    world: World, checkout: Checkout
) -> None:
    run = await at_the_gate(world)
    _add_bomb(checkout)
    _push(checkout)

    found = await look()
    assert (found.problems, len(found.woken)) == ((), 1)
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert f"{OVERLAY}/kustomization.yaml: is not one YAML document: too large" in str(run.error)


@pytest.mark.long
async def test_a_file_that_expands_without_end_on_our_branch_fails_the_run(
    world: World, checkout: Checkout
) -> None:
    assert await (await enable(world)).go() == "Suspended"
    checkout.git("fetch", "--quiet", "origin")
    checkout.git("checkout", "--quiet", BRANCH)
    _add_bomb(checkout)
    _push(checkout, BRANCH)

    run = await enable(world)
    assert await run.go() == "Failed"
    assert "too large" in str(run.error)


@pytest.fixture
def other(world: World, tmp_path: Path) -> Iterator[World]:
    """The same installation with another repository."""
    seed = make_repository(tmp_path / "seed-elsewhere" / "seed")
    with GitHubApi(tmp_path / "elsewhere", {ELSEWHERE: seed}) as github:
        made = replace(world, github=github, suffix=f"{world.suffix}-elsewhere")
        made.connect(gitops__url=github.clone_url(ELSEWHERE), gitops__repository=ELSEWHERE)
        yield made


def _land(other: World, directory: Path) -> None:
    checkout = Checkout(directory, "lands-elsewhere", other.github.token_of("reviewer"))
    checkout.clone(other.github.clone_url(ELSEWHERE))
    checkout.git("merge", "--quiet", f"origin/{BRANCH}")
    checkout.git("push", "--quiet", "origin", "main")


@pytest.mark.long
async def test_a_fault_while_one_repository_is_looked_at_is_a_problem_of_that_one(
    world: World, other: World, checkout: Checkout, tmp_path: Path
) -> None:
    here, there = await enable(world), await enable(other)
    for run in (here, there):
        assert await run.go() == "Suspended", run.error
    (checkout.folder / "README.md").write_text("The base branch has moved.\n")
    checkout.git("add", "--all")
    _push(checkout)
    _land(other, tmp_path)

    def fail() -> bool:
        raise RecursionError

    found = await look(is_wanted_elsewhere=fail)
    (problem,) = found.problems
    assert isinstance(problem, UnexpectedAnswer)
    assert "RecursionError" in problem.answer
    assert problem.subject.endswith(f" {world.parameters['gitops']}")
    states = [(await run.read()).state_name for run in (here, there)]
    assert states == ["Suspended", "Resuming"]


@pytest.mark.long
async def test_the_secret_store_is_written_as_the_cluster_serves_it(world: World, checkout: Checkout) -> None:
    for path in checkout.folder.rglob("opf-vault-store.yaml"):
        path.write_text(path.read_text().replace("external-secrets.io/v1\n", "external-secrets.io/v1beta1\n"))
    checkout.git("add", "--all")
    _push(checkout)
    world.serve_secret_stores("v1")

    run = await at_the_gate(world)
    checkout.git("fetch", "--quiet", "origin")
    text = checkout.git("show", f"origin/{BRANCH}:{OVERLAY}/secret-mgmt/base/opf-vault-store.yaml")
    assert yaml.safe_load(text)["apiVersion"] == "external-secrets.io/v1"
    await land(world, run)
    assert await run.go() == "Completed", run.error
