"""Files of other people, in whatever state: what they lead to is an error of ours, or nothing."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest

from runbook.errors import EnablementError
from runbook.gitops import StoreSettings, unmet, wanted_edits
from runbook.gitops.applications import deploys_folder
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
    "a number of nothing": "number: !!int ''\n",
    "no truth": "truth: !!bool maybe\n",
    "a number of 5000 digits": f"number: {'9' * 5000}\n",
    "a number to base 60 of 100,000 digits": f"number: {'1:' * 100_000}1\n",
    "20,000 keys of one hash": "".join(f"{number * (2**61 - 1)}: 1\n" for number in range(20_000)),
    "brackets 100,000 deep": "[" * 100_000,
    "aliases that expand": "a: &a [x, x]\n"
    + "".join(
        f"{one}: &{one} [{', '.join(9 * [f'*{other}'])}]\n" for other, one in pairwise("abcdefghijklm")
    ),
    "merged aliases that expand": "a: &a {x: y}\n"
    + "".join(
        f"{one}: &{one} {{<<: [{', '.join(9 * [f'*{other}'])}]}}\n"
        for other, one in pairwise("abcdefghijklm")
    ),
    "a long text, often": f"a: &a {'x' * 100_000}\nb: [{', '.join(5_000 * ['*a'])}]\n",
    "30 million characters": f"a: {'x' * 30_000_000}\n",
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


def test_our_application_is_found_behind_thousands_of_others() -> None:
    other = "kind: Application\nspec: {source: {path: other}}\n"
    ours = "kind: Application\nspec: {source: {path: ours}}\n"
    assert deploys_folder("---\n".join([*[other] * 6_000, ours]), "ours")
