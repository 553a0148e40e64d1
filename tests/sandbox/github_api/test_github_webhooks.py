"""Deliveries to a webhook: signed, in the order in which things happened."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.github_api import GitHubApi, Webhook
from tests.github_checkout import Caller, Checkout

SECRET = "a secret of both sides"


class Receiver(ThreadingHTTPServer):
    """Takes deliveries with a right signature, and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.webhook = Webhook(f"http://127.0.0.1:{self.server_port}/hook", SECRET)
        self.taken: list[tuple[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert self.headers["X-Hub-Signature-256"] == f"sha256={expected}"
        assert self.headers["Content-Type"] == "application/json"
        self.server.taken.append((self.headers["X-GitHub-Event"], json.loads(body)))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_a_life_of_a_pull_request_is_told_in_order(
    github: GitHubApi, checkout: Checkout, pipeline: Caller, reviewer: Caller, receiver: Receiver
) -> None:
    github.webhooks.append(receiver.webhook)
    checkout.propose("topic", "One", one_txt="1\n")
    pipeline.open("topic")
    checkout.commit("Two", two_txt="2\n")
    checkout.git("push", "--quiet", "origin", "topic")
    for change in ({"body": "Better"}, {"state": "closed"}, {"state": "open"}):
        pipeline.send("PATCH", "/repos/sandbox/gitops/pulls/1", change)
    reviewer.merge(1)
    github.reset()  # which waits for what is under way
    about = {"repository": {"full_name": "sandbox/gitops"}}
    actions = ("opened", "synchronize", "edited", "closed", "reopened", "closed")
    opened, *others = [("pull_request", {"action": action, "number": 1, **about}) for action in actions]
    pushed = ("push", {"ref": "refs/heads/topic", **about})
    landed = ("push", {"ref": "refs/heads/main", **about})
    assert receiver.taken == [pushed, opened, pushed, *others, landed]


def test_a_receiver_that_is_not_there_holds_nothing_up(
    github: GitHubApi, checkout: Checkout, receiver: Receiver
) -> None:
    github.webhooks += [Webhook("http://127.0.0.1:1/hook", SECRET), receiver.webhook]
    checkout.propose("topic", "One", one_txt="1\n")
    github.reset()  # which waits for what is under way
    assert len(receiver.taken) == 1
