"""Each cause: exactly that is broken, on real systems, exactly that is said, and the remedy mends it."""

from __future__ import annotations

import pytest

from runbook.diagnosis.causes import Causes
from tests.tasks.diagnosis.cases import CASES, Case
from tests.tasks.diagnosis.scene import Scene

COUNT = f"{len(Causes)} causes in {len(CASES)} cases, {sum(1 for case in CASES if case.mend)} of them mended"


@pytest.mark.parametrize("cases", [pytest.param(CASES, id=COUNT)])
def test_every_cause_of_the_closed_set_is_made_to_happen(cases: list[Case]) -> None:
    # Always a warning, and never the first thing to say: see test_store.
    assert {case.cause for case in cases} == set(Causes) - {Causes.EXTERNAL_SECRET_NOT_SYNCED}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.name.lower())
def test_the_one_thing_that_is_broken_is_what_is_said_and_the_remedy_mends_it(
    scene: Scene, case: Case
) -> None:
    case.break_it(scene)
    examination = scene.diagnose()
    rows = "\n".join(map(str, examination.rows))
    assert examination.causes or examination.warnings, rows
    found = (*examination.causes, *examination.warnings)[0]
    assert found == case.expected(found, scene), rows
    if examination.causes:
        assert examination.line == f"{found.line}. {found.remedy}"
    else:
        assert examination.line == f"the login works; but {found.line}"
    if case.mend is not None:
        runs = scene.runs
        case.mend(scene)
        # Where a run is the last resort only, the case is one of those that come before it.
        expected = "enable-cluster" in found.remedy and "If it is neither" not in found.remedy
        assert expected == (scene.runs > runs), found.remedy
        again = scene.diagnose()
        assert again.line == "the login works", "\n".join(map(str, again.rows))
