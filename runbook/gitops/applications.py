"""ArgoCD's Applications: which of them deploy a folder.

An Application names its folder in `source`, in one of `sources` or in a hydrator's `drySource`; an
ApplicationSet makes Applications of a template. Sources: argoproj.github.io/argo-cd, "Application
Specification" and "ApplicationSet Specification".
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runbook.documents import field, items_of, mappings_of
from runbook.gitops.path_patterns import LONGEST, Pattern, Wild, fits, glob
from runbook.gitops.tree import Manifest, manifests_in

_LOOKED_AT = 5_000
"""Applications that are looked at of those that the sets of one file make."""


def deploys_folder(text: str | None, folder: str) -> bool:
    """Whether ``text`` has an ArgoCD Application that deploys ``folder``, or a set that makes one."""
    return deploy_folder(manifests_in(text or "", "Application", "ApplicationSet"), folder)


def deploy_folder(items: Iterable[Manifest], folder: str) -> bool:
    """Whether one of these Applications deploys ``folder``, or one of these ApplicationSets makes one."""
    sets = []
    for item in items:
        if item.get("kind") == "ApplicationSet":
            sets.append(item)
        elif any(fits(path, folder) for path in _paths_of(item, folder)):
            return True
    paths = itertools.islice((path for item in sets for path in _paths_of(item, folder)), _LOOKED_AT)
    return any(fits(path, folder) for path in paths)


def sources_in(spec: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The sources of an Application's ``spec`` that have a path, with it."""
    single = (field(spec, "source"), field(spec, "sourceHydrator", "drySource"))
    for source in (*single, *items_of(field(spec, "sources"))):
        if isinstance(path := field(source, "path"), str):
            yield source, posixpath.normpath(path)


def _paths_of(item: Manifest, folder: str) -> Iterator[Pattern]:
    """The paths that an Application deploys, or those that an ApplicationSet makes, as far as it tells them.

    Values of `list` and of `git` directories are put in; what only the running controller knows (clusters,
    files, pull requests) stands for any text.
    """
    if item.get("kind") == "Application":
        yield from ([path] for _, path in sources_in(item.get("spec")))
        return
    values = list(_values(field(item, "spec", "generators"), folder)) or [{}]
    for _, path in sources_in(field(item, "spec", "template", "spec")):
        if len(path) > LONGEST:
            continue
        first, *rest = re.split(r"\{\{(.*?)\}\}", path, flags=re.DOTALL)
        names = (name.strip("-").strip().removeprefix(".") for name in rest[::2])
        named = list(zip(names, rest[1::2], strict=True))
        for known in values:
            yield [first, *(part for name, text in named for part in (*known.get(name, [Wild.ANY]), text))]


def _values(generators: Any, folder: str) -> Iterator[dict[str, Pattern]]:
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
            globs = [(glob(str(item.get("path"))), item.get("exclude") is True) for item in directories]
            if not any(excluded and fits(pattern, folder) for pattern, excluded in globs):
                told = (pattern for pattern, excluded in globs if not excluded)
                yield from ({"path": pattern, "path.path": pattern} for pattern in told)
