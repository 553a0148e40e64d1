"""What `kubectl kustomize` makes of the same files is the same: built once in a process, and in its forks.

A run builds a dozen folders and the GitOps agent some more, which takes longer than all that they ask; here
hundreds of runs build the same ones. Whether it is built, and how that fails, is tested in
``tests/systems/test_kustomize.py`` and ``tests/sandbox/gitops_agent/test_agent_manifests.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from runbook.gitops import Built
from sandbox.gitops_agent import kustomize as agent
from sandbox.gitops_agent.manifests import Manifest
from systems.kustomize import Kustomize, Limits

_build, _render = Kustomize._built, agent.Kustomize._kubectl
_known: dict[tuple[Built, frozenset[tuple[str, str]], Limits], Built] = {}
_rendered: dict[tuple[str, frozenset[tuple[str, bytes]]], tuple[Manifest, ...]] = {}


def _built(self: Kustomize, copied: tuple[Built, Mapping[str, str]]) -> Built:
    before, files = copied
    key = before, frozenset(files.items()), self._limits
    built = _known.get(key) or _build(self, copied)
    if not built.limited:  # that it took too long once says nothing of the next time
        _known[key] = built
    return built


def _kubectl(self: agent.Kustomize, root: Path, folder: str) -> tuple[Manifest, ...]:
    paths = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    key = folder, frozenset((str(path.relative_to(root)), path.read_bytes()) for path in paths)
    if key not in _rendered:
        _rendered[key] = _render(self, root, folder)
    return copy.deepcopy(_rendered[key])


@contextmanager
def built_once() -> Iterator[None]:
    """Within this nothing is built a second time."""
    with patch.object(Kustomize, "_built", _built), patch.object(agent.Kustomize, "_kubectl", _kubectl):
        yield
