"""An element for one more cluster in the list of an ApplicationSet: as its siblings are, and nothing else."""

from __future__ import annotations

import difflib
from textwrap import dedent

import pytest

from runbook.errors import PrerequisiteMissing
from runbook.gitops import FileTree
from runbook.gitops.application_sets.for_cluster import from_set
from runbook.names import Cluster
from tests.runbook.gitops.judging import Outcome
from tests.runbook.gitops.test_application_set import LAYOUT, PATH, a_set, made

NAMED = "eso/overlays/{{env}}/{{name}}"


def added(generators: str, path: str = NAMED) -> list[str]:
    """The lines that our element adds; nothing is removed."""
    before = a_set(generators, path)
    found = made(before)
    assert found.text is not None
    lines = list(difflib.ndiff(before.splitlines(), found.text.splitlines()))
    assert not [line for line in lines if line.startswith("- ")]
    return [line[2:] for line in lines if line.startswith("+ ")]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (
            """
            - env: moc
              name: smaug
            - env: moc
              name: infra
            """,
            ["- env: emea", "  name: ember"],
        ),
        (
            """
            - name: 'smaug'
              env: "moc"   # the first
              server: https://api.smaug.example.com:6443
            # what comes from another region
            - name: 'quartz'   # asked for by them

              env: "apac"
              # for a while
              server: https://api.quartz.example.com:6443
            # the end
            """,
            ["- name: 'ember'", '  env: "emea"', "  server: https://api.ember.example.com:6443"],
        ),
        (
            """
            - {env: moc, name: smaug, url: 'https://kubernetes.default.svc'}
            - {env: apac, name: quartz, url: 'https://kubernetes.default.svc'}
            """,
            ["- {env: emea, name: ember, url: 'https://kubernetes.default.svc'}"],
        ),
        (
            """
            -   env: moc
                name: smaug
                values:
                  prune: true
                  wave: 3
                  title: "moc: smaug"
                  more: [a, smaug-b]
            -   env: apac
                name: quartz
                values:
                  prune: true
                  wave: 3
                  title: "apac: quartz"
                  more: [a, quartz-b]
            """,
            [
                "-   env: emea",
                "    name: ember",
                "    values:",
                "      prune: true",
                "      wave: 3",
                '      title: "emea: ember"',
                "      more: [a, ember-b]",
            ],
        ),
    ],
)
def test_an_element_is_written_as_its_siblings_are(elements: str, expected: list[str]) -> None:
    inner = "".join(f"      {line}\n" for line in dedent(elements).strip().splitlines())
    lines = added(f"- list:\n    elements:\n{inner}")
    assert [line.removeprefix(" " * 10) for line in lines] == expected


def test_a_comment_below_the_last_element_stays_with_it() -> None:
    text = made(
        a_set("- list:\n    elements:\n    - name: smaug\n      env: moc\n      # of us\n", NAMED)
    ).text
    assert text is not None
    after = text.partition("# of us\n")[2]
    assert after.startswith("        - name: ember\n          env: emea\n  template:")


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ("[{env: moc, name: smaug}]", "[{env: moc, name: smaug}, {env: emea, name: ember}]"),
        (
            "[\n      {env: moc, name: a},\n      {env: moc, name: b}\n    ]",
            "{env: moc, name: b},\n          {env: emea, name: ember}\n        ]",
        ),
        (
            '[{"env": "moc", "name": "smaug"}]',
            '[{"env": "moc", "name": "smaug"}, {"env": "emea", "name": "ember"}]',
        ),
    ],
)
def test_a_list_in_brackets_stays_one(elements: str, expected: str) -> None:
    text = made(a_set(f"- list:\n    elements: {elements}\n", NAMED)).text
    assert text is not None
    assert expected in text


def test_a_name_that_reads_like_a_number_is_quoted() -> None:
    layout = LAYOUT.model_copy(update={"operator_overlay": "eso/{cluster}"})
    before = a_set("- list:\n    elements:\n      - name: smaug\n      - name: quartz\n", "eso/{{name}}")
    found = from_set(FileTree({PATH: before}), Cluster("emea", "1e3"), layout, PATH)
    assert "- name: '1e3'\n" in (found.text or "")


MATRIX = """
    - matrix:
        generators:
          - list:
              elements:
                - app: eso
                - app: logging
          - list:
              elements:
                - {name: smaug, env: moc}
                - {name: quartz, env: apac}
    """


def test_of_two_lists_that_of_the_clusters_grows() -> None:
    (line,) = added(MATRIX, "{{app}}/overlays/{{env}}/{{name}}")
    assert line.strip() == "- {name: ember, env: emea}"


MERGE = """
    - merge:
        mergeKeys: [name]
        generators:
          - clusters:
              values: {env: emea, folder: ''}
          - list:
              elements:
                - name: flint
                  values.folder: flint
                - name: slate
                  values.folder: slate
    """


def test_a_list_beside_the_clusters_that_argocd_knows_grows_and_claims_no_more() -> None:
    path = "eso/overlays/{{values.env}}/{{values.folder}}"
    assert [line.strip() for line in added(MERGE, path)] == ["- name: ember", "values.folder: ember"]
    assert not made(a_set(MERGE, path)).is_told


def test_another_document_of_the_file_is_left_alone() -> None:
    first = "kind: ConfigMap\ndata:\n  a: b   # kept\n---\n"
    text = made(first + a_set("- list:\n    elements:\n      - {name: smaug, env: moc}\n", NAMED)).text
    assert text is not None
    assert text.startswith(first)
    assert "{name: ember, env: emea}" in text


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        (
            "[{name: smaug, env: moc, url: 'https://10.0.0.1'}, {name: b, env: moc, url: 'https://10.0.0.2'}]",
            "do not tell url",
        ),
        ("[{name: smaug, env: moc, url: 'https://10.0.0.1'}]", "do not tell url"),
        ("[{name: smaug, env: moc, wave: 1}, {name: b, env: moc, wave: '1'}]", "do not tell wave"),
        ("[{name: smaug, env: moc}, {name: b, env: moc, tier: x}]", "have different keys"),
        ("[{name: a, env: a, x: a}, {name: b, env: b, x: b}]", "do not tell name, env, x"),
        ("[&one {name: smaug, env: moc}]", "cannot be edited safely"),
        ("[{name: smaug, env: moc, wave: &w 1}]", "cannot be edited safely"),
        ("[{name: smaug, env: moc, a: &w b, c: *w}]", "cannot be edited safely"),
        ("[{name: &one smaug, env: moc}, {name: b, env: moc, <<: {a: b}}]", "have different keys"),
        ("\n      - name: smaug\n        env: >-\n          moc\n", "cannot be edited safely"),
    ],
)
def test_what_siblings_do_not_tell_is_left_to_a_person(elements: str, why: str) -> None:
    text = a_set(f"- list:\n    elements: {elements}\n", NAMED)
    with pytest.raises(PrerequisiteMissing) as caught:
        made(text)
    assert caught.value.subject == PATH
    assert why in caught.value.answer
    assert "Add the element for emea/ember there by hand" in caught.value.remedy


def test_an_element_of_our_cluster_that_leads_elsewhere_is_told() -> None:
    layout = LAYOUT.model_copy(update={"operator_overlay": "eso/{cluster}"})
    text = a_set("- list:\n    elements: [{name: smaug, to: eso}, {name: ember, to: x}]\n", "{{to}}/{{name}}")
    with pytest.raises(PrerequisiteMissing, match="element 2 is named like it, and leads elsewhere"):
        made(text, layout=layout)


def test_a_list_without_elements_is_told() -> None:
    with pytest.raises(PrerequisiteMissing, match="makes no Application of eso/overlays/emea/ember"):
        made(a_set("- list: {elements: []}\n", NAMED))


def test_an_element_that_would_lead_elsewhere_is_not_added() -> None:
    text = a_set("- list:\n    elements: [{name: smaug}, {name: b}]\n", "eso/overlays/moc/{{name}}")
    with pytest.raises(
        PrerequisiteMissing, match="nor would it with an element like those of other clusters"
    ):
        made(text)


def test_the_element_is_a_part_of_the_change_and_is_added_once() -> None:
    text = a_set("- list:\n    elements:\n      - {name: smaug, env: moc}\n", NAMED)
    outcome = Outcome({PATH: text}, LAYOUT)
    assert "+          - {name: ember, env: emea}" in outcome.edits[PATH].diff()
    assert not [row for row in outcome.noted if row.status != "not checked"]
    assert outcome.second == ()


@pytest.mark.parametrize(
    "element",
    [
        "{env: moc, name: smaug, note: 'x'', extra: ''smaug'}",
        '{env: moc, name: smaug, note: "x\\", extra: \\"smaug"}',
    ],
)
def test_a_value_that_would_end_its_own_quotes_makes_no_further_key(element: str) -> None:
    with pytest.raises(PrerequisiteMissing, match="in a style that cannot be edited safely"):
        made(a_set(f"- list:\n    elements:\n      - {element}\n", NAMED))


def test_a_list_that_an_alias_uses_in_another_place_is_left_to_people() -> None:
    generators = """
        - list:
            elements: &all
              - {env: moc, name: smaug}
        - matrix:
            generators:
              - list: {elements: *all}
              - clusters: {}
        """
    with pytest.raises(PrerequisiteMissing, match="in a style that cannot be edited safely"):
        made(a_set(generators, NAMED))
