"""Manifests, and what identifies one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

Manifest = dict[str, Any]

# libyaml where it is there: large overlays take half a minute without.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderError(Exception):
    """A folder that cannot be built; the message is kustomize's own, in one line."""


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


def parse(text: str, source: str) -> tuple[Manifest, ...]:
    """The objects of a YAML file, those of a List one by one.

    Raises:
        RenderError: no YAML, or something else than objects; ``source`` names the file.
    """
    try:
        documents = [one for one in yaml.load_all(text, Loader=_SAFE_LOADER) if one is not None]
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
