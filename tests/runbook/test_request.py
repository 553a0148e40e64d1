"""Parameters of a run: what is refused, and in which words."""

from __future__ import annotations

import inspect

import pytest

from flows.enable_cluster import enable_cluster
from runbook.durations import LONGEST_HOURS, seconds
from runbook.errors import InvalidInput
from runbook.request import EnableRequest

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
    assert one.differences(other) == ("namespaces", "policy_scope", "token_ttl")


DURATIONS = [
    name for name, shown in enable_cluster.parameters.properties.items() if "(?=[0-9])" in str(shown)
]
NO_DURATIONS = ["0h", "1", "1d", "-1h", "1h 30m", "h", "87600h1s", "315360001s", "999999999999999999h"]
NO_DURATIONS.append("9" * 5000 + "h")


@pytest.mark.parametrize("field", DURATIONS)
@pytest.mark.parametrize("duration", NO_DURATIONS)
def test_a_duration_must_be_one_of_at_most_ten_years(field: str, duration: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}=.*at most {LONGEST_HOURS}h") as refused:
        EnableRequest.model_validate({**GOOD, field: duration})
    assert len(str(refused.value)) < 300
    assert getattr(EnableRequest.model_validate({**GOOD, field: f"{LONGEST_HOURS}h"}), field)


def test_an_empty_duration_is_refused_but_where_it_means_for_ever() -> None:
    with pytest.raises(InvalidInput, match="token_ttl="):
        EnableRequest.model_validate({**GOOD, "token_ttl": ""})
    assert EnableRequest.model_validate({**GOOD, "merge_timeout": ""}).merge_timeout is None


def test_what_may_be_left_out_may_be_none_as_in_runs_that_were_made_before() -> None:
    left_out = EnableRequest.model_validate(GOOD)
    for name in ("adopt", "merge_timeout", "cluster_connection"):
        assert EnableRequest.model_validate({**GOOD, name: None}) == left_out
        enable_cluster.validate_parameters({**GOOD, name: None})


def test_the_form_says_how_long_a_duration_may_be() -> None:
    assert len(DURATIONS) == 5
    for name in DURATIONS:
        assert f"at most {LONGEST_HOURS}h" in enable_cluster.parameters.properties[name]["description"]


@pytest.mark.parametrize(("duration", "length"), [("1h", 3600), ("90m", 5400), ("1h30m5s", 5405)])
def test_durations_are_read_as_vault_reads_them(duration: str, length: int) -> None:
    assert seconds("token_ttl", duration) == length


def test_the_cluster_connection_is_named_like_the_cluster_unless_told_otherwise() -> None:
    assert EnableRequest.model_validate(GOOD).cluster_connection == "ember"
    assert EnableRequest.model_validate({**GOOD, "cluster_connection": None}).cluster_connection == "ember"
    named = EnableRequest.model_validate({**GOOD, "cluster_connection": "ember-admin"})
    assert named.cluster_connection == "ember-admin"


ELSEWHERE = {
    ("merge_timeout", ""),
    ("policy_scope", ""),
    ("service_account", ""),
    ("conventions", "conventions"),
}
"""Parameters that are empty, or a name, in the form: what they stand for is filled in."""


def test_the_form_of_the_flow_and_the_request_have_the_same_fields_and_defaults() -> None:
    form = inspect.signature(enable_cluster.fn).parameters
    assert set(form) == set(EnableRequest.model_fields)
    for name, parameter in form.items():
        field = EnableRequest.model_fields[name]
        if parameter.default is inspect.Parameter.empty:
            assert field.is_required(), name
        else:
            assert parameter.default == field.default or (name, parameter.default) in ELSEWHERE, name


def test_no_parameter_can_hold_a_secret_and_each_is_described() -> None:
    properties = enable_cluster.parameters.properties
    assert set(properties) == set(EnableRequest.model_fields)
    for name, schema in properties.items():
        assert schema.get("description"), name
        assert schema.get("format") != "password", name
