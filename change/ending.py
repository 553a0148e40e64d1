"""How a run that fails says why.

Of an exception that leaves a flow, Prefect writes a traceback into the run's log, and begins the message of
the state, of which a list of runs shows little, with words of its own. A returned state is taken as it is.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, TypeVar

from prefect import Flow, get_run_logger
from prefect.context import SyncClientContext
from prefect.states import Failed

from change.execution import execution
from runbook.errors import EnablementError

F = TypeVar("F", bound=Flow[..., Any])


def in_words(flow: F) -> F:
    """Have an async flow that fails by one of our errors end in a state whose message is the text of that.

    What its steps share ends before it: see `change.execution`.

    The flow is changed, and not its function: Prefect goes by the file that the function is in.
    """
    function = flow.fn

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        try:
            # One client of Prefect's API for all tasks: each reads the machine's certificates, for 40 ms.
            with execution(), SyncClientContext.get_or_create():
                return await function(*args, **kwargs)
        except EnablementError as error:
            get_run_logger().debug("It was raised here:", exc_info=error)
            return Failed(message=str(error), data=error)

    # Prefect would look for the names of types in this module.
    flow.fn, run.__signature__ = run, inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
    return flow
