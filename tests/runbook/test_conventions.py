"""What an organisation calls things: what could not work is refused when the description is saved."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connections.fields import problems_of
from runbook.conventions import RUNBOOK, Conventions
from runbook.errors import InvalidInput
from runbook.names import Cluster
from runbook.request import EnableRequest

RULES = 'path "{mount}/data/{path}/*" {\n  capabilities = ["read"]\n}\n'
ONE_CLUSTER = "must contain {cluster}: else several clusters share it"
ONE_ENVIRONMENT = "must contain {env}: else several environments share it"


def nested(field: str, value: object) -> dict[str, Any]:
    """``policies.cluster`` as a field of a field."""
    part, _, rest = field.partition(".")
    return {part: nested(rest, value) if rest else value}


def problems(*descriptions: dict[str, Any]) -> list[str]:
    merged: dict[str, Any] = {}
    for one in descriptions:
        for key, value in one.items():
            merged[key] = {**merged[key], **value} if isinstance(value, dict) and key in merged else value
    try:
        Conventions.model_validate(merged)
    except ValidationError as error:
        return problems_of(error)
    return []


PATHS = ("secrets_mount", "cluster_secrets", "environment_secrets", "auth_mount", "administrators.mount")
NAMES = (
    "role",
    "policies.environment",
    "policies.cluster",
    "policies.administrators",
    "administrators.group",
)
NO_PATHS = (
    *("", " ", ".", "..", "/", "/a{}", "a{}/", "a//b{}", "./a{}", "a{}/..", "a b{}", "a{}\n"),
    # Wildcards and templates in the paths of a policy, and what a shell or a URL would make something of.
    *("a{}/*", "*", "a+{}", "+/a{}", "a{}?x", "a{}#x", "a%2f{}", 'a"{}', "a{}$", "ä{}"),
)


@pytest.mark.parametrize("value", NO_PATHS)
@pytest.mark.parametrize("field", [*PATHS, *NAMES])
def test_what_is_no_path_or_name_in_vault_is_refused(field: str, value: str) -> None:
    fixed = field in {"secrets_mount", "administrators.mount"}
    (problem,) = problems(nested(field, value.replace("{}", "" if fixed else "{env}{cluster}")))
    assert problem.startswith(f"{field}: ")
    assert "must be" in problem


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("cluster_secrets", "{evn}/{cluster}", "has {evn}; allowed here: {env}, {cluster}"),
        ("cluster_secrets", "{env}/{namespace}/{cluster}", "has {namespace}; allowed here"),
        ("cluster_secrets", "{{identity.entity.name}}/{cluster}", "must be a name"),
        ("cluster_secrets", "{env/{cluster}", "must be a name"),
        ("secrets_mount", "{env}-kv", "has {env}; allowed here: no placeholder"),
        ("administrators.mount", "{cluster}", "has {cluster}; allowed here: no placeholder"),
        ("auth_mount", "{}{cluster}", "has {}"),
        ("role", "{evn}-ops", "has {evn}; allowed here: {env}, {cluster}"),
        ("role", "ops/{env}", "must be one name of lower-case letters"),
        ("role", "{env}-Ops", "Vault lower-cases it"),
        ("policies.environment", "{env}-KV", "Vault lower-cases it"),
        ("policies.cluster", "{Cluster}-{env}", "has {Cluster}"),
        ("policies.administrators", "Admins-{env}", "Vault lower-cases it"),
        ("policies.also", ["team-{evn}"], "has {evn}"),
        ("policies.also", ["Team"], "Vault lower-cases it"),
        ("policies.rules", "hers", "Input should be 'runbook' or 'kv-v2'"),
        ("administrators.group", "Vault-{env}", "Vault lower-cases it"),
        ("administrators.alias", "{evn}-admins", "has {evn}"),
        ("administrators.alias", " {env}", "must be one line of text"),
        ("administrators.alias", "{env}\n", "must be one line of text"),
        ("administrators.aliases", {"emea": "{env}"}, "has {env}"),
        ("operator.namespace", "External", "must be lower-case letters, digits and inner hyphens"),
        ("operator.reviewer", "a/b", "must be lower-case letters, digits and inner hyphens"),
        ("operator.reviewer_token", "", "must be lower-case letters, digits and inner hyphens"),
        ("store.name", 64 * "s", "at most 63 characters"),
        ("policy_scope", "all", "Input should be 'env' or 'cluster'"),
        ("secret_mount", "kv", "Extra inputs are not permitted"),
        ("policies.admins", "kv", "Extra inputs are not permitted"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_field(field: str, value: object, says: str) -> None:
    (problem,) = problems(nested(field, value))
    assert problem.startswith(f"{field}: ")
    assert says in problem


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("cluster_secrets", "{env}/all", ONE_CLUSTER),
        ("auth_mount", "kubernetes/{env}", ONE_CLUSTER),
        ("policies.cluster", "{env}-read", ONE_CLUSTER),
        ("policies.cluster", "{cluster}-read", ONE_ENVIRONMENT),
        ("policies.environment", "workloads", ONE_ENVIRONMENT),
        ("policies.administrators", "writers", ONE_ENVIRONMENT),
        ("administrators.group", "admins", ONE_ENVIRONMENT),
        ("administrators.alias", "admins", ONE_ENVIRONMENT),
    ],
)
def test_a_template_that_gives_two_clusters_or_environments_one_name_is_refused(
    field: str, value: str, says: str
) -> None:
    (problem,) = problems(nested(field, value))
    assert problem.startswith(f"{field} is {value!r} and {says}")


def test_a_mount_needs_the_environment_only_where_the_role_does_not_say_it() -> None:
    assert problems({"auth_mount": "k8s/{cluster}", "role": "{env}-reader"}) == []
    (problem,) = problems({"auth_mount": "k8s/{cluster}", "role": "reader"})
    assert problem.startswith("auth_mount is 'k8s/{cluster}' and must contain {env}")
    assert problem.endswith("two environments may have a cluster of one name")
    assert problems({"auth_mount": "k8s/{env}/{cluster}", "role": "reader"}) == []


def test_two_purposes_have_two_names() -> None:
    (problem,) = problems(nested("policies.administrators", "{env}-kv-r"))
    assert problem == "policies: {env}-kv-r is the name of two policies: give each its own"
    (problem,) = problems(nested("policies.also", ["{env}-kv-rw"]))
    assert problem == "policies: {env}-kv-rw is the name of two policies: give each its own"


@pytest.mark.parametrize(
    ("paths", "refused"),
    [
        (("clusters/{env}", "clusters/{env}/{cluster}"), False),
        (("clusters", "clusters/{env}/{cluster}"), False),
        ((None, "{cluster}/of/{env}"), False),
        (("clusters/{env}", "other/{env}/{cluster}"), True),
        # `{env}*` would be `emea-too` as well, but its folder is not below that of emea.
        (("{env}", "{env}-{cluster}"), True),
    ],
)
def test_an_environments_policies_reach_the_secrets_of_its_clusters(
    paths: tuple[str | None, str], refused: bool
) -> None:
    environment, cluster = paths
    found = problems({"environment_secrets": environment, "cluster_secrets": cluster})
    assert bool(found) == refused
    for problem in found:
        assert problem.startswith(f"cluster_secrets is {cluster!r}, which is not below environment_secrets")


WITHOUT_ENVIRONMENTS: dict[str, Any] = {
    "environments": False,
    "cluster_secrets": "{cluster}",
    "environment_secrets": None,
    "role": "reader",
    "policies": {"environment": "readers", "cluster": "{cluster}-readers", "administrators": "writers"},
    "administrators": {"group": "vault-writers"},
}


def test_without_environments_no_template_names_one() -> None:
    assert problems(WITHOUT_ENVIRONMENTS) == []
    (problem,) = problems({"environments": False})
    assert problem == ("cluster_secrets is '{env}/{cluster}', and without environments there is no {env}"), (
        "the first of several"
    )
    for field, value in {
        "environment_secrets": "{env}",
        "auth_mount": "{env}/{cluster}",
        "role": "{env}-ops",
        "policies.environment": "{env}-kv-r",
        "policies.cluster": "{env}-{cluster}",
        "policies.administrators": "{env}-kv-rw",
        "policies.also": ["{env}-common"],
        "policies.cluster_rules": RULES.replace("{path}", "{env}"),
        "administrators.group": "{env}-admins",
        "administrators.alias": "{env}-admins",
    }.items():
        (problem,) = problems(WITHOUT_ENVIRONMENTS, nested(field, value))
        assert problem.startswith(f"{field} is "), field
        assert "without environments there is no {env}" in problem
    (problem,) = problems(WITHOUT_ENVIRONMENTS, nested("administrators.aliases", {"emea": "1a2b"}))
    assert problem.startswith("administrators.aliases is for single environments, and there are none")


@pytest.mark.parametrize("field", ["environment_rules", "cluster_rules", "administrators_rules"])
@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (RULES.replace("{path}", "{paht}"), "has {paht}; allowed here: {env}, {cluster}, {mount}, {path}"),
        ("", "must be a policy in HCL of at least one path with capabilities and nothing else"),
        ("# to be written", "must be a policy in HCL"),
        ("path {mount} {", "must be a policy in HCL"),
        (RULES.replace("}\n", '  min_wrapping_ttl = "1h"\n}\n'), "must be a policy in HCL"),
        (RULES.replace("}\n", "  allowed_parameters = { a = [] }\n}\n"), "must be a policy in HCL"),
        (RULES * 200, "must be a policy in HCL"),
    ],
)
def test_rules_that_a_run_could_not_compare_are_refused(field: str, rules: str, says: str) -> None:
    (problem,) = problems(nested(f"policies.{field}", rules))
    assert problem.startswith(f"policies.{field}: ")
    assert says in problem


def test_rules_are_as_particular_as_the_name_of_their_policy() -> None:
    of_cluster = RULES.replace("{path}", "{env}/{cluster}")
    assert problems(nested("policies.cluster_rules", of_cluster)) == []
    for kind in ("environment", "administrators"):
        (problem,) = problems(nested(f"policies.{kind}_rules", of_cluster))
        assert problem.startswith(f"policies.{kind} is ")
        assert ONE_CLUSTER in problem
    whole = {"environment_secrets": None, **nested("policies.administrators", "writers")}
    group = nested("administrators.group", "writers")
    assert problems(whole, group) == []
    (problem,) = problems(whole, group, nested("policies.administrators_rules", RULES + "# {env}"))
    assert problem.startswith(f"policies.administrators is 'writers' and {ONE_ENVIRONMENT}")


def test_an_alias_belongs_to_one_environment() -> None:
    ids = {"emea": "1a2b", "moc": "3c4d"}
    assert problems(nested("administrators.aliases", ids)) == []
    (problem,) = problems(nested("administrators.aliases", {"emea": "1a2b", "moc": "1A2B"}))
    assert problem.startswith("administrators.aliases: give two environments one alias")
    described = Conventions.model_validate(nested("administrators.aliases", ids))
    names = [Cluster(env, "ember", described).admin_alias for env in ("emea", "moc", "apac")]
    assert names == ["1a2b", "3c4d", "vault-admins-apac"]


def test_runs_need_a_policy_for_their_scope() -> None:
    (problem,) = problems(nested("policies.environment", None))
    assert problem == "policy_scope is 'env', and policies.environment is null: set it to 'cluster'"
    assert problems(nested("policies.environment", None), {"policy_scope": "cluster"}) == []


OTHERS = Conventions.model_validate(
    {
        "secrets_mount": "team/kv",
        "cluster_secrets": "clusters/{env}/{cluster}",
        "environment_secrets": "clusters/{env}",
        "auth_mount": "kubernetes/{env}/{cluster}",
        "role": "reader-{env}",
        "policies": {"also": ["common-{cluster}"], "rules": "kv-v2"},
    }
)


def test_a_cluster_is_called_like_its_host_where_that_is_a_name_everywhere() -> None:
    target = Cluster("emea", "ocp.example.org", OTHERS)
    assert target.mount == "kubernetes/emea/ocp.example.org"
    assert target.secrets_path == "clusters/emea/ocp.example.org/"
    assert target.more_policies == ("common-ocp.example.org",)
    assert target.branch == "enable-vault/emea/ocp.example.org"
    assert target.key == "emea-ocp-example-org"
    request = EnableRequest(cluster=target.name, env="emea", namespaces=("web",), conventions=OTHERS)
    assert request.cluster_connection == "ocp-example-org", "Prefect allows no dots"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a.", ".a", "a..b", "a.-b", "Ocp.example.org", "a/b", "ocp.lock", 64 * "a", "a\n"]
)
def test_a_cluster_whose_name_is_none_is_refused_with_what_to_write(name: str) -> None:
    with pytest.raises(InvalidInput, match="Write cluster as in the folder names") as caught:
        Cluster("emea", name)
    assert f"cluster={name!r}" in str(caught.value)


def test_a_description_is_shown_by_what_differs_from_the_runbook() -> None:
    others = Conventions.model_validate({"auth_mount": "k8s/{cluster}", "policies": {"also": ["common"]}})
    assert repr(others) == "Conventions(auth_mount='k8s/{cluster}', policies=Policies(also=('common',)))"
    assert repr(RUNBOOK) == "Conventions()"
