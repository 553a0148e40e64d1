"""Branches, commits, comparisons and files in the shape in which GitHub shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.sandbox.github_api.answers import Answers
from deployments.sandbox.github_api.answers_repository import Json, node_id
from deployments.sandbox.github_api.diff import FileChange, changes, changes_of_commit
from deployments.sandbox.github_api.git import Git
from deployments.sandbox.github_api.state import Repository

_COMMIT_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


@dataclass(frozen=True)
class GitAnswers:
    """Answers about what is in one repository."""

    answers: Answers
    git: Git
    repository: Repository
    path: Path

    @property
    def _api(self) -> str:
        return f"{self.answers.api}/repos/{self.repository.full_name}"

    @property
    def _page(self) -> str:
        return f"{self.answers.url}/{self.repository.full_name}"

    def commit(self, commit: str) -> Json:
        """GitHub's "commit", without the files."""
        shown = self.git.run(self.path, "show", "--no-patch", f"--format={_COMMIT_FORMAT}", commit)
        sha, tree, parents, *people, message = shown.rstrip("\n").split("\0", 9)
        author = dict(zip(("name", "email", "date"), people[:3], strict=True))
        committer = dict(zip(("name", "email", "date"), people[3:], strict=True))
        return {
            "sha": sha,
            "node_id": node_id("Commit", sha),
            "url": f"{self._api}/commits/{sha}",
            "html_url": f"{self._page}/commit/{sha}",
            "comments_url": f"{self._api}/commits/{sha}/comments",
            "commit": {
                "url": f"{self._api}/git/commits/{sha}",
                "author": author,
                "committer": committer,
                "message": message,
                "comment_count": 0,
                "tree": {"sha": tree, "url": f"{self._api}/git/trees/{tree}"},
                "verification": {
                    "verified": False,
                    "reason": "unsigned",
                    "signature": None,
                    "payload": None,
                    "verified_at": None,
                },
            },
            # Whose account an e-mail address belongs to is not known here; GitHub says null then.
            "author": None,
            "committer": None,
            "parents": [
                {
                    "sha": parent,
                    "url": f"{self._api}/commits/{parent}",
                    "html_url": f"{self._page}/commit/{parent}",
                }
                for parent in parents.split()
            ],
        }

    def full_commit(self, commit: str) -> Json:
        """GitHub's "commit" with what it changed."""
        files = changes_of_commit(self.git, self.path, commit)
        added, removed = sum(file.additions for file in files), sum(file.deletions for file in files)
        return {
            **self.commit(commit),
            "stats": {"total": added + removed, "additions": added, "deletions": removed},
            "files": [self.file(file, commit) for file in files],
        }

    def commits_between(self, base: str, head: str) -> list[str]:
        """The commits that ``head`` has and ``base`` has not, oldest first."""
        return self.git.run(self.path, "rev-list", "--reverse", f"{base}..{head}").split()

    def file(self, change: FileChange, commit: str) -> Json:
        """GitHub's "diff entry"."""
        optional: Json = {"patch": change.patch} if change.patch else {}
        if change.previous_path is not None:
            optional["previous_filename"] = change.previous_path
        return {
            "sha": change.blob,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{self._page}/blob/{commit}/{change.path}",
            "raw_url": f"{self._page}/raw/{commit}/{change.path}",
            "contents_url": f"{self._api}/contents/{change.path}?ref={commit}",
            **optional,
        }

    def short_branch(self, name: str, commit: str) -> Json:
        """A branch as it stands in a list."""
        return {
            "name": name,
            "commit": {"sha": commit, "url": f"{self._api}/commits/{commit}"},
            "protected": False,
        }

    def branch(self, name: str, commit: str) -> Json:
        """GitHub's "branch with protection"; nothing is protected here."""
        url = f"{self._api}/branches/{name}"
        return {
            "name": name,
            "commit": self.commit(commit),
            "_links": {"self": url, "html": f"{self._page}/tree/{name}"},
            "protected": False,
            "protection": {
                "enabled": False,
                "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
            },
            "protection_url": f"{url}/protection",
        }

    def reference(self, name: str, commit: str) -> Json:
        """GitHub's "Git reference"; ``name`` begins with ``refs/``."""
        return {
            "ref": name,
            "node_id": node_id("Ref", f"{self.repository.id}:{name}"),
            "url": f"{self._api}/git/{name}",
            "object": {"type": "commit", "sha": commit, "url": f"{self._api}/git/commits/{commit}"},
        }

    def comparison(self, spelled: str, base: str, head: str) -> Json:
        """GitHub's "commit comparison" of two commits; ``spelled`` is how the caller wrote it."""
        merge_base = self.git.run(self.path, "merge-base", base, head).strip()
        ahead, behind = self.commits_between(base, head), self.commits_between(head, base)
        status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
        page = f"{self._page}/compare/{spelled}"
        return {
            "url": f"{self._api}/compare/{spelled}",
            "html_url": page,
            "permalink_url": f"{self._page}/compare/{base}...{head}",
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "base_commit": self.commit(base),
            "merge_base_commit": self.commit(merge_base),
            "status": status.get((bool(ahead), bool(behind)), "identical"),
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [self.commit(commit) for commit in ahead[:250]],
            "files": [self.file(change, head) for change in changes(self.git, self.path, base, head)],
        }

    def contents(self, commit: str, path: str) -> Any:
        """A file with its content in base64, a folder as a list; None if there is neither."""
        path = path.strip("/")
        if path:
            listed = self.git.run(self.path, "ls-tree", "-z", "--long", commit, "--", path).split("\0")[0]
            if not listed:
                return None
            if listed.split()[1] == "blob":
                return self._file_content(commit, listed)
        entries = self.git.run(
            self.path, "ls-tree", "-z", "--long", commit, *(("--", f"{path}/") if path else ())
        )
        return [self._entry(commit, entry) for entry in entries.split("\0") if entry]

    def _entry(self, commit: str, listed: str) -> Json:
        facts, path = listed.split("\t", 1)
        mode, kind, sha, size = facts.split()
        kinds = {"tree": "dir", "commit": "submodule"}
        url = f"{self._api}/contents/{path}?ref={commit}"
        git_url = f"{self._api}/git/{kind}s/{sha}"
        html_url = f"{self._page}/{kind}/{commit}/{path}"
        return {
            "type": "symlink" if mode == "120000" else kinds.get(kind, "file"),
            "size": 0 if size == "-" else int(size),
            "name": path.rsplit("/", 1)[-1],
            "path": path,
            "sha": sha,
            "url": url,
            "git_url": git_url,
            "html_url": html_url,
            "download_url": f"{self._page}/raw/{commit}/{path}" if kind == "blob" else None,
            "_links": {"self": url, "git": git_url, "html": html_url},
        }

    def _file_content(self, commit: str, listed: str) -> Json:
        entry = self._entry(commit, listed)
        content = self.git.run_bytes(self.path, "cat-file", "blob", entry["sha"])
        if entry["type"] == "symlink":
            return {**entry, "target": content.decode("utf-8", "replace")}
        # GitHub breaks the base64 text into lines.
        return {**entry, "encoding": "base64", "content": base64.encodebytes(content).decode()}
