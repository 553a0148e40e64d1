"""The command of a remedy gives a role all its policies, those of others too."""

from __future__ import annotations

from typing import Any

from runbook.conventions import Conventions
from runbook.request import EnableRequest
from tasks.diagnosis.asking import Asked
from tasks.diagnosis.vault import not_handed_out


def test_a_role_keeps_the_policies_of_others() -> None:
    names = Conventions.model_validate({"policies": {"also": ["common-{cluster}"]}})
    request = EnableRequest(cluster="ember", env="emea", namespaces=("web",), conventions=names)
    nothing: Any = None  # no system is asked
    asked = Asked(request, nothing, nothing, nothing, nothing)
    cause = not_handed_out(asked, "emea-kv-r", ["default"])
    command = "`vault write auth/ember-k8s/role/emea-ops token_policies=emea-kv-r,common-ember`"
    assert command in cause.remedy
