"""A tree with the edits made so far."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from runbook import manifests
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops.tree import (
    EditedTree,
    FileEdit,
    Kustomization,
    Tree,
    check_way,
    kustomization_of,
    manifests_in,
    name_of,
)
from runbook.kustomization import insert_resource


class Draft(EditedTree):
    """A tree with the edits so far, so that each edit sees those before it."""

    def put(self, path: str, text: str) -> None:
        """Write a file.

        Raises:
            Conflict: something that is no file is there, or no folder where one must be.
        """
        check_way(self, path)
        self._edited[path] = text

    def put_unless(self, path: str, text: str, there: Callable[[str], bool], otherwise: str) -> None:
        """Write a file, unless one is ``there`` already.

        Raises:
            Conflict: a file is at ``path`` of which ``there`` says no: ``otherwise``; or as `put`.
        """
        known = self.read(path)
        if known is None:
            self.put(path, text)
        elif not there(known):
            raise Conflict("Git", path, otherwise, "Move or correct the file, then retry.")

    def put_object(self, path: str, text: str, kind: str, name: str) -> None:
        """Write the manifest of an object, unless a file at ``path`` has it already.

        Raises:
            Conflict: a file with something else is there, or as `put`.
        """

        def holds(known: str) -> bool:
            return name in map(name_of, manifests_in(known, kind))

        self.put_unless(path, text, holds, f"does not have the {kind} {name}")

    def build_upon(self, folder: str, *paths: str, namespace: str | None = None) -> None:
        """Make the kustomization of ``folder`` build upon ``paths`` as well.

        Args:
            folder: where there is no kustomization, it gets one.
            paths: from the root.
            namespace: of a new kustomization.

        Raises:
            Conflict: it cannot be edited safely, or as `put`.
        """
        entries = [posixpath.relpath(path, folder) for path in paths]
        there = kustomization_of(self, folder)
        if there is None:
            if entries:
                text = manifests.kustomization(sorted(entries), namespace)
                self.put(f"{folder}/kustomization.yaml", text)
            return
        text = there.text
        for entry in entries:
            text = insert_resource(text, entry, there.path)
        self.put(there.path, text)

    def edits(self) -> tuple[FileEdit, ...]:
        """What differs from the tree below."""
        edits = (FileEdit(path, self._tree.read(path), text) for path, text in self._edited.items())
        return tuple(edit for edit in edits if edit.before != edit.after)


def required(tree: Tree, folder: str, what: str) -> Kustomization:
    """The kustomization of ``folder``, which somebody has to have made before us.

    Raises:
        PrerequisiteMissing: there is none.
    """
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        raise PrerequisiteMissing(
            "Git",
            folder,
            f"the {what} is not in the repository, or has no kustomization file",
            "Add it first, or correct the name of the cluster or the layout of the GitOpsRepository.",
        )
    return kustomization
