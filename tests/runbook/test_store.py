"""What an organisation may say of its stores, what of it is refused, and what a run then asks for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runbook.cluster_rights import cluster_rights
from runbook.conventions import Conventions
from runbook.enable_namespace import NamespaceRequest
from runbook.objects import Role
from runbook.request import EnableRequest
from runbook.store import Store
from runbook.store_conditions import allows

CA = {"kind": "Secret", "name": "vault-ca", "key": "ca.crt"}
ONE = {"kind": "ClusterSecretStore"}


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"namespace": "login"}, "namespace='login' is for a ClusterSecretStore alone"),
        ({**ONE, "component": "a/b"}, "component='a/b' is for SecretStores"),
        ({**ONE, "namespace": "Login"}, "'Login' must be lower-case letters"),
        ({"component": "../b"}, "'../b' must be a path inside the repository"),
        ({"component": "a/"}, "'a/' must be a path inside the repository"),
        (
            {"ca_provider": {**CA, "namespace": "vault"}},
            "ca_provider.namespace is vault: a ClusterSecretStore",
        ),
        ({**ONE, "ca_provider": CA}, "ca_provider.namespace is empty: a ClusterSecretStore must say it"),
        ({"ca_provider": {**CA, "key": "ca crt"}}, "'ca crt' must be letters, digits"),
        ({"ca_provider": {**CA, "kind": "Deployment"}}, "Input should be 'Secret' or 'ConfigMap'"),
    ],
    ids=str,
)
def test_what_the_operator_could_not_use_is_refused(store: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Store.model_validate(store)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [
        ([], True),
        ([{"namespaces": ["pay"]}], False),
        ([{"namespaces": ["pay"]}, {"namespaces": ["payments"]}], True),
        ([{"namespaceRegexes": ["ment"]}], True),
        ([{"namespaceRegexes": ["^ment"]}], False),
        ([{"namespaceRegexes": ["["]}], None),
        ([{"namespaceRegexes": ["^(dev|pay)[a-z]+$"]}], True),
        # Only Go reads these so, or all ways to part the name would be tried, or Python gives up.
        *(
            ([{"namespaceRegexes": [one]}], None)
            for one in ("^[[:alpha:]]+$", "([a-z]+)+!", "(a|a)" * 60, "a{99999999999}", "(" * 9999)
        ),
        ([{"namespaceSelector": {"matchLabels": {"a": "b"}}}], None),
        ([{"namespaceSelector": {}}, {"namespaces": ["payments"]}], True),
    ],
    ids=str,
)
def test_conditions_are_read_as_the_operator_reads_them(
    conditions: list[dict[str, Any]], allowed: bool | None
) -> None:
    assert allows({"conditions": conditions}, "payments") is allowed


@pytest.mark.parametrize(
    ("described", "owner"), [({}, "external-secrets-operator"), ({"namespace": "x"}, "x")]
)
def test_one_store_means_one_account_that_the_role_binds_and_one_object_to_look_at(
    described: dict[str, str], owner: str
) -> None:
    values = {"cluster": "ember", "env": "emea", "conventions": Conventions(store=Store(**ONE, **described))}
    whole = EnableRequest.model_validate({**values, "namespaces": ("payments", "web")})
    more = NamespaceRequest.model_validate({**values, "namespace": "web"})

    for request in (whole, more):
        (role,) = request.objects_of(Role)
        assert isinstance(role, Role)
        assert role.namespaces == (owner,)
        # The operator's namespace comes with the change.
        assert request.needed_namespaces == request.namespaces + (("x",) if owner == "x" else ())
        rights = list(map(str, cluster_rights(request)))
        assert f"create serviceaccounts/token vault-secret-fetcher in namespace {owner}" in rights
        assert "get clustersecretstores.external-secrets.io opf-vault-store cluster-wide" in rights
        assert "list externalsecrets.external-secrets.io in namespace web" in rights
        assert not [right for right in rights if "vault-secret-fetcher in namespace web" in right]
