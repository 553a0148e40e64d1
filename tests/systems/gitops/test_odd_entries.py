"""What a repository may hold beside files and folders: submodules, links, trees without end."""

from __future__ import annotations

import hashlib

import pytest

from runbook.errors import Conflict
from runbook.gitops import (
    FileEdit,
    FileTree,
    StoreSettings,
    Tree,
    check_repository,
    interesting_folders,
    wanted_edits,
)
from runbook.gitops.tree import yaml_files
from runbook.layout import Layout
from runbook.request import EnableRequest
from systems.gitops import GitOpsClone
from tests.runbook.gitops.judging import FILES
from tests.systems.gitops.git_server import BRANCH, GitServer, propose_in

OVERLAY = "cluster-scope/overlays/prod/emea/ember"
OPERATOR = "external-secrets/overlays/emea/ember"
SUBMODULE = f"160000 {'1' * 40}"


def _put(server: GitServer, path: str, entry: str) -> None:
    """Commit ``path`` to main: a submodule, a link to ``entry``, or a file."""
    if entry != SUBMODULE:
        blob = server.git("hash-object", "-w", "--stdin", stdin=entry or "kind: SecretStore\n")
        entry = f"{120000 if entry else 100644} {blob}"
    server.git("read-tree", "main")
    server.git("update-index", "--add", "--index-info", stdin=f"{entry}\t{path}\n")
    commit = server.git("commit-tree", server.git("write-tree"), "-p", "main", "-m", "Something odd")
    server.git("update-ref", "refs/heads/main", commit)


def _edits(tree: Tree) -> tuple[FileEdit, ...]:
    request = EnableRequest(env="emea", cluster="ember", namespaces=("payments",))
    assert not [row for row in check_repository(tree, request, Layout()) if row.status == "failed"]
    return wanted_edits(tree, request, Layout(), StoreSettings("https://vault", None, ()))


def _propose(clone: GitOpsClone, edits: tuple[FileEdit, ...]) -> str:
    return propose_in(clone, edits, remaining=_edits).commit


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("docs", SUBMODULE),
        ("cluster-scope/docs", SUBMODULE),
        (f"{OVERLAY}/docs", SUBMODULE),
        (f"{OPERATOR}-more", SUBMODULE),
        ("cluster-scope/link", "../nowhere"),
        ("cluster-scope/" + 1500 * "a/" + "x.yaml", ""),
        (1500 * "a/" + "x.yaml", ""),
    ],
    ids=lambda value: value[:60],
)
def test_what_is_beside_our_files_stays_as_it_is(server: GitServer, path: str, entry: str) -> None:
    _put(server, path, entry)
    with server.clone(interesting=interesting_folders(Layout())) as clone:
        edits = _edits(clone.tree)
        commit = _propose(clone, edits)

    changed = server.git("diff-tree", "-r", "--name-only", "main", commit).splitlines()
    assert sorted(changed) == sorted(edit.path for edit in edits)
    with server.clone() as clone:
        assert _propose(clone, edits) == commit


@pytest.mark.parametrize("entry", [SUBMODULE, "../../../../../elsewhere"], ids=["a submodule", "a link"])
@pytest.mark.parametrize(
    "path",
    [
        OPERATOR,
        f"{OPERATOR}/kustomization.yaml",
        f"{OPERATOR}/eso-vault-auth-token.yaml",
        f"{OVERLAY}/secret-mgmt",
        f"{OVERLAY}/secret-mgmt/base",
        f"{OVERLAY}/secret-mgmt/base/opf-vault-store.yaml",
        f"{OVERLAY}/secret-mgmt/payments",
        f"{OVERLAY}/secret-mgmt/payments/kustomization.yaml",
    ],
)
def test_what_is_where_we_write_is_a_conflict_that_names_it(server: GitServer, path: str, entry: str) -> None:
    edits = _edits(FileTree(FILES))
    _put(server, path, entry)

    with server.clone(interesting=interesting_folders(Layout())) as clone:
        with pytest.raises(Conflict, match="is a link, a submodule or") as worked_out:
            _edits(clone.tree)
        with pytest.raises(Conflict, match="is a link, a submodule or") as written:
            _propose(clone, edits)
    assert worked_out.value.subject == written.value.subject == path
    assert server.branches() == ["main"]


@pytest.mark.parametrize(
    ("path", "text", "answer"),
    [
        (f"{OPERATOR}/kustomization.yaml/README", "a folder of an odd name\n", "where a file is needed"),
        (f"{OVERLAY}/kustomization.yaml", "#" * 30_000_000, "too large"),
    ],
    ids=["a folder where a file is needed", "a file too large to load"],
)
def test_what_cannot_be_edited_is_a_conflict(server: GitServer, path: str, text: str, answer: str) -> None:
    server.commit(path, text)

    with server.clone() as clone, pytest.raises(Conflict, match=answer):
        _edits(clone.tree)


def test_any_name_and_content_is_written_as_it_is(server: GitServer) -> None:
    path, content = 'odd\n "\\ü" name/ä b.yaml', b"a: \xff\r\n\tb"
    with server.clone() as clone:
        propose_in(clone, [FileEdit(path, None, content.decode("utf-8", "surrogateescape"))])

    blob = hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False)
    assert server.git("rev-parse", f"{BRANCH}:{path}") == blob.hexdigest()


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1"])
def test_an_entry_that_git_itself_does_not_make_is_a_conflict_that_names_it(
    server: GitServer, name: str
) -> None:
    blob = server.git("hash-object", "-w", "--stdin", stdin="x\n")
    listed = server.git("ls-tree", "main")
    tree = server.git("mktree", stdin=f"{listed}\n100644 blob {blob}\t{name}\n")
    commit = server.git("commit-tree", tree, "-p", "main", "-m", "Something odd")
    server.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(Conflict, match="has an entry that cannot be read"), server.clone() as clone:
        clone.tree.entries("")


def test_folders_that_are_there_without_end_stop_nobody_who_does_not_need_them(server: GitServer) -> None:
    """Git keeps a folder that is there many times once: a few objects are more paths than anybody reads."""
    tree = server.git(
        "mktree", stdin=f"100644 blob {server.git('hash-object', '-w', '--stdin', stdin='x')}\tx\n"
    )
    for _ in range(40):
        tree = server.git("mktree", stdin="".join(f"040000 tree {tree}\t{name}\n" for name in "abcdefghij"))
    above = server.git("ls-tree", "main:cluster-scope")
    scope = server.git("mktree", stdin=f"{above}\n040000 tree {tree}\tbomb\n")
    listed = [
        line for line in server.git("ls-tree", "main").splitlines() if not line.endswith("\tcluster-scope")
    ]
    root = server.git("mktree", stdin="\n".join([*listed, f"040000 tree {scope}\tcluster-scope", ""]))
    commit = server.git("commit-tree", root, "-p", "main", "-m", "Something odd")
    server.git("update-ref", "refs/heads/main", commit)
    with server.clone(interesting=interesting_folders(Layout())) as clone:
        assert clone.tree.read(f"{OVERLAY}/kustomization.yaml")
        assert _edits(clone.tree)
        with pytest.raises(Conflict, match="is beyond 20000 folders"):
            list(yaml_files(clone.tree))
