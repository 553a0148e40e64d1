"""Each cause: exactly that is broken, on real systems, exactly that line is said, and the remedy mends it."""

from __future__ import annotations

import pytest

from runbook.diagnosis import CAUSES
from tests.tasks.diagnosis.cases import CASES, Case
from tests.tasks.diagnosis.scene import Scene

COUNT = f"{len(CAUSES)} causes in {len(CASES)} cases, {sum(1 for case in CASES if case.mend)} of them mended"


@pytest.mark.parametrize("cases", [pytest.param(CASES, id=COUNT)])
def test_every_cause_of_the_closed_set_is_made_to_happen(cases: list[Case]) -> None:
    assert {case.cause for case in cases} == set(CAUSES)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_one_thing_that_is_broken_is_what_is_said_and_the_remedy_mends_it(
    scene: Scene, case: Case
) -> None:
    scene.values["api"] = scene.api.url
    case.break_it(scene)
    examination = scene.diagnose()
    rows = "\n".join(map(str, examination.rows))
    assert examination.causes, rows
    found = examination.causes[0]
    assert type(found) is case.cause, rows
    assert found.line == case.line.format(found=found, **scene.values), rows
    assert examination.line == f"{found.line}. {found.remedy}"
    if case.mend is not None:
        runs = scene.runs
        case.mend(scene)
        assert ("enable-cluster" in found.remedy) == (scene.runs > runs), found.remedy
        again = scene.diagnose()
        assert again.line == "the login works", "\n".join(map(str, again.rows))
