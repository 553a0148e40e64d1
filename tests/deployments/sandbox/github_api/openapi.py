"""GitHub's own description of its API, and whether an answer fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.protocols import Validator

from tests.npm import fetch

PACKAGE = "@octokit/openapi@23.0.2"
_FILE = "package/generated/api.github.com.json"


def download(folder: Path) -> Path:
    """Fetch the package with npm into ``folder`` and return the description's path."""
    path = folder / "description.json"
    path.write_bytes(fetch(PACKAGE, _FILE, folder))
    return path


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 in the terms of JSON Schema: ``nullable`` is an OpenAPI word, and allows null."""
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    turned = {key: _as_json_schema(value) for key, value in node.items()}
    if turned.pop("nullable", False) is True:
        return {"anyOf": [turned, {"type": "null"}]}
    return turned


def _formats() -> FormatChecker:
    checker = FormatChecker(("date-time",))

    @checker.checks("uri")  # type: ignore[untyped-decorator]
    def is_uri(value: object) -> bool:
        return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)

    return checker


@dataclass(frozen=True)
class Description:
    """The description, turned into JSON Schema."""

    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Description:
        whole = json.loads(path.read_text("utf-8"))
        kept = {key: whole[key] for key in ("paths", "components", "x-webhooks") if key in whole}
        return cls(_as_json_schema(kept))

    def problems(self, method: str, template: str, status: int, answer: Any) -> list[str]:
        """Where an answer departs from what is described for this request and status."""
        response = self._resolved(self.content["paths"][template][method.lower()]["responses"][str(status)])
        return list(self._departures(response["content"]["application/json"]["schema"], answer))

    def webhook_problems(self, name: str, payload: Any) -> list[str]:
        """Where a webhook's payload departs from its description; ``name`` is such as ``push``."""
        body = self.content["x-webhooks"][name]["post"]["requestBody"]
        return list(self._departures(body["content"]["application/json"]["schema"], payload))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.content
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _departures(self, schema: dict[str, Any], value: Any) -> Iterator[str]:
        validator: Validator = Draft7Validator(
            {"allOf": [schema], "components": self.content["components"]}, format_checker=_formats()
        )
        for error in validator.iter_errors(value):
            for leaf in [error, *(error.context or ())]:
                yield f"{'.'.join(map(str, leaf.absolute_path)) or 'the answer'}: {leaf.message[:200]}"
