"""What Prefect stores and shows, as far as its API, its database and its files go."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

from connections import GitOpsRepository
from sandbox.prefect_server import PrefectServer
from tests.eventually import eventually
from tests.secrets.places import Place, files, new_file, rows
from tests.secrets.search import Stream

DATABASE = "Prefect's database, every column of every table"
FILES = "files and logs of server and worker"


def _database(server: PrefectServer) -> Path:
    return Path(server.environment["PREFECT_HOME"]) / "prefect.db"


def catch_up(server: PrefectServer) -> None:
    """Return once every event is in the database that the server was told before."""
    mark = f"planted.{uuid4().hex}"
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "planted",
        "resource": {"prefect.resource.id": mark},
    }
    server.api.request("POST", "/events", [event])

    def is_kept() -> bool:
        kept = rows(_database(server))
        return any(mark.encode() in content for where, content in kept if "event" in where)

    eventually(is_kept, lambda: "the server does not keep its events", seconds=60, pause=0.1)


def decrypted_blocks(server: PrefectServer) -> Iterator[Stream]:
    """The Blocks in the database, decrypted as the server does it: with the key that lies beside them."""
    with closing(sqlite3.connect(f"file:{_database(server)}?mode=ro", uri=True, timeout=30)) as connection:
        (kept,) = connection.execute(
            "select value from configuration where key = 'ENCRYPTION_KEY'"
        ).fetchone()
        fernet = Fernet(json.loads(kept)["fernet_key"])
        for name, data in connection.execute("select name, data from block_document").fetchall():
            yield f"Block {name}", fernet.decrypt(json.loads(data).encode())


def of_prefect(server: PrefectServer) -> Iterator[Place]:
    """What it keeps, which is also what its API and its UI show; but a connection they show otherwise.

    Logs, artifacts, events, and runs with their parameters, labels and states are tables of its database.
    """
    home = Path(server.environment["HOME"])

    def variable(texts: Sequence[str]) -> None:
        body = {"name": f"planted_{uuid4().hex}", "value": " ".join(texts)}
        server.api.request("POST", "/variables/", body)

    def connections() -> Iterator[Stream]:
        shown = server.api.request("POST", "/block_documents/filter", {"limit": 200})
        assert len(shown) < 200
        yield "block documents", json.dumps(shown).encode()

    def connection(texts: Sequence[str]) -> None:
        fields = {"url": "https://example.com/a/b.git", "repository": "a/b", "token": "x" * 20}
        unencrypted = GitOpsRepository.model_validate(fields | {"author_name": " ".join(texts)})
        unencrypted.save(f"planted-{uuid4().hex}", _sync=True)  # type: ignore[call-arg]

    yield Place(DATABASE, lambda: rows(_database(server)), variable)
    # Also the database byte by byte: what is in SQLite's log only, and pages that nothing refers to any more.
    yield Place(FILES, lambda: files(home, home.parent / "logs"), new_file(home / "planted"))
    storage = PREFECT_LOCAL_STORAGE_PATH.value()
    yield Place("results of runs in this process", lambda: files(storage), new_file(storage))
    yield Place("connections as the API shows them", connections, connection)
