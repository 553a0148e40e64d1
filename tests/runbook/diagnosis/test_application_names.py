"""Remedies name the Applications to sync as they are built, or by what they deploy where nobody knows."""

from __future__ import annotations

import re

import pytest

from runbook.application_names import INSTALLING, OPERATOR, RESOURCES, ApplicationNames
from runbook.diagnosis.cause import Cause, Kind
from runbook.diagnosis.causes import Causes
from runbook.diagnosis.examination import Examination
from tests.runbook.diagnosis.test_docs import example

NAMES = ApplicationNames("apps-of-ember", "resources-osc", "operators-osc", namespace="bundle-osc")
WORDS = {RESOURCES: "resources-osc", OPERATOR: "operators-osc", INSTALLING: "bundle-osc"}
SPEAKS_OF_ONE = [kind for kind in Causes if "Application" in example(kind).remedy]


def line(cause: Cause, names: ApplicationNames) -> str:
    return Examination((), (cause,), (), works=False, applications=names).line


@pytest.mark.parametrize("kind", SPEAKS_OF_ONE)
def test_an_application_has_the_name_that_is_known(kind: Kind) -> None:
    cause = example(kind)
    in_words = line(cause, ApplicationNames())
    assert cause.remedy in in_words
    (words,) = (words for words in WORDS if words in in_words)
    named = line(cause, NAMES)
    assert named == in_words.replace(words, WORDS[words])
    assert "Application" not in named


def test_no_cause_takes_a_name_for_granted() -> None:
    taken = re.compile(r"cluster-resources|external-secrets(-\s*\w+)? Application")
    assert not [kind for kind in Causes if taken.search(example(kind).remedy)]
    assert len(SPEAKS_OF_ONE) > 6
