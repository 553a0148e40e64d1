"""The automations of this folder, read and made fit for one Prefect server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

DIRECTORY = Path(__file__).parent
LEAST_SILENCE = 10.0
"""Seconds. Prefect takes no shorter window for what has not happened."""

Json = dict[str, Any]


def read_automations(deployment_id: Callable[[str], UUID], silence: float | None = None) -> Iterator[Json]:
    """The automations in the form that Prefect takes, in the order of their files' names.

    Args:
        deployment_id: looks up the id of a ``<flow>/<deployment>``; what it raises comes out of here.
        silence: seconds without a heartbeat after which a run counts as dead; the file's value if None.
    """
    for file in sorted(DIRECTORY.glob("*.yaml")):
        automation: Json = yaml.safe_load(file.read_text("utf-8"))
        for action in automation["actions"]:
            if "deployment_id" in action:
                action["deployment_id"] = str(deployment_id(action["deployment_id"]))
        trigger = automation["trigger"]
        if silence is not None and trigger["posture"] == "Proactive":
            trigger["within"] = silence
        yield automation
