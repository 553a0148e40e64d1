"""The printed commands for an organisation that has other names: these stand in its file of connections."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.commands import account_command, the_policy
from runbook.conventions import Conventions
from runbook.request import EnableRequest

PEOPLE = {"administrators": {"mount": "okta"}}


def request(names: Mapping[str, object]) -> EnableRequest:
    described = Conventions.model_validate(names)
    return EnableRequest(cluster="ember", env="emea", namespaces=("web",), conventions=described)


def test_other_names_are_read_from_the_file_of_connections() -> None:
    words = the_policy(request(PEOPLE))
    assert "`python -m deployments.vault.policy --connections FILE --oidc-accessor " in words
    assert 'sys/auth/okta)"` prints (FILE is that of your connections)' in words
    assert "emea/ember" not in words
    assert "--connections FILE | oc apply" in account_command(request(PEOPLE))


def test_the_runbooks_names_need_no_file() -> None:
    words = the_policy(request({}))
    assert "deployments.vault.policy emea/ember --oidc-accessor" in words
    assert "(for all clusters of a file: --connections FILE instead of emea/ember)" in words
    assert "--connections" not in account_command(request({}))


def test_without_administrators_no_mount_of_people_is_asked_for() -> None:
    assert "`python -m deployments.vault.policy --connections FILE`" in the_policy(
        request({"administrators": None})
    )
