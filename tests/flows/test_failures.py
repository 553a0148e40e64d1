"""What a run says and does when something is wrong: refused before it is made, stopped, or tried again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from prefect.exceptions import PrefectHTTPStatusError

from bench.traffic import Traffic
from bench.world import REPOSITORY
from change.ending import in_words
from change.step import RETRIES, step
from flows.enable_cluster import enable_cluster
from runbook.errors import (
    Conflict,
    InvalidInput,
    NotYetSynced,
    PrerequisiteMissing,
    Unreachable,
)
from sandbox.prefect_server import PrefectServer
from tests.kubernetes_objects import Cluster
from tests.run import Run, at_the_gate, enable
from tests.tables import rows_of
from tests.world import World

GOOD: dict[str, Any] = {"cluster": "ember", "env": "emea", "namespaces": ["payments"]}


async def attempts(run: Run) -> dict[str, int]:
    """How often each task of the run was tried, by the name of its step."""
    return {task.name: task.run_count for task in await run.tasks()}


async def everything_said(run: Run) -> str:
    """Whatever the server keeps of a run and shows to people."""
    state = (await run.read()).state
    shown = [
        state,
        await run.artifacts(),
        await run.logs(),
        [task.state for task in await run.tasks()],
        run.error,
    ]
    return "\n".join(map(str, shown))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cluster", "emea/ember"),
        ("cluster", "../ember"),
        ("cluster", ".."),
        ("cluster", "my ember"),
        ("cluster", "Ember"),
        ("cluster", ""),
        ("env", "emea/ember"),
        ("env", "EMEA"),
        ("namespaces", []),
        ("namespaces", ["*"]),
        ("namespaces", ["payments", "pay*"]),
        ("service_account", "vault secret"),
        ("token_ttl", "1 day"),
        ("token_ttl", ""),
        ("sync_timeout", "soon"),
        ("policy_scope", "all"),
    ],
)
async def test_bad_input_is_refused_by_name_when_the_run_is_created(
    prefect_harness: PrefectServer, field: str, value: object
) -> None:
    with pytest.raises(PrefectHTTPStatusError) as refused:
        await Run.create(enable_cluster, {**GOOD, field: value})
    assert refused.value.response.status_code == 409
    reason = refused.value.response.json()["detail"]
    assert f"Validation failed for field '{field}" in reason
    last = value[-1:] if isinstance(value, list) else [value]
    assert repr(last[0] if last else []) in reason
    if "match" in reason:
        assert re.search("does not match '(lower-case letters|hours, minutes)", reason)
        # What Prefect's UI takes for a link, and its command line for markup, is not shown.
        assert not re.search(r"\]\(|\[[a-z#/@]", reason)


async def test_where_the_server_does_not_check_the_run_refuses_in_words_before_any_step(
    prefect_harness: PrefectServer,
) -> None:
    async with get_client() as client:
        deployment = await client.create_deployment(
            await client.create_flow(enable_cluster), name="unchecked", enforce_parameter_schema=False
        )
        made = await client.create_flow_run_from_deployment(
            deployment, parameters={**GOOD, "cluster": "../ember"}
        )
    run = Run(enable_cluster, made.id)
    assert await run.go() == "Failed"
    assert isinstance(run.error, InvalidInput)
    assert "cluster='../ember': is not a name: lower-case letters, digits and inner hyphens" in str(run.error)
    assert await run.tasks() == []
    assert "is not a name" in await everything_said(run)


async def test_all_that_is_wrong_stands_in_one_table_is_tried_once_and_nothing_is_changed(
    world: World,
) -> None:
    secrets = ["hvs.a-token-of-a-broken-block", "ghp_aTokenThatNobodyHasAnyMoreAtAll0000"]
    world.connect(gitops__token=secrets[1])
    async with get_client() as client:
        # As an edit by hand in the UI leaves it: two ways to log in.
        both = {"address": world.vault.address, "token": secrets[0], "approle_role_id": "pipeline"}
        block = await client.read_block_document_by_name(world.parameters["vault"], "vault-connection")
        await client.update_block_document(block.id, BlockDocumentUpdate(data=both))
    traffic = Traffic(world)
    run = await enable(world, cluster_connection="nowhere")
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    message = str(run.error)
    assert message.startswith("input, vault=")
    for words in (
        "is not a usable VaultConnection: give exactly one of token, approle_role_id and kubernetes_role",
        "cluster_connection='nowhere': there is no ClusterConnection of that name",
        "`python -m deployments.connect connections.yaml`",
        "Also not met (3): input, cluster_connection='nowhere': there is no ClusterConnection",
        "GitHub, repository of sandbox/gitops: 401",
        "Git, branch main of ",
        "Nothing was changed.",
    ):
        assert words in message
    assert await attempts(run) == {"preflight": 1}
    artifacts = await run.artifacts()
    assert "plan-emea-ember" not in artifacts
    table = rows_of(artifacts["preflight-emea-ember"])
    assert ["failed" in row for row in table] == [True] * 4 + [False] * (len(table) - 4), "those first"
    assert "**Vault: Vault is reachable**" in " ".join(table)
    log = await run.logs()
    assert "Traceback" not in log
    assert log.count("there is no ClusterConnection of that name. Save it with") == 1
    state = (await run.read()).state
    assert state is not None
    assert state.message == message
    said = await everything_said(run)
    assert [secret for secret in secrets if secret in said] == []
    assert traffic.writes() == []
    assert world.pulls() == []


async def test_the_last_try_is_logged_without_a_traceback(prefect_harness: PrefectServer) -> None:
    @step("ask")
    def ask() -> None:
        raise Unreachable("Vault", "https://vault", "no answer", "Check it.")

    at_once = ask.with_options(retry_delay_seconds=0, retry_jitter_factor=0)

    @in_words
    @flow(name="only-ask")
    async def only_ask() -> None:
        at_once()

    run = await Run.create(only_ask, {})
    assert await run.go() == "Failed"
    assert isinstance(run.error, Unreachable)
    assert await attempts(run) == {"ask": RETRIES + 1}
    log = await run.logs()
    assert "Traceback" not in log
    assert "Failed('Vault, https://vault: no answer. Check it.')" in log


def refuse_pushes(world: World, words: str) -> None:
    """What a server-side rule of the repository does."""
    bare = world.github.path_of(REPOSITORY)
    hooks = bare / "rules"
    hooks.mkdir()
    hook = hooks / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    hook.chmod(0o755)
    with (bare / "config").open("a") as configuration:
        configuration.write(f"[core]\n\thooksPath = {hooks}\n")


async def test_a_refused_push_is_said_in_the_servers_words_and_leaves_nothing(world: World) -> None:
    refuse_pushes(world, "commits must be signed off")
    traffic = Traffic(world)
    run = await enable(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, Conflict)
    message = str(run.error)
    assert message.startswith("Git, branch enable-vault/emea/ember of ")
    assert "commits must be signed off" in message
    assert (await attempts(run))["open the pull request"] == 1
    assert traffic.writes() == [f"Git: POST /{REPOSITORY}.git/git-receive-pack"]
    assert world.pulls() == []
    assert world.git("branch", "--format=%(refname:short)").split() == ["main"]
    assert world.github.token_of("pipeline") not in await everything_said(run)


@pytest.mark.long
async def test_a_cluster_that_is_not_synced_in_time_is_told_what_to_sync_next_and_vault_stays_as_it_is(
    world: World,
) -> None:
    run = await at_the_gate(world)
    world.merge()
    world.sync()
    # All is there but the reviewer's right: Vault would refuse every login with "permission denied".
    Cluster(world.kubernetes).unbind_reviewer()
    traffic = Traffic(world)
    await run.resume()
    assert await run.go() == "Failed"
    assert isinstance(run.error, NotYetSynced)
    assert "ember: after 1s still lacks ClusterRoleBinding of external-secrets-operator/eso" in str(run.error)
    assert "Sync next in ArgoCD: cluster-resources-ember. Then retry this run." in str(run.error)
    assert (await attempts(run))["wait until synced"] == 1
    assert (await run.artifacts())["sync-emea-ember"] == 86, "6 of 7 objects are there"
    assert traffic.writes() == []
