"""``python -m deployments.merge_service --help``: until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import signal
import sqlite3
import sys
import threading

from prefect.settings import PREFECT_API_URL

from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings, SettingsError, read_settings
from tasks.watch import Watch

_CHECK_SECONDS = 1.0


def main() -> int:
    """Returns 0 after a signal, 1 when it could not start or a part of it ended by itself."""
    try:
        settings = read_settings()
        if not PREFECT_API_URL.value():
            msg = "No Prefect server is named; set PREFECT_API_URL, for example to http://127.0.0.1:4200/api."
            raise SettingsError(msg)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING, stream=sys.stderr, force=True
    )
    log = logging.getLogger("merge_service")
    log.setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return _serve(settings, stop, log)


def _serve(settings: Settings, stop: threading.Event, log: logging.Logger) -> int:
    watch = Watch(log)
    try:
        service = MergeService(settings, watch, log)
    except (OSError, sqlite3.Error) as error:
        where = f"{settings.host}:{settings.port} with {settings.state_directory}"
        print(f"The service cannot start on {where}: {error}", file=sys.stderr)
        return 1
    with contextlib.closing(watch), service:
        log.info("Listening on %s, looking every %.0f s.", service.url, settings.interval)
        while not stop.wait(_CHECK_SECONDS):
            if not service.is_alive():
                log.error(
                    "A part of the service has ended by itself; the service ends so that it is restarted."
                )
                return 1
    log.info("Ended.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
