"""Deliveries to a webhook, as GitHub sends them: JSON, signed over the raw bytes."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from sandbox.github_api.state import Repository

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

    status: int


def signature(secret: str, body: bytes) -> str:
    """The value of ``X-Hub-Signature-256``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Deliveries:
    """Sends events from a thread of its own, in order, once each; like GitHub, it does not try again."""

    def __init__(self) -> None:
        self.webhooks: list[Webhook] = []
        self.done: list[Delivery] = []
        self._sender = ThreadPoolExecutor(1, "webhook deliveries")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc of the person

    def announce(self, event: str, repository: Repository, **fields: str | int) -> None:
        """Deliver an event, with those fields of its payload that receivers read, to who wants it."""
        body = json.dumps({**fields, "repository": {"full_name": repository.full_name}}).encode()
        for webhook in self.webhooks:
            if event in webhook.events:
                self._sender.submit(self._deliver, webhook, event, body)

    def forget(self) -> None:
        """Deliver what is queued, then remember nothing: no delivery and no webhook."""
        self._sender.submit(len, ()).result()
        self.done.clear()
        self.webhooks.clear()

    def stop(self) -> None:
        """End, when the delivery that is under way has."""
        self._sender.shutdown(cancel_futures=True)
        self._session.close()

    def _deliver(self, webhook: Webhook, event: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": signature(webhook.secret, body),
        }
        try:
            status = self._session.post(
                webhook.url, data=body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            ).status_code
        except requests.RequestException:
            status = 0
        self.done.append(Delivery(status))
