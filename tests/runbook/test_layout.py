"""The layout of a repository: what is no path in it is refused when the connection is saved."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runbook.layout import Layout
from runbook.names import Cluster


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("cluster_overlay", "overlays/{evn}/{cluster}", "{evn}; allowed here: {env}, {cluster}"),
        ("cluster_overlay", "overlays/{env/{cluster}", "allowed here: {env}, {cluster}"),
        ("cluster_overlay", "overlays/{}", "has {}"),
        ("applications", "envs/{{env}}/{cluster}", "allowed here"),
        ("operator_bundle", "bundles/{env}/operator", "{env}; allowed here: nothing"),
        *(
            (field, value, "must contain {cluster}: else all clusters share one path")
            for field in ("cluster_overlay", "operator_overlay", "applications")
            for value in ("overlays/prod", "overlays/{env}")
        ),
        *(
            (field, f"a{hidden}/{{cluster}}", "without invisible characters")
            for field in ("cluster_overlay", "operator_overlay", "applications")
            # Right to left, the same isolated, its end, an invisible blank, a soft hyphen, a line's end.
            for hidden in ("\u202e", "\u2067", "\u2069", "\u200b", "\u00ad", "\u2028")
        ),
        ("groups", "gr\u202espu", "without invisible characters"),
        ("vault_cluster", "{env}/smaug", "{env}; allowed here: nothing"),
        ("vault_cluster", "moc/smaug/x", "must be <env>/<cluster>"),
        ("vault_cluster", "MOC/smaug", "must be <env>/<cluster>"),
        *(
            (field, value, "must be a path inside the repository")
            for field in Layout.model_fields
            if field != "bundle_listed_in"
            for value in (
                "",
                ".",
                "..",
                "/",
                "/a",
                "a/",
                "./a",
                "a/.",
                "a/../b",
                "a//b",
                ".git",
                "a/.git/hooks",
            )
            if (field, value) != ("application_group", "")
        ),
        ("bundle_listed_in", "overlay", "Input should be 'cluster_overlay' or 'operator_overlay'"),
        *(
            (field, value, "must be the name of an Application")
            for field in ("application", "sibling_application")
            for value in ("{env}/eso", "external-secrets.yaml")
        ),
        ("application", "eso-{claster}", "{claster}; allowed here: {env}, {cluster}"),
        ("application_set", "argocd/sets", "must be a YAML file"),
        *(
            ("groups", value, "must be a path inside the repository")
            for value in (" ", " a", "a ", "a/ b", "a\n", "a\tb", "a\\b", "a\x1b[31m", "a\x7f", "a\x85b")
        ),
    ],
)
def test_what_is_no_path_in_the_repository_is_refused(field: str, value: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Layout(**{field: value})
    assert says in str(caught.value)
    assert field in str(caught.value)


def test_other_paths_are_taken() -> None:
    layout = Layout(
        cluster_overlay="{cluster}",
        operator_overlay="my apps/{env}-{cluster}",
        groups="a.b/..c/Größe/设置",
        vault_cluster="a/b-1",
    )
    assert layout.vault_home == Cluster("a", "b-1")


def test_what_a_repository_does_not_have_is_none() -> None:
    layout = Layout(
        operator_bundle=None, operator_overlay=None, operator_base=None, applications=None, vault_cluster=None
    )
    cluster = Cluster("emea", "ember")
    assert layout.reviewer_folder_of(cluster) == layout.cluster_overlay_of(cluster)
    assert (layout.application_group_of(cluster), layout.app_of_apps_of(cluster)) == (None, None)
    assert layout.vault_home is None


def test_applications_may_lie_directly_in_their_folder_under_names_of_their_own() -> None:
    layout = Layout(applications="apps/{cluster}", application_group="", application="eso-{env}-{cluster}")
    cluster = Cluster("emea", "ember")
    assert layout.application_group_of(cluster) == "apps/ember"
    assert layout.application_of(cluster) == "eso-emea-ember"


def test_a_bundle_cannot_be_listed_in_an_overlay_that_is_not_there() -> None:
    with pytest.raises(ValidationError, match="bundle_listed_in is operator_overlay, and there is none"):
        Layout(operator_overlay=None, bundle_listed_in="operator_overlay")
