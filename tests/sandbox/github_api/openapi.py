"""GitHub's own description of its API, and whether an answer fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from tests.npm import fetch

PACKAGE = "@octokit/openapi@23.0.2"


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 in the terms of JSON Schema, without saying which fields an answer must have.

    ``nullable`` is an OpenAPI word, and allows null. Of alternatives, more than one may fit then.
    """
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    turned = {"anyOf" if key == "oneOf" else key: _as_json_schema(value) for key, value in node.items()}
    if isinstance(turned.get("required"), list):
        del turned["required"]
    if turned.pop("nullable", False) is True:
        return {"anyOf": [turned, {"type": "null"}]}
    return turned


class Description:
    """The description, fetched with npm into ``folder`` and turned into JSON Schema."""

    def __init__(self, folder: Path) -> None:
        whole = json.loads(fetch(PACKAGE, "package/generated/api.github.com.json", folder))
        self._content = _as_json_schema({key: whole[key] for key in ("paths", "components", "x-webhooks")})

    def problems(self, method: str, template: str, status: int, answer: Any) -> list[str]:
        """Where an answer departs from what is described for this request and status."""
        responses = self._content["paths"][template][method.lower()]["responses"]
        return list(self._departures(self._resolved(responses[str(status)]), answer))

    def webhook_problems(self, name: str, payload: Any) -> list[str]:
        """Where a webhook's payload departs from its description; ``name`` is such as ``push``."""
        return list(self._departures(self._content["x-webhooks"][name]["post"]["requestBody"], payload))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._content
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _departures(self, body: dict[str, Any], value: Any) -> Iterator[str]:
        schema = self._resolved(body["content"]["application/json"]["schema"])
        if isinstance(value, dict):
            yield from (f"{name}: is no field of GitHub's" for name in value.keys() - self._fields(schema))
        validator = Draft7Validator({"allOf": [schema], "components": self._content["components"]})
        for error in validator.iter_errors(value):
            for leaf in [error, *(error.context or ())]:
                yield f"{'.'.join(map(str, leaf.absolute_path)) or 'the answer'}: {leaf.message[:200]}"

    def _fields(self, schema: dict[str, Any]) -> set[str]:
        parts = [self._resolved(each) for word in ("allOf", "anyOf") for each in schema.get(word, ())]
        return {*schema.get("properties", ()), *(name for part in parts for name in self._fields(part))}
