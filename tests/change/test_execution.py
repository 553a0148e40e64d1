"""The steps of one execution share a clone, as long as it is of use, and what need not be asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pydantic import SecretStr

from change.execution import cloned, execution, once
from connections import GitOpsRepository
from runbook.errors import AccessDenied, Busy
from tests.systems.gitops.git_server import TOKEN, GitServer, serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    GitServer(tmp_path / "made" / "served", tmp_path / "made" / "home").create()
    with serve(tmp_path / "made", tmp_path / "git") as git:
        yield git


def connection(server: GitServer, token: SecretStr = TOKEN) -> GitOpsRepository:
    """As a step loads it: another object each time."""
    return GitOpsRepository(url=server.url(), repository="sandbox/gitops", base_branch="main", token=token)


def test_the_steps_of_an_execution_share_one_clone_that_is_gone_with_it(
    server: GitServer, temporary: Path
) -> None:
    with execution():
        with cloned(connection(server)) as first:
            asked = len(server.requests)
        with cloned(connection(server)) as second:
            assert second.tree.entries("external-secrets")
        assert second is first
        assert len(server.requests) == asked
        assert len(list(temporary.iterdir())) == 1

        with cloned(connection(server), anew=True) as third:
            assert third is not first
        assert len(list(temporary.iterdir())) == 1
    assert not list(temporary.iterdir())


def test_a_step_alone_has_a_clone_of_its_own(server: GitServer, temporary: Path) -> None:
    with cloned(connection(server)) as first:
        pass
    assert not list(temporary.iterdir())
    with cloned(connection(server)) as second:
        assert second is not first


def test_a_step_that_is_tried_again_begins_with_another_clone(server: GitServer, temporary: Path) -> None:
    with execution():
        with pytest.raises(Busy), cloned(connection(server)) as first:
            raise Busy("Git", "branch main", "503", "It is tried again by itself.")
        assert not list(temporary.iterdir())
        with cloned(connection(server)) as second:
            assert second is not first
            assert second.tree.entries("external-secrets")


def test_a_connection_that_was_corrected_counts_at_once(server: GitServer) -> None:
    with execution():
        with cloned(connection(server)):
            pass
        with pytest.raises(AccessDenied), cloned(connection(server, SecretStr("ghp_other"))):
            pass
        with cloned(connection(server)) as base:
            assert base.tree.entries("external-secrets")


def test_a_question_is_asked_once_an_execution_unless_it_is_not_answered() -> None:
    answers = count()

    def ask() -> str:
        number = next(answers)
        if number == 0:
            raise Busy("Vault", "auth/token/lookup-self", "503", "It is tried again by itself.")
        return f"answer {number}"

    with execution():
        with pytest.raises(Busy):
            once("who am I", ask)
        assert once("who am I", ask) == once("who am I", ask) == "answer 1"
        assert once("another", ask) == "answer 2"
    with execution():
        assert once("who am I", ask) == "answer 3"
    assert (once("who am I", ask), once("who am I", ask)) == ("answer 4", "answer 5")
