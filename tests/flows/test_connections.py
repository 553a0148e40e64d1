"""Runs with a connection that was saved by hand and cannot be used: stopped first, and nothing is shown."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate

from bench.traffic import Traffic
from sandbox.certificates import CertificateAuthority
from tests.flows.test_failures import attempts, everything_said
from tests.run import enable
from tests.world import World

SECRET = "hunter2"
AUTHORITY = CertificateAuthority("by hand")
KEY = AUTHORITY.issue("somebody").key_pem


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "vault.token": (f" {SECRET}", "token of the VaultConnection is empty, or has a blank"),
            "gitops.url": (
                f"http://{SECRET}.example.com/o/r.git",
                "url of the GitOpsRepository is http and not on",
            ),
            "cluster_connection.host_for_vault": (
                f"https://svc:{SECRET}@api.example.com",
                "host_for_vault of the ClusterConnection carries a user name or password",
            ),
        },
        {
            "vault.ca_cert_for_clusters": (AUTHORITY.pem + KEY, "holds a private key"),
            "cluster_connection.kubeconfig": (f"users: [{SECRET}", "kubeconfig of the ClusterConnection"),
        },
    ],
    ids=", ".join,
)
async def test_connections_that_were_saved_by_hand_stop_the_run_and_are_not_shown(
    world: World, wrong: dict[str, tuple[str, str]]
) -> None:
    kinds = {"vault": "vault-connection", "gitops": "gitops-repository"}
    async with get_client() as client:
        for place, (value, _) in wrong.items():
            block, field = place.split(".")
            stored = await client.read_block_document_by_name(
                world.parameters[block], kinds.get(block, "cluster-connection"), include_secrets=True
            )
            data: dict[str, Any] = {**stored.data, field: value}
            await client.update_block_document(stored.id, BlockDocumentUpdate(data=data))
    traffic = Traffic(world)
    run = await enable(world)
    assert await run.go() == "Failed"
    for _, says in wrong.values():
        assert says in str(run.error)
    assert (await attempts(run))["preflight"] == 1
    assert traffic.writes() == []
    assert world.pulls() == []
    assert run.error is not None
    said = await everything_said(run) + "".join(traceback.format_exception(run.error))
    assert SECRET not in said
    assert KEY.splitlines()[1] not in said
