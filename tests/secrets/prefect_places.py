"""What Prefect stores, shows and announces, as far as its API, its database and its files go."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from cryptography.fernet import Fernet
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from connections import GitOpsRepository
from deployments.sandbox.prefect_api import PrefectApi
from deployments.sandbox.prefect_server import PrefectServer
from runbook.gate import LABEL
from tests.secrets.places import Place, appended, files, new_file, rows
from tests.secrets.search import Stream

_PAGE = 200
_RECORDS = "records-"
"""How the keys of the artifacts begin that `tasks.records` publishes."""


class Subscription:
    """Every event that the server announces on its websocket."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api
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

    def announce(self, texts: Sequence[str]) -> None:
        """Have an event announced with texts in it, and return once it has arrived here."""
        mark = uuid4().hex
        body = {
            "id": str(uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "planted",
            "resource": {"prefect.resource.id": f"planted.{mark}"},
            "payload": {"texts": list(texts)},
        }
        self._api.request("POST", "/events", [body])
        deadline = time.monotonic() + 60
        while not any(mark.encode() in message for message in self.messages):
            assert time.monotonic() < deadline, f"not in {len(self.messages)} messages"
            time.sleep(0.05)

    def catch_up(self) -> None:
        """Return once everything has arrived that the server was told before."""
        self.announce(())


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

    def record(texts: Sequence[str]) -> None:
        body = {"key": f"{_RECORDS}planted-{uuid4().hex}", "type": "json", "data": [{"changed": texts}]}
        api.request("POST", "/artifacts/", body)

    def run(texts: Sequence[str]) -> None:
        flow = api.request("POST", "/flows/", {"name": "planted"})["id"]
        api.request("POST", "/flow_runs/", {"flow_id": flow, "parameters": {"texts": list(texts)}})

    def label(texts: Sequence[str]) -> None:
        flow = api.request("POST", "/flows/", {"name": "planted"})["id"]
        labelled = api.request("POST", "/flow_runs/", {"flow_id": flow})["id"]
        api.request("PATCH", f"/flow_runs/{labelled}/labels", {LABEL: json.dumps({"head": texts})})

    def labels() -> Iterator[Stream]:
        for where, runs in _pages(api, "/flow_runs/filter"):
            for one in json.loads(runs):
                yield f"{where}, {one['name']}", json.dumps(one["labels"]).encode()

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
    yield Place(
        "records of changes",
        lambda: _pages(api, "/artifacts/filter", artifacts={"key": {"like_": _RECORDS}}),
        record,
    )
    yield Place("flow runs: parameters, states", lambda: _pages(api, "/flow_runs/filter"), run)
    yield Place("labels of flow runs: what the gate keeps", labels, label)
    yield Place("task runs: names, states", lambda: _pages(api, "/task_runs/filter"), task)
    yield Place(
        "connections as the API shows them", lambda: _pages(api, "/block_documents/filter"), connection
    )


def _log(message: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"name": "planted", "level": 20, "message": message, "timestamp": now}


def announced(events: Subscription) -> Iterator[Place]:
    """What goes to everybody who listens. (Logs are not announced unless the server is told to.)"""
    yield Place("events, as they are announced", events.read, events.announce)


def decrypted_blocks(server: PrefectServer) -> Iterator[Stream]:
    """The Blocks in the database, decrypted as the server does it: with the key that lies beside them."""
    database = Path(server.environment["PREFECT_HOME"]) / "prefect.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        (kept,) = connection.execute(
            "select value from configuration where key = 'ENCRYPTION_KEY'"
        ).fetchone()
        fernet = Fernet(json.loads(kept)["fernet_key"])
        for name, data in connection.execute("select name, data from block_document").fetchall():
            yield f"Block {name}", fernet.decrypt(json.loads(data).encode())


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
