"""What `kubectl kustomize` makes of the same files is the same: built once in a process, and in its forks.

A run builds a dozen folders, which takes it longer than all that it asks; here hundreds of runs build the
same ones, and what fails is a request. Whether it is built, and how that fails, is tested in
``tests/systems/test_kustomize.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from runbook.gitops import Built
from systems.kustomize import Kustomize

_build = Kustomize._built
_known: dict[tuple[Built, frozenset[tuple[str, str]]], Built] = {}


def _built(self: Kustomize, copied: tuple[Built, Mapping[str, str]]) -> Built:
    before, files = copied
    key = before, frozenset(files.items())
    built = _known.get(key) or _build(self, copied)
    if not built.limited:  # that it took too long once says nothing of the next time
        _known[key] = built
    return built


@contextmanager
def built_once() -> Iterator[None]:
    """Within this nothing is built a second time."""
    with patch.object(Kustomize, "_built", _built):
        yield
