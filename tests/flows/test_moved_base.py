"""The base branch moves while a run works."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import flow

from change.ending import in_words
from runbook.request import EnableRequest
from tasks.preflight.step import preflight
from tasks.pull_request import open_pull_request
from tasks.runbooks import ENABLE_CLUSTER
from tests.world import World

pytestmark = pytest.mark.long


async def test_what_somebody_pushed_after_preflight_is_below_the_change_that_is_proposed(
    world: World, tmp_path: Path
) -> None:
    people = world.clone(tmp_path)

    @in_words
    @flow
    async def until_it_is_proposed(request: EnableRequest) -> None:
        checked = preflight(ENABLE_CLUSTER, request)
        people.git("commit", "--quiet", "--allow-empty", "--message", "Somebody else's")
        people.git("push", "--quiet", "origin", "main")
        open_pull_request(ENABLE_CLUSTER, request, checked)

    parameters = {"cluster_connection": world.parameters["cluster"], **world.parameters}
    await until_it_is_proposed(EnableRequest.model_validate(parameters))
    people.git("fetch", "--quiet", "origin")
    branch = f"origin/enable-vault/emea/{world.cluster}"
    assert people.git("merge-base", "origin/main", branch) == people.git("rev-parse", "origin/main")
