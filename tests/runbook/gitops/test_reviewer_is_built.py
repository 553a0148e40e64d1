"""Whether the repository makes the reviewer, and lets it review tokens."""

from __future__ import annotations

import pytest
import yaml

from tests.runbook.gitops.judging import BASE, FILES, KUSTOMIZATION, OVERLAY, Outcome, more, with_members
from tests.runbook.gitops.test_judgement import KSOPS

BINDING = f"{BASE}/rbac.authorization.k8s.io/clusterrolebindings/eso-tokenreview/clusterrolebinding.yaml"


@pytest.mark.parametrize(
    ("changes", "manifest"),
    [
        (
            {
                "external-secrets/base/serviceaccount.yaml": None,
                "external-secrets/base/kustomization.yaml": "resources: [operatorconfig.yaml]\n",
            },
            "kind: ServiceAccount",
        ),
        (
            {BINDING: FILES[BINDING].replace("name: eso-vault-auth", "name: another")},
            "name: system:auth-delegator",
        ),
    ],
    ids=["account", "binding"],
)
def test_a_reviewer_that_nothing_makes_or_binds_is_refused_with_the_manifest(
    changes: dict[str, str | None], manifest: str
) -> None:
    (row,) = Outcome(changes).noted
    assert (row.prerequisite, row.status) == ("Reviewer eso-vault-auth is built", "failed")
    assert "nothing in the repository " in row.found
    assert manifest in row.remedy


@pytest.mark.parametrize(
    ("beside", "status"),
    [
        ({**more("generators:\n- ksops.yaml\n"), f"{OVERLAY}/ksops.yaml": KSOPS}, "failed"),
        ({KUSTOMIZATION: with_members("https://git.example.com/x//base?ref=v1")}, "warning"),
    ],
    ids=["encrypted secrets", "a remote base"],
)
def test_a_reviewer_may_come_from_what_is_not_built_here_but_is_no_secret(
    beside: dict[str, str | None], status: str
) -> None:
    missing: dict[str, str | None] = {
        BINDING: FILES[BINDING].replace("name: eso-vault-auth", "name: another")
    }
    (row,) = Outcome({**beside, **missing}).noted
    assert (row.prerequisite, row.status) == ("Reviewer eso-vault-auth is built", status)


def role(name: str, **rule: object) -> str:
    """A ClusterRole with one rule; by default the one that the reviewer needs."""
    wanted = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    return yaml.safe_dump(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{**wanted, **rule}],
        }
    )


AGGREGATED = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: reviewers\n"
    "aggregationRule:\n  clusterRoleSelectors:\n  - matchLabels: {reviews: 'true'}\nrules: []\n"
)


@pytest.mark.parametrize(
    ("built", "status", "says"),
    [
        (role("reviewers"), "ok", "with reviewers"),
        (role("reviewers", verbs=["*"], apiGroups=["*"], resources=["*"]), "ok", "with reviewers"),
        (role("reviewers", resources=["subjectaccessreviews", "tokenreviews"]), "ok", "with reviewers"),
        (
            role("reviewers", verbs=["get"]),
            "failed",
            "binds it to system:auth-delegator (it is bound to reviewers, which may not create tokenreviews)",
        ),
        (role("reviewers", apiGroups=[""]), "failed", "bound to reviewers, which may not"),
        (role("reviewers", resources=["tokenreviews/status"]), "failed", "bound to reviewers, which may not"),
        (role("reviewers", resourceNames=["one"]), "failed", "bound to reviewers, which may not"),
        (role("others"), "warning", "it is bound to ClusterRole reviewers, and nothing"),
        (AGGREGATED, "warning", "it is bound to ClusterRole reviewers, and nothing"),
    ],
    ids=[
        "its own",
        "wildcards",
        "among others",
        "verb",
        "group",
        "subresource",
        "one name",
        "not built",
        "aggregated",
    ],
)
def test_a_reviewer_may_have_its_right_by_any_cluster_role_that_grants_it(
    built: str, status: str, says: str
) -> None:
    changes: dict[str, str | None] = {
        BINDING: FILES[BINDING].replace("name: system:auth-delegator", "name: reviewers"),
        KUSTOMIZATION: with_members("reviewers.yaml"),
        f"{OVERLAY}/reviewers.yaml": built,
    }
    (row,) = (row for row in Outcome(changes).rows if row.prerequisite == "Reviewer eso-vault-auth is built")
    assert (row.status, says in row.found) == (status, True), row
    assert ("kind: ClusterRoleBinding" in row.remedy) == (status == "failed")


def test_one_role_that_grants_it_is_enough() -> None:
    of_another = FILES[BINDING].replace("name: system:auth-delegator", "name: view")
    second = of_another.replace("name: eso-tokenreview", "name: eso-view")
    outcome = Outcome({KUSTOMIZATION: with_members("view.yaml"), f"{OVERLAY}/view.yaml": second})
    assert outcome.noted == []
