"""One commit on one branch: made once, rebuilt while it is ours, never over other people's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runbook.errors import Conflict
from tests.systems.gitops.git_server import BRANCH, KUSTOMIZATION, NEW, SIGNED_OFF, TRAILER, GitServer


@pytest.mark.parametrize("name", ["enable-vault", "enable-vault/emea", f"{BRANCH}/try"])
def test_a_branch_in_the_way_is_named_and_left_alone(server: GitServer, name: str) -> None:
    server.git("update-ref", f"refs/heads/{name}", "main")
    with pytest.raises(Conflict, match=f"cannot be created beside the branch {name}:"):
        server.propose()
    assert server.head(name) == server.head("main")


def test_a_branch_whose_name_only_looks_like_it_is_not_in_the_way(server: GitServer) -> None:
    for name in ("enable-vaults", "x/enable-vault", f"{BRANCH}-2", f"x/refs/heads/{BRANCH}", "\u2028\u3000"):
        server.git("update-ref", f"refs/heads/{name}", "main")
    assert server.propose().pushed


def test_a_new_branch_has_one_commit_on_the_base_with_just_the_edits(server: GitServer) -> None:
    proposal = server.propose()

    assert (proposal.branch, proposal.pushed, proposal.before) == (BRANCH, True, None)
    assert proposal.commit == server.head(BRANCH)
    assert server.head(f"{BRANCH}~1") == server.head("main")
    changed = server.git("diff", "--name-status", "main", BRANCH)
    assert changed.splitlines() == [f"M\t{KUSTOMIZATION}", f"A\t{NEW}"]
    assert server.git("diff", "--numstat", "main", BRANCH, "--", KUSTOMIZATION).startswith("1\t0")
    server.git("fsck", "--strict")
    who = "Pipeline <pipeline@example.com>"
    said = server.git("show", "--no-patch", "--format=%an <%ae> %cn <%ce>%n%B", BRANCH).splitlines()
    assert said == [f"{who} {who}", "Enable ember", "", SIGNED_OFF, TRAILER]


def test_a_files_mode_and_gits_order_of_names_are_kept(server: GitServer) -> None:
    server.file(KUSTOMIZATION).chmod(0o755)
    server.work("commit", "--quiet", "--all", "--message=Mode")
    server.work("push", "--quiet", "origin", "main")
    server.commit("external-secrets.yaml", "a: b\n")
    server.commit("external-secrets-2/a.yaml", "a: b\n")

    server.propose()

    assert server.git("ls-tree", BRANCH, KUSTOMIZATION).startswith("100755 ")
    server.git("fsck", "--strict")


@pytest.mark.parametrize("moved_by", [0, 3, 120])
def test_a_second_run_pushes_nothing_though_the_base_moved_elsewhere(
    server: GitServer, moved_by: int
) -> None:
    first = server.propose()
    commits = [
        f"commit refs/heads/main\ncommitter Ada <ada@example.com> {1_700_000_000 + number} +0000\ndata 1\nx\n"
        f"{'' if number else 'from refs/heads/main^0' + chr(10)}M 644 inline docs/{number}\ndata 1\nx\n"
        for number in range(moved_by)
    ]
    server.git("fast-import", "--quiet", stdin="".join(commits))
    server.requests.clear()

    second = server.propose()

    assert (second.commit, second.pushed) == (first.commit, False)
    assert not [request for request in server.requests if "receive-pack" in request]


@pytest.mark.parametrize(
    ("message", "pushed"),
    [
        (f"Enable ember!\n\nSaid otherwise.\n\n{SIGNED_OFF}", False),
        (f"Enable ember\n\n{SIGNED_OFF}\nEnablement-Plan: other", True),
    ],
)
def test_other_trailers_are_a_new_commit_and_another_wording_is_none(
    server: GitServer, message: str, pushed: bool
) -> None:
    server.propose()

    assert server.propose(message=message).pushed is pushed

    assert server.git("log", "--format=%s", "-1", BRANCH) == "Enable ember"
    assert server.git("rev-list", "--count", f"main..{BRANCH}") == "1"


def _merge_and_take_back(server: GitServer) -> None:
    server.check_out("main")
    server.work("merge", "--quiet", "--no-ff", "--message=Merge", f"origin/{BRANCH}")
    server.work("revert", "--no-edit", "--mainline=1", "HEAD")
    server.work("push", "--quiet", "origin", "main")


@pytest.mark.parametrize("move", [GitServer.change_an_edited_file, _merge_and_take_back])
def test_a_branch_that_the_base_has_overtaken_is_rebuilt(
    server: GitServer, move: Callable[[GitServer], object]
) -> None:
    first = server.propose()
    move(server)

    again = server.propose()

    assert again.pushed
    assert again.before == first.commit != again.commit == server.head(BRANCH)
    assert server.head(f"{BRANCH}~1") == server.head("main")
    text = server.git("show", f"{BRANCH}:{KUSTOMIZATION}")
    assert "added.yaml" in text
    assert ("aaa.yaml" in text) is (move is GitServer.change_an_edited_file)
