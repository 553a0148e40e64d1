"""Watch: the changes of a list as a stream of JSON lines."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from deployments.sandbox.kubernetes_api.kinds import Kind
from deployments.sandbox.kubernetes_api.selectors import Test
from deployments.sandbox.kubernetes_api.status import ApiError, Object, expired
from deployments.sandbox.kubernetes_api.storage import Change, Store

_DEFAULT_SECONDS = 1800
_INITIAL_EVENTS_END = {"annotations": {"k8s.io/initial-events-end": "true"}}


@dataclass(frozen=True, slots=True)
class Watch:
    """One client's view of the changes.

    Attributes:
        since: the resourceVersion after which to begin; ``""`` and ``"0"`` mean: first all that is there.
        send_initial: begin with all that is there, and mark its end with a bookmark.
        seconds: when to end by itself; 0 means the server's own limit.
    """

    kind: Kind
    namespace: str
    fits: Test
    since: str = ""
    send_initial: bool = False
    seconds: int = 0

    def begin(self, store: Store) -> AsyncIterator[bytes]:
        """The stream of lines.

        Raises:
            ApiError: 500 (as a real server) or 410, before the stream begins.
        """
        queue = store.subscribe()
        lines = self._initial(store)
        return self._stream(store, queue, lines)

    def _initial(self, store: Store) -> list[bytes]:
        if self.since and not self.since.isdigit():
            problem = f'strconv.ParseUint: parsing "{self.since}": invalid syntax'
            raise ApiError(500, "", f'resourceVersion: Invalid value: "{self.since}": {problem}')
        if self.send_initial or self.since in ("", "0"):
            items = store.scan(self.kind.group_resource, self.namespace)
            lines = [self._line("ADDED", item) for item in items if self.fits(item)]
            if self.send_initial:
                metadata = {"resourceVersion": str(store.version), **_INITIAL_EVENTS_END}
                lines.append(self._line("BOOKMARK", {"metadata": metadata}))
            return lines
        changes = store.changes_since(int(self.since))
        if changes is None:
            raise expired(self.since, store.oldest_version)
        return [line for change in changes if (line := self._seen(change))]

    async def _stream(
        self, store: Store, queue: asyncio.Queue[Change | None], lines: list[bytes]
    ) -> AsyncIterator[bytes]:
        deadline = time.monotonic() + (self.seconds or _DEFAULT_SECONDS)
        try:
            for line in lines:
                yield line
            while True:
                try:
                    change = await asyncio.wait_for(queue.get(), max(0.0, deadline - time.monotonic()))
                except TimeoutError:
                    return
                if change is None:
                    return
                if line := self._seen(change):
                    yield line
        finally:
            store.unsubscribe(queue)

    def _seen(self, change: Change) -> bytes:
        """The line of a change, empty when this client does not see it."""
        if change.group_resource != self.kind.group_resource:
            return b""
        if self.namespace not in ("", change.after["metadata"].get("namespace", "")):
            return b""
        before = change.before is not None and self.fits(change.before)
        after = change.type != "DELETED" and self.fits(change.after)
        if after:
            return self._line("MODIFIED" if before else "ADDED", change.after)
        return self._line("DELETED", change.after) if before else b""

    def _line(self, event: str, item: Object) -> bytes:
        shown = {**item, "kind": self.kind.name, "apiVersion": self.kind.api_version}
        return json.dumps({"type": event, "object": shown}, separators=(",", ":")).encode() + b"\n"
