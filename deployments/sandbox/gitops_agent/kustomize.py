"""Rendering a folder with `kubectl kustomize`, and as much as can be built where that alone fails.

Overlays of real clusters use generator plugins that kubectl does not run, or forms that it no longer reads.
Their resources are then built without them: all buildable ones together, found by halving the list, since
each call takes a tenth of a second and such an overlay lists hundreds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from deployments.sandbox.gitops_agent.manifests import Manifest, RenderError, parse

_RENDER_SECONDS = 60
_KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a folder, and what of it could not be built (a sentence each)."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[str, ...] = ()

    def __add__(self, other: Rendered) -> Rendered:
        """Both together."""
        return Rendered(self.manifests + other.manifests, self.left_out + other.left_out)


class Kustomize:
    """Renders folders of one checkout.

    Args:
        root: the checkout; nothing outside is read.
        environment: of the kubectl process.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root.resolve()
        self._environment = dict(environment)

    def build(self, folder: str) -> Rendered:
        """Render a folder; where kustomize alone cannot (a plugin, an old form), as much as can be built.

        Raises:
            RenderError: nothing of it can be built.
        """
        return self._build(self._root / folder)

    def _build(self, path: Path) -> Rendered:
        try:
            return Rendered(self._kubectl(path))
        except RenderError as error:
            return self._build_pieces(path, error)

    def _kubectl(self, path: Path) -> tuple[Manifest, ...]:
        if not path.is_dir():
            msg = f"there is no folder {self._name(path)}"
            raise RenderError(msg)
        try:
            done = subprocess.run(
                ["kubectl", "kustomize", str(path)],
                env=self._environment,
                cwd=self._root,
                capture_output=True,
                text=True,
                timeout=_RENDER_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            msg = f"kubectl kustomize {self._name(path)} did not end within {_RENDER_SECONDS} s"
            raise RenderError(msg) from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("# Warning")]
            message = " ".join(lines).replace(f"{self._root}/", "").removeprefix("error: ")
            msg = f"kustomize cannot build {self._name(path)}: {message}"
            raise RenderError(msg)
        return parse(done.stdout, self._name(path))

    def _build_pieces(self, path: Path, error: RenderError) -> Rendered:
        """What the resources of an unbuildable kustomization give, without its transformations."""
        kustomization = self._kustomization(path)
        built = Rendered(
            (),
            (f"{self._name(path)}: built piece by piece, without its patches and generators ({error})",),
        )
        entries = [(path / str(entry)).resolve() for entry in kustomization.get("resources") or []]
        built += self._build_folders([entry for entry in entries if self._has(entry) and entry.is_dir()])
        for entry in entries:
            if not self._has(entry):
                built += Rendered((), (f"{self._name(path)}: {entry.name} is not in the repository",))
            elif entry.is_file():
                built += self._read(entry)
        if not built.manifests:
            raise error
        namespace = kustomization.get("namespace")
        if namespace:
            for manifest in built.manifests:
                # Of no effect on cluster-scoped objects: the sync drops it there.
                manifest["metadata"]["namespace"] = namespace
        return built

    def _build_folders(self, folders: list[Path]) -> Rendered:
        if not folders:
            return Rendered(())
        if len(folders) == 1:
            try:
                return self._build(folders[0])
            except RenderError as error:
                return Rendered((), (str(error),))
        try:
            return Rendered(self._together(folders))
        except RenderError:
            half = len(folders) // 2
            return self._build_folders(folders[:half]) + self._build_folders(folders[half:])

    def _together(self, folders: list[Path]) -> tuple[Manifest, ...]:
        with tempfile.TemporaryDirectory(dir=self._root, prefix=".pieces-") as directory:
            resources = [os.path.relpath(folder, directory) for folder in folders]
            Path(directory, "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources}))
            return self._kubectl(Path(directory))

    def _read(self, file: Path) -> Rendered:
        try:
            return Rendered(parse(file.read_text(), self._name(file)))
        except RenderError as error:
            return Rendered((), (str(error),))

    def _has(self, path: Path) -> bool:
        return path.is_relative_to(self._root) and path.exists()

    def _kustomization(self, path: Path) -> Manifest:
        for name in _KUSTOMIZATION_NAMES:
            file = path / name
            if file.is_file():
                try:
                    parsed = yaml.safe_load(file.read_text())
                except yaml.YAMLError:
                    return {}
                return parsed if isinstance(parsed, dict) else {}
        return {}

    def _name(self, path: Path) -> str:
        resolved = path.resolve()
        return str(resolved.relative_to(self._root)) if resolved.is_relative_to(self._root) else path.name
