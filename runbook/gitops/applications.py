"""ArgoCD's Applications: which of them deploy a folder, and our own.

An Application names its folder in `source`, in one of `sources` or in a hydrator's `drySource`; an
ApplicationSet makes Applications of a template. Sources: argoproj.github.io/argo-cd, "Application
Specification" and "ApplicationSet Specification".
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from runbook import manifests
from runbook.documents import field, items_of, mapping_of, mappings_of
from runbook.errors import Conflict, PrerequisiteMissing
from runbook.gitops.draft import Draft, required
from runbook.gitops.tree import Manifest, Tree, build_of, manifests_in, name_of
from runbook.layout import Layout
from runbook.names import Cluster

_LONGEST = 1_000
"""Characters of a path in an ApplicationSet that is looked at."""
_LOOKED_AT = 5_000
"""Applications that are looked at of those that the sets of one file make."""


class _Wild(Enum):
    IN_FOLDER = "any text without a slash, or none"
    ANY = "any text"


_Pattern: TypeAlias = Sequence[str | _Wild]


def add_application(draft: Draft, cluster: Cluster, layout: Layout) -> None:
    """Add the Application of the operator's overlay, deployed as its sibling is, where nothing deploys it.

    Raises:
        PrerequisiteMissing: the folder of the Applications or the sibling in it is not there.
        Conflict: an Application of our name deploys something else, or a file of our name is none.
    """
    folder, deploys = layout.application_group_of(cluster), layout.operator_overlay_of(cluster)
    required(draft, folder, "folder of the cluster's ArgoCD Applications")
    members = build_of(draft, folder).files
    others = build_of(draft, layout.applications_of(cluster), layout.app_of_apps).files
    if any(deploys_folder(text, deploys) for text in (*members.values(), *others.values())):
        return
    text = _like_sibling(draft, folder, cluster, layout)
    ours = _key(mapping_of(text))
    for path, other in members.items():
        if ours in map(_key, manifests_in(other, "Application")):
            raise Conflict(
                "Git",
                path,
                f"has an Application {ours[0]} that does not deploy {deploys}",
                "Rename it, or let it deploy that folder.",
            )
    path = f"{folder}/{manifests.APPLICATION}.yaml"
    otherwise = f"is not an Application of {deploys}"
    draft.put_unless(path, text, lambda there: deploys_folder(there, deploys), otherwise)
    draft.build_upon(folder, path)


def _key(application: Manifest) -> tuple[str | None, Any]:
    return name_of(application), field(application, "metadata", "namespace")


def _like_sibling(tree: Tree, folder: str, cluster: Cluster, layout: Layout) -> str:
    """Our Application, deployed as the one in ``folder`` that deploys the cluster's overlay."""
    overlay, deploys = layout.cluster_overlay_of(cluster), layout.operator_overlay_of(cluster)
    path = f"{folder}/{manifests.SIBLING_APPLICATION}.yaml"
    text = tree.read(path) or ""
    for item in manifests_in(text, "Application"):
        for source, deployed in _sources(item.get("spec")):
            if deployed == overlay:
                return manifests.application(item, source, text, path, deploys, cluster.operator.namespace)
    raise PrerequisiteMissing(
        "Git",
        path,
        f"has no Application that deploys {overlay}" if text else "is not in the repository",
        "Add it first: our Application is deployed as it is.",
    )


def deploys_folder(text: str | None, folder: str) -> bool:
    """Whether ``text`` has an ArgoCD Application that deploys ``folder``, or a set that makes one."""
    return deploy_folder(manifests_in(text or "", "Application", "ApplicationSet"), folder)


def deploy_folder(items: Iterable[Manifest], folder: str) -> bool:
    """Whether one of these Applications deploys ``folder``, or one of these ApplicationSets makes one."""
    sets = []
    for item in items:
        if item.get("kind") == "ApplicationSet":
            sets.append(item)
        elif any(_fits(path, folder) for path in _paths_of(item, folder)):
            return True
    paths = itertools.islice((path for item in sets for path in _paths_of(item, folder)), _LOOKED_AT)
    return any(_fits(path, folder) for path in paths)


def _sources(spec: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The sources of an Application's ``spec`` that have a path, with it."""
    single = (field(spec, "source"), field(spec, "sourceHydrator", "drySource"))
    for source in (*single, *items_of(field(spec, "sources"))):
        if isinstance(path := field(source, "path"), str):
            yield source, posixpath.normpath(path)


def _paths_of(item: Manifest, folder: str) -> Iterator[_Pattern]:
    """The paths that an Application deploys, or those that an ApplicationSet makes, as far as it tells them.

    Values of `list` and of `git` directories are put in; what only the running controller knows (clusters,
    files, pull requests) stands for any text.
    """
    if item.get("kind") == "Application":
        yield from ([path] for _, path in _sources(item.get("spec")))
        return
    values = list(_values(field(item, "spec", "generators"), folder)) or [{}]
    for _, path in _sources(field(item, "spec", "template", "spec")):
        if len(path) > _LONGEST:
            continue
        first, *rest = re.split(r"\{\{(.*?)\}\}", path, flags=re.DOTALL)
        names = (name.strip("-").strip().removeprefix(".") for name in rest[::2])
        named = list(zip(names, rest[1::2], strict=True))
        for known in values:
            yield [first, *(part for name, text in named for part in (*known.get(name, [_Wild.ANY]), text))]


def _values(generators: Any, folder: str) -> Iterator[dict[str, _Pattern]]:
    """Values by name of each Application that the generators tell."""
    waiting = [generators]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, Mapping):
            waiting += found.values()
            for element in mappings_of(found, "elements"):
                yield {str(key): (str(value),) for key, value in element.items()}
            directories = mappings_of(found, "directories")
            globs = [(_glob(str(item.get("path"))), item.get("exclude") is True) for item in directories]
            if not any(excluded and _fits(glob, folder) for glob, excluded in globs):
                yield from ({"path": glob, "path.path": glob} for glob, excluded in globs if not excluded)


def _glob(path: str) -> _Pattern:
    first, *rest = path.split("*") if len(path) <= _LONGEST else [path]
    return [first, *(part for text in rest for part in (_Wild.IN_FOLDER, text))]


def _fits(pattern: _Pattern, path: str) -> bool:
    """Whether ``path`` is one of ``pattern``, which says anything beside what is not known.

    All places where a part can end are followed at once: nothing is tried twice, whatever others wrote.
    """
    if set(pattern) <= {"", "/", _Wild.ANY}:
        return False
    ends, before = {0}, None
    for part in pattern:
        if not part or part is before is _Wild.IN_FOLDER:
            continue
        before = part
        if isinstance(part, str):
            ends = {end + len(part) for end in ends if path.startswith(part, end)}
        elif part is _Wild.ANY:
            ends = set(range(min(ends) + 1, len(path) + 1))
        else:
            for at, character in enumerate(path):
                if at in ends and character != "/":
                    ends.add(at + 1)
        if not ends:
            return False
    return len(path) in ends
