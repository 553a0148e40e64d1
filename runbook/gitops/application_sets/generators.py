"""What Applications an ApplicationSet makes, as far as the repository tells.

`list`, `git` (directories and files), `matrix` and `merge` are worked out from the commit's own files. What
only the running controller knows (clusters, pull requests, plugins, another repository) is left open, and
nothing is claimed of it. Sources: argoproj.github.io/argo-cd, "Generators" and "Go Template"; directories
are matched as Go's `path.Match` does, files as `git ls-files` does.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as field_of
from typing import Any

from runbook.documents import field, items_of, mappings_of, readable
from runbook.gitops.application_sets.parameters import Made, Place, Where, flat, of_path, path_of
from runbook.gitops.applications import sources_in
from runbook.gitops.path_patterns import LONGEST, Pattern, Wild, fits, glob, in_git, says_nothing, text_of
from runbook.gitops.tree import Manifest, Tree

MOST = 5_000
"""Applications, files or folders that are looked at for one generator."""

_ALL, _A_SEARCH = 200_000, 100
"""What is looked at for a whole set, and what a search for files counts as, for each ``*`` again. Generators
within one another multiply, and whatever their selectors then leave out has been looked at."""

_BEYOND = set("?[]\\{}")
"""What makes a glob say more than we read of it."""


@dataclass(slots=True)
class _Looks:
    """How much more may be looked at for a set."""

    left: int = _ALL

    def take(self, number: int) -> bool:
        """Whether there is so much left."""
        self.left -= number
        return self.left >= 0


@dataclass(frozen=True, slots=True)
class _Repository:
    """A commit's files, and the addresses of the repository as the set has them."""

    tree: Tree
    urls: frozenset[str]
    looks: _Looks = field_of(default_factory=_Looks)

    def is_another(self, url: Any) -> bool:
        return isinstance(url, str) and "{{" not in url and bool(self.urls) and _plain(url) not in self.urls


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def applications_of(tree: Tree, application_set: Manifest) -> Iterator[tuple[Made, Pattern]]:
    """The Applications that a set makes of a commit's files, with the path of each of their sources."""
    spec = field(application_set, "spec")
    sources = [one for one in sources_in(field(spec, "template", "spec")) if len(one[1]) <= LONGEST]
    paths, urls = [path for _, path in sources], [str(source.get("repoURL")) for source, _ in sources]
    told = frozenset() if any("{{" in url for url in urls) else frozenset(map(_plain, urls))
    repository = _Repository(tree, told)
    # A patch or a template of a generator may say another path.
    is_told = paths and field(spec, "templatePatch") is None
    for index, generator in enumerate(items_of(field(spec, "generators"))):
        for made in _made(repository, generator, ("spec", "generators", index), Made()):
            if not is_told or field(generator, _kind_of(generator), "template") is not None:
                yield replace(made, is_open=True), [Wild.ANY]
                continue
            yield from ((made, made.rendered(path)) for path in paths)


def deploys(pattern: Pattern, folder: str) -> bool:
    """Whether a source's path is that folder, or may be."""
    known = path_of(pattern)
    return known == folder if known is not None else says_nothing(pattern) or fits(pattern, folder)


def generators_in(application_set: Manifest, kind: str, *path: str) -> list[Mapping[str, Any]]:
    """The items at ``path`` of every generator of a kind, nested ones too."""
    found: list[Mapping[str, Any]] = []
    waiting = [field(application_set, "spec", "generators")]
    while waiting:
        for generator in mappings_of({"": waiting.pop()}, ""):
            found += mappings_of(generator, kind, *path)
            waiting += [field(generator, name, "generators") for name in ("matrix", "merge")]
    return found


def _kind_of(generator: Any) -> str:
    kinds = [str(key) for key in generator if key != "selector"] if isinstance(generator, Mapping) else []
    return kinds[0] if len(kinds) == 1 else ""


def _made(repository: _Repository, generator: Any, path: Where, given: Made) -> Iterator[Made]:
    """What a generator makes, at most `MOST`; what is beyond all that may be looked at is left open.

    Args:
        generator: one of a set's, or of a `matrix` or `merge`.
        path: where it is in the set.
        given: of the first generator of a `matrix`, whose values the second may use.
    """
    kind = _kind_of(generator)
    inner, below, looks = field(generator, kind), (*path, kind), repository.looks
    if not looks.take(1):
        yield Made(is_open=True)
        return
    if kind == "list":
        made = _of_list(inner, below)
    elif kind == "git":
        made = _of_git(repository, _filled(inner, given))
    elif kind == "matrix":
        made = _of_matrix(repository, inner, below, given)
    elif kind == "merge":
        made = _of_merge(repository, inner, below, given)
    else:
        made = iter([Made(is_open=True)])
    own = field(inner, "values") if isinstance(field(inner, "values"), Mapping) else {}
    counted = itertools.takewhile(lambda one: looks.take(1 + len(one.values) // 16 + len(own)), made)
    yield from itertools.islice(
        (one for each in counted if (one := _selected(_with_own(each, own), field(generator, "selector")))),
        MOST,
    )
    if looks.left < 0:
        yield Made(is_open=True)


def _with_own(made: Made, own: Mapping[Any, Any]) -> Made:
    """With the values that a generator adds, which may have others in them."""
    texts = {f"values.{key}": text_of(made.rendered(str(value))) for key, value in own.items()}
    told = {key: text for key, text in texts.items() if text is not None}
    return replace(made, values={**told, **made.values})


def _selected(made: Made, selector: Any) -> Made | None:
    """What a generator's selector leaves of it; expressions are left open."""
    if field(selector, "matchExpressions"):
        made = replace(made, is_open=True)
    labels = field(selector, "matchLabels") or {}
    differ = [key for key, value in labels.items() if made.values.get(key) != str(value)]
    known = [key for key in differ if key in made.values or not made.is_open]
    return None if known else made


def _filled(value: Any, given: Made) -> Any:
    """A generator with the values of the one before it."""
    if isinstance(value, Mapping):
        return {key: _filled(item, given) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, given) for item in value]
    if not isinstance(value, str) or "{{" not in value or len(value) > LONGEST:
        return value
    text = text_of(given.rendered(value))
    return value if text is None else text


def _of_list(inner: Any, below: Where) -> Iterator[Made]:
    for index, element in enumerate(items_of(field(inner, "elements"))):
        if isinstance(element, Mapping):
            yield Made(flat(element), elements=(Place((*below, "elements"), index),))
    if field(inner, "elementsYaml") is not None:
        yield Made(is_open=True)


def _of_matrix(repository: _Repository, inner: Any, below: Where, given: Made) -> Iterator[Made]:
    generators = items_of(field(inner, "generators"))
    if len(generators) != 2:
        return
    for one in _made(repository, generators[0], (*below, "generators", 0), given):
        for other in _made(repository, generators[1], (*below, "generators", 1), given.and_(one)):
            yield one.and_(other)


def _of_merge(repository: _Repository, inner: Any, below: Where, given: Made) -> Iterator[Made]:
    """The first generator's, with what the others say of the one with the same keys."""
    keys = [str(key) for key in items_of(field(inner, "mergeKeys"))]
    first, *rest = (
        list(_made(repository, generator, (*below, "generators", index), given))
        for index, generator in enumerate(items_of(field(inner, "generators")) or [None])
    )
    for base in first:
        merged = base
        for other in itertools.chain.from_iterable(rest):
            if not repository.looks.take(1):
                return
            if any(base.values.get(key, other.values.get(key)) != other.values.get(key) for key in keys):
                continue
            if all(key in base.values for key in keys):
                merged = merged.and_(other)
            elif base.is_open:
                yield base.and_(other)  # where the controller knows one of these keys
        yield merged


def _of_git(repository: _Repository, inner: Any) -> Iterator[Made]:
    if repository.is_another(field(inner, "repoURL")):
        yield Made(is_open=True)
        return
    tree, prefix = repository.tree, field(inner, "pathParamPrefix")
    for kind, found_by, match in (("directories", _folders, glob), ("files", _files, in_git)):
        items = [item for item in mappings_of(inner, kind) if isinstance(item.get("path"), str)]
        globs = [str(item["path"]) for item in items if item.get("exclude") is not True]
        excluded = [str(item["path"]) for item in items if item.get("exclude") is True]
        searches = sum(1 + each.count("*") for each in (*globs, *excluded))
        is_beyond = any(len(each) > LONGEST or _BEYOND & set(each) for each in (*globs, *excluded))
        if is_beyond or not repository.looks.take(searches * _A_SEARCH):
            yield Made(is_open=True)
            continue
        found = dict.fromkeys(path for each in globs for path in found_by(tree, each))
        paths = [path for path in found if not any(fits(match(each), path) for each in excluded)]
        if kind == "directories":
            yield from (Made(of_path(path, "", prefix)) for path in paths)
            continue
        tree.prefetch(paths)
        for path in paths:
            named = of_path(posixpath.dirname(path), posixpath.basename(path), prefix)
            yield from (Made({**values, **named}, files=(path,)) for values in _contents(tree, path))


def _contents(tree: Tree, path: str) -> list[dict[str, str]]:
    """The values in a file, by the items of a list where it is one."""
    documents = readable(tree.read(path) or "")
    found = items_of(documents[0]) or documents[:1] if documents else []
    return [flat(item) for item in found if isinstance(item, Mapping)]


def _folders(tree: Tree, pattern: str) -> list[str]:
    """The folders that a pattern of directories names; ArgoCD leaves out those that begin with a dot."""
    found = [""]
    for segment in pattern.strip("/").split("/"):
        deeper = (
            posixpath.join(folder, name.rstrip("/"))
            for folder in found
            for name in tree.entries(folder)
            if name.endswith("/") and not name.startswith(".") and fits(glob(segment), name.rstrip("/"))
        )
        found = list(itertools.islice(deeper, MOST))
    return found


def _files(tree: Tree, pattern: str) -> Iterator[str]:
    """The files that a pattern names."""
    wanted, waiting = in_git(pattern), [posixpath.dirname(pattern.partition("*")[0])]
    for _ in range(MOST):
        if not waiting:
            return
        folder = waiting.pop()
        for name in tree.entries(folder):
            path = posixpath.join(folder, name)
            if name.endswith("/"):
                waiting.append(path.rstrip("/"))
            elif fits(wanted, path):
                yield path
