"""How a run that fails says why.

Of an exception that leaves a flow, Prefect writes a traceback into the run's log, and begins the message of
the state, of which a list of runs shows little, with words of its own. A returned state is taken as it is.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, TypeVar

from prefect import Flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Failed

from runbook.errors import EnablementError

F = TypeVar("F", bound=Flow[..., Any])


def in_words(flow: F) -> F:
    """Have a flow that fails by one of our errors end in a state whose message is the text of that.

    The flow is changed, and not its function: Prefect goes by the file that the function is in.
    """
    function = flow.fn

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except EnablementError as error:
            return _failed(error)

    @wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except EnablementError as error:
            return _failed(error)

    ending: Any = run_async if flow.isasync else run
    # Prefect would look for the names of types in this module.
    ending.__signature__ = inspect.signature(function, eval_str=True)
    flow.fn = ending
    return flow


def _failed(error: EnablementError) -> State[Any]:
    get_run_logger().debug("It was raised here:", exc_info=error)
    return Failed(message=str(error), data=error)
