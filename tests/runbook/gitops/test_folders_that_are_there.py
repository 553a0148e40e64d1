"""Folders and Applications of other people: judged by what they build, completed, and never doubled."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook.errors import Conflict
from runbook.gitops import FileTree, StoreSettings, check_repository, wanted_edits
from runbook.gitops.builds import Builds, Rebuilt
from runbook.gitops.built import Built
from runbook.gitops.judgement import judge
from runbook.layout import Layout
from runbook.names import Cluster
from tests.runbook.gitops.conftest import Changed, Request, keys_of, kustomize

OVERLAY = "cluster-scope/overlays/prod/emea/ember"
OPERATOR = "external-secrets/overlays/emea/ember"
APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/emea/ember/cluster-management"
SETTINGS = StoreSettings("https://vault", None, ("v1",))

ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: vault-secret-fetcher\n"
STORE = """\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata:
  name: opf-vault-store
spec:
  provider: {vault: {auth: {kubernetes: {mountPath: ember-k8s, role: emea-ops,
    serviceAccountRef: {name: vault-secret-fetcher}}}}}
"""
OTHER = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: db\n"


def _for(*resources: str, namespace: str = "payments") -> str:
    return f"namespace: {namespace}\nresources: [{', '.join(resources)}]\n"


FOLDERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "a namespace without the base": {
        "kustomization.yaml": "resources: [payments]\n",
        "payments/kustomization.yaml": _for("db.yaml"),
        "payments/db.yaml": OTHER,
    },
    "a namespace of a README": {"payments/README.md": "x\n"},
    "a namespace that is not listed": {
        "payments/kustomization.yaml": _for("db.yaml"),
        "payments/db.yaml": OTHER,
    },
    "a namespace of an empty kustomization": {"payments/kustomization.yaml": "namespace: payments\n"},
    "a base of a .gitkeep": {"base/.gitkeep": ""},
    "a base that builds nothing": {"base/kustomization.yaml": "resources: []\n"},
    "a base without its kustomization": {"base/opf-vault-store.yaml": STORE, "base/sa.yaml": ACCOUNT},
    "a base of the account alone": {
        "kustomization.yaml": "resources:\n- payments\n",
        "base/kustomization.yaml": "resources:\n- sa.yaml\n",
        "base/sa.yaml": ACCOUNT,
        "payments/kustomization.yaml": _for("../base"),
    },
    "a base as it is to be, that nobody builds upon": {
        "base/kustomization.yaml": "resources: [all.yaml]\n",
        "base/all.yaml": json.dumps(
            {"kind": "List", "apiVersion": "v1", "items": [*map(yaml.safe_load, (STORE, ACCOUNT))]}
        ),
        "payments/kustomization.yaml": _for("db.yaml"),
        "payments/db.yaml": OTHER,
    },
    "a namespace with objects of its own": {
        "payments/kustomization.yaml": _for("ours.yaml"),
        "payments/ours.yaml": f"{STORE}---\n{ACCOUNT}",
    },
    "a namespace with a store of its own": {
        "payments/kustomization.yaml": _for("ours.yaml"),
        "payments/ours.yaml": STORE,
    },
    "a namespace with an account of its own": {
        "payments/kustomization.yaml": _for("ours.yaml"),
        "payments/ours.yaml": ACCOUNT,
    },
    "a store of its own beside the base's account": {
        "kustomization.yaml": "resources: [payments]\n",
        "base/kustomization.yaml": "resources: [sa.yaml]\n",
        "base/sa.yaml": ACCOUNT,
        "payments/kustomization.yaml": _for("../base", "ours.yaml"),
        "payments/ours.yaml": STORE,
    },
}


def _applied(tree: FileTree, request_for: Request, root: Path) -> FileTree:
    """``tree`` with the edits made, also on disk; nothing is left to do then."""
    request = request_for()
    assert not [row for row in check_repository(tree, request, Layout()) if row.status == "failed"]
    files = {path: tree.read(path) or "" for path in _paths(tree)}
    files |= {edit.path: edit.after for edit in wanted_edits(tree, request, Layout(), SETTINGS)}
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    edited = FileTree(files)
    assert wanted_edits(edited, request, Layout(), SETTINGS) == ()
    return edited


def _paths(tree: FileTree, folder: str = "") -> list[str]:
    names = (f"{folder}/{name}".lstrip("/") for name in tree.entries(folder))
    found = ([name] if not name.endswith("/") else _paths(tree, name.rstrip("/")) for name in names)
    return list(itertools.chain.from_iterable(found))


@pytest.mark.parametrize("listed", [False, True], ids=["not in the overlay", "in the overlay"])
@pytest.mark.parametrize("files", FOLDERS.values(), ids=FOLDERS)
def test_every_namespace_gets_both_objects_once(
    files: dict[str, str], listed: bool, changed: Changed, request_for: Request, tmp_path: Path
) -> None:
    there = {f"{OVERLAY}/secret-mgmt/{path}": text for path, text in files.items()}
    if listed and "kustomization.yaml" in files:
        text = changed({}).read(f"{OVERLAY}/kustomization.yaml") or ""
        there[f"{OVERLAY}/kustomization.yaml"] = text.replace("resources:\n", "resources:\n  - secret-mgmt\n")

    _applied(changed(there), request_for, tmp_path)

    built = keys_of(kustomize(tmp_path / OVERLAY))
    names = (("SecretStore", "opf-vault-store"), ("ServiceAccount", "vault-secret-fetcher"))
    ours = {(kind, space, name) for kind, name in names for space in ("payments", "web")}
    assert {key for key in built if key[0] in ("SecretStore", "ServiceAccount")} == ours
    if OTHER in files.values():
        assert ("ExternalSecret", "payments", "db") in built


@pytest.mark.parametrize("text", ["resources: [db.yaml]\n", _for("db.yaml", namespace="other")])
def test_a_folder_for_another_namespace_is_a_conflict(
    text: str, changed: Changed, request_for: Request
) -> None:
    path = f"{OVERLAY}/secret-mgmt/payments/kustomization.yaml"

    with pytest.raises(Conflict, match=r"is for the namespace (None|other), not payments") as raised:
        wanted_edits(changed({path: text}), request_for(), Layout(), SETTINGS)
    assert raised.value.subject == path


def test_a_file_of_our_name_with_something_else_is_a_conflict(changed: Changed, request_for: Request) -> None:
    path = f"{OVERLAY}/secret-mgmt/base/opf-vault-store.yaml"

    with pytest.raises(Conflict, match="does not have the SecretStore opf-vault-store") as raised:
        wanted_edits(changed({path: OTHER}), request_for(), Layout(), SETTINGS)
    assert raised.value.subject == path


SOURCE = {"path": OPERATOR, "repoURL": "https://git.example.com/platform/gitops.git"}
REST = {"project": "cluster-management", "destination": {"name": "ember"}}


def _application(
    spec: dict[str, Any], kind: str = "Application", name: str = "external-secrets"
) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _set(path: str, *generators: dict[str, Any]) -> dict[str, Any]:
    template = {"metadata": {"name": "eso-{{cluster}}"}, "spec": {**REST, "source": {**SOURCE, "path": path}}}
    return _application({"generators": list(generators), "template": template}, "ApplicationSet")


def _elements(*clusters: str) -> dict[str, Any]:
    return {"list": {"elements": [{"cluster": cluster} for cluster in clusters]}}


def _directories(*paths: str, **more: object) -> dict[str, Any]:
    return {"git": {"directories": [{"path": path, **more} for path in paths]}}


PLAIN = _application({**REST, "source": SOURCE})
DEPLOYING: dict[str, str | dict[str, Any]] = {
    "source": PLAIN,
    "source in another spelling": _application({"source": {**SOURCE, "path": f"./{OPERATOR}/"}}),
    "sources": _application({"sources": [{"chart": "eso", "repoURL": "https://charts.example.com"}, SOURCE]}),
    "drySource": _application({"sourceHydrator": {"drySource": SOURCE}}),
    "a List": {"apiVersion": "v1", "kind": "List", "items": [{"kind": "ConfigMap"}, PLAIN]},
    "an ApplicationList": {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationList", "items": [PLAIN]},
    "JSON": json.dumps(PLAIN, indent="\t"),
    "quoted keys": f'"kind": "Application"\n"spec": {{"source": {{"path": "{OPERATOR}"}}}}\n',
    "an escape": f'kind: "Applic\\u0061tion"\nspec: {{source: {{path: {OPERATOR}}}}}\n',
    "a byte order mark": f"\ufeffkind: Application\nspec: {{source: {{path: {OPERATOR}}}}}\n",
    "kind in braces": f"{{kind: Application, spec: {{source: {{path: {OPERATOR}}}}}}}\n",
    "the second document": f"kind: Secret\n---\nkind: Application\nspec: {{source: {{path: {OPERATOR}}}}}\n",
    "a set with the path": _set(OPERATOR, _elements("any")),
    "a set of clusters in a list": _set(
        "external-secrets/overlays/emea/{{cluster}}", _elements("flint", "ember")
    ),
    "a set in Go's templates": _set("external-secrets/overlays/emea/{{ .cluster }}", _elements("ember")),
    "a set of clusters that ArgoCD knows": _set(
        "external-secrets/overlays/{{metadata.labels.env}}/{{name}}", {"clusters": {}}
    ),
    "a set of folders": _set("{{path}}", _directories("external-secrets/overlays/*/*")),
    "a set of folders within a matrix": _set(
        "{{.path.path}}",
        {"matrix": {"generators": [_directories("external-secrets/overlays/emea/*"), {"clusters": {}}]}},
    ),
}
NOT_DEPLOYING = {
    "another folder": _application({**REST, "source": {**SOURCE, "path": f"{OPERATOR}-2"}}, name="eso"),
    "a chart": _application({**REST, "sources": [{"chart": "external-secrets"}]}, name="eso"),
    "a set of other clusters": _set("external-secrets/overlays/emea/{{cluster}}", _elements("flint")),
    "a set of other folders": _set("{{path}}", _directories("cluster-scope/overlays/*/*")),
    "a set of folders without ours": _set(
        "{{path}}",
        {
            "git": {
                "directories": [
                    {"path": "external-secrets/overlays/*/*"},
                    {"path": OPERATOR, "exclude": True},
                ]
            }
        },
    ),
    "a set of anything": _set("{{path}}", {"clusters": {}}),
    "a set of a number of clusters": _set("x/{{cluster}}", {"list": {"elements": 5}}),
    "a set of a number of folders": _set("{{path}}", {"git": {"directories": 3}}),
    "a set of words": _set("{{path}}", {"list": {"elements": "x"}, "git": {"directories": ["x", None]}}),
    "a set of a word": _application({"generators": "x", "template": "y"}, "ApplicationSet"),
    "a set of a list": _application({"template": {"spec": {"sources": 5, "source": []}}}, "ApplicationSet"),
    "an Application of numbers": _application({"sources": 5, "source": {"path": 5}}, name="eso"),
    # Each would try more ways than there is time for, if a way could be tried twice.
    "a set with many unknowns": _set("{{a}}" * 30 + "/q", {"clusters": {}}),
    "a set of many globs": _set("{{path}}", _directories("*" * 30 + "/q", "*e" * 100, "*/" * 100)),
    "a set of many globs, many times": _set("{{path}}" * 100 + "/q", _directories("*e*" * 100)),
    "a set of many Applications": _set("{{path}}{{x}}/q" * 50, _directories(*["*e*"] * 6000)),
    "a set that leaves out many globs": _set(
        "{{path}}",
        {
            "git": {
                "directories": [{"path": "cluster-scope/*"}, {"path": "*" * 30 + "/q", "exclude": True}],
            }
        },
    ),
}


def _text(content: str | dict[str, Any]) -> str:
    return content if isinstance(content, str) else yaml.safe_dump(content)


def test_a_binding_of_odd_subjects_binds_nobody(request_for: Request) -> None:
    subjects = [5, {"kind": "Group", "name": ["system:serviceaccounts"]}, {"kind": "Group", "name": {}}]
    binding = yaml.safe_dump({"kind": "ClusterRoleBinding", "subjects": subjects, "roleRef": 5})
    built = Built("x", (binding,))
    folder = Rebuilt(built, built)

    rows = judge(Builds(folder, folder, folder, built), request_for(), Layout(), SETTINGS)
    assert [row.status for row in rows if "binds it to system:auth-delegator" in row.found] == ["failed"]


@pytest.mark.parametrize("name", ["eso.yaml", "external-secrets.yaml"])
@pytest.mark.parametrize("content", DEPLOYING.values(), ids=DEPLOYING)
def test_what_deploys_our_folder_in_any_words_gets_no_second_application(
    content: str | dict[str, Any], name: str, changed: Changed, request_for: Request
) -> None:
    tree = changed(
        {
            f"{APPLICATIONS}/{name}": _text(content),
            f"{APPLICATIONS}/kustomization.yaml": f"resources: [cluster-resources.yaml, {name}]\n",
        }
    )

    edits = wanted_edits(tree, request_for(), Layout(), SETTINGS)
    assert not [edit.path for edit in edits if edit.path.startswith("argocd/")]


@pytest.mark.parametrize("content", NOT_DEPLOYING.values(), ids=NOT_DEPLOYING)
def test_what_deploys_something_else_does_not_stand_for_ours(
    content: dict[str, Any], changed: Changed, request_for: Request, tmp_path: Path
) -> None:
    tree = changed(
        {
            f"{APPLICATIONS}/eso.yaml": _text(content),
            f"{APPLICATIONS}/kustomization.yaml": "resources: [cluster-resources.yaml, eso.yaml]\n",
        }
    )

    _applied(tree, request_for, tmp_path)
    assert ("Application", "", "external-secrets") in keys_of(kustomize(tmp_path / APPLICATIONS))


@pytest.mark.parametrize(
    "wrap", [lambda item: item, lambda item: {"apiVersion": "v1", "kind": "List", "items": [item]}]
)
def test_an_application_of_our_name_that_deploys_something_else_is_a_conflict(
    wrap: Callable[[dict[str, Any]], dict[str, Any]], changed: Changed, request_for: Request
) -> None:
    other = wrap(_application({**REST, "source": {**SOURCE, "path": f"/{OPERATOR}"}}))
    tree = changed(
        {
            f"{APPLICATIONS}/eso.yaml": _text(other),
            f"{APPLICATIONS}/kustomization.yaml": "resources: [cluster-resources.yaml, eso.yaml]\n",
        }
    )

    with pytest.raises(Conflict, match="has an Application external-secrets that does not deploy"):
        wanted_edits(tree, request_for(), Layout(), SETTINGS)


@pytest.mark.parametrize("spell", [json.dumps, lambda item: _text({"kind": "List", "items": [item]})])
def test_groups_accounts_and_secrets_are_recognised_in_other_words(
    spell: Callable[[dict[str, Any]], str], changed: Changed, request_for: Request
) -> None:
    flint = OPERATOR.replace("ember", "flint")
    secret = yaml.safe_load(changed({}).read(f"{flint}/eso-vault-auth-token.yaml") or "")
    account = {"kind": "ServiceAccount", "metadata": {"name": "eso-vault-auth"}}
    group = {"kind": "Group", "metadata": {"name": "vault-admins-emea"}}
    home = Layout().cluster_overlay_of(Cluster("moc", "smaug"))
    tree = changed(
        {
            f"{OPERATOR}/kustomization.yaml": "resources: [a.yaml, b.yaml]\n",
            f"{OPERATOR}/a.yaml": spell(secret),
            f"{OPERATOR}/b.yaml": spell(account),
            f"{home}/kustomization.yaml": "resources: [g.yaml]\n",
            f"{home}/g.yaml": spell(group),
        }
    )

    edits = wanted_edits(tree, request_for(), Layout(), SETTINGS)
    assert not [edit.path for edit in edits if edit.path.startswith(OPERATOR)]
    rows = {row.prerequisite: row.found for row in check_repository(tree, request_for(), Layout())}
    assert rows["Group vault-admins-emea on moc/smaug"] == f"{home}/g.yaml"
