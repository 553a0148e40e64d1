"""A delivery counts once, also across a restart of the service."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deployments.merge_service.deliveries import SeenDeliveries
from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings
from tests.deployments.merge_service.conftest import Looks, Sender, new_log, unique
from tests.deployments.merge_service.payloads import REPOSITORY, encoded, pull_request

DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def merged() -> bytes:
    return encoded(unique(pull_request("closed", merged=True)))


def test_the_same_delivery_again_wakes_nothing(sender: Sender) -> None:
    body = merged()
    first = sender.send("pull_request", body, x_github_delivery=DELIVERY)
    assert first.json() == {"message": "looking"}
    assert sender.looked_at() == [REPOSITORY]
    again = sender.send("pull_request", body, x_github_delivery=DELIVERY)
    assert (again.status_code, again.json()) == (202, {"message": "seen already"})
    assert sender.looked_at() == [REPOSITORY]


def test_another_id_does_not_make_it_another_delivery(sender: Sender) -> None:
    """The id is a header, which the signature does not cover."""
    body = merged()
    sender.send("pull_request", body)
    assert sender.send("pull_request", body).json() == {"message": "seen already"}
    assert sender.looked_at() == [REPOSITORY]


def test_a_restart_forgets_no_delivery(connected: None, settings: Settings) -> None:
    body, log = merged(), new_log()
    with MergeService(settings, Looks(), log.logger) as service:
        sender = Sender(service.url, Looks())
        assert sender.send("pull_request", body, x_github_delivery=DELIVERY).json() == {"message": "looking"}
    looks = Looks()
    with MergeService(settings, looks, log.logger) as service:
        looks.wait_for(1)
        sender = Sender(service.url, looks)
        again = sender.send("pull_request", body, x_github_delivery=DELIVERY)
        assert again.json() == {"message": "seen already"}
        assert sender.looked_at() == []


def test_the_memory_of_deliveries_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "state" / "deliveries.sqlite", kept=100)
    for number in range(250):
        assert seen.remember(f"id-{number}", b"body %d" % number)
    assert len(seen) == 100
    assert not seen.remember("id-249", b"something else")
    assert not seen.remember("id-150", b"something else")
    assert seen.remember("id-149", b"body 149")
    seen.close()


def test_the_memory_is_private(tmp_path: Path) -> None:
    file = tmp_path / "state" / "deliveries.sqlite"
    SeenDeliveries(file).close()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_of_a_delivery_only_hashes_are_kept(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "deliveries.sqlite")
    assert seen.remember("id-of-a-careless-sender", b"what it sent")
    assert not seen.remember("id-of-a-careless-sender", b"something else")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    seen.close()
    assert hashlib.sha256(b"what it sent").digest() in kept
    assert b"careless" not in kept
    assert b"what it sent" not in kept
