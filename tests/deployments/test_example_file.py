"""The example file of connections has every field, and shows the defaults as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from connections import ClusterConnection, GitOpsRepository, RunbookConventions, VaultConnection
from runbook.conventions import RUNBOOK, Conventions
from runbook.layout import Layout

EXAMPLE = (Path(__file__).parents[2] / "deployments" / "connections.example.yaml").read_text()


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    """Names of all fields of a model, and of the models in it."""
    for name, field in model.model_fields.items():
        if name.startswith("_"):
            continue
        yield name
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from fields_of(inner)


@pytest.mark.parametrize("block", [VaultConnection, GitOpsRepository, ClusterConnection, RunbookConventions])
def test_every_field_is_in_the_example(block: type[BaseModel]) -> None:
    documented = set(re.findall(r"^[\s#]*(\w+):", EXAMPLE, re.MULTILINE))
    assert not set(fields_of(block)) - documented


def shown(section: str) -> dict[str, object]:
    """A commented section of the example, without what is commented in it once more."""
    lines = re.split(rf"^( *)# {section}:\n", EXAMPLE, flags=re.MULTILINE)
    indent, below = lines[1], lines[2]
    body = re.match(rf"({indent}#   .*\n)+", below)
    assert body
    texts = (line.removeprefix(f"{indent}#") for line in body[0].splitlines())
    kept = "\n".join(text for text in texts if not text.strip().startswith("#"))
    found: dict[str, object] = yaml.safe_load(kept)
    return found


def test_the_conventions_in_the_example_are_the_defaults() -> None:
    values = shown("conventions")
    assert values.pop("name") == "conventions"
    assert Conventions.model_validate(values) == RUNBOOK
    assert set(values) == set(Conventions.model_fields)


def test_the_layout_in_the_example_is_the_default() -> None:
    assert shown("layout") == Layout().model_dump()


def organisations() -> Iterator[dict[str, dict[str, object]]]:
    """The files of connections in the documentation, as far as they are written out there."""
    page = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    yield from map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


def test_the_organisations_in_the_documentation_are_described_as_it_is_read() -> None:
    described = list(organisations())
    assert len(described) > 1
    for file in described:
        assert Layout.model_validate(file["gitops"]["layout"]) != Layout()
        Conventions.model_validate(file.get("conventions", {}))
