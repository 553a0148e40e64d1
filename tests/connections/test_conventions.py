"""The Block of an organisation's names: what a Prefect server keeps of it is what was saved."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate

from change.connect import connection
from connections import RunbookConventions
from runbook.conventions import RUNBOOK, Conventions
from runbook.errors import InvalidInput
from runbook.request import EnableRequest
from sandbox.prefect_server import PrefectServer
from tasks.runbooks import read
from tests.flows.elsewhere import NAMES
from tests.flows.test_few_names import NAMES as FEW

RULES = 'path "{mount}/data/{path}/*" { capabilities = ["read"] }'


def saved(names: dict[str, Any]) -> tuple[str, RunbookConventions]:
    name, block = f"names-{uuid4().hex[:8]}", RunbookConventions.model_validate(names)
    block.save(name, _sync=True)  # type: ignore[call-arg]
    return name, block


def loaded(name: str) -> Conventions:
    block = RunbookConventions.load(name, _sync=True)  # type: ignore[call-arg]
    assert isinstance(block, RunbookConventions)
    return block.described


def change(name: str, **fields: Any) -> None:
    """As another version of this project has saved it: None for a field that it did not have."""
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, "runbook-conventions")
        data = {key: value for key, value in (document.data | fields).items() if value is not None}
        client.update_block_document(document.id, BlockDocumentUpdate(data=data, merge_existing_data=False))


@pytest.mark.parametrize("names", [{}, NAMES, FEW | {"policies": FEW["policies"] | {"cluster_rules": RULES}}])
def test_what_was_saved_is_what_a_run_reads(prefect_harness: PrefectServer, names: dict[str, Any]) -> None:
    name, block = saved(names)
    assert loaded(name) == block.described == Conventions.model_validate(names)


def test_a_block_of_an_older_version_has_the_runbooks_name_for_a_field_that_it_did_not_know(
    prefect_harness: PrefectServer,
) -> None:
    name, block = saved(NAMES)
    change(name, store=None, policy_scope=None, operator={"namespace": "secrets-system"})
    found = loaded(name)
    assert (found.store, found.policy_scope) == (RUNBOOK.store, "env")
    assert found.operator == RUNBOOK.operator.model_copy(update={"namespace": "secrets-system"})
    assert found.auth_mount == block.auth_mount


def test_a_block_that_somebody_broke_in_the_ui_is_refused_with_the_field(
    prefect_harness: PrefectServer,
) -> None:
    name, _ = saved(NAMES)
    change(name, auth_mount="kubernetes/{evn}")
    with pytest.raises(InvalidInput) as caught:
        connection(RunbookConventions, "conventions", name)
    said = str(caught.value)
    assert (
        f"conventions='{name}': is not a usable RunbookConventions: auth_mount: 'kubernetes/{{evn}}' has"
        in said
    )
    assert "save it again with `python -m deployments.connect connections.yaml`" in said


def test_a_field_that_there_is_not_is_refused_and_not_left_out(prefect_harness: PrefectServer) -> None:
    name, _ = saved(NAMES)
    change(name, secret_mount="kv")
    with pytest.raises(InvalidInput, match="secret_mount: no such field"):
        connection(RunbookConventions, "conventions", name)


@pytest.mark.parametrize(
    "name", ["../../vault-connection/block_documents/name/vault", "a/b", "Names", "a b", "\u00e4"]
)
def test_a_run_names_a_block_of_conventions_and_no_other_path_of_the_api(name: str) -> None:
    with pytest.raises(InvalidInput, match="conventions="):
        read(EnableRequest, {"cluster": "ember", "env": "emea", "namespaces": ["web"], "conventions": name})
