"""What a change means, so that it is recognised on a base branch days later, whatever way it came.

The edits that are missing say what a run would still do; they do not say whether what is there now is what
was proposed: a folder that somebody filled otherwise needs no edit either. So the meaning of what was
proposed is kept: of a kustomization the paths that it is to build upon, and of a new one all its other
settings, because a prefix or a patch changes what is built; of an ApplicationSet the elements of its lists,
to which others add their clusters meanwhile; of the conditions of a ClusterSecretStore the namespaces that it
is opened to, for the same reason; of any other file its documents.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from runbook.documents import documents_of, mapping_of
from runbook.gitops.application_sets.generators import generators_in
from runbook.gitops.tree import FileEdit, Kustomization, Tree, build_of, manifests_in
from runbook.kustomization import FILE_NAMES
from runbook.store_conditions import named_in, newly_named

Meaning = Mapping[str, Mapping[str, Any]]
"""By path: ``{"builds": [paths]}`` of a kustomization, of a new one also ``"namespace"`` and ``"settings"``
(hashes by key); of an ApplicationSet ``{"elements": [hashes]}``; of a store that is opened
``{"opens": [names]}``; of any other file ``{"sha256": …}``."""

_NO_SETTINGS = {"apiVersion", "kind", "namespace", "resources"}
"""Keys of a kustomization that are compared otherwise, or have one meaning only."""


def meaning_of(edits: Iterable[FileEdit]) -> dict[str, dict[str, Any]]:
    """The meaning of a change, as plain JSON."""
    return {edit.path: _of_edit(edit) for edit in edits}


def _of_edit(edit: FileEdit) -> dict[str, Any]:
    if posixpath.basename(edit.path) not in FILE_NAMES:
        elements = _elements(edit.after) - _elements(edit.before or "")
        if elements:
            return {"elements": sorted(elements)}
        opens = newly_named(mapping_of(edit.before or ""), mapping_of(edit.after))
        return {"opens": opens} if opens else {"sha256": _hash(edit.after)}
    before = Kustomization(edit.path, edit.before or "").members
    after = Kustomization(edit.path, edit.after)
    meaning: dict[str, Any] = {"builds": [path for path in after.members if path not in before]}
    if edit.before is None:
        meaning |= {"namespace": after.namespace, "settings": _settings(edit.after)}
    return meaning


def unmet(tree: Tree, meaning: Meaning) -> dict[str, str]:
    """What of a change is not in ``tree``: by path, why, for a person. Empty when all of it is there."""
    found = {path: _unmet(tree, path, wanted) for path, wanted in meaning.items()}
    return {path: why for path, why in found.items() if why}


def _unmet(tree: Tree, path: str, wanted: Mapping[str, Any]) -> str:
    text = tree.read(path)
    if text is None:
        return "is not there"
    if "builds" not in wanted:
        return _unmet_of_file(text, wanted)
    there = Kustomization(path, text)
    if "namespace" in wanted and there.namespace != wanted["namespace"]:
        return f"is for the namespace {there.namespace}, not {wanted['namespace']}"
    # A record of an older version knows nothing of settings.
    settings, proposed = _settings(text), wanted.get("settings")
    if proposed is not None and settings != proposed:
        keys = {key for key in settings | proposed if settings.get(key) != proposed.get(key)}
        return f"has other settings than proposed: {', '.join(sorted(keys))}"
    # Also what another kustomization below it builds upon counts: the entry may have moved to a common one.
    build = build_of(tree, there.folder)
    lacking = [each for each in wanted["builds"] if each not in build.folders and each not in build.files]
    return f"does not include {', '.join(lacking)}" if lacking else ""


def _unmet_of_file(text: str, wanted: Mapping[str, Any]) -> str:
    """The same of a file that is no kustomization."""
    if "elements" in wanted:
        return "" if _elements(text) >= set(wanted["elements"]) else "lacks the proposed element of its list"
    if "opens" in wanted:
        closed = set(wanted["opens"]).difference(named_in(mapping_of(text).get("spec")))
        return f"does not name {', '.join(sorted(closed))} in its conditions" if closed else ""
    return "" if _hash(text) == wanted["sha256"] else "differs from what was proposed"


def fingerprint(edits: Sequence[FileEdit], lacking: Mapping[str, str]) -> str:
    """Sixteen hex digits over what is still to be done and what is not met; another base may change them."""
    return _digest([sorted((edit.path, edit.after) for edit in edits), sorted(lacking.items())])


def _digest(value: Any) -> str:
    meant = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(meant.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _hash(text: str) -> str:
    """Of the documents, not of how they are written down; of the text where it is not YAML."""
    try:
        return _digest(documents_of(text))
    except (yaml.YAMLError, TypeError, ValueError):
        return _digest(text)


def _elements(text: str) -> set[str]:
    """Hashes of the elements in the lists of ApplicationSets."""
    sets = manifests_in(text, "ApplicationSet")
    return {_setting(element) for one in sets for element in generators_in(one, "list", "elements")}


def _settings(text: str) -> dict[str, str]:
    return {str(key): _setting(value) for key, value in mapping_of(text).items() if key not in _NO_SETTINGS}


def _setting(value: Any) -> str:
    try:
        return _digest(value)
    except (TypeError, ValueError):
        return "cannot be compared"  # as an anchor within itself
