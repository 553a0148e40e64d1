"""Which deliveries were seen already, kept in a small SQLite file so that a restart forgets none.

GitHub signs the body and not the headers: whoever caught a delivery can send it again under another id. So
the body is remembered beside the id, and either of them makes a delivery known. Of both only a hash is kept:
an id is whatever its sender made it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path

KEPT = 10_000
"""How many are remembered; the oldest are forgotten first. Weeks of a busy repository."""

_SCHEMA = """
create table if not exists delivery (
    number integer primary key autoincrement,
    id text not null unique,
    body blob not null unique
)
"""


class SeenDeliveries:
    """A bounded memory of deliveries. May be used by several threads."""

    def __init__(self, file: Path, kept: int = KEPT) -> None:
        """
        Args:
            file: made (0600) if it is not there; its folder too.
            kept: how many to remember.

        Raises:
            OSError: the folder cannot be made.
            sqlite3.Error: the file cannot be used.
        """
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        self._kept = kept
        self._lock = threading.Lock()
        # Each statement is a transaction of its own.
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=5.0)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute(_SCHEMA)

    def remember(self, delivery: str, body: bytes) -> bool:
        """Remember a delivery; returns whether it was new.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        of_id = hashlib.sha256(delivery.encode()).hexdigest()
        of_body = hashlib.sha256(body).digest()
        with self._lock:
            added = self._database.execute(
                "insert or ignore into delivery (id, body) values (?, ?)", (of_id, of_body)
            )
            if not added.rowcount:
                return False
            self._database.execute(
                "delete from delivery where number <= ?", ((added.lastrowid or 0) - self._kept,)
            )
        return True

    def __len__(self) -> int:
        with self._lock:
            (count,) = self._database.execute("select count(*) from delivery").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
