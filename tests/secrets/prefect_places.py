"""What Prefect stores, shows and announces, as far as its API, its database and its files go."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from prefect.settings import PREFECT_LOCAL_STORAGE_PATH
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connections import GitOpsRepository
from deployments.sandbox.prefect_api import PrefectApi
from deployments.sandbox.prefect_server import PrefectServer
from tests.secrets.places import Place, appended, files, new_file, rows
from tests.secrets.search import Stream

_PAGE = 200


class Subscription:
    """Every event that the server announces on its websocket."""

    def __init__(self, api: PrefectApi) -> None:
        self._socket = connect(f"ws{api.url.removeprefix('http')}/events/out", max_size=None)
        # Where nothing is said, those until now are meant.
        until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        wanted = {"type": "filter", "filter": {"occurred": {"until": until}}, "backfill": False}
        self._socket.send(json.dumps(wanted))
        self._thread = threading.Thread(target=self._listen, name="subscription to events", daemon=True)
        self.messages: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._thread.join(10)

    def _listen(self) -> None:
        try:
            for message in self._socket:
                self.messages.append(message if isinstance(message, bytes) else message.encode())
        except ConnectionClosed:
            return

    def read(self) -> Iterator[Stream]:
        """The messages so far."""
        yield f"{len(self.messages)} messages", b"\n".join(self.messages)

    def wait_for(self, text: str) -> None:
        """Return once a message holds ``text``."""
        deadline = time.monotonic() + 60
        while not any(text.encode() in message for message in self.messages):
            assert time.monotonic() < deadline, f"not in {len(self.messages)} messages"
            time.sleep(0.05)


def _pages(api: PrefectApi, path: str, **body: Any) -> Iterator[Stream]:
    for offset in range(0, 1_000_000, _PAGE):
        found = api.request("POST", path, {**body, "limit": _PAGE, "offset": offset})
        yield f"{path} from {offset}", json.dumps(found).encode()
        if len(found) < _PAGE:
            return


def shown_by_the_api(api: PrefectApi) -> Iterator[Place]:
    """What anybody with access to the API or the UI sees."""

    def log(texts: Sequence[str]) -> None:
        api.request("POST", "/logs/", [_log(" ".join(texts))])

    def artifact(texts: Sequence[str]) -> None:
        body = {"key": f"planted-{uuid4().hex}", "type": "markdown", "data": "\n".join(texts)}
        api.request("POST", "/artifacts/", body)

    def run(texts: Sequence[str]) -> None:
        flow = api.request("POST", "/flows/", {"name": "planted"})["id"]
        api.request("POST", "/flow_runs/", {"flow_id": flow, "parameters": {"texts": list(texts)}})

    def task(texts: Sequence[str]) -> None:
        flow = api.request("POST", "/flows/", {"name": "planted"})["id"]
        above = api.request("POST", "/flow_runs/", {"flow_id": flow})["id"]
        state = {"type": "FAILED", "message": " ".join(texts)}
        body = {"flow_run_id": above, "task_key": "planted", "dynamic_key": "0", "state": state}
        api.request("POST", "/task_runs/", body)

    def connection(texts: Sequence[str]) -> None:
        unencrypted = GitOpsRepository.model_validate(
            {
                "url": "https://example.com/a/b.git",
                "repository": "a/b",
                "token": "x" * 20,
                "author_name": " ".join(texts),
            }
        )
        unencrypted.save(f"planted-{uuid4().hex}", _sync=True)  # type: ignore[call-arg]

    # Logs below INFO, too.
    yield Place("logs of flows", lambda: _pages(api, "/logs/filter", logs={"level": {"ge_": 0}}), log)
    yield Place("artifacts", lambda: _pages(api, "/artifacts/filter"), artifact)
    yield Place("flow runs: parameters, states", lambda: _pages(api, "/flow_runs/filter"), run)
    yield Place("task runs: names, states", lambda: _pages(api, "/task_runs/filter"), task)
    yield Place(
        "connections as the API shows them", lambda: _pages(api, "/block_documents/filter"), connection
    )


def _log(message: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"name": "planted", "level": 20, "message": message, "timestamp": now}


def announced(api: PrefectApi, events: Subscription) -> Iterator[Place]:
    """What goes to everybody who listens. (Logs are not announced unless the server is told to.)"""

    def event(texts: Sequence[str]) -> None:
        mark = uuid4().hex
        body = {
            "id": str(uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "planted",
            "resource": {"prefect.resource.id": f"planted.{mark}"},
            "payload": {"texts": list(texts)},
        }
        api.request("POST", "/events", [body])
        events.wait_for(mark)

    yield Place("events, as they are announced", events.read, event)


def stored(server: PrefectServer) -> Iterator[Place]:
    """Database, results, logs and whatever else server and worker leave on disk."""
    prefect = Path(server.environment["PREFECT_HOME"])
    home = Path(server.environment["HOME"])
    database = prefect / "prefect.db"

    def variable(texts: Sequence[str]) -> None:
        body = {"name": f"planted_{uuid4().hex}", "value": " ".join(texts)}
        server.api.request("POST", "/variables/", body)

    def of_database() -> Iterator[Stream]:
        # SQLite's log of what is not in the database yet, too, and pages that nothing refers to any more.
        return files(*prefect.glob("prefect.db*"))

    yield Place("Prefect's database, every column of every table", lambda: rows(database), variable)
    yield Place("Prefect's database, byte by byte", of_database, variable)
    for whose, storage in {
        "the worker": prefect / "storage",
        "runs in this process": PREFECT_LOCAL_STORAGE_PATH.value(),
    }.items():
        yield Place(f"results of {whose}", partial(files, storage), new_file(storage))
    yield Place(
        "home directory of server and worker",
        lambda: files(*(path for path in home.iterdir() if path != prefect)),
        new_file(home / "planted"),
    )
    for name in ("prefect-server", "worker"):
        log = home.parent / "logs" / f"{name}.log"
        yield Place(f"log of the {name}", partial(files, log), appended(log))
