"""The config of an auth mount that others change while we work, or whose write is not answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from bench.unbound import unbound
from runbook.approval import ApprovedPlan
from runbook.changes import Change
from runbook.errors import (
    Busy,
    Conflict,
    PlanMoved,
    Unreachable,
)
from runbook.hosts import ApiServer
from systems.vault import Vault
from tests.faults.faults import Script
from tests.faults.proxy import Proxy, Server
from tests.steps import realize_mount, realize_policies, realize_role
from tests.tables import table
from tests.tasks.conftest import request
from tests.tasks.enabled import CONFIG, OLD, Place


@contextmanager
def while_the_reviewer_is_proved(place: Place, **fields: Any) -> Iterator[ApiServer]:
    """The cluster's API at another address; when it is asked, somebody writes Vault's config."""

    script = Script()
    script.begin(lambda _place, _point: place.admin.write(CONFIG, {**OLD, **fields}))
    with Proxy(Server(place.api.host, place.api.ca_pem, lambda _path: "cluster"), script) as proxy:
        yield ApiServer(proxy.url, str(proxy.ca_pem))


@pytest.mark.parametrize("adopt", [True, False])
def test_what_somebody_sets_while_the_reviewers_token_is_proved_is_looked_at_too(
    place: Place, *, adopt: bool
) -> None:
    wanted = request(adopt=[CONFIG] if adopt else [])
    realize_mount(place.admin, wanted)
    place.admin.write(CONFIG, OLD)
    outcome = nullcontext() if adopt else pytest.raises(Conflict, match="has issuer")
    with while_the_reviewer_is_proved(place, issuer="https://issuer.example.com") as dialled, outcome:
        place.realize_config(wanted, vault=place.admin, api=dialled)
    config = place.config()
    assert config["kubernetes_host"] == (dialled.host if adopt else OLD["kubernetes_host"])
    assert config["issuer"] == "https://issuer.example.com"


def test_what_somebody_sets_of_ours_while_the_reviewers_token_is_proved_is_not_overwritten_unapproved(
    place: Place,
) -> None:
    realize_mount(place.pipeline, request())
    theirs = "https://theirs.example.com:6443"
    with while_the_reviewer_is_proved(place, kubernetes_host=theirs) as dialled:
        planned = request().config.compare_with(None, dialled, login_works=False)
        approved = replace(unbound(), plan=ApprovedPlan("0" * 64, [planned.as_json()], None))
        with pytest.raises(PlanMoved, match=r"theirs\.example\.com"):
            place.realize_config(request(), approved, api=dialled)
    assert place.config()["kubernetes_host"] == theirs


class Overtaken(Vault):
    """Somebody writes the config, the whole of it, right after each of the first writes."""

    def __init__(self, plain: Vault, admin: Vault, config: Mapping[str, Any], times: int) -> None:
        super().__init__(plain.http)
        self._admin, self._config, self._left = admin, config, times
        self.writes = 0

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write, first."""
        super().write(path, payload)
        self.writes += 1
        if self._left:
            self._left -= 1
            self._admin.write(path, self._config)


@table(
    "theirs",
    {
        "theirs": {"issuer": "https://issuer.example.com"},
        "ours": {},
    },
)
def test_a_config_that_somebody_replaces_right_after_the_write_is_written_again_with_what_they_set(
    place: Place, theirs: dict[str, Any]
) -> None:
    wanted = request(adopt=[CONFIG] if theirs else [])
    for step in (realize_policies, realize_mount, realize_role):
        step(place.pipeline, request())
    place.admin.write(CONFIG, OLD)
    ours = OLD | {"kubernetes_host": place.api.host, "kubernetes_ca_cert": place.api.ca_pem}
    # Their JWT cannot be read: that a field of theirs reads back otherwise is all that tells of it.
    replaced = {**ours, "token_reviewer_jwt": "garbage", **theirs} if theirs else ours
    # The pipeline's own policy allows no field but ours.
    overtaken = Overtaken(place.admin if theirs else place.pipeline, place.admin, replaced, times=1)
    place.realize_config(wanted, vault=overtaken)
    assert overtaken.writes == 2
    assert place.config()["issuer"] == theirs.get("issuer", "")
    assert place.proves("payments")


@pytest.mark.long
def test_a_config_that_somebody_replaces_each_time_is_said(place: Place) -> None:
    realize_mount(place.pipeline, request())
    overtaken = Overtaken(place.pipeline, place.admin, OLD, times=50)
    otherwise = "does not read back as written: kubernetes_ca_cert, kubernetes_ho"
    with pytest.raises(Busy, match=otherwise):
        place.realize_config(vault=overtaken)


class Silent(Vault):
    """No answer comes after a write; of the write itself neither, if it is ``cut``."""

    def __init__(self, plain: Vault, *, cut: bool) -> None:
        super().__init__(plain.http)
        self._cut, self._written = cut, False

    def write(self, path: str, payload: Mapping[str, Any]) -> None:
        """Write."""
        super().write(path, payload)
        self._written = True
        if self._cut:
            raise Unreachable("Vault", path, "no answer", "It is retried automatically.")

    def kubernetes_config(self, mount: str) -> Mapping[str, Any] | None:
        """Read, before a write."""
        if self._written:
            raise Unreachable("Vault", mount, "no answer", "It is retried automatically.")
        return super().kubernetes_config(mount)


@table(
    "cut",
    {
        "its read-back": False,
        "its write": True,
    },
)
def test_the_record_of_the_reviewers_token_is_kept_although_no_answer_comes_to(
    place: Place, cut: bool
) -> None:
    place.enable()
    place.admin.write(CONFIG, OLD)
    changes: list[tuple[Change, Mapping[str, str], bool]] = []
    reviewers: list[Mapping[str, str]] = []

    def attempt(vault: Vault) -> tuple[Change, Any]:
        given = unbound(lambda _system, *kept: changes.append(kept))
        return place.realize_config(request(), given, reviewers.append, vault=vault)  # type: ignore[no-any-return]

    with pytest.raises(Unreachable):
        attempt(Silent(place.pipeline, cut=cut))
    change, reviewer = attempt(place.pipeline)
    assert (change.action, reviewer) == ("none", None), "it was written; there is nothing left to keep"
    ((written, secrets, confirmed),) = changes
    assert (written.object, confirmed) == (CONFIG, not cut)
    assert [kept["sha256"] for kept in reviewers] == [secrets["token_reviewer_jwt"]]
