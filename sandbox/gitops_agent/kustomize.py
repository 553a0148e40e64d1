"""Rendering a folder with `kubectl kustomize`: whole or not at all, as ArgoCD does.

Overlays of real clusters use generator plugins that ArgoCD has and kubectl does not run. A folder that cannot
be built is tried once more without them, in a copy.
"""

from __future__ import annotations

import json
import os.path
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.gitops_agent.manifests import Manifest, RenderError, parse

_RENDER_SECONDS = 60
_KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PLUGINS = ("generators", "transformers", "validators")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a folder, and the plugins that it was built without (a sentence each)."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[str, ...] = ()


class Kustomize:
    """Renders folders of one checkout.

    Args:
        root: the checkout; nothing outside is read.
        environment: of the kubectl process.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root.resolve()
        self._environment = dict(environment)

    def build(self, folder: str) -> Rendered:
        """Render a folder as a whole, without the plugins that kubectl does not run.

        Raises:
            RenderError: it cannot be built.
        """
        try:
            return Rendered(self._kubectl(self.root, folder))
        except RenderError:
            with tempfile.TemporaryDirectory(prefix="kustomize-") as directory:
                copy = Path(directory, "tree").resolve()
                shutil.copytree(self.root, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
                left_out = tuple(_drop_plugins(copy, copy / folder, set()))
                if not left_out:
                    raise
                return Rendered(self._kubectl(copy, folder), left_out)

    def _kubectl(self, root: Path, folder: str) -> tuple[Manifest, ...]:
        path = root / folder
        if not path.is_dir():
            msg = f"there is no folder {folder}"
            raise RenderError(msg)
        try:
            done = subprocess.run(
                ["kubectl", "kustomize", str(path)],
                env=self._environment,
                cwd=root,
                capture_output=True,
                text=True,
                timeout=_RENDER_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            msg = f"kubectl kustomize {folder} did not end within {_RENDER_SECONDS} s"
            raise RenderError(msg) from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("# Warning")]
            message = " ".join(lines).replace(f"{root}/", "").removeprefix("error: ")
            msg = f"kustomize cannot build {folder}: {message}"
            raise RenderError(msg)
        return parse(done.stdout, folder)


def _drop_plugins(root: Path, folder: Path, seen: set[Path]) -> Iterator[str]:
    """Take the plugins out of the kustomization of ``folder`` and of those below; yields what was taken."""
    folder = Path(os.path.normpath(folder))
    if folder in seen or not folder.is_relative_to(root):
        return
    seen.add(folder)
    file = next((folder / name for name in _KUSTOMIZATION_NAMES if (folder / name).is_file()), None)
    kustomization = _document(file) if file and not file.is_symlink() else None
    if file is None or not isinstance(kustomization, dict):
        return
    for key in _PLUGINS:
        entries = kustomization.get(key) or []
        plugins = [entry for entry in entries if _is_plugin(root, folder, entry)]
        if plugins:
            kustomization[key] = [entry for entry in entries if entry not in plugins]
            file.write_text(json.dumps(kustomization, default=str))
            yield f"{folder.relative_to(root)}: built without its {key} {', '.join(map(str, plugins))}"
    for key in ("resources", "bases", "components"):
        for entry in kustomization.get(key) or []:
            yield from _drop_plugins(root, folder / str(entry), seen)


def _is_plugin(root: Path, folder: Path, entry: object) -> bool:
    """Whether a file holds the configuration of something else than a part of kustomize, or a folder does."""
    file = Path(os.path.normpath(folder / str(entry)))
    if file.is_relative_to(root) and file.is_dir():
        return True  # what is in it is not looked at
    if not file.is_relative_to(root) or file.is_symlink() or not file.is_file():
        return False
    document = _document(file)
    return isinstance(document, dict) and document.get("apiVersion") != "builtin"


def _document(file: Path) -> Any:
    try:
        return next(iter(yaml.safe_load_all(file.read_text())), None)
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
