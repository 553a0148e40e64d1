"""An ApplicationSet: whether it makes the Application of our folder, and why not."""

from __future__ import annotations

from textwrap import dedent

import pytest

from runbook.errors import PrerequisiteMissing
from runbook.gitops import FileTree, check_repository, wanted_edits
from runbook.gitops.application_sets.for_cluster import FromSet, from_set
from runbook.gitops.application_sets.parameters import Made
from runbook.layout import Layout
from runbook.names import Cluster
from tests.runbook.gitops.judging import FILES, REQUEST, STORE, Outcome

EMBER = Cluster("emea", "ember")
PATH = "argocd/sets/eso.yaml"
LAYOUT = Layout(operator_overlay="eso/overlays/{env}/{cluster}", application_set=PATH)
FOLDER = "eso/overlays/emea/ember"
OTHER = "eso/overlays/moc/smaug"


def a_set(generators: str, path: str = "{{path}}", more: str = "") -> str:
    """The file of a set with these generators, whose template has this path."""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: operators\nspec:\n"
        + more
        + "  generators:\n"
        + "".join(f"    {line}\n" for line in dedent(generators).strip().splitlines())
        + "  template:\n    spec:\n      project: default\n      source:\n"
        + f"        path: '{path}'\n        repoURL: https://git.example.com/gitops.git\n"
    )


def made(text: str, files: dict[str, str] | None = None, layout: Layout = LAYOUT) -> FromSet:
    tree = FileTree({f"{OTHER}/kustomization.yaml": "resources: []\n", PATH: text, **(files or {})})
    return from_set(tree, EMBER, layout, PATH)


DIRECTORIES = "- git:\n    directories:\n      - path: {}\n"


@pytest.mark.parametrize(
    ("generators", "path"),
    [
        (DIRECTORIES.format("eso/overlays/*/*"), "{{path}}"),
        (DIRECTORIES.format("eso/overlays/emea/ember"), "{{ path }}"),
        (DIRECTORIES.format("eso/overlays/*/*"), "{{ .path.path }}"),
        (DIRECTORIES.format("eso/overlays/*/e*r"), "eso/overlays/{{path[2]}}/{{path.basename}}"),
        (
            DIRECTORIES.format("eso/overlays/*/*"),
            "eso/overlays/{{ index .path.segments 2 }}/{{.path.basename}}/",
        ),
        ("- git:\n    pathParamPrefix: at\n    directories: [{path: eso/overlays/*/*}]", "{{at.path}}"),
        ("- git:\n    directories: [{path: eso/overlays/*}]", "{{path}}/ember"),
        (
            """
            - git:
                directories:
                  - path: eso/overlays/*/*
                  - {path: eso/overlays/moc/*, exclude: true}
            """,
            "{{path}}",
        ),
        ("- list:\n    elements: [{env: emea, name: ember}]", "eso/overlays/{{env}}/{{name}}"),
        ("- list:\n    elements: [{values: {env: emea}}]", "eso/overlays/{{.values.env}}/ember"),
        ("- list:\n    elements: [{a: x}]\n    values: {of: 'emea'}", "eso/overlays/{{values.of}}/ember"),
        (
            """
            - matrix:
                generators:
                  - list:
                      elements: [{env: emea}, {env: moc}]
                  - git:
                      directories: [{path: 'eso/overlays/{{env}}/*'}]
            """,
            "{{path}}",
        ),
        (
            """
            - merge:
                mergeKeys: [name]
                generators:
                  - list:
                      elements: [{name: ember, env: moc}, {name: smaug, env: moc}]
                  - list:
                      elements: [{name: ember, env: emea}]
            """,
            "eso/overlays/{{env}}/{{name}}",
        ),
        (
            """
            - list:
                elements: [{env: emea, tier: a}, {env: emea, tier: b}]
              selector:
                matchLabels: {tier: b}
            """,
            "eso/overlays/{{env}}/ember",
        ),
    ],
)
def test_a_set_that_takes_our_folder_needs_nothing(generators: str, path: str) -> None:
    found = made(a_set(generators, path))
    assert found == FromSet("ApplicationSet operators makes an Application of it", is_told=True)


def test_a_file_of_git_files_leads_to_our_folder() -> None:
    generators = "- git:\n    files:\n      - path: clusters/**/config.json\n"
    config = {"clusters/here/ember/config.json": '{"cluster": {"env": "emea", "name": "ember"}}'}
    for path in ("eso/overlays/{{cluster.env}}/{{cluster.name}}", "eso/overlays/emea/{{ .path.basename }}"):
        found = made(a_set(generators, path), config)
        assert found.is_told
        assert "clusters/here/ember/config.json" in found.found


EXCLUDED = """
    - git:
        directories:
          - path: eso/overlays/*/*
          - {path: eso/overlays/emea/*, exclude: true}
    """
FILES_OF_GIT = """
    - git:
        files:
          - path: clusters/*/config.json
          - {path: clusters/ember/*, exclude: true}
    """


@pytest.mark.parametrize(
    ("text", "answer", "remedy"),
    [
        (
            a_set(EXCLUDED),
            f"ApplicationSet operators leaves {FOLDER} out: it is excluded by eso/overlays/emea/*",
            "Narrow that pattern",
        ),
        (
            a_set(DIRECTORIES.format("eso/overlays/*")),
            f"ApplicationSet operators does not take {FOLDER}: its directories are eso/overlays/*",
            "Add a pattern that fits",
        ),
        (
            a_set(FILES_OF_GIT, "eso/overlays/{{env}}/ember"),
            f"no file like clusters/*/config.json leads ApplicationSet operators to {FOLDER}",
            "Add such a file for this cluster",
        ),
        (
            a_set(DIRECTORIES.format("eso/overlays/*/*"), "{{path}}/more"),
            f"ApplicationSet operators makes no Application of {FOLDER}",
            "by hand",
        ),
        (
            a_set(
                "- list:\n    elements: [{env: emea, tier: a}]\n  selector: {matchLabels: {tier: b}}",
                "eso/overlays/{{env}}/ember",
            ),
            "makes no Application",
            "by hand",
        ),
        ("kind: ConfigMap\n", "has no ApplicationSet", "correct application_set"),
        ("kind: [", "has no ApplicationSet", "correct application_set"),
        ("kind: ApplicationSet\nspec: [1, null]\n", "makes no Application", "by hand"),
        (
            "kind: ApplicationSet\nspec: {generators: [{git: 1}, {list: x}]}\n",
            "makes no Application",
            "by hand",
        ),
    ],
)
def test_a_set_that_does_not_take_our_folder_says_why(text: str, answer: str, remedy: str) -> None:
    with pytest.raises(PrerequisiteMissing) as caught:
        made(text, {"clusters/ember/config.json": "{env: emea}"})
    assert caught.value.subject == PATH
    assert answer in caught.value.answer
    assert remedy in caught.value.remedy


def test_a_missing_file_is_told() -> None:
    with pytest.raises(PrerequisiteMissing, match=f"{PATH}: is not in the repository"):
        from_set(FileTree({}), EMBER, LAYOUT, PATH)


CLUSTERS = "- clusters:\n    values: {env: emea}\n"


@pytest.mark.parametrize(
    "text",
    [
        a_set("- clusters: {}", "eso/overlays/emea/{{name}}"),
        a_set(CLUSTERS, "eso/overlays/{{values.env}}/{{name}}"),
        a_set(CLUSTERS, "eso/overlays/{{values.env}}/ember"),
        a_set("- clusters: {}\n", "{{path}}"),
        a_set("- plugin: {configMapRef: {name: x}}\n", "{{path}}"),
        a_set("- git:\n    directories: [{path: 'eso/overlays/[a-f]*/*'}]\n"),
        a_set("- git:\n    repoURL: https://git.example.com/other\n    directories: [{path: 'x/*'}]\n"),
        a_set("- list: {elementsYaml: '{{ .x }}'}", "eso/overlays/{{env}}/ember"),
        a_set(DIRECTORIES.format("eso/overlays/*/*"), "{{ .path.path | lower }}"),
        a_set(DIRECTORIES.format("x/*/*"), "x", "  templatePatch: 'spec: {}'\n").replace(
            "x/*/*", "eso/*/*/*"
        ),
        a_set(
            """
            - matrix:
                generators:
                  - clusters: {}
                  - git:
                      directories: [{path: eso/overlays/*/*}]
            """
        ),
    ],
)
def test_what_only_the_controller_knows_is_not_claimed(text: str) -> None:
    found = made(text)
    assert (found.is_told, found.text) == (False, None)
    assert "ArgoCD knows" in found.found


def test_the_generators_own_repository_may_be_written_otherwise() -> None:
    generators = "- git:\n    repoURL: https://git.example.com/gitops/\n    directories: [{path: eso/*/*/*}]"
    assert made(a_set(generators)).is_told


def test_preflight_says_what_the_set_does() -> None:
    def row(text: str) -> tuple[str, str, str]:
        tree = FileTree({**FILES, PATH: text})
        rows = check_repository(tree, REQUEST, LAYOUT)
        (found,) = (row for row in rows if row.prerequisite == f"ApplicationSet of {FOLDER}")
        assert not [row for row in rows if "App" in row.prerequisite and row is not found]
        return found.status, found.found, found.remedy

    assert row(a_set(DIRECTORIES.format("eso/*/*/*")))[0] == "ok"
    assert row(a_set("- clusters: {}"))[0] == "not checked"
    status, found, remedy = row(a_set(EXCLUDED))
    assert (status, "excluded by eso/overlays/emea/*" in found) == ("failed", True)
    assert remedy.startswith("Narrow that pattern")


def test_a_set_of_the_clusters_overlays_counts_where_the_operator_has_no_folder() -> None:
    layout = Layout(operator_overlay=None, application_set=PATH)
    text = a_set(DIRECTORIES.format("cluster-scope/overlays/prod/*/*"))
    found = from_set(FileTree({**FILES, PATH: text}), EMBER, layout, PATH)
    assert found.is_told


def test_no_application_is_written_where_a_set_makes_it() -> None:
    outcome = Outcome({PATH: a_set(DIRECTORIES.format("eso/*/*/*"))}, LAYOUT)
    assert f"{FOLDER}/kustomization.yaml" in outcome.edits
    assert not [path for path in outcome.edits if path.startswith("argocd/")]
    assert not [row for row in outcome.noted if row.status != "not checked"]
    assert outcome.second == ()
    assert PATH in outcome.names.app_of_apps
    assert outcome.names.operator == f"the Application that deploys {FOLDER}"


def test_nothing_is_proposed_where_the_set_leaves_our_folder_out() -> None:
    with pytest.raises(PrerequisiteMissing, match="excluded by"):
        wanted_edits(FileTree({**FILES, PATH: a_set(EXCLUDED)}), REQUEST, LAYOUT, STORE)


def test_a_set_of_each_environment_is_found() -> None:
    layout = LAYOUT.model_copy(update={"application_set": "sets/{env}.yaml"})
    files = {**FILES, "sets/emea.yaml": a_set(DIRECTORIES.format("eso/*/*/*"))}
    rows = check_repository(FileTree(files), REQUEST, layout)
    (row,) = (row for row in rows if row.prerequisite.startswith("ApplicationSet"))
    assert (row.status, row.found.startswith("sets/emea.yaml")) == ("ok", True)


def test_generators_that_multiply_are_left_open_and_not_worked_out_for_hours() -> None:
    elements = "".join(f"{{a: x{n}}}, " for n in range(1_000))
    one = f"{{list: {{elements: &all [{elements}]}}}}"
    other = "{list: {elements: *all}}"
    matrix = f"{{matrix: {{generators: [{one}, {other}]}}, selector: {{matchLabels: {{a: none}}}}}}"
    nested = f"- matrix: {{generators: [{matrix}, {other}]}}"
    found = made(a_set(nested, "eso/overlays/{{env}}/{{a}}"))
    assert (found.is_told, found.text) == (False, None)
    assert "what only ArgoCD knows decides" in found.found


def test_braces_that_are_never_closed_are_read_once() -> None:
    braces = "{{" * 200_000
    assert Made().rendered(braces) == [braces]
