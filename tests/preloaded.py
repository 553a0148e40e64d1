"""What the process imports from which runs are forked, see `tests.processes`; no other process imports this.

Half of what a run costs is what libraries import and build when they are first used.
"""

from __future__ import annotations

import gc

import tests.processes  # noqa: F401 - the flow, and everything that it imports
from runbook.policy_rules import rules_of

rules_of("")  # builds the parser
gc.collect()
gc.freeze()  # a child that collects what is here would copy its pages
