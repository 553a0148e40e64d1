"""The ApplicationSet of a layout: whether it makes the Application of a cluster's folder, or can do so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runbook.documents import readable
from runbook.errors import PermanentError, PrerequisiteMissing
from runbook.gitops.application_sets.elements import ElementList, Sibling
from runbook.gitops.application_sets.generators import applications_of, deploys, generators_in
from runbook.gitops.application_sets.parameters import Where, path_of
from runbook.gitops.path_patterns import LONGEST, fits, glob
from runbook.gitops.tree import EditedTree, FileEdit, Manifest, Tree, kustomization_of, name_of
from runbook.layout import Layout
from runbook.names import Cluster


@dataclass(frozen=True, slots=True)
class FromSet:
    """How a set comes to make the Application.

    Attributes:
        found: in words.
        is_told: whether the repository tells it; else it takes what only ArgoCD knows.
        is_maybe: whether the path itself is not told.
        text: of the set's file, where its list has to grow for it.
    """

    found: str
    is_told: bool
    is_maybe: bool = False
    text: str | None = None


def from_set(tree: Tree, cluster: Cluster, layout: Layout, path: str) -> FromSet:
    """How the ApplicationSet at ``path`` makes the Application of the cluster's `reviewer_folder_of`.

    Raises:
        PrerequisiteMissing: it makes none, or its list has no element for the cluster, and what that must say
            cannot be told.
    """
    folder = layout.reviewer_folder_of(cluster)
    if kustomization_of(tree, folder) is None:  # ours, that this change brings
        tree = EditedTree(tree, [FileEdit(f"{folder}/kustomization.yaml", None, "resources: []\n")])
    text = tree.read(path)
    sets = _sets_in(text or "")
    if text is None or not sets:
        raise PrerequisiteMissing(
            "Git",
            path,
            "is not in the repository" if text is None else "has no ApplicationSet",
            "Add it first, or correct application_set in the layout of the GitOpsRepository.",
        )
    now = _made(tree, sets, folder)
    if now is not None and not now.is_maybe:
        return now
    try:
        grown = next(
            (edited for one in _lists(tree, path, text, layout) if (edited := one.grown(cluster))), None
        )
    except PermanentError:
        if now is None:
            raise
        return now
    then = None if grown is None else _made(tree, _sets_in(grown), folder)
    if then is not None and not then.is_maybe:
        return replace(then, found=f"{then.found}, with an element for {cluster} in its list", text=grown)
    if now is not None:
        return now
    found, remedy = _why_not(sets, folder)
    if grown is not None:
        found += ", nor would it with an element like those of other clusters in its list"
    raise PrerequisiteMissing("Git", path, found, remedy)


def _sets_in(text: str) -> dict[int, Manifest]:
    """The ApplicationSets of a file by the number of their document."""
    documents = enumerate(readable(text))
    return {n: one for n, one in documents if isinstance(one, dict) and one.get("kind") == "ApplicationSet"}


def _made(tree: Tree, sets: dict[int, Manifest], folder: str) -> FromSet | None:
    """The surest of the Applications that deploy ``folder``, or may; None where there is none."""
    best: FromSet | None = None
    for one in sets.values():
        name = f"ApplicationSet {name_of(one)}"
        for made, pattern in applications_of(tree, one):
            if not deploys(pattern, folder):
                continue
            if path_of(pattern) is None:
                found = f"what only ArgoCD knows decides whether {name} deploys it"
                best = best or FromSet(found, False, is_maybe=True)
            elif not made.is_open:
                of = f" of {', '.join(made.files)}" if made.files else ""
                return FromSet(f"{name} makes an Application of it{of}", True)
            elif best is None or best.is_maybe:
                found = (
                    f"{name} makes an Application of it, if ArgoCD knows a cluster that its generators take"
                )
                best = FromSet(found, False)
    return best


def _lists(tree: Tree, path: str, text: str, layout: Layout) -> Iterator[ElementList]:
    """The lists of which each element is one cluster's."""
    folder = _folder_of_any(layout)
    for number, one in _sets_in(text).items():
        of: defaultdict[Where, defaultdict[int, set[tuple[str | None, str]]]]
        of = defaultdict(lambda: defaultdict(set))
        for made, pattern in applications_of(tree, one):
            if match := folder.fullmatch(path_of(pattern) or ""):
                names = match.groupdict()
                for place in made.elements:
                    of[place.path][place.index].add((names.get("env"), names["cluster"]))
        for where, elements in of.items():
            if all(len(names) == 1 for names in elements.values()):
                siblings = [Sibling(n, *name) for n, names in sorted(elements.items()) for name in names]
                yield ElementList(path, text, number, where, siblings)


def _folder_of_any(layout: Layout) -> re.Pattern[str]:
    """What the folder of a cluster is like, with ``cluster`` and, where it is told, ``env``."""
    pattern = re.escape(layout.operator_overlay or layout.cluster_overlay)
    for name in ("env", "cluster"):
        first, *rest = pattern.split(rf"\{{{name}\}}")
        if rest:
            pattern = f"{first}(?P<{name}>[^/]+){f'(?P={name})'.join(rest)}"
    return re.compile(pattern)


def _why_not(sets: dict[int, Manifest], folder: str) -> tuple[str, str]:
    """Why none of the sets deploys ``folder``, and what to do."""
    names = " and ".join(f"ApplicationSet {name_of(one)}" for one in sets.values())
    directories = [item for one in sets.values() for item in generators_in(one, "git", "directories")]
    files = [item for one in sets.values() for item in generators_in(one, "git", "files")]
    globs = [(str(item.get("path")), item.get("exclude") is True) for item in directories]
    fitting = [
        (path, excluded) for path, excluded in globs if len(path) <= LONGEST and fits(glob(path), folder)
    ]
    if excluding := [path for path, excluded in fitting if excluded]:
        found = f"{names} leaves {folder} out: it is excluded by {', '.join(excluding)}"
        return found, "Narrow that pattern, or correct the layout of the GitOpsRepository."
    if globs and not fitting:
        included = ", ".join(path for path, excluded in globs if not excluded) or "nothing"
        found = f"{names} does not take {folder}: its directories are {included}"
        return found, "Add a pattern that fits, or correct the layout of the GitOpsRepository."
    if files:
        patterns = ", ".join(str(item.get("path")) for item in files if item.get("exclude") is not True)
        found = f"no file like {patterns} leads {names} to {folder}"
        return found, "Add such a file for this cluster, like that of another cluster."
    found = f"{names} makes no Application of {folder}"
    return found, "Add what it needs for this cluster by hand, or correct the layout of the GitOpsRepository."
