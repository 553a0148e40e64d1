"""One commit on one branch: made once, rebuilt while it is ours, never over other people's."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from runbook.errors import AccessDenied, Busy, Conflict, EnablementError, PrerequisiteMissing
from runbook.gitops import FileEdit, Tree
from systems.gitops import GitOpsClone, Proposal

if TYPE_CHECKING:
    from tests.systems.gitops.conftest import GitServer

BRANCH = "enable-vault/emea/ember"
KUSTOMIZATION = "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"
NEW = "external-secrets/overlays/emea/ember/kustomization.yaml"
TRAILER = f"Enablement-Change: {BRANCH}"

Propose = Callable[..., Proposal]


def _edits(tree: Tree) -> list[FileEdit]:
    before = tree.read(KUSTOMIZATION)
    assert before is not None
    wanted = before.replace("\npatches:", "  - added.yaml\n\npatches:")
    edits = [
        FileEdit(KUSTOMIZATION, before, wanted),
        FileEdit(NEW, tree.read(NEW), "resources:\n  - ../../../base\n"),
    ]
    return [edit for edit in edits if "added.yaml" not in (edit.before or "") and edit.before != edit.after]


@pytest.fixture
def propose(server: GitServer, token: SecretStr) -> Propose:
    """Clone, edit and propose, as each run of the pipeline does."""

    def run(**options: object) -> Proposal:
        with GitOpsClone.open(server.url(), "main", token) as clone:
            return _propose(clone, **options)

    return run


def _propose(clone: GitOpsClone, **options: object) -> Proposal:
    edits = _edits(clone.tree)
    given = {
        "message": "Enable ember\n\nSigned-off-by: Pipeline <pipeline@example.com>",
        "author_name": "Pipeline",
        "author_email": "pipeline@example.com",
        **options,
    }
    return clone.propose(BRANCH, edits, **given)  # type: ignore[arg-type]


def test_a_new_branch_has_one_commit_on_the_base_with_just_the_edits(
    server: GitServer, propose: Propose
) -> None:
    proposal = propose()

    assert (proposal.branch, proposal.pushed) == (BRANCH, True)
    assert proposal.commit == server.head(BRANCH)
    assert server.head(f"{BRANCH}~1") == server.head("main")
    changed = server.git("-C", "gitops.git", "diff", "--name-status", "main", BRANCH)
    assert changed.splitlines() == [f"M\t{KUSTOMIZATION}", f"A\t{NEW}"]
    assert server.git(
        "-C", "gitops.git", "diff", "--numstat", "main", BRANCH, "--", KUSTOMIZATION
    ).startswith("1\t0")
    server.git("-C", "gitops.git", "fsck", "--strict")


def test_the_commit_says_whose_it_is_in_its_last_paragraph(server: GitServer, propose: Propose) -> None:
    propose()

    said = server.show(BRANCH).splitlines()
    assert said[0] == "Pipeline <pipeline@example.com> Pipeline <pipeline@example.com>"
    assert said[1:] == [
        "Enable ember",
        "",
        "Signed-off-by: Pipeline <pipeline@example.com>",
        TRAILER,
    ]


def test_a_files_mode_is_kept(server: GitServer, propose: Propose) -> None:
    work = server.work()
    (work / KUSTOMIZATION).chmod(0o755)
    server.git("commit", "--quiet", "--all", "--message=Mode", folder=work)
    server.git("push", "--quiet", "origin", "main", folder=work)

    propose()

    assert server.git("-C", "gitops.git", "ls-tree", BRANCH, KUSTOMIZATION).startswith("100755 ")


def test_files_named_like_a_folder_stay_in_gits_order(server: GitServer, propose: Propose) -> None:
    server.commit("external-secrets.yaml", "a: b\n")
    server.commit("external-secrets-2/a.yaml", "a: b\n")

    propose()

    server.git("-C", "gitops.git", "fsck", "--strict")


def test_a_second_run_pushes_nothing(server: GitServer, propose: Propose) -> None:
    first = propose()
    server.requests.clear()

    second = propose()

    assert (second.commit, second.pushed) == (first.commit, False)
    assert not [request for request in server.requests if "receive-pack" in request]


@pytest.mark.parametrize(
    ("message", "pushed"),
    [
        ("Enable ember!\n\nSaid otherwise.\n\nSigned-off-by: Pipeline <pipeline@example.com>", False),
        ("Enable ember\n\nSigned-off-by: Pipeline <pipeline@example.com>\nEnablement-Plan: other", True),
    ],
)
def test_other_trailers_are_a_new_commit_and_another_wording_is_none(
    server: GitServer, propose: Propose, message: str, pushed: bool
) -> None:
    propose()

    second = propose(message=message)

    assert second.pushed is pushed
    subject = server.git("-C", "gitops.git", "log", "--format=%s", "-1", BRANCH)
    assert subject.strip() == "Enable ember"
    assert server.git("-C", "gitops.git", "rev-list", "--count", f"main..{BRANCH}").strip() == "1"


def test_a_base_that_moved_elsewhere_leaves_the_branch_as_it_is(server: GitServer, propose: Propose) -> None:
    first = propose()
    for number in range(3):
        server.commit(f"docs/{number}.yaml", f"a: {number}\n")

    second = propose()

    assert (second.commit, second.pushed) == (first.commit, False)


def test_a_base_that_changed_an_edited_file_has_the_branch_rebuilt(
    server: GitServer, propose: Propose
) -> None:
    propose()
    text = (server.work() / KUSTOMIZATION).read_text()
    base = server.commit(
        KUSTOMIZATION, text.replace("  - ../../common\n", "  - ../../common\n  - aaa.yaml\n")
    )

    second = propose()

    assert second.pushed
    assert server.head(BRANCH) == second.commit
    assert server.head(f"{BRANCH}~1") == base
    assert "aaa.yaml" in server.git("-C", "gitops.git", "show", f"{BRANCH}:{KUSTOMIZATION}")


def test_a_branch_that_was_merged_and_taken_back_is_rebuilt(server: GitServer, propose: Propose) -> None:
    first = propose()
    work = server.work()
    server.git("fetch", "--quiet", "origin", folder=work)
    server.git("checkout", "--quiet", "-B", "main", "origin/main", folder=work)
    server.git("merge", "--quiet", "--no-ff", "--message=Merge", f"origin/{BRANCH}", folder=work)
    server.git("revert", "--no-edit", "--mainline=1", "HEAD", folder=work)
    server.git("push", "--quiet", "origin", "main", folder=work)

    again = propose()

    assert again.pushed
    assert again.commit != first.commit
    assert (first.before, again.before) == (None, first.commit)
    assert server.head(f"{BRANCH}~1") == server.head("main")


def test_a_base_that_moved_far_is_still_recognised(server: GitServer, propose: Propose) -> None:
    propose()
    server.add_empty_commits(120)

    assert not propose().pushed


class TestOtherPeoplesCommits:
    """They are never overwritten."""

    def test_with_the_change_still_in_it_the_branch_is_left_as_it_is(
        self, server: GitServer, propose: Propose
    ) -> None:
        propose()
        theirs = server.commit("docs/review.yaml", "a: b\n", branch=BRANCH, who="grace")

        proposal = propose()

        assert (proposal.commit, proposal.pushed) == (theirs, False)
        assert f"{theirs[:9]} by grace" in proposal.note

    def test_that_undo_the_change_are_a_conflict_that_names_them(
        self, server: GitServer, propose: Propose
    ) -> None:
        propose()
        theirs = server.commit(NEW, "resources: []\n", branch=BRANCH, who="grace")

        with pytest.raises(Conflict, match=f"{theirs[:9]} by grace") as raised:
            propose()

        assert "Pipeline" not in raised.value.answer
        assert BRANCH in raised.value.subject
        assert server.head(BRANCH) == theirs

    def test_are_judged_by_what_is_left_to_do_where_the_caller_can_tell(
        self, server: GitServer, propose: Propose
    ) -> None:
        propose()
        theirs = server.commit(NEW, "resources: [../../../base]\n", branch=BRANCH, who="grace")
        seen: list[str | None] = []

        def remaining(tree: Tree) -> list[FileEdit]:
            seen.append(tree.read(NEW))
            return []

        proposal = propose(remaining=remaining)

        assert (proposal.commit, proposal.pushed) == (theirs, False)
        assert seen == ["resources: [../../../base]\n"]

    def test_below_ours_count_as_well(self, server: GitServer, propose: Propose) -> None:
        server.git("-C", "gitops.git", "branch", BRANCH, "main")
        theirs = server.commit("docs/first.yaml", "a: b\n", branch=BRANCH, who="grace")
        work = server.work()
        server.git(
            "commit",
            "--quiet",
            "--allow-empty",
            f"--message=On top\n\n{TRAILER}",
            folder=work,
            who="pipeline",
        )
        server.git("push", "--quiet", "origin", f"HEAD:{BRANCH}", folder=work)
        head = server.head(BRANCH)

        with pytest.raises(Conflict, match=f"{theirs[:9]} by grace"):
            propose()

        assert server.head(BRANCH) == head

    def test_on_a_branch_that_we_never_wrote_to_count_as_well(
        self, server: GitServer, propose: Propose
    ) -> None:
        server.git("-C", "gitops.git", "branch", BRANCH, "main")
        theirs = server.commit("docs/first.yaml", "a: b\n", branch=BRANCH, who="grace")

        with pytest.raises(Conflict, match="by grace") as raised:
            propose()

        assert "Begin" not in raised.value.answer
        assert server.head(BRANCH) == theirs

    def test_include_ours_once_somebody_has_rewritten_it(self, server: GitServer, propose: Propose) -> None:
        propose()
        work = server.work()
        server.git("fetch", "--quiet", "origin", folder=work)
        server.git("checkout", "--quiet", "-B", BRANCH, f"origin/{BRANCH}", folder=work)
        (work / NEW).write_text("resources: []\n")
        server.git("commit", "--quiet", "--all", "--amend", "--no-edit", folder=work, who="grace")
        server.git("push", "--quiet", "--force", "origin", BRANCH, folder=work)
        head = server.head(BRANCH)

        with pytest.raises(Conflict, match=f"{head[:9]} by Pipeline"):
            propose()

        assert server.head(BRANCH) == head

    def test_are_not_the_base_branchs_own(self, server: GitServer, propose: Propose) -> None:
        server.git("-C", "gitops.git", "branch", BRANCH, "main")
        server.commit("docs/moved.yaml", "a: b\n")

        assert propose().pushed


class TestRefusedPush:
    """The server's words reach the reader, and the branch is as it was."""

    def _hook(self, server: GitServer, name: str, body: str) -> None:
        hook = server.root / "gitops.git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{body}\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)

    def test_by_a_hook_is_a_conflict(self, server: GitServer, propose: Propose) -> None:
        self._hook(server, "pre-receive", "echo 'Sign your commits, please.' >&2; exit 1")

        with pytest.raises(Conflict, match=r"Sign your commits, please\..*pre-receive hook declined"):
            propose()

        assert server.branches() == ["main"]

    def test_by_a_protected_branch_is_a_missing_right(self, server: GitServer, propose: Propose) -> None:
        self._hook(server, "pre-receive", "echo 'GH006: Protected branch update failed.' >&2; exit 1")

        with pytest.raises(AccessDenied, match="GH006"):
            propose()

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(401, AccessDenied), (403, AccessDenied), (404, PrerequisiteMissing), (503, Busy)],
    )
    def test_by_http_says_so(
        self, server: GitServer, propose: Propose, status: int, kind: type[EnablementError]
    ) -> None:
        server.answers["GET git-receive-pack"] = status

        with pytest.raises(kind):
            propose()

        assert server.branches() == ["main"]

    def test_because_somebody_pushed_meanwhile_may_be_tried_again(
        self, server: GitServer, propose: Propose
    ) -> None:
        propose()
        text = (server.work() / KUSTOMIZATION).read_text()
        server.commit(KUSTOMIZATION, text.replace("  - ../../common\n", "  - ../../common\n  - aaa.yaml\n"))
        # The branch moves after it was read: just before the push asks what is there.
        ours = server.head(BRANCH)
        server.before["GET git-receive-pack"] = lambda: server.git(
            "-C", "gitops.git", "update-ref", f"refs/heads/{BRANCH}", "main"
        )

        with pytest.raises(Busy, match="stale info"):
            propose()

        assert server.head(BRANCH) == server.head("main") != ours


class TestFork:
    """The branch may be in another repository than the base."""

    def test_gets_the_branch_and_the_base_stays_alone(
        self, server: GitServer, propose: Propose, token: SecretStr
    ) -> None:
        server.fork("fork")

        proposal = propose(push_url=server.url("fork"), push_token=token)

        assert server.head(BRANCH, "fork") == proposal.commit
        assert server.branches() == ["main"]
        assert not propose(push_url=server.url("fork"), push_token=token).pushed

    def test_that_lags_behind_gets_the_branch_as_well(
        self, server: GitServer, propose: Propose, token: SecretStr
    ) -> None:
        server.fork("fork")
        server.commit("docs/moved.yaml", "a: b\n")
        base = server.commit("docs/again.yaml", "a: b\n")

        proposal = propose(push_url=server.url("fork"), push_token=token)

        assert server.head(BRANCH, "fork") == proposal.commit
        assert server.head(f"{BRANCH}~1", "fork") == base
        server.git("-C", "fork.git", "fsck", "--strict")

    def test_needs_a_token_of_its_own(self, server: GitServer, propose: Propose) -> None:
        server.fork("fork")

        with pytest.raises(AccessDenied):
            propose(push_url=server.url("fork"), push_token=SecretStr("wrong"))


def test_a_proposal_of_nothing_is_refused(server: GitServer, token: SecretStr) -> None:
    with (
        GitOpsClone.open(server.url(), "main", token) as clone,
        pytest.raises(ValueError, match="at least one"),
    ):
        clone.propose(BRANCH, [], "x", author_name="a", author_email="a@example.com")
