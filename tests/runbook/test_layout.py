"""The layout of a repository: what is no path in it is refused when the connection is saved."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runbook.layout import Layout


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
        ),
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
    assert layout.vault_home.name == "b-1"
