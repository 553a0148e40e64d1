"""Each style of kustomization file gets one line, and keeps everything else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from runbook.documents import document_of
from runbook.errors import Conflict, UnexpectedAnswer
from runbook.kustomization import insert_resource, scalar

DIFFS = """\
== not indented | ../../../../bundles/external-secrets-operator
 kind: Kustomization
 resources:
 - ../../../../bundles/cert-manager
+- ../../../../bundles/external-secrets-operator
 - ../../../../bundles/pipelines
== indented by 2 | m.yaml
 resources:
   - a.yaml
+  - m.yaml
   - z.yaml
== indented by 4, with a document start | m.yaml
 ---
 resources:
     - a.yaml
+    - m.yaml
     - z.yaml
== indented by 6 | zz.yaml
 resources:
       - a.yaml
       - z.yaml
+      - zz.yaml
== two blanks behind the dash | b.yaml
 resources:
 -  a.yaml
+-  b.yaml
== the smallest entry goes first | a.yaml
 resources:
+  - a.yaml
   - b.yaml
   - c.yaml
== an unsorted list gets it at the end | external-secrets.yaml
 resources:
 - zone.yaml
 - cert-manager.yaml
 - cluster-resources.yaml
 - nodes.yaml
+- external-secrets.yaml
 nameSuffix: -x
== sorted among the bundles of a list that is not sorted | ../../../../bundles/external-secrets-operator
 resources:
   - zebra
   - ../../../../bundles/cert-manager
+  - ../../../../bundles/external-secrets-operator
   - ../../../../bundles/reloader
   - ../common
   - apple
== behind what lies outside when there is no bundle | ../../../../bundles/external-secrets-operator
 resources:
   - ../common
   - ../../../../base/core/namespaces/web
+  - ../../../../bundles/external-secrets-operator
   - apiserver
== a local folder goes among the local ones | secret-mgmt
 resources:
   - ../../common
   - configmaps/a.yaml
   - groups
+  - secret-mgmt
   - users
== behind the patches | b.yaml
 patches:
 - path: patch.yaml
 resources:
 - a.yaml
+- b.yaml
== blank lines and comments inside | ../../../../bundles/external-secrets-operator
 resources:
   # what every cluster has
   - ../../common

   # operators
   - ../../../../bundles/cert-manager  # and its issuer
+  - ../../../../bundles/external-secrets-operator

   - apiserver
== a comment above an entry stays with it | a
 resources:
   - ../../common
+  - a
   # our own
   - web
== trailing slashes | ../../../../bundles/external-secrets-operator
 resources:
   - ../../../../bundles/aaa/
+  - ../../../../bundles/external-secrets-operator
   - ../../../../bundles/zzz/
== quoted entries | b.yaml
 resources:
   - 'a.yaml'
+  - 'b.yaml'
   - 'c.yaml'
== a name that YAML takes for a number | 123
 resources:
+  - '123'
   - web
== a name that YAML 1.2 takes for a number | 1e3
 resources:
+  - '1e3'
   - a
== a list on one line | b.yaml
 kind: Kustomization
-resources: [a.yaml, c.yaml]
+resources: [a.yaml, b.yaml, c.yaml]
== an empty list | a.yaml
 kind: Kustomization
-resources: []
+resources:
+  - a.yaml
 namePrefix: x-
== resources without a value | a.yaml
 resources:
+  - a.yaml
 namePrefix: x-
== no resources at all, in the style of the other list | a.yaml
 kind: Kustomization
 patches:
 - path: a.yaml
+resources:
+- a.yaml
== the item below its dash | b.yaml
 resources:
   -
     a.yaml
+  - b.yaml
== a comment above the first entry stays with it | a
 resources:
+  - a
   # our own
   # web
   - web
== a comment above the first item stays with it, which stands below its dash | a
 resources:
+- a
 # our own
 -
   web
== a comment that continues the item above stays with it | b.yaml
 resources:
   - a.yaml  # the first,
             # and what it is for
     # and more of it
+  - b.yaml
   # about c
   - c.yaml
== a comment that continues the last item stays with it | b.yaml
 resources:
 - a.yaml
   # about a
+- b.yaml
 # of the patches
 patches: []
== a comment that continues the item of another group stays with it | a
 resources:
   - ../../common
     # what every cluster has
+  - a
   # our own
   - web
== a comment that continues an item below its dash | b.yaml
 resources:
 -
   a.yaml
   # about a
+- b.yaml
 - c.yaml
== a comment behind a blank line continues nothing | b.yaml
 resources:
   - a.yaml
+  - b.yaml

     # about c
   - c.yaml
== a comment that continues an item in brackets | b.yaml
 resources: [
   a.yaml,
     # about a
+  b.yaml,
   c.yaml
     # about c
 ]
== a comment that continues the last item in brackets | b.yaml
 resources: [
-  a.yaml
+  a.yaml,
     # about a
+  b.yaml
 ]
== a list in brackets over several lines | b.yaml
 resources: [
   # about a
   a.yaml, # a
+  b.yaml,
   # about c
   c.yaml,
 ]
== the first of such a list | a.yaml
 resources: [
+  a.yaml,
   # about b
   b.yaml
 ]
== the last of such a list, which has no comma yet | b.yaml
 resources: [
-  a.yaml # a
+  a.yaml, # a
+  b.yaml
 ]
== an empty list over several lines | a.yaml
 resources: [ # none yet
   # really
+  a.yaml
   ]
 namespace: x
== an empty list below its key | a.yaml
 resources:
-  [] # none
+  - a.yaml # none
== no resources, on one line | a.yaml
-{"kind": "Kustomization"}
+{"resources": ["a.yaml"], "kind": "Kustomization"}
== no resources, and the end of the document | a.yaml
 namespace: x
+resources:
+  - a.yaml
 ...
== JSON | b.yaml
-{"kind": "Kustomization", "resources": ["a.yaml"]}
+{"kind": "Kustomization", "resources": ["a.yaml", "b.yaml"]}
"""
"""By name and entry, what becomes of a file, as a diff shows it."""

SPECIAL = {
    "a tab before a comment": (
        "resources:\t# all\n- a.yaml\t# the first\n- c.yaml\t\n",
        "b.yaml",
        "resources:\t# all\n- a.yaml\t# the first\n- b.yaml\n- c.yaml\t\n",
    ),
    "a byte order mark, and letters beyond ASCII": (
        "\ufeff# 🔥 für alle\nresources:\n- a.yaml # 🔥\n- c.yaml\n",
        "b.yaml",
        "\ufeff# 🔥 für alle\nresources:\n- a.yaml # 🔥\n- b.yaml\n- c.yaml\n",
    ),
    "JSON with tabs": (
        '{\n\t"resources": [\n\t\t"a.yaml",\n\t\t"c.yaml"\n\t]\n}\n',
        "b.yaml",
        '{\n\t"resources": [\n\t\t"a.yaml",\n\t\t"b.yaml",\n\t\t"c.yaml"\n\t]\n}\n',
    ),
}
"""By name, a file, an entry and what becomes of the file: with characters that nobody sees in a diff."""


def _cases() -> Iterator[tuple[str, tuple[str, str, str]]]:
    for case in re.split("^== ", DIFFS, flags=re.MULTILINE)[1:]:
        head, *lines = case.splitlines(keepends=True)
        name, _, entry = head.strip().partition(" | ")
        before = "".join(line[1:] or line for line in lines if not line.startswith("+"))
        yield name, (before, entry, "".join(line[1:] or line for line in lines if not line.startswith("-")))


CASES = {**dict(_cases()), **SPECIAL}
TEXTS = [text for text, _, _ in CASES.values()]


@pytest.mark.parametrize(("before", "entry", "after"), CASES.values(), ids=CASES)
def test_one_entry_goes_to_its_place_in_the_files_own_style(before: str, entry: str, after: str) -> None:
    assert insert_resource(before, entry) == after
    old, new = document_of(before), document_of(after)
    new["resources"].remove(entry)
    assert new == {**old, "resources": old.get("resources") or []}


@pytest.mark.parametrize(
    "ends",
    [("\r\n",), ("\r",), ("\r\n", "\n"), ("\r\n", "\r")],
    ids=["CRLF", "CR", "CRLF and LF", "CRLF and CR"],
)
@pytest.mark.parametrize("text", TEXTS, ids=CASES)
def test_line_endings_are_kept(text: str, ends: tuple[str, ...]) -> None:
    lines = zip(text.splitlines(), itertools.cycle(ends), strict=False)
    after = insert_resource("".join(line + end for line, end in lines), "new.yaml")

    assert re.sub("\r\n?", "\n", after) == insert_resource(text, "new.yaml")
    assert set(re.findall("\r\n|\r|\n", after)) <= set(ends)


@pytest.mark.parametrize("text", TEXTS, ids=CASES)
def test_a_second_insert_changes_nothing(text: str) -> None:
    once = insert_resource(text, "new.yaml")

    assert insert_resource(once, "new.yaml") == once


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("resources:\n- a.yaml", "- b.yaml\n"),
        ("resources:\n- a.yaml\n  # about a", "- b.yaml\n"),
        ("kind: Kustomization", "resources:\n  - b.yaml\n"),
    ],
)
def test_a_last_line_without_an_end_gets_one(text: str, added: str) -> None:
    assert insert_resource(text, "b.yaml") == f"{text}\n{added}"


def test_a_last_line_without_an_end_is_kept_when_the_entry_goes_elsewhere() -> None:
    assert insert_resource("resources:\n- b.yaml", "a.yaml") == "resources:\n- a.yaml\n- b.yaml"


@pytest.mark.parametrize("end", ["---", "---\n", "--- # end\n", "---\n# end\n---\n", "...\n---\n"])
@pytest.mark.parametrize("resources", ["", "resources:\n- a.yaml\n", "resources: []\n"])
def test_an_empty_document_at_the_end_stays_there(resources: str, end: str) -> None:
    text = f"kind: Kustomization\n{resources}"
    assert insert_resource(text + end, "b.yaml") == insert_resource(text, "b.yaml") + end


def test_very_many_comments_before_an_entry_take_no_longer_than_others() -> None:
    comments = "#\n" * 200_000
    beside = f"resources:\n{comments}- b.yaml\n"
    below = f"resources:\n-\n{comments}  b.yaml\n"

    assert insert_resource(beside, "a.yaml") == f"resources:\n- a.yaml\n{comments}- b.yaml\n"
    assert insert_resource(below, "a.yaml") == f"resources:\n- a.yaml\n-\n{comments}  b.yaml\n"


def test_a_very_long_name_that_is_almost_a_number_is_written_as_it_is() -> None:
    name = "1" * 300_000 + "x"

    assert scalar(name) == name


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
        ("a: 1\n---\n{}\n", "is not one YAML document"),
        ("- a\n", "is not a YAML mapping"),
        ("", "is not a YAML mapping"),
        ("resources: a.yaml\n", "not a list"),
        ("resources:\n- a: b\n", "not paths"),
        ("resources:\n- a\nresources:\n- b\n", "more than once"),
        ("patches: &list\n- a\nresources: *list\n", "an alias"),
        ("resources:\n- a\nx: " + "[" * 100_000, "is not one YAML document: too large"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_a_conflict_that_names_it(text: str, answer: str) -> None:
    with pytest.raises(Conflict, match=answer) as raised:
        insert_resource(text, "a.yaml", "overlays/x/kustomization.yaml")

    assert raised.value.subject == "overlays/x/kustomization.yaml"


@pytest.mark.parametrize(
    "text",
    ["resources: &list\n- a.yaml\ncomponents: *list\n", "? resources\n: - c.yaml\n"],
    ids=["an anchor that would spread the entry", "a list behind a colon on a line of its own"],
)
def test_what_would_not_add_just_the_entry_is_refused(text: str) -> None:
    with pytest.raises(UnexpectedAnswer, match="change more than this one item"):
        insert_resource(text, "b.yaml")
