"""The objects of the cluster, in memory, with one growing version number.

Everything here runs in the server's event loop, one request at a time; there is nothing to lock.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from sandbox.kubernetes_api.status import Object


class Store:
    """Objects by resource, namespace and name. Cluster-scoped objects have the namespace ``""``."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._version = 1
        self._observers: list[Callable[[], None]] = []

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
        stored = copy.deepcopy(item)
        self._version += 1
        stored["metadata"]["resourceVersion"] = str(self._version)
        objects[place] = stored
        self._announce()
        return copy.deepcopy(stored)

    def remove(self, group_resource: str, namespace: str, name: str) -> None:
        """Take the object out.

        Raises:
            KeyError: it is not there.
        """
        del self._objects[group_resource][(namespace, name)]
        self._version += 1
        self._announce()

    def observe(self, observer: Callable[[], None]) -> Callable[[], None]:
        """Call ``observer`` after each change, until the returned function is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def _announce(self) -> None:
        for observer in self._observers:
            observer()
