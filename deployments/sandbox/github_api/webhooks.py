"""Deliveries to a webhook, as GitHub sends them: JSON, signed over the raw bytes, each with its own id."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import requests

_TIMEOUT_SECONDS = 10  # GitHub's own


@dataclass(frozen=True)
class Webhook:
    """Where deliveries go. ``secret`` is the key of the signature."""

    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = ("pull_request", "push")


@dataclass(frozen=True)
class Delivery:
    """One delivery that was tried. ``status`` is 0 when nobody answered."""

    id: str
    event: str
    action: str | None
    status: int


def signature(secret: str, body: bytes) -> str:
    """The value of ``X-Hub-Signature-256``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Deliveries:
    """Sends events from a thread of its own, in order, once each; like GitHub, it does not try again."""

    def __init__(self, webhooks: Sequence[Webhook] = ()) -> None:
        self._first_webhooks = tuple(webhooks)
        self.webhooks = list(webhooks)
        self.done: list[Delivery] = []
        self._queue: queue.Queue[tuple[Webhook, str, bytes, str | None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="webhook deliveries", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is queued, then end."""
        self._queue.put(None)
        self._thread.join(timeout=_TIMEOUT_SECONDS)

    def forget(self) -> None:
        """Deliver what is queued, then remember nothing; the webhooks are those of the beginning."""
        self._queue.join()
        self.done.clear()
        self.webhooks[:] = self._first_webhooks

    def send(self, event: str, payload: dict[str, object]) -> None:
        """Queue an event for every webhook that wants it."""
        body = json.dumps(payload).encode()
        action = payload.get("action")
        for webhook in self.webhooks:
            if event in webhook.events:
                self._queue.put((webhook, event, body, action if isinstance(action, str) else None))

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no .netrc of the person
            while (item := self._queue.get()) is not None:
                self._deliver(session, *item)
                self._queue.task_done()

    def _deliver(
        self, session: requests.Session, webhook: Webhook, event: str, body: bytes, action: str | None
    ) -> None:
        delivery = str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/sandbox",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": signature(webhook.secret, body),
        }
        try:
            status = session.post(
                webhook.url, data=body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            ).status_code
        except requests.RequestException:
            status = 0
        self.done.append(Delivery(delivery, event, action, status))
