"""Each style of kustomization file gets one line, and keeps everything else."""

from __future__ import annotations

from textwrap import dedent

import pytest
import yaml

from runbook.errors import Conflict, UnexpectedAnswer
from runbook.gitops import FileEdit
from runbook.kustomization import insert_resource

BUNDLE = "../../../../bundles/external-secrets-operator"

CASES = {
    "not indented": (
        """\
        kind: Kustomization
        resources:
        - ../../../../bundles/cert-manager
        - ../../../../bundles/pipelines
        """,
        BUNDLE,
        "- ../../../../bundles/cert-manager\n+- ../../../../bundles/external-secrets-operator\n",
    ),
    "indented by 2": (
        """\
        resources:
          - a.yaml
          - z.yaml
        """,
        "m.yaml",
        "  - a.yaml\n+  - m.yaml\n",
    ),
    "indented by 4, with a document start": (
        """\
        ---
        resources:
            - a.yaml
            - z.yaml
        """,
        "m.yaml",
        "    - a.yaml\n+    - m.yaml\n",
    ),
    "indented by 6": (
        """\
        resources:
              - a.yaml
              - z.yaml
        """,
        "zz.yaml",
        "      - z.yaml\n+      - zz.yaml\n",
    ),
    "two blanks behind the dash": (
        """\
        resources:
        -  a.yaml
        """,
        "b.yaml",
        "-  a.yaml\n+-  b.yaml\n",
    ),
    "the smallest entry goes first": (
        """\
        resources:
          - b.yaml
          - c.yaml
        """,
        "a.yaml",
        "resources:\n+  - a.yaml\n",
    ),
    "an unsorted list gets it at the end": (
        """\
        resources:
        - zone.yaml
        - cert-manager.yaml
        - cluster-resources.yaml
        - nodes.yaml
        nameSuffix: -x
        """,
        "external-secrets.yaml",
        "- nodes.yaml\n+- external-secrets.yaml\n",
    ),
    "sorted among the bundles of a list that is not sorted": (
        """\
        resources:
          - zebra
          - ../../../../bundles/cert-manager
          - ../../../../bundles/reloader
          - ../common
          - apple
        """,
        BUNDLE,
        "  - ../../../../bundles/cert-manager\n+  - ../../../../bundles/external-secrets-operator\n",
    ),
    "behind what lies outside when there is no bundle": (
        """\
        resources:
          - ../common
          - ../../../../base/core/namespaces/web
          - apiserver
        """,
        BUNDLE,
        "  - ../../../../base/core/namespaces/web\n+  - ../../../../bundles/external-secrets-operator\n",
    ),
    "a local folder goes among the local ones": (
        """\
        resources:
          - ../../common
          - configmaps/a.yaml
          - groups
          - users
        """,
        "secret-mgmt",
        "  - groups\n+  - secret-mgmt\n",
    ),
    "behind the patches": (
        """\
        patches:
        - path: patch.yaml
        resources:
        - a.yaml
        """,
        "b.yaml",
        "- a.yaml\n+- b.yaml\n",
    ),
    "blank lines and comments inside": (
        """\
        resources:
          # what every cluster has
          - ../../common

          # operators
          - ../../../../bundles/cert-manager  # and its issuer

          - apiserver
        """,
        BUNDLE,
        "# and its issuer\n+  - ../../../../bundles/external-secrets-operator\n",
    ),
    "a comment above an entry stays with it": (
        """\
        resources:
          - ../../common
          # our own
          - web
        """,
        "a",
        "  - ../../common\n+  - a\n",
    ),
    "trailing slashes": (
        """\
        resources:
          - ../../../../bundles/aaa/
          - ../../../../bundles/zzz/
        """,
        BUNDLE,
        "  - ../../../../bundles/aaa/\n+  - ../../../../bundles/external-secrets-operator\n",
    ),
    "quoted entries": (
        """\
        resources:
          - 'a.yaml'
          - 'c.yaml'
        """,
        "b.yaml",
        "  - 'a.yaml'\n+  - 'b.yaml'\n",
    ),
    "a name that YAML takes for a number": (
        """\
        resources:
          - web
        """,
        "123",
        "resources:\n+  - '123'\n",
    ),
    "a name that YAML 1.2 takes for a number": (
        """\
        resources:
          - a
        """,
        "1e3",
        "resources:\n+  - '1e3'\n",
    ),
    "a list on one line": (
        "kind: Kustomization\nresources: [a.yaml, c.yaml]\n",
        "b.yaml",
        "-resources: [a.yaml, c.yaml]\n+resources: [a.yaml, b.yaml, c.yaml]\n",
    ),
    "an empty list": (
        """\
        kind: Kustomization
        resources: []
        namePrefix: x-
        """,
        "a.yaml",
        "-resources: []\n+resources:\n+  - a.yaml\n",
    ),
    "resources without a value": (
        """\
        resources:
        namePrefix: x-
        """,
        "a.yaml",
        "resources:\n+  - a.yaml\n",
    ),
    "no resources at all, in the style of the other list": (
        """\
        kind: Kustomization
        patches:
        - path: a.yaml
        """,
        "a.yaml",
        "- path: a.yaml\n+resources:\n+- a.yaml\n",
    ),
    "the item below its dash": (
        """\
        resources:
          -
            a.yaml
        """,
        "b.yaml",
        "    a.yaml\n+  - b.yaml\n",
    ),
    "JSON": (
        '{"kind": "Kustomization", "resources": ["a.yaml"]}\n',
        "b.yaml",
        '+{"kind": "Kustomization", "resources": ["a.yaml", "b.yaml"]}\n',
    ),
}


def _diff(before: str, after: str) -> str:
    lines = FileEdit("kustomization.yaml", before, after).diff().splitlines(keepends=True)[2:]
    return "".join(line[1:] if line.startswith(" ") else line for line in lines if not line.startswith("@@"))


@pytest.mark.parametrize(("text", "entry", "expected"), CASES.values(), ids=CASES.keys())
def test_one_entry_goes_to_its_place_in_the_files_own_style(text: str, entry: str, expected: str) -> None:
    before = dedent(text)

    after = insert_resource(before, entry)

    assert expected in _diff(before, after)
    old, new = yaml.safe_load(before), yaml.safe_load(after)
    new["resources"].remove(entry)
    assert new == {**old, "resources": old.get("resources") or []}


@pytest.mark.parametrize("text", [dedent(text) for text, _, _ in CASES.values()], ids=CASES.keys())
def test_windows_line_endings_are_kept(text: str) -> None:
    after = insert_resource(text.replace("\n", "\r\n"), "new.yaml")

    assert after.replace("\r\n", "\n") == insert_resource(text, "new.yaml")
    assert "\n" not in after.replace("\r\n", "")


@pytest.mark.parametrize("text", [dedent(text) for text, _, _ in CASES.values()], ids=CASES.keys())
def test_a_second_insert_changes_nothing(text: str) -> None:
    once = insert_resource(text, "new.yaml")

    assert insert_resource(once, "new.yaml") == once


def test_a_last_line_without_an_end_gets_one() -> None:
    assert insert_resource("resources:\n- a.yaml", "b.yaml") == "resources:\n- a.yaml\n- b.yaml\n"


def test_a_last_line_without_an_end_is_kept_when_the_entry_goes_elsewhere() -> None:
    assert insert_resource("resources:\n- b.yaml", "a.yaml") == "resources:\n- a.yaml\n- b.yaml"


@pytest.mark.parametrize(
    "spelling", ["secret-mgmt", "secret-mgmt/", "./secret-mgmt", "'secret-mgmt'", "x/../secret-mgmt"]
)
@pytest.mark.parametrize("key", ["resources", "bases", "components"])
def test_an_entry_that_is_there_in_any_spelling_is_not_added(spelling: str, key: str) -> None:
    text = f"{key}:\n- {spelling}\n"

    assert insert_resource(text, "secret-mgmt") == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("resources: [", "is not one YAML document"),
        ("a: 1\n---\nb: 2\n", "is not one YAML document"),
        ("- a\n", "is not a YAML mapping"),
        ("", "is not a YAML mapping"),
        ("resources: a.yaml\n", "not a list"),
        ("resources:\n- a: b\n", "not paths"),
        ("resources:\n- a\nresources:\n- b\n", "more than once"),
        ("patches: &list\n- a\nresources: *list\n", "an alias"),
        ("{kind: Kustomization}\n", "on one line"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_a_conflict_that_names_it(text: str, answer: str) -> None:
    with pytest.raises(Conflict, match=answer) as raised:
        insert_resource(text, "a.yaml", "overlays/x/kustomization.yaml")

    assert raised.value.subject == "overlays/x/kustomization.yaml"


def test_an_anchor_that_would_spread_the_entry_is_refused() -> None:
    text = "resources: &list\n- a.yaml\ncomponents: *list\n"

    with pytest.raises(UnexpectedAnswer, match="change more than this one item"):
        insert_resource(text, "b.yaml")
