"""The objects of the cluster, in memory, with one growing version number and a memory of changes.

Everything here runs in the server's event loop, one request at a time; there is nothing to lock.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from deployments.sandbox.kubernetes_api.status import Object

_REMEMBERED_CHANGES = 5000


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an object: ``before`` is None after a create, ``after`` is what it is now
    (of a deleted object: what it was at the end).
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    group_resource: str
    version: int
    after: Object
    before: Object | None


class Store:
    """Objects by resource, namespace and name. Cluster-scoped objects have the namespace ``""``."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._version = 1
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED_CHANGES)
        self._observers: list[Callable[[], None]] = []
        self._queues: set[asyncio.Queue[Change | None]] = set()
        self._closed = False

    @property
    def version(self) -> int:
        """The number of the latest change: the resourceVersion of lists."""
        return self._version

    def read(self, group_resource: str, namespace: str, name: str) -> Object | None:
        """A copy of the object, or None."""
        found = self._objects.get(group_resource, {}).get((namespace, name))
        return copy.deepcopy(found)

    def scan(self, group_resource: str, namespace: str = "") -> Iterator[Object]:
        """The objects themselves, sorted by namespace and name; the caller must not change them.

        ``namespace`` ``""`` means all.
        """
        objects = self._objects.get(group_resource, {})
        for place in sorted(objects):
            if namespace in ("", place[0]):
                yield objects[place]

    def write(self, group_resource: str, item: Object) -> Object:
        """Store the object under a new version; returns a copy of what is stored."""
        metadata = item["metadata"]
        place = (metadata.get("namespace", ""), metadata["name"])
        objects = self._objects.setdefault(group_resource, {})
        before = objects.get(place)
        stored = copy.deepcopy(item)
        self._version += 1
        stored["metadata"]["resourceVersion"] = str(self._version)
        objects[place] = stored
        self._announce(
            Change("MODIFIED" if before else "ADDED", group_resource, self._version, stored, before)
        )
        return copy.deepcopy(stored)

    def remove(self, group_resource: str, namespace: str, name: str) -> Object:
        """Take the object out; returns what it was.

        Raises:
            KeyError: it is not there.
        """
        before = self._objects[group_resource].pop((namespace, name))
        self._version += 1
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self._version)
        self._announce(Change("DELETED", group_resource, self._version, last, before))
        return copy.deepcopy(last)

    def changes_since(self, version: int) -> list[Change] | None:
        """What happened after ``version``, or None when that is too long ago to be remembered."""
        if version < self.oldest_version:
            return None
        return [change for change in self._changes if change.version > version]

    @property
    def oldest_version(self) -> int:
        """The oldest version from which a watch can start."""
        return self._changes[0].version - 1 if len(self._changes) == _REMEMBERED_CHANGES else 0

    def observe(self, observer: Callable[[], None]) -> Callable[[], None]:
        """Call ``observer`` after each change, until the returned function is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def subscribe(self) -> asyncio.Queue[Change | None]:
        """A queue of the changes from now on; None means that the server is ending."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
        self._queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Change | None]) -> None:
        """Forget a queue."""
        self._queues.discard(queue)

    def end_subscriptions(self, *, ended: bool = True) -> None:
        """End every watch, so that the server can stop; ``ended=False`` allows new ones again."""
        self._closed = ended
        if ended:
            for queue in self._queues:
                queue.put_nowait(None)

    def _announce(self, change: Change) -> None:
        self._changes.append(change)
        for queue in self._queues:
            queue.put_nowait(change)
        for observer in self._observers:
            observer()
