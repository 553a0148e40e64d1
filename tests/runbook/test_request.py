"""Parameters of a run: what is refused, and in which words."""

from __future__ import annotations

import inspect

import pytest

from flows.enable_cluster import enable_cluster
from runbook.errors import InvalidInput
from runbook.request import EnableRequest, seconds

GOOD = {"cluster": "ember", "env": "emea", "namespaces": ("payments",)}


@pytest.mark.parametrize("field", ["cluster", "env"])
@pytest.mark.parametrize("value", ["", "a/b", "..", "a b", "Ember", "-ember", "ember-", "é", "a" * 64, "a\n"])
def test_a_name_that_is_no_label_is_refused_naming_field_and_value(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        EnableRequest.model_validate({**GOOD, field: value})
    assert f"{field}={value!r}" in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("namespaces", [(), ("*",), ("payments", "*"), ("pay*",), ("Payments",), ("a/b",)])
def test_namespaces_must_be_names_and_at_least_one(namespaces: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="namespaces="):
        EnableRequest.model_validate({**GOOD, "namespaces": namespaces})


def test_runs_differ_by_what_they_would_propose_or_write_and_not_by_how_they_wait() -> None:
    one = EnableRequest.model_validate({**GOOD, "namespaces": ("payments", "web")})
    waits_otherwise = {"namespaces": ("web", "payments"), "merge_timeout": "1h", "gitops": "another"}
    assert one.differences(EnableRequest.model_validate({**GOOD, **waits_otherwise})) == ()
    other = EnableRequest.model_validate({**GOOD, "policy_scope": "cluster", "token_ttl": "2h"})
    assert one.differences(other) == ("namespaces", "token_ttl", "policy_scope")


@pytest.mark.parametrize("duration", ["", "0h", "1", "1d", "-1h", "1h 30m", "h"])
def test_a_duration_must_be_one(duration: str) -> None:
    with pytest.raises(InvalidInput, match="token_ttl="):
        EnableRequest.model_validate({**GOOD, "token_ttl": duration})


@pytest.mark.parametrize(("duration", "length"), [("1h", 3600), ("90m", 5400), ("1h30m5s", 5405)])
def test_durations_are_read_as_vault_reads_them(duration: str, length: int) -> None:
    assert seconds("token_ttl", duration) == length


def test_the_cluster_connection_is_named_like_the_cluster_unless_told_otherwise() -> None:
    assert EnableRequest.model_validate(GOOD).cluster_connection == "ember"
    assert EnableRequest.model_validate({**GOOD, "cluster_connection": None}).cluster_connection == "ember"
    named = EnableRequest.model_validate({**GOOD, "cluster_connection": "ember-admin"})
    assert named.cluster_connection == "ember-admin"


def test_the_form_of_the_flow_and_the_request_have_the_same_fields_and_defaults() -> None:
    form = inspect.signature(enable_cluster.fn).parameters
    assert set(form) == set(EnableRequest.model_fields)
    for name, parameter in form.items():
        field = EnableRequest.model_fields[name]
        if parameter.default is inspect.Parameter.empty:
            assert field.is_required(), name
        elif parameter.default is None:
            left_out, none = (EnableRequest.model_validate(given) for given in (GOOD, {**GOOD, name: None}))
            assert getattr(none, name) == getattr(left_out, name), name
        else:
            assert parameter.default == field.default, name


def test_no_parameter_can_hold_a_secret_and_each_is_described() -> None:
    properties = enable_cluster.parameters.properties
    assert set(properties) == set(EnableRequest.model_fields)
    for name, schema in properties.items():
        assert schema.get("description"), name
        assert schema.get("format") != "password", name
