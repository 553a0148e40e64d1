"""Descriptions that would give somebody the rights of others: refused when saved, or for the name of one."""

from __future__ import annotations

from typing import Any

import pytest

from runbook.conventions import Conventions
from runbook.errors import Conflict, InvalidInput
from runbook.names import Cluster
from runbook.objects import Mount, Seen
from runbook.request import EnableRequest
from runbook.rights import check_apart
from runbook.vault_answers import MountInVault
from tests.runbook.test_conventions import RULES, nested, problems

READ = ' { capabilities = ["read"] }\n'


@pytest.mark.parametrize("field", ["policies.environment", "policies.cluster", "policies.administrators"])
@pytest.mark.parametrize("name", ["root", "default", "response-wrapping", "control-group"])
def test_a_policy_of_vaults_own_is_neither_written_nor_handed_out(field: str, name: str) -> None:
    for value in ({field: name}, {"policies.also": [name]}):
        ((where, given),) = value.items()
        (problem,) = problems(nested(where, given))
        assert problem.startswith(f"{where}: {name!r} is a policy of Vault's own")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("secrets_mount", f"{one}{rest}") for one in ("sys", "auth", "identity") for rest in ("", "/kv")),
        ("secrets_mount", "cubbyhole"),
        *(("auth_mount", f"{one}/{{cluster}}") for one in ("token", "auth", "sys")),
        ("administrators.mount", "token"),
        ("administrators.mount", "auth/oidc"),
    ],
)
def test_a_mount_is_not_below_one_of_vaults_own(field: str, value: str) -> None:
    (problem,) = problems(nested(field, value))
    assert problem.startswith(
        f"{field}: {value!r} begins with {value.split('/', maxsplit=1)[0]}/, which is Vault's own"
    )


@pytest.mark.parametrize("kind", ["environment", "cluster", "administrators"])
@pytest.mark.parametrize(
    "path",
    [
        *("*", "+/*", "+/data/{path}/*", "sys/*", "sys/policies/acl/*", "auth/*", "identity/*", "{mount}x/*"),
        *("{mount}", "{mount}*", "{mount}/*", "{mount}/data/*", "{mount}/+/*", "{mount}/data/+/secret"),
        # The neighbours whose names begin alike, and all those of another placeholder.
        *("{mount}/data/{path}*", "{mount}/data/{path}-more/*", "{mount}/data/x/{env}/{cluster}/*"),
        "{mount}/data/{{identity.entity.name}}/*",
    ],
)
def test_own_rules_stay_in_the_folder_of_their_policy(kind: str, path: str) -> None:
    of_both = {"policies": {"environment": "{env}-{cluster}-r", "administrators": "{env}-{cluster}-rw"}}
    group = nested("administrators.group", "{env}-{cluster}")
    (problem,) = problems(of_both, group, nested(f"policies.{kind}_rules", f'path "{path}"{READ}'))
    assert problem.startswith(f"policies.{kind}_rules grants ")
    assert "neither below the policy's own folder" in problem


@pytest.mark.parametrize(
    "path",
    ["{mount}/data/{path}/*", "/{mount}/+/{path}/*", "{mount}/metadata/{path}", "{mount}/data/shared/*"],
)
def test_own_rules_may_have_all_that_is_in_their_folder_and_a_fixed_one(path: str) -> None:
    rules = f'path "{path}"{READ}' + 'path "{mount}/metadata/*" { capabilities = ["list"] }\n'
    assert problems(nested("policies.cluster_rules", rules)) == []


@pytest.mark.parametrize("text", [r'path "\u0073ys/*"', 'path "{mount}/${a.b}/*"', 'path "{mount}/%{a.b}/*"'])
def test_own_rules_that_hcl_would_read_as_another_text_are_refused(text: str) -> None:
    (problem,) = problems(nested("policies.cluster_rules", RULES + text + READ))
    assert "must be a policy in HCL" in problem


@pytest.mark.parametrize("alias", ["*", "*{env}", "team-*", "${a.b}", "%{a.b}"])
def test_an_alias_is_one_value_where_the_printed_policy_pins_it(alias: str) -> None:
    (problem,) = problems(nested("administrators.alias", alias))
    assert problem.startswith("administrators.alias: ")
    assert "which is not allowed here" in problem


def test_an_environment_is_not_given_the_alias_of_another_one() -> None:
    (problem,) = problems(nested("administrators.aliases", {"emea": "Vault-admins-moc"}))
    assert problem.endswith(
        "aliases give emea 'Vault-admins-moc', which is the alias of moc: name that one, too"
    )
    assert problems(nested("administrators.aliases", {"emea": "vault-admins-moc", "moc": "1a2b"})) == []
    assert problems(nested("administrators.aliases", {"emea": "vault-admins-emea"})) == []
    (problem,) = problems(nested("administrators.aliases", {"EMEA": "1a2b"}))
    assert "'EMEA' must be lower-case letters" in problem


SHARED = RULES + 'path "{mount}/data/shared/*"' + READ


@pytest.mark.parametrize(
    ("names", "env", "cluster", "says"),
    [
        ({"policies": {"cluster": "{env}{cluster}"}}, "ro", "ot", "the policy root, which is Vault's own"),
        ({"policies": {"environment": "de{env}"}}, "fault", "x", "the policy default, which is Vault's own"),
        (
            {"policies": {"administrators": "{env}-admin", "cluster": "{env}-{cluster}"}},
            "emea",
            "admin",
            "the policy emea-admin for two purposes",
        ),
        (
            {"policies": {"administrators": "{env}-admin", "cluster": "{env}-{cluster}"}},
            "emea",
            "ember-admin",
            "the policy emea-ember-admin for workloads, and {env}-admin is what administrators get",
        ),
        ({"policies": {"also": ["moc-kv-rw"]}}, "emea", "ember", "the policy moc-kv-rw for workloads"),
        ({"policies": {"also": ["{cluster}-kv-r"]}}, "emea", "emea", "the policy emea-kv-r for two purposes"),
        ({"auth_mount": "{cluster}"}, "emea", "oidc", "the mount auth/oidc, and auth/oidc is for people"),
        ({"auth_mount": "{cluster}"}, "emea", "token", "the mount auth/token, and auth/token is Vault's own"),
        ({"auth_mount": "oidc/{cluster}"}, "emea", "x", "the mount auth/oidc/x, and auth/oidc is for people"),
        ({"policies": {"cluster_rules": SHARED}}, "shared", "ember", "the folder shared/ember/, and rules"),
    ],
)
def test_names_that_clash_for_one_cluster_are_refused_for_it(
    names: dict[str, Any], env: str, cluster: str, says: str
) -> None:
    described = Conventions.model_validate(names)
    with pytest.raises(InvalidInput, match="Choose other templates in the conventions") as caught:
        Cluster(env, cluster, described)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            {"cluster_secrets": "{env}-{cluster}"},
            "share the folder k8s_secrets/a-b-c/ of a cluster's secrets",
        ),
        ({"auth_mount": "{env}-{cluster}"}, "share the mount auth/a-b-c"),
        (
            {"policies": {"cluster": "{env}-{cluster}-kv-r"}, "cluster_secrets": "{env}/{cluster}"},
            "the policy",
        ),
        (
            {
                "cluster_secrets": "{env}-{cluster}/own",
                "environment_secrets": "{env}-{cluster}",
                "policies": {"environment": "{env}.{cluster}.r", "administrators": "{env}.{cluster}.rw"},
                "administrators": {"group": "{env}.{cluster}"},
            },
            "share the folder k8s_secrets/a-b-c/",
        ),
    ],
)
def test_two_clusters_share_nothing_that_is_one_clusters(names: dict[str, Any], says: str) -> None:
    apart = {
        "environment_secrets": None,
        "policies": {"cluster": "{env}.{cluster}", "administrators": "{env}.rw"},
        "administrators": {"group": "{env}.admins"},
    }
    described = Conventions.model_validate({**apart, **names})
    with pytest.raises(InvalidInput) as caught:
        check_apart([Cluster("a", "b-c", described), Cluster("a-b", "c", described)])
    assert says in str(caught.value)


def test_no_cluster_hands_out_the_policy_that_is_written_for_another() -> None:
    also = Conventions.model_validate({"policies": {"also": ["moc-kv-r"]}})
    check_apart([Cluster("emea", "ember", also), Cluster("emea", "flint", also)])
    with pytest.raises(InvalidInput, match="share the policy moc-kv-r"):
        check_apart([Cluster("emea", "ember", also), Cluster("moc", "smaug", Conventions())])


def test_two_environments_share_no_alias() -> None:
    described = Conventions.model_validate(
        {"environment_secrets": "{env}/{cluster}"}
        | {"policies": {"environment": "{env}.{cluster}.r", "administrators": "{env}.{cluster}.rw"}}
        | {"administrators": {"group": "{env}.{cluster}", "alias": "{env}{cluster}"}}
    )
    with pytest.raises(InvalidInput, match="share the alias abc"):
        check_apart([Cluster("a", "bc", described), Cluster("ab", "c", described)])


def test_what_reads_secrets_is_not_the_reviewer() -> None:
    store = {"kind": "ClusterSecretStore", "service_account": "eso-vault-auth"}
    (problem,) = problems({"store": store})
    assert problem.startswith("store.service_account is 'eso-vault-auth', as the operator's reviewer is")
    assert problems({"store": {**store, "namespace": "stores"}}) == []
    values = {"cluster": "ember", "env": "emea", "service_account": "eso-vault-auth"}
    assert EnableRequest.model_validate({**values, "namespaces": ["web"]})
    with pytest.raises(InvalidInput, match="is the reviewer in external-secrets-operator"):
        EnableRequest.model_validate({**values, "namespaces": ["external-secrets-operator"]})


class Mounts:
    """A Vault that is asked for its auth mounts alone."""

    def __init__(self, *paths: str) -> None:
        self._paths = paths

    def auth_mounts(self) -> dict[str, MountInVault]:
        return {path: MountInVault(path, "kubernetes", "auth_kubernetes_1a2b", {}) for path in self._paths}


@pytest.mark.parametrize("there", ["kubernetes", "kubernetes/emea", "kubernetes/emea/ember/too"])
def test_a_mount_below_or_above_another_is_found_before_vault_refuses_it(there: str) -> None:
    described = Conventions.model_validate({"auth_mount": "kubernetes/{env}/{cluster}"})
    mount = Mount(Cluster("emea", "ember", described))
    with pytest.raises(Conflict, match=f"there is auth/{there}/, and Vault has no mount below another"):
        mount.compare(Seen(Mounts("token", there)))  # type: ignore[arg-type]
    beside = Seen(Mounts("kubernetes/emea/ember-too", "kube"))  # type: ignore[arg-type]
    assert mount.compare(beside).action == "create"
