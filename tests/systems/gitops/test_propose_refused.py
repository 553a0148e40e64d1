"""A proposal beside commits of other people, at a server that refuses it, and through a fork."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from runbook.errors import AccessDenied, Busy, Conflict, EnablementError, PrerequisiteMissing
from runbook.gitops import FileEdit, Tree
from systems.git_branch import Proposal
from tests.systems.gitops.git_server import BRANCH, NEW, TOKEN, TRAILER, GitServer


class TestOtherPeoplesCommits:
    """They are never overwritten."""

    def test_with_the_change_still_in_it_the_branch_is_left_as_it_is(self, server: GitServer) -> None:
        server.propose()
        theirs = server.commit(NEW, "resources: [../../../base]\n", branch=BRANCH, who="grace")
        seen: list[str | None] = []

        def remaining(tree: Tree) -> list[FileEdit]:
            seen.append(tree.read(NEW))
            return []

        proposal = server.propose(remaining=remaining)

        assert (proposal.commit, proposal.pushed, proposal.shared) == (theirs, False, True)
        assert f"{theirs[:9]} by grace" in proposal.note
        assert seen == ["resources: [../../../base]\n"]

    def _undo(self, server: GitServer) -> str:
        server.propose()
        return f"{server.commit(NEW, 'resources: []', branch=BRANCH, who='grace')[:9]} by grace"

    def _on_a_branch_that_we_never_wrote_to(self, server: GitServer) -> str:
        server.git("branch", BRANCH, "main")
        return f"{server.commit('docs/first.yaml', 'a: b', branch=BRANCH, who='grace')[:9]} by grace"

    def _below_ours(self, server: GitServer) -> str:
        named = self._on_a_branch_that_we_never_wrote_to(server)
        message = f"--message=On top\n\n{TRAILER}"
        server.work("commit", "--quiet", "--allow-empty", message, who="pipeline")
        server.work("push", "--quiet", "origin", f"HEAD:{BRANCH}")
        return named

    def _ours_rewritten_by_somebody(self, server: GitServer) -> str:
        server.propose()
        server.check_out(BRANCH)
        server.file(NEW).write_text("resources: []\n")
        server.work("commit", "--quiet", "--all", "--amend", "--no-edit", who="grace")
        server.work("push", "--quiet", "--force", "origin", BRANCH)
        return f"{server.head(BRANCH)[:9]} by Pipeline"

    @pytest.mark.parametrize(
        "make", [_undo, _on_a_branch_that_we_never_wrote_to, _below_ours, _ours_rewritten_by_somebody]
    )
    def test_without_the_change_are_a_conflict_that_names_just_them(
        self, server: GitServer, make: Callable[[object, GitServer], str]
    ) -> None:
        named = make(self, server)
        head = server.head(BRANCH)

        with pytest.raises(Conflict, match=rf"commits of others: {named} \('[^,]*'\)\.") as raised:
            server.propose()

        assert BRANCH in raised.value.subject
        assert server.head(BRANCH) == head

    def test_are_not_the_base_branchs_own(self, server: GitServer) -> None:
        server.git("branch", BRANCH, "main")
        server.commit("docs/moved.yaml", "a: b\n")

        assert server.propose().pushed


class TestRefusedPush:
    """The server's words reach the reader, and the branch is as it was."""

    @pytest.mark.parametrize(
        ("refusal", "kind", "answer"),
        [
            ("Sign your commits, please.", Conflict, r"Sign your commits.*pre-receive hook declined"),
            ("GH006: Protected branch update failed.", AccessDenied, "GH006"),
            (401, AccessDenied, "did not accept ours"),
            (403, AccessDenied, "403"),
            (404, PrerequisiteMissing, "not found"),
            (503, Busy, "503"),
        ],
    )
    def test_by_a_hook_or_by_http_says_so(
        self, server: GitServer, refusal: str | int, kind: type[EnablementError], answer: str
    ) -> None:
        if isinstance(refusal, int):
            server.answers["GET git-receive-pack"] = refusal
        else:
            server.hook(f"echo '{refusal}' >&2; exit 1")

        with pytest.raises(kind, match=answer):
            server.propose()

        assert server.branches() == ["main"]

    def test_because_somebody_pushed_meanwhile_may_be_tried_again(self, server: GitServer) -> None:
        ours = server.propose()
        server.change_an_edited_file()
        # The branch moves after it was read: just before the push asks what is there.
        server.before["GET git-receive-pack"] = lambda: server.git("branch", "-f", BRANCH, "main")

        unclear: list[Proposal] = []
        with pytest.raises(Busy, match="stale info"):
            server.propose(unclear=unclear.append)

        assert server.head(BRANCH) == server.head("main") != ours.commit
        assert [pushed.before for pushed in unclear] == [ours.commit]


class TestFork:
    """The branch may be in another repository than the base."""

    def test_gets_the_branch_and_the_base_stays_alone(self, server: GitServer) -> None:
        fork = server.fork()

        proposal = server.propose(push_url=fork, push_token=TOKEN)

        assert server.head(BRANCH, "fork") == proposal.commit
        assert server.branches() == ["main"]
        assert not server.propose(push_url=fork, push_token=TOKEN).pushed

    def test_that_lags_behind_gets_the_branch_as_well(self, server: GitServer) -> None:
        fork = server.fork()
        server.commit("docs/moved.yaml", "a: b\n")
        base = server.commit("docs/again.yaml", "a: b\n")

        proposal = server.propose(push_url=fork, push_token=TOKEN)

        assert server.head(BRANCH, "fork") == proposal.commit
        assert server.head(f"{BRANCH}~1", "fork") == base
        server.git("fsck", "--strict", name="fork")

    def test_needs_a_token_of_its_own(self, server: GitServer) -> None:
        with pytest.raises(AccessDenied):
            server.propose(push_url=server.fork(), push_token=SecretStr("wrong"))
