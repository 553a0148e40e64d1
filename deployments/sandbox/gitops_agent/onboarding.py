"""On a cluster that is no stand-in: only what an onboarding brings, remembered, and taken away again.

A repository holds hundreds of objects of a cluster. Of these only the ones that the onboarding adds are
applied: those of the operator's bundle, of its overlay and of the secret management. What exists already and
was not made by us is never touched. Each object is written down before it is created, so that an agent that
is killed in between leaves nothing that `clean_up` does not know.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from deployments.sandbox.gitops_agent.applications import Application
from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.kustomize import Kustomize, Rendered
from deployments.sandbox.gitops_agent.manifests import Identity, Manifest, RenderError
from deployments.sandbox.gitops_agent.options import Options

_GONE_SECONDS = 30.0
_POLL_SECONDS = 0.2


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
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps([asdict(identity) for identity in self._created], indent=2) + "\n")
        draft.replace(self._file)


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
        if self._cluster.get(identity) is None:
            self._ledger.add(identity)
        elif identity not in self._ledger:
            self._leave(identity, "was there before us and is left as it is")
            return
        self._cluster.apply(manifest, force=False)


def clean_up(cluster: Cluster, ledger: Ledger, log: Callable[[str], None]) -> list[Identity]:
    """Delete what we created, the newest first. Returns what is still there after a while."""
    for identity in reversed(list(ledger)):
        cluster.delete(identity)
    deadline = time.monotonic() + _GONE_SECONDS
    while True:
        for identity in ledger:
            cluster.forget()
            if cluster.get(identity) is None:
                ledger.remove(identity)
                log(f"removed {identity}")
        if not list(ledger) or time.monotonic() > deadline:
            return list(ledger)
        time.sleep(_POLL_SECONDS)
