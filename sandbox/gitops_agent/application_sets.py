"""The Applications that an ApplicationSet makes: of `list`, and of `git` with `directories`.

Only these two generators, with parameters in double braces and without Go's templates: no repository of the
sandbox has others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.gitops_agent.manifests import Manifest, RenderError

_PARAMETER = re.compile(r"{{\s*([^\s{}]+)\s*}}")


def expanded(tree: Path, application_set: Manifest) -> Iterator[Manifest]:
    """The Applications of a set, as far as their template says.

    Args:
        tree: the checkout.
        application_set: as it is built.

    Raises:
        RenderError: a generator or a parameter is unknown here.
    """
    spec, name = application_set["spec"], application_set["metadata"]["name"]
    for generator in spec["generators"]:
        for values in _values(tree, generator, name):
            try:
                made = _filled(spec["template"], values)
            except KeyError as error:
                msg = f"ApplicationSet {name}: its generators have no parameter {error}"
                raise RenderError(msg) from None
            yield {"kind": "Application", **made}


def _values(tree: Path, generator: Any, name: str) -> Iterator[Mapping[str, str]]:
    match generator:
        case {"list": {"elements": elements}}:
            yield from elements
        case {"git": {"directories": directories}}:
            yield from map(_of_folder, sorted(_folders(tree, directories)))
        case _:
            msg = f"ApplicationSet {name}: the sandbox knows no generator {', '.join(generator)}"
            raise RenderError(msg)


def _folders(tree: Path, directories: list[dict[str, Any]]) -> set[Path]:
    found: dict[bool, set[Path]] = {False: set(), True: set()}
    for one in directories:
        folders = (folder.relative_to(tree) for folder in tree.glob(one["path"]) if folder.is_dir())
        found[bool(one.get("exclude"))].update(folders)
    return found[False] - found[True]


def _of_folder(folder: Path) -> dict[str, str]:
    segments = {f"path[{index}]": part for index, part in enumerate(folder.parts)}
    return {"path": folder.as_posix(), "path.basename": folder.name, **segments}


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return _PARAMETER.sub(lambda found: values[found[1]], value) if isinstance(value, str) else value
