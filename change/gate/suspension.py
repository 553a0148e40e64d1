"""Look, suspend the run while there is nothing, look again: the one loop for all that a run waits for.

Waiting costs nothing: the run's process ends, and whoever resumes the run only wakes it up.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeVar

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key

Found = TypeVar("Found")
Form = TypeVar("Form", bound=RunInput)


def used_keys(run: FlowRun | None, prefix: str) -> list[str]:
    """Keys that begin so, with which a run was suspended, oldest first: a number follows the prefix."""
    keys = (run.empirical_policy.pause_keys if run else None) or ()
    return sorted(
        (key for key in keys if key.startswith(prefix)),
        key=lambda key: int(key.removeprefix(prefix).split("-", maxsplit=1)[0]),
    )


def run_in_execution() -> FlowRun | None:
    """The run as it was when its execution began, with the keys of its suspensions."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


async def suspended_until(
    form: type[Form],
    prefix: str,
    heard: Callable[[Form, str], None],
    find: Callable[[], Found | None],
    show: Callable[[], tuple[str, str]],
) -> Found:
    """What ``find`` finds; the run is suspended while that is None.

    A resume between look and suspension is lost, and anybody can resume: so each look is followed by another.
    Each suspension has a key of its own. Prefect answers a key that was used at once, with what the person
    who resumed the run filled in.

    Args:
        form: what a person may fill in.
        prefix: of the keys.
        heard: takes what was filled in last, and the key with which it was asked for.
        find: looks.
        show: what follows the number in the next key, and the description above the form.
    """
    keys = used_keys(run_in_execution(), prefix)
    if keys:
        # Loaded here: suspending again with the used key would answer too, and log that the run suspends.
        heard(await form.aload(keyset_from_base_key(f"suspended-{keys[-1]}")), keys[-1])
    for number in count(len(keys) + 1):
        found = find()
        if found is not None:
            return found
        suffix, description = show()
        asked = form.with_initial_data(description=description)
        await asuspend_flow_run(wait_for_input=asked, key=f"{prefix}{number}{suffix}", timeout=None)
    raise AssertionError  # count() does not end
