"""The causes of the closed set, each made to happen on real systems in at least one case."""

from __future__ import annotations

from tests.tasks.diagnosis.cases.case import Case
from tests.tasks.diagnosis.cases.in_the_session import IN_THE_SESSION
from tests.tasks.diagnosis.cases.in_vault import IN_VAULT
from tests.tasks.diagnosis.cases.on_the_cluster import ON_THE_CLUSTER
from tests.tasks.diagnosis.cases.on_the_way import ON_THE_WAY
from tests.tasks.diagnosis.cases.reviewer_token import OF_THE_TOKEN_TO_WRITE
from tests.tasks.diagnosis.cases.unexplained import UNEXPLAINED

__all__ = ["CASES", "Case"]

CASES = [
    *IN_VAULT,
    *IN_THE_SESSION,
    *ON_THE_WAY,
    *ON_THE_CLUSTER,
    *OF_THE_TOKEN_TO_WRITE,
    *UNEXPLAINED,
]
