"""A cause is made with exactly the fields that its entry names. The type checker does not see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from runbook.diagnosis.cause import Kind
from runbook.diagnosis.causes import Causes
from tests.runbook.diagnosis.test_docs import fields_of

ROOT = Path(__file__).parents[3]
KINDS = {f"{type(kind).__name__}.{kind.name}": kind for kind in Causes}
MADE_OF_EITHER = {"kind": ("Causes.CONFIG_OF_OTHERS_DECIDES", "Causes.CONFIG_OF_OTHERS")}


def made() -> Iterator[tuple[str, Kind, set[str]]]:
    """Where a cause is made, of which kind, and with which fields."""
    for path in [*(ROOT / "runbook").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            whose = ast.unparse(call.func.value)
            for name in MADE_OF_EITHER.get(whose, (whose,)):
                if call.func.attr == "of" and name in KINDS:
                    fields = {str(given.arg) for given in call.keywords}
                    yield f"{path.name}:{call.lineno}", KINDS[name], fields


def test_every_cause_is_made_with_the_fields_of_its_entry() -> None:
    calls = list(made())
    assert {kind for _, kind, _ in calls} == set(Causes)
    assert not [(where, kind) for where, kind, fields in calls if fields != fields_of(kind)]
