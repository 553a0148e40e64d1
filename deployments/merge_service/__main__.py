"""``python -m deployments.merge_service --help``: until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys

import uvicorn

from change.gate.watch import Watch
from deployments.commands import CommandError, prefect_server
from deployments.merge_service.logs import log_to_stderr
from deployments.merge_service.loop import Loop
from deployments.merge_service.settings import read_settings
from deployments.merge_service.webhook import application
from tasks.runbooks import OTHERS, RUNBOOKS

MOST_CONNECTIONS = 256
"""At the same time; far below the 1024 open files that a process may have by default."""
_STOP_SECONDS = 5


def main() -> None:
    """Serve until a signal comes, or end the process with what is in the way."""
    try:
        settings = read_settings()
        secret = settings.read_secret()
        prefect_server()
    except CommandError as error:
        sys.exit(str(error))
    log = log_to_stderr(settings.log_format)
    # Uvicorn ends gracefully and then raises the signal once more: a look that is under way may end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(contextlib.closing(Watch(RUNBOOKS, log, others=OTHERS)))
        loop = Loop(watch, settings.interval, log)
        loop.start()
        stack.callback(loop.stop, _STOP_SECONDS)
        uvicorn.run(
            application(secret, loop, log),
            host=settings.host,
            port=settings.port,
            log_config=None,
            # Strangers send requests, and may claim any address; neither gets into the log.
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )


if __name__ == "__main__":
    main()
