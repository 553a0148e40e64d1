"""``adopt`` and ``move_alias``: what is refused before any system is asked."""

from __future__ import annotations

import pytest

from runbook.errors import InvalidInput
from runbook.request import EnableRequest

GOOD = {"cluster": "ember", "env": "emea", "namespaces": ("payments",)}


@pytest.mark.parametrize(
    "name",
    [
        "policy/emea-kv-r",
        "policy/emea-kv-rw",
        "group-alias/vault-admins-emea",
        "auth/ember-k8s/config",
        "auth/ember-k8s/role/emea-ops",
    ],
)
def test_an_object_that_can_serve_as_it_stands_may_be_adopted(name: str) -> None:
    assert EnableRequest.model_validate({**GOOD, "adopt": [name]}).adopt == (name,)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("group/vault-admins-emea", "an internal group can have no alias"),
        ("auth/ember-k8s", "log in only at a mount of type kubernetes"),
        ("policy/emea-ember-kv-r", "is not a Vault object of a run for emea/ember"),
        ("policy/moc-kv-r", "Name one of policy/emea-kv-r, policy/emea-kv-rw, group-alias/vault-admins-emea"),
        ("emea-kv-r", "is not a Vault object"),
        ("", "is not a Vault object"),
    ],
)
def test_anything_else_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        EnableRequest.model_validate({**GOOD, "adopt": ["policy/emea-kv-rw", name]})
    assert f"adopt={name!r}" in str(refused.value)
    assert why in str(refused.value)


def test_the_clusters_own_policy_may_be_adopted_where_the_run_has_one() -> None:
    adopt = ["policy/emea-ember-kv-r"]
    assert EnableRequest.model_validate({**GOOD, "policy_scope": "cluster", "adopt": adopt}).adopt


def test_to_move_the_alias_and_to_leave_it_is_a_contradiction() -> None:
    both = {"move_alias": True, "adopt": ["group-alias/vault-admins-emea"]}
    with pytest.raises(InvalidInput, match="move_alias=True: contradicts adopt"):
        EnableRequest.model_validate({**GOOD, **both})
