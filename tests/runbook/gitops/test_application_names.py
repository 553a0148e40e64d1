"""What the Applications are called that deploy what we change."""

from __future__ import annotations

import yaml

from tests.runbook.gitops.judging import APPLICATIONS, FILES, LAYOUT, OPERATOR, REQUEST, Outcome


def test_applications_are_named_as_they_are_built() -> None:
    path = f"{APPLICATIONS}/kustomization.yaml"
    text = "".join(line for line in FILES[path].splitlines(True) if "nameSuffix" not in line)
    names = Outcome({path: f"{text}nameSuffix: -osc\n"}).names
    assert (names.resources, names.operator) == ("cluster-resources-osc", "external-secrets-osc")
    assert names.app_of_apps


def test_an_application_that_a_set_makes_is_not_called_as_the_set_is() -> None:
    kustomization = FILES[f"{APPLICATIONS}/kustomization.yaml"]
    made = {"path": "{{path}}", "repoURL": "https://git.example.com", "targetRevision": "main"}
    overlays = {"git": {"directories": [{"path": f"{LAYOUT.operator_overlay_of(REQUEST.target)}"}]}}
    template = {
        "metadata": {"name": "{{path.basename}}-eso"},
        "spec": {"project": "x", "source": made, "destination": {"name": "ember"}},
    }
    a_set = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "operators"},
        "spec": {"generators": [overlays], "template": template},
    }
    outcome = Outcome(
        {
            f"{APPLICATIONS}/operators.yaml": yaml.safe_dump(a_set),
            f"{APPLICATIONS}/kustomization.yaml": kustomization + "  - operators.yaml\n",
        }
    )
    suffix = kustomization.partition("nameSuffix: ")[2].partition("\n")[0]
    assert outcome.names.operator == f"an Application of ApplicationSet operators{suffix}"
    (row,) = (row for row in outcome.rows if row.prerequisite == f"One Application deploys {OPERATOR}")
    assert (row.status, row.found) == ("ok", outcome.names.operator)


def test_where_no_build_has_the_application_its_folder_is_named() -> None:
    names = Outcome({f"{LAYOUT.app_of_apps}/kustomization.yaml": "resources: []\n"}).names
    assert names.app_of_apps == f"the Application that deploys {APPLICATIONS}"
