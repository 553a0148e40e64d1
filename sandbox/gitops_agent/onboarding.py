"""On a cluster that is no stand-in: only what an onboarding brings, remembered, and taken away again.

A repository holds hundreds of objects of a cluster. Of these only the ones that the onboarding adds are
applied: those of the operator's bundle, of its overlay and of the secret management. What exists already and
was not made by us is never touched. Each object is written down before it is created, so that an agent that
is killed in between leaves nothing that `clean_up` does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from sandbox.gitops_agent.applications import Application
from sandbox.gitops_agent.cluster import GONE_SECONDS, Cluster, ClusterError
from sandbox.gitops_agent.kustomize import Kustomize, Rendered
from sandbox.gitops_agent.manifests import Identity, Manifest, RenderError
from sandbox.gitops_agent.options import Options
from sandbox.processes import write_ready


def selection(
    kustomize: Kustomize, options: Options, application: Application, rendered: Rendered
) -> tuple[Manifest, ...]:
    """The objects of an Application that belong to an onboarding; none for the other Applications."""
    folders = options.folders
    if application.path == options.path(folders.operator_overlay):
        return rendered.manifests
    if application.path != options.path(folders.cluster_overlay):
        return ()
    wanted: set[Identity] = set()
    for folder in (folders.operator_bundle, folders.secret_management):
        try:
            wanted |= {Identity.of(one) for one in kustomize.build(options.path(folder)).manifests}
        except RenderError:
            continue  # not there before the merge, or not buildable: then the overlay has none of it either
    return tuple(one for one in rendered.manifests if Identity.of(one) in wanted)


class Ledger:
    """The objects that we created, in a file that survives us. The oldest first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        written = json.loads(file.read_text()) if file.exists() else []
        self._created = [Identity(**entry) for entry in written]

    def __iter__(self) -> Iterator[Identity]:
        return iter(tuple(self._created))

    def add(self, identity: Identity) -> None:
        """Write down an object that is about to be created."""
        if identity not in self._created:
            self._created.append(identity)
            self._write()

    def remove(self, identity: Identity) -> None:
        """Forget an object that is gone."""
        self._created.remove(identity)
        self._write()

    def _write(self) -> None:
        write_ready(self._file, [asdict(identity) for identity in self._created])


class CarefulApply:
    """Creates what is missing and writes it down; leaves alone what somebody else made."""

    def __init__(self, cluster: Cluster, ledger: Ledger, leave: Callable[[Identity, str], None]) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._leave = leave

    def __call__(self, manifest: Manifest) -> None:
        """Apply one object whose namespace is filled in.

        Raises:
            ClusterError: the API server refused it.
        """
        identity = Identity.of(manifest)
        there = self._cluster.get(identity)
        if there is None:
            self._ledger.add(identity)
        elif "deletionTimestamp" in there["metadata"]:
            raise ClusterError(409, f"{identity} is being deleted; the next round tries again")
        elif identity not in self._ledger:
            self._leave(identity, "was there before us and is left as it is")
            return
        self._cluster.apply(manifest, force=False)


def clean_up(cluster: Cluster, created: Ledger | list[Identity]) -> Iterator[str]:
    """Delete what was created, the newest first, and wait until it is gone; yields a line for each.

    What is gone is taken out of ``created``.
    """
    left = list(created)[::-1]
    for identity in left:
        cluster.delete(identity)
    if left:
        yield f"waiting until {len(left)} objects are gone, at most {GONE_SECONDS:.0f} s"
    for identity in cluster.gone(left, GONE_SECONDS):
        created.remove(identity)
        yield f"removed {identity}"
    yield from (f"still being deleted: {identity}" for identity in created)
