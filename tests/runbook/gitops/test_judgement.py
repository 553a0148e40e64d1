"""What the builds say of our change: whether all still build, and whether our objects are there just once."""

from __future__ import annotations

from functools import partial

import pytest

from runbook.documents import field
from runbook.enable_cluster import edits
from runbook.errors import Busy
from runbook.gitops import (
    Builds,
    Built,
    FileTree,
    Rebuilt,
    built_namespaces,
    judge,
)
from runbook.request import EnableRequest
from systems.kustomize import Kustomize, Limits
from tasks.runbooks import complete
from tests.runbook.gitops.judging import (
    ACCOUNT,
    BASE,
    FILES,
    KUSTOMIZATION,
    LAYOUT,
    NAMESPACE_OF_WEB,
    OPERATOR,
    OUR_STORE,
    OVERLAY,
    REQUEST,
    STORE,
    SUBSCRIPTION,
    Outcome,
    in_list,
    more,
    with_members,
)

ESCAPED = ACCOUNT.replace("vault-secret-fetcher", r'"vault-secret-\x66etcher"')

PREFIXED = {
    "named": "",
    "named/kustomization.yaml": "namePrefix: vault-\nresources: [account.yaml]\n",
    "named/account.yaml": ACCOUNT.replace("vault-secret-fetcher", "secret-fetcher"),
}
KSOPS = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata:\n  name: secrets\nfiles:\n- secret.enc.yaml\n"


def test_the_repository_as_it_is_gets_our_objects_and_keeps_its_own() -> None:
    outcome = Outcome({})
    assert outcome.noted == []
    assert "our change adds" in outcome.rows[0].found
    assert "SecretStore payments/opf-vault-store" in outcome.rows[0].found
    assert outcome.second == ()


def test_a_namespace_is_declared_where_it_is_built() -> None:
    text = (
        "patches:\n- patch: '{$patch: delete, apiVersion: v1, kind: Namespace, metadata: {name: web}}'\n"
        "resources: [more.yaml]\n"
    )
    listed = in_list("apiVersion: v1\nkind: Namespace\nmetadata: {name: metrics}\n")
    files = {"a/kustomization.yaml": text, "a/more.yaml": listed + "---\n" + NAMESPACE_OF_WEB}
    with Kustomize() as builder:
        (built,) = builder.build(FileTree(files), "a")
    request = EnableRequest(env="emea", cluster="ember", namespaces=("web", "metrics", "payments"))
    assert built_namespaces(built, request) == {"metrics"}


@pytest.mark.parametrize(
    ("there", "not_ours"),
    [
        ({"web.yaml": ACCOUNT}, {("ServiceAccount", "web")}),
        ({"web.yaml": OUR_STORE}, {("SecretStore", "web")}),
        ({"web.yaml": f"{ACCOUNT}---\n{OUR_STORE}"}, {("ServiceAccount", "web"), ("SecretStore", "web")}),
        ({"../../../../base/operators.coreos.com/subscriptions/external-secrets-operator": ""}, set()),
        ({"../../../../base/core/namespaces/external-secrets-operator": ""}, set()),
        ({"web.yaml": in_list(ACCOUNT)}, {("ServiceAccount", "web")}),
        ({"web.yaml": in_list(OUR_STORE)}, {("SecretStore", "web")}),
        ({"web.yaml": ESCAPED}, {("ServiceAccount", "web")}),
        ({"operator.yaml": in_list(FILES[SUBSCRIPTION])}, {("Subscription", "external-secrets-operator")}),
        (PREFIXED, {("ServiceAccount", "web")}),
    ],
    ids=[
        *("account", "store", "both", "subscription", "namespace", "account in a list", "store in a list"),
        *("account with an escape", "subscription in a list", "account with a prefix"),
    ],
)
def test_what_somebody_has_already_is_used_and_not_added(
    there: dict[str, str], not_ours: set[tuple[str, str]]
) -> None:
    files: dict[str, str | None] = {f"{OVERLAY}/{name}": text for name, text in there.items() if text}
    members = [name for name in there if not name.startswith("named/")]
    outcome = Outcome({**files, KUSTOMIZATION: with_members(*members)})
    assert outcome.noted == []
    added = {
        (str(one["kind"]), field(one, "metadata", "namespace"))
        for one in outcome.overlay.after.without(outcome.overlay.before)
    }
    assert not added & not_ours
    assert outcome.second == ()


def test_a_change_that_would_break_a_build_is_refused_in_kustomizes_words() -> None:
    # A generator makes the object: no file holds it, and it is met when everything is built.
    generator = "secretGenerator:\n- name: eso-vault-auth-token\n  options: {disableNameSuffixHash: true}\n"
    kustomization = f"namespace: external-secrets-operator\nresources: [../../../base]\n{generator}"
    (row, *_) = Outcome({f"{OPERATOR}/kustomization.yaml": kustomization}).noted
    assert row.status == "failed"
    assert "does not build with our change: " in row.found
    assert '"eso-vault-auth-token", Namespace:""} exists' in row.found


def test_an_object_of_ours_in_two_versions_is_refused() -> None:
    folder = f"{OVERLAY}/secret-mgmt"
    outcome = Outcome(
        {
            KUSTOMIZATION: with_members("secret-mgmt", "web.yaml"),
            f"{OVERLAY}/web.yaml": in_list(OUR_STORE.replace("/v1\n", "/v1beta1\n")),
            f"{folder}/kustomization.yaml": "resources: [web]\n",
            f"{folder}/web/kustomization.yaml": "namespace: web\nresources: [store.yaml]\n",
            f"{folder}/web/store.yaml": OUR_STORE,
        }
    )
    row = outcome.noted[0]
    assert row.status == "failed"
    assert "builds more than one SecretStore web/opf-vault-store" in row.found


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        (
            more("resources: [a]\nresources: [b]\n", f"{BASE}/core/namespaces/web/kustomization.yaml"),
            None,
            "",
        ),
        (
            {**more("generators:\n- ksops.yaml\n"), f"{OVERLAY}/ksops.yaml": KSOPS},
            "ok",
            "ksops.yaml (ksops) is not run here",
        ),
        (more("helmCharts:\n- name: x\n  repo: https://charts.example.com\n"), "ok", "Helm is not run here"),
        ({KUSTOMIZATION: with_members("https://git.example.com/x//base?ref=v1")}, "ok", "nothing is fetched"),
        ({KUSTOMIZATION: with_members("git@git.example.com:x/y.git")}, "ok", "nothing is fetched"),
        ({KUSTOMIZATION: with_members("../../../../../../elsewhere")}, "ok", "is not in this repository"),
        ({KUSTOMIZATION: with_members("gone")}, "warning", "does not build, not even without our change"),
    ],
)
def test_what_cannot_be_built_here_is_said(
    changes: dict[str, str | None], status: str | None, says: str
) -> None:
    row = Outcome(changes).rows[0]
    if status is not None:
        assert (row.status, says in row.found) == (status, True), row


BUILT = Built(OVERLAY, documents=("kind: A\n",))

BROKEN = Built(OVERLAY, failure="resource exists twice")

SLOW = Built(OVERLAY, failure="kustomize took longer than 20 s", limited=True)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (BUILT, SLOW, "with our change: kustomize took longer than 20 s"),
        (BROKEN, SLOW, "with our change: kustomize took longer than 20 s"),
        (SLOW, BUILT, "before our change: kustomize took longer than 20 s"),
        (
            SLOW,
            BROKEN,
            "before our change: kustomize took longer than 20 s; with our change: resource exists",
        ),
        (SLOW, SLOW, "before our change: kustomize took longer than 20 s; with our change: kustomize took"),
    ],
    ids=["after", "after what did not build", "before", "before what does not build", "both"],
)
def test_a_build_that_hits_a_limit_says_nothing_of_our_change(before: Built, after: Built, says: str) -> None:
    nothing = Rebuilt(Built("a", absent=True), Built("a", absent=True))
    builds = Builds(Rebuilt(before, after), nothing, nothing, Built("b", absent=True))
    row = judge(builds, REQUEST, LAYOUT, STORE)[0]
    assert row.status == "warning"
    assert row.found.startswith("not checked: ")
    assert says in row.found


def test_a_change_is_not_worked_out_from_half_of_what_is_there() -> None:
    with pytest.raises(Busy, match="took longer than"), Kustomize(Limits(seconds=0.001)) as kustomize:
        edits(FileTree(FILES), REQUEST, LAYOUT, STORE, partial(complete, kustomize))
