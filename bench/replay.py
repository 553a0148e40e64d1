"""Replays onboardings on what people committed to a real GitOps repository, given by its path.

    python -m bench.replay PATH COMMIT...

For each commit and each cluster, the onboarding of two namespaces is worked out, and the folders that it
touches are built before and after with `kubectl kustomize`. A folder counts as broken if it was built before
and is not now, or if objects of others are gone or changed. Other failed rows: preflight refuses them. One
that hits a limit of a build is counted apart.
The repository is only read. Ends with 1 if anything is broken.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.corpus import load
from runbook.checks import Check
from runbook.errors import EnablementError
from runbook.gitops import (
    Builds,
    EditedTree,
    Rebuilt,
    StoreSettings,
    Tree,
    build_named,
    judge,
    present_in,
    wanted_edits,
)
from runbook.gitops.checks import clusters_in
from runbook.layout import Layout
from runbook.names import Cluster
from runbook.request import EnableRequest
from systems.kustomize import Kustomize

LAYOUT = Layout()
ENVIRONMENTS = LAYOUT.cluster_overlay.partition("/{env}")[0]
STORE = StoreSettings("https://vault-ui-vault.apps.smaug.na.operate-first.cloud", None, ())
NAMESPACES = ("openshift-monitoring", "openshift-config")


def main() -> int:
    """Replay all commits; the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a clone of the repository, with its history")
    parser.add_argument(
        "commits", nargs="+", help="commits, or dates as 2022-05-16 for the last one of that day"
    )
    options = parser.parse_args()
    rows: list[Check] = []
    for name in options.commits:
        commit = _commit(options.path, name)
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            archive = subprocess.run(
                ["git", "-C", options.path, "archive", commit], capture_output=True, check=True
            )
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
                files.extractall(folder, filter="data")
            tree = load(Path(folder))
        print(f"== {name}: {commit[:12]}")
        for env in tree.entries(ENVIRONMENTS):
            for cluster in clusters_in(tree, f"{ENVIRONMENTS}/{env.rstrip('/')}"):
                rows += _replay(tree, Cluster(env.rstrip("/"), cluster))
    folders = [row for row in rows if row.prerequisite.startswith("kustomize builds ")]
    broken = [row for row in folders if row.status == "failed"]
    refused = sum(row.status == "failed" for row in rows) - len(broken)
    slow = sum(row.found.startswith("not checked") for row in folders)
    print(f"{len(folders)} folders built, {len(broken)} broken; {refused} other rows failed")
    if slow:
        print(f"{slow} folders hit a limit and say nothing: replay them again")
    return 1 if broken else 0


def _commit(path: Path, name: str) -> str:
    which = ["--first-parent", "--before", f"{name}T23:59:59Z", "HEAD"] if name.count("-") == 2 else [name]
    command = ["git", "-C", str(path), "log", "-1", "--format=%H", *which]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _replay(tree: Tree, cluster: Cluster) -> Iterator[Check]:
    request = EnableRequest(env=cluster.env, cluster=cluster.name, namespaces=NAMESPACES)
    folders = (
        LAYOUT.cluster_overlay_of(cluster),
        LAYOUT.operator_overlay_of(cluster),
        LAYOUT.applications_of(cluster),
    )
    with Kustomize() as kustomize:
        start = time.process_time()
        *before, bundle = build_named(kustomize.build, tree, *folders, LAYOUT.operator_bundle)
        try:
            present = present_in(tree, before[0], bundle, kustomize.build)
            edits = wanted_edits(tree, request, LAYOUT, STORE, present)
        except EnablementError as error:
            print(f"{cluster}: {error}")
            return
        after = build_named(kustomize.build, EditedTree(tree, edits), *folders)
        seconds = time.process_time() - start
    overlay, operator, applications = map(Rebuilt, before, after)
    print(f"{cluster}: {len(edits)} files, {seconds:.1f} s of our own processor time")
    for row in judge(Builds(overlay, operator, applications, bundle), request, LAYOUT, STORE):
        if row.status != "ok":
            print(f"  {row.status}: {row.prerequisite}: {row.found}")
        yield row


if __name__ == "__main__":
    sys.exit(main())
