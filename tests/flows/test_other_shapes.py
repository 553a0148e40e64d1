"""Whole runs on repositories of other shapes: ApplicationSets, Applications elsewhere, others' operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.traffic import Traffic
from runbook.errors import NotYetSynced, PrerequisiteMissing
from sandbox.gitops_agent.operator_lifecycle import definitions
from sandbox.gitops_agent.options import Folders
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tests.flows.repositories import shaped
from tests.github_checkout import Checkout
from tests.kubernetes_objects import Cluster
from tests.run import at_the_gate, enable, land
from tests.tables import rows_of
from tests.world import World

SETS = Folders(application_sets="argocd/sets")
LOGGED_IN = "payments/vault-secret-fetcher logs in at ember-k8s"


@contextmanager
def standing_in(
    directory: Path, vault: VaultServer, shape: str, folders: Folders, *without: str, **layout: Any
) -> Iterator[World]:
    """A world with a repository of this shape, connected with this layout."""
    with World.at(directory, vault, shaped(directory, shape, folders, *without)) as world:
        world.connect(gitops__layout=layout)
        yield world


def push(people: Checkout, path: str, old: str, new: str) -> None:
    """Replace a text in a file of the base branch."""
    file = people.folder / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    people.git("commit", "--quiet", "--all", "--message", "Something of ours")
    people.git("push", "--quiet", "origin", "main")


@pytest.mark.long
async def test_the_list_of_a_set_grows_beside_others_and_a_second_run_changes_nothing(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    path = "argocd/sets/external-secrets.yaml"
    with standing_in(tmp_path, vault, "element_list", SETS, "argocd", application_set=path) as world:
        people = world.clone(tmp_path)
        before = (people.folder / path).read_text()
        run = await at_the_gate(world)
        (pull,) = world.pulls()
        assert f"`{path}`" in pull["body"]
        assert "argocd/overlays" not in pull["body"]
        ours = world.git("show", f"{pull['head']['ref']}:{path}")
        added = "          - env: emea\n            cluster: ember\n"
        assert ours == before.replace("            cluster: flint\n", f"            cluster: flint\n{added}")

        # Others add clusters where ours is added, before the merge and after it.
        push(people, path, "cluster: flint\n", "cluster: flint\n" + added.replace("ember", "quartz"))
        await run.resume()
        assert await run.go() == "Suspended", run.error
        world.merge()
        people.git("pull", "--quiet")
        push(people, path, added, added.replace("ember", "slate"))
        push(people, path, "cluster: slate\n", "cluster: slate\n" + added)
        world.sync()
        await run.resume()
        assert await run.go() == "Completed", run.error
        (a_set,) = yaml.safe_load_all(world.git("show", f"main:{path}"))
        elements = a_set["spec"]["generators"][0]["list"]["elements"]
        assert [one["cluster"] for one in elements] == ["smaug", "flint", "quartz", "slate", "ember"]
        assert LOGGED_IN in str((await run.artifacts())["report-emea-ember"])
        applications = {"cluster-resources-ember", "external-secrets-ember"}
        assert set(world.agent.report.applications) == applications

        traffic = Traffic(world)
        again = await enable(world)
        assert await again.go() == "Completed", again.error
        assert traffic.writes() == []
        assert len(world.pulls()) == 1


@pytest.mark.long
async def test_a_set_that_leaves_the_folder_out_ends_the_run_before_anything_is_published(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    path = "argocd/sets/fleet.yaml"
    with standing_in(tmp_path, vault, "directories", SETS, "argocd", application_set=path) as world:
        people, traffic = world.clone(tmp_path), Traffic(world)
        run = await enable(world)
        assert await run.go() == "Failed"
        assert isinstance(run.error, PrerequisiteMissing)
        folder, pattern = "external-secrets/overlays/emea/ember", "external-secrets/overlays/emea/*"
        assert f"ApplicationSet fleet leaves {folder} out: it is excluded by {pattern}" in str(run.error)
        assert "Narrow that pattern, or correct the layout of the GitOpsRepository." in str(run.error)
        assert traffic.writes() == []
        assert world.pulls() == []
        assert not [key for key in await run.artifacts() if key.startswith("plan")]

        # What the remedy says; then the set takes the folder by itself.
        push(people, path, pattern, "external-secrets/overlays/emea/quartz")
        assert await run.again() == "Suspended", run.error
        (pull,) = world.pulls()
        assert "`argocd/" not in pull["body"]
        await land(world, run)
        assert await run.go() == "Completed", run.error
        assert LOGGED_IN in str((await run.artifacts())["report-emea-ember"])
        assert set(world.agent.report.applications) == {"cluster-scope-ember", "external-secrets-ember"}


@pytest.mark.long
async def test_where_others_have_operator_and_applications_rows_and_messages_say_so_in_words(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    nothing = ("operator_bundle", "operator_overlay", "operator_base", "applications", "app_of_apps")
    folders = Folders(applications="", operator_overlay="")
    without = (
        "argocd",
        "external-secrets",
        "cluster-scope/bundles",
        "cluster-scope/overlays/prod/emea/flint",
    )
    layout = dict.fromkeys(nothing)
    with standing_in(tmp_path, vault, "installed_by_others", folders, *without, **layout) as world:
        run = await at_the_gate(world)
        rows = rows_of(str((await run.artifacts())["preflight-emea-ember"]))
        unchecked = "\n".join(row for row in rows if "not checked" in row)
        for words in ("the operator is installed by others", "they are in another repository"):
            assert words in unchecked
        (pull,) = world.pulls()
        message = world.git("log", "-1", "--format=%B", pull["head"]["ref"])
        assert "Lets `emea/ember` read its secrets from Vault." in pull["body"]
        assert "nstall" not in f"{pull['body']}{message}"

        world.merge()
        await run.resume()
        assert await run.go() == "Failed"
        assert isinstance(run.error, NotYetSynced)
        of_overlay = "the Application that deploys cluster-scope/overlays/prod/emea/ember"
        above = "the Application that deploys this cluster's Applications"
        assert f"Sync next in ArgoCD: {above}, then {of_overlay}. Then retry" in str(run.error)

        for kind in definitions(("v1",)):
            Cluster(world.kubernetes).send(
                "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", kind
            )
        world.sync()
        assert await run.again() == "Completed", run.error
        assert LOGGED_IN in str((await run.artifacts())["report-emea-ember"])


@pytest.mark.long
async def test_applications_of_other_names_lie_in_their_folder_and_one_of_them_brings_the_operator(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    folders = Folders(applications="argocd/clusters/{cluster}", app_of_apps="argocd/fleet")
    layout = {
        "applications": folders.applications,
        "app_of_apps": folders.app_of_apps,
        "application_group": "",
        "application": "{cluster}-vault",
        "sibling_application": "{cluster}-config",
        "bundle_listed_in": "operator_overlay",
    }
    with standing_in(tmp_path, vault, "directly", folders, "argocd", **layout) as world:
        run = await at_the_gate(world)
        world.merge()
        await run.resume()
        assert await run.go() == "Failed"
        assert isinstance(run.error, NotYetSynced)
        assert "Sync next in ArgoCD: all-of-ember, then ember-vault. Then retry" in str(run.error)
        world.sync()
        assert await run.again() == "Completed", run.error
        assert LOGGED_IN in str((await run.artifacts())["report-emea-ember"])
        assert set(world.agent.report.applications) == {"ember-config", "ember-vault"}
