"""One YAML file that names every system: read, checked as a whole, and turned into connections.

The file can lie in Git, because its secrets are references: ``{env: NAME}`` reads an environment variable,
``{file: path}`` a file (relative to the YAML file). A secret that is written out is refused. The fields are
those of the Blocks in `connections`; what is a secret there is a secret here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from prefect.blocks.core import Block
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from connections import ClusterConnection, GitOpsRepository, RunbookConventions, VaultConnection
from connections.fields import problems_of
from deployments.commands import CommandError
from runbook.conventions import RUNBOOK, Conventions
from runbook.documents import DuplicateKey, document_of
from runbook.errors import InvalidInput
from runbook.names import Cluster, check_cluster_name, check_name, connection_name

_CONVENTIONS = "conventions"
_SECTIONS: dict[str, type[Block]] = {
    "vault": VaultConnection,
    "gitops": GitOpsRepository,
    _CONVENTIONS: RunbookConventions,
}
_CLUSTERS = "clusters"
_ORDER = ("vault", "gitops", _CLUSTERS, _CONVENTIONS)
_REFERENCES = ("env", "file")
_NAME = "name"


class ConnectionFileError(CommandError):
    """Everything that is wrong with a file, one line each in ``problems``. Never with a value of a secret."""

    def __init__(self, file: Path, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join([f"{file}: nothing was done", *(f"  {line}" for line in problems)]))


@dataclass(frozen=True, slots=True)
class NamedConnection:
    """A Block that was not saved yet, and the name to save it under."""

    name: str
    block: Block

    def __str__(self) -> str:
        return f"{self.block.get_block_type_slug()}/{self.name}"


@dataclass(slots=True)
class _Reader:
    directory: Path
    environ: Mapping[str, str]
    problems: list[str] = field(default_factory=list)
    connections: list[NamedConnection] = field(default_factory=list)

    def read(self, document: Any) -> None:
        known = ", ".join(_ORDER)
        if not isinstance(document, Mapping) or not document:
            self.problems.append(f"must be a mapping with the sections {known}")
            return
        for section in document:
            if section not in _ORDER:
                self.problems.append(f"{section}: is not a section; sections are {known}")
        for section, block_class in _SECTIONS.items():
            if section in document:
                self._read_connection(section, block_class, document[section], section)
        clusters = document.get(_CLUSTERS, {})
        if not isinstance(clusters, Mapping):
            self.problems.append(f"{_CLUSTERS}: must be a mapping from each cluster's name to its connection")
            return
        saved_as: dict[str, str] = {}
        for name, values in clusters.items():
            where, block = f"{_CLUSTERS}.{name}", connection_name(str(name))
            try:
                check_cluster_name(where, str(name))
            except InvalidInput as error:
                self.problems.append(f"{where}: {error}")
                continue
            if block in saved_as:
                self.problems.append(
                    f"{where}: its connection is called {block!r}, as that of {saved_as[block]}"
                )
                continue
            saved_as[block] = where
            self._read_connection(where, ClusterConnection, values, block)

    def read_targets(self, document: Any) -> tuple[tuple[Cluster, ...], str]:
        given = document if isinstance(document, Mapping) else {}
        vault, clusters = given.get("vault"), given.get(_CLUSTERS)
        namespace = vault.get("namespace") if isinstance(vault, Mapping) else None
        conventions, targets = self.conventions(given.get(_CONVENTIONS)), []
        for name, values in (clusters if isinstance(clusters, Mapping) else {}).items():
            env = values.get("env") if isinstance(values, Mapping) else None
            where = f"{_CLUSTERS}.{name}.env"
            if env is None and conventions.environments:
                self.problems.append(f"{where}: is missing; it is the folder above the cluster's")
                continue
            try:
                resolved = str(self._resolve(where, env, secret=False) or "")
                targets.append(Cluster(resolved, str(name), conventions))
            except InvalidInput as error:
                self.problems.append(f"{where}: {error}")
        if not targets and not self.problems:
            self.problems.append(f"{_CLUSTERS}: names no cluster")
        return tuple(targets), self._resolve("vault.namespace", namespace, secret=False) or ""

    def conventions(self, values: Any) -> Conventions:
        if values is None:
            return RUNBOOK
        before = len(self.connections)
        self._read_connection(_CONVENTIONS, RunbookConventions, values, _CONVENTIONS)
        found = [one.block for one in self.connections[before:] if isinstance(one.block, RunbookConventions)]
        return found[0].described if found else RUNBOOK

    def _read_connection(self, where: str, block_class: type[Block], values: Any, name: str) -> None:
        if not isinstance(values, Mapping):
            self.problems.append(f"{where}: must be a mapping of fields")
            return
        before = len(self.problems)
        given = dict(values)
        if block_class is not ClusterConnection:
            name = str(given.pop(_NAME, name))
        try:
            check_name(f"{where}, the connection's name", name)
        except InvalidInput as error:
            self.problems.append(f"{where}: {error}")
        known = {key: info for key, info in block_class.model_fields.items() if not key.startswith("_")}
        fields = ", ".join(sorted(known))
        self.problems += [
            f"{where}.{key}: is not a field; fields are {fields}" for key in given if key not in known
        ]
        for key, info in known.items():
            if key in given:
                given[key] = self._resolve(f"{where}.{key}", given[key], secret=_is_secret(info))
            elif info.is_required():
                self.problems.append(f"{where}.{key}: is missing")
        if len(self.problems) > before:
            return  # values are missing now: what the Block would say about them helps nobody
        try:
            self.connections.append(NamedConnection(name, block_class(**given)))
        except ValidationError as error:
            self.problems += problems_of(error, where)

    def _resolve(self, where: str, value: Any, *, secret: bool) -> Any:
        if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _REFERENCES:
            ((kind, target),) = value.items()
            text = self._from_environment(where, target) if kind == "env" else self._from_file(where, target)
            return SecretStr(text) if secret and text is not None else text
        if isinstance(value, Mapping) and not secret:
            return {key: self._resolve(f"{where}.{key}", one, secret=False) for key, one in value.items()}
        if secret and value is not None:
            self.problems.append(
                f"{where}: is a secret, which must not be in this file; write {{env: NAME}} or {{file: path}}"
            )
            return None
        return value

    def _from_environment(self, where: str, name: Any) -> str | None:
        value = self.environ.get(str(name), "").strip()
        if not value:
            self.problems.append(f"{where}: the environment variable {name} is not set")
            return None
        return value

    def _from_file(self, where: str, name: Any) -> str | None:
        path = self.directory / Path(str(name)).expanduser()
        try:
            # The comments of CA bundles are in any encoding; they do not count.
            text = path.read_text("utf-8", errors="replace").strip()
        except OSError as error:
            self.problems.append(f"{where}: the file {path} cannot be read: {error.strerror}")
            return None
        if text and "\0" not in text:
            return text
        self.problems.append(f"{where}: the file {path} " + ("is not text" if text else "is empty"))
        return None


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in (info.annotation, *get_args(info.annotation))


def read_connections(file: Path, environ: Mapping[str, str] = os.environ) -> list[NamedConnection]:
    """Read a file and resolve its references.

    Args:
        file: YAML; see ``connections.example.yaml`` beside this module.
        environ: where ``{env: NAME}`` looks.

    Returns:
        The connections, not saved: Vault, the repository, the conventions, then the clusters in the file's
        order.

    Raises:
        ConnectionFileError: with everything that is wrong.
    """
    reader = _Reader(file.resolve().parent, environ)
    reader.read(_document(file))
    if reader.problems:
        raise ConnectionFileError(file, reader.problems)
    return reader.connections


def read_targets(file: Path, environ: Mapping[str, str] = os.environ) -> tuple[tuple[Cluster, ...], str]:
    """The clusters of a file, and the namespace of Vault; its secrets need not be there yet.

    Raises:
        ConnectionFileError: it names no cluster, or not the environment of one.
    """
    reader = _Reader(file.resolve().parent, environ)
    found = reader.read_targets(_document(file))
    if reader.problems:
        raise ConnectionFileError(file, reader.problems)
    return found


def read_conventions(file: Path, environ: Mapping[str, str] = os.environ) -> Conventions:
    """The names of an organisation in a file; the runbook's where it has none.

    Raises:
        ConnectionFileError: with everything that is wrong with them.
    """
    reader = _Reader(file.resolve().parent, environ)
    document = _document(file)
    found = reader.conventions(document.get(_CONVENTIONS) if isinstance(document, Mapping) else None)
    if reader.problems:
        raise ConnectionFileError(file, reader.problems)
    return found


def _document(file: Path) -> Any:
    try:
        return document_of(file.read_text("utf-8"), unique_keys=True)
    except OSError as error:
        raise ConnectionFileError(file, [f"cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, ValueError) as error:
        # Its message quotes the text, which may hold a secret; the place is enough.
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        what = "has a key twice" if isinstance(error, DuplicateKey) else "is not YAML"
        raise ConnectionFileError(file, [f"{place}{what}"]) from None
