"""Files of other people, in whatever state: what they lead to is an error of ours, or nothing."""

from __future__ import annotations

import contextlib

import pytest

from runbook.errors import EnablementError
from runbook.gitops import StoreSettings, unmet, wanted_edits
from runbook.gitops.landing import meaning_of
from runbook.layout import Layout
from tests.runbook.gitops.conftest import REPOSITORY, Changed, Request

STORE = StoreSettings("https://vault.example:8200", None, ("v1",))
OVERLAY = "cluster-scope/overlays/prod/emea/ember"

UNREADABLE = {
    "nothing": "",
    "a number": "5",
    "broken brackets": "a: [",
    "several documents": "---\na: 1\n---\nb: 2\n",
    "resources that are no list": "resources: {a: b}\n",
    "resources within themselves": "resources: &a [*a]\n",
    "a mapping within itself": "a: &a\n  b: *a\nresources: []\n",
    "30 February": "day: 2001-02-30\n",
    "no time": "time: !!timestamp soon\n",
    "no number": "number: !!int a\n",
    "a number of 5000 digits": f"number: {'9' * 5000}\n",
    "brackets 1000 deep": "[" * 1000,
    "Latin-1": b"# gepr\xfcft\nresources: []\n".decode("utf-8", "surrogateescape"),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_stops_nobody_but_the_runs_that_need_it(
    text: str, changed: Changed, request_for: Request
) -> None:
    wanted = wanted_edits(changed({}), request_for(), Layout(), STORE)
    landed = {edit.path: edit.after for edit in wanted}
    paths = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / OVERLAY).rglob("*.yaml")}
    chain = "argocd/overlays/moc-infra/applications/envs/emea/ember/cluster-management"
    paths |= {*landed, f"{chain}/cluster-resources.yaml"}
    for path in paths:
        tree = changed({**landed, path: text})
        lacking = unmet(tree, meaning_of(wanted))
        assert path in lacking or path not in landed
        with contextlib.suppress(EnablementError):
            wanted_edits(tree, request_for(), Layout(), STORE)
