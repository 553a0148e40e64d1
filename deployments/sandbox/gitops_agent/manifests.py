"""Manifests as `kubectl kustomize` renders them, and what identifies one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

_RENDER_SECONDS = 60
_KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class RenderError(Exception):
    """A folder that kustomize cannot build; the message is its own, in one line."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """What tells one object of a cluster from another. ``namespace`` is empty for cluster-scoped ones."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As people write it: ``SecretStore web/opf-vault-store``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @classmethod
    def of(cls, manifest: Manifest) -> Identity:
        """The identity of a manifest, as it is written."""
        metadata = manifest["metadata"]
        return cls(
            str(manifest["apiVersion"]),
            str(manifest["kind"]),
            str(metadata.get("namespace") or ""),
            str(metadata["name"]),
        )


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of a folder, and what of it could not be built (a sentence each)."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[str, ...] = ()


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
        return _objects(done.stdout, self._name(path))

    def _build_pieces(self, path: Path, error: RenderError) -> Rendered:
        """What the resources of an unbuildable kustomization give one by one, without its transformations."""
        kustomization = self._kustomization(path)
        manifests: list[Manifest] = []
        left_out = [f"{self._name(path)}: built piece by piece, without its patches and generators ({error})"]
        for entry in kustomization.get("resources") or []:
            try:
                piece = self._piece(path / str(entry))
            except RenderError as reason:
                left_out.append(str(reason))
                continue
            manifests += piece.manifests
            left_out += piece.left_out
        if not manifests:
            raise error
        namespace = kustomization.get("namespace")
        if namespace:
            for manifest in manifests:
                # Of no effect on cluster-scoped objects: the sync drops it there.
                manifest["metadata"]["namespace"] = namespace
        return Rendered(tuple(manifests), tuple(left_out))

    def _piece(self, path: Path) -> Rendered:
        resolved = path.resolve()
        if not resolved.is_relative_to(self._root) or not resolved.exists():
            msg = f"{path.name}: is not in the repository"
            raise RenderError(msg)
        if resolved.is_dir():
            return self._build(resolved)
        return Rendered(_objects(resolved.read_text(), self._name(resolved)))

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


def _objects(text: str, source: str) -> tuple[Manifest, ...]:
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        msg = f"{source}: is not YAML ({' '.join(str(error).split())})"
        raise RenderError(msg) from None
    manifests: list[Manifest] = []
    for document in documents:
        inner = (
            document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else None
        )
        manifests += inner if isinstance(inner, list) else [document]
    for manifest in manifests:
        if not _is_manifest(manifest):
            msg = f"{source}: holds a document without apiVersion, kind and metadata.name"
            raise RenderError(msg)
    return tuple(manifests)


def _is_manifest(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("apiVersion"), str)
        and isinstance(document.get("kind"), str)
        and isinstance(document.get("metadata"), dict)
        and isinstance(document["metadata"].get("name"), str)
    )
