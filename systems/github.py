"""GitHub as the runbook needs it: a repository, and one pull request a cluster to it.

What GitHub answers is checked against the few fields that we read before anything is believed; of a pull
request, "merged" means that GitHub merged it, and nothing about what is on the base branch now.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import quote

from runbook.errors import AccessDenied, Conflict, PrerequisiteMissing
from systems.github_access import AccessAndForks, same_account
from systems.github_answers import (
    CallsLeft,
    Comment,
    Commit,
    Issue,
    PullRequest,
    PullRequestInList,
    RepositoryAccess,
    parsed,
    text_at,
)
from systems.github_http import NotAccepted

__all__ = ["CallsLeft", "Commit", "GitHub", "PullRequest", "RepositoryAccess"]

_COMMIT = "mutation($input:CreateCommitOnBranchInput!){createCommitOnBranch(input:$input){commit{oid}}}"
_DUPLICATE = "pull request already exists"


class GitHub(AccessAndForks):
    """A repository on GitHub and the pull requests to it. Not for two threads at once.

    Every method raises the errors of `GitHubSession._send`. Nothing is retried in here, and nothing waits but
    `ensure_fork`.
    """

    def rules_of(self, branch: str) -> frozenset[str] | None:
        """Types of the rules that hold for a branch, whether it is there or not: ``required_signatures``.

        Those of rulesets: classic branch protection is shown to administrators only.

        Returns:
            None where the server does not tell us (GitHub Enterprise before 3.11).
        """
        subject = f"rules of branch {branch}"
        try:
            path = f"{self._path}/rules/branches/{quote(branch)}"
            found = self._send("GET", path, subject, params={"per_page": 100}).decoded()
        except (PrerequisiteMissing, AccessDenied):
            return None
        return frozenset(text_at(each, subject, "type") for each in found or ())

    def must_sign(self, *branches: str) -> bool:
        """Whether commits on one of these branches have to be signed, as far as the server tells."""
        return any("required_signatures" in (self.rules_of(branch) or ()) for branch in branches)

    def last_commit_of(self, path: str, branch: str) -> Commit | None:
        """The newest commit of a branch that touched a file; None if none did."""
        subject = f"commits of {path}"
        asked: dict[str, str | int] = {"sha": branch, "path": path, "per_page": 1}
        found = self._send("GET", f"{self._path}/commits", subject, params=asked).decoded()
        return parsed(Commit, found[0], subject) if isinstance(found, list) and found else None

    def base_commit(self, branch: str) -> str:
        """The commit at the head of a branch, asked again and again for whoever waits for it."""
        subject = f"branch {branch}"
        answer = self._ask_again(f"{self._path}/git/ref/heads/{branch}", subject)
        return text_at(answer.decoded(), subject, "object", "sha")

    def open_heads(self, base: str) -> dict[int, str]:
        """The commit that each open pull request to a branch proposes, by number; asked again and again.

        One that moves to another page while the pages are read may be missing: that is a reason to look
        closer, no proof that it was closed.
        """
        subject = "open pull requests"
        asked = {"state": "open", "base": base, "sort": "created", "direction": "asc"}
        listed = self._pages(f"{self._path}/pulls", subject, asked, again=True)
        found = [parsed(PullRequestInList, each, subject) for each in listed]
        # GitHub leaves a filter out that it does not understand, instead of refusing it.
        return {each.number: each.head_sha for each in found if each.base_branch == base}

    def signed_commit(
        self, full_name: str, branch: str, parent: str, message: str, files: Mapping[str, bytes]
    ) -> str:
        """Have GitHub make and sign a commit at the head of a branch; returns its id.

        Its author is the owner of the token, its committer GitHub: that is how GitHub signs for others.

        Args:
            full_name: ``owner/name`` of the repository that has the branch.
            branch: whose head is ``parent``.
            parent: id of a commit.
            message: first line, blank line, text.
            files: whole contents by path.
        """
        headline, _, body = message.partition("\n\n")
        additions = [
            {"path": path, "contents": base64.b64encode(content).decode()} for path, content in files.items()
        ]
        wanted = {
            "branch": {"repositoryNameWithOwner": full_name, "branchName": branch},
            "expectedHeadOid": parent,
            "message": {"headline": headline, "body": body},
            "fileChanges": {"additions": additions},
        }
        subject = f"commit on branch {branch}"
        answer = self._graphql(_COMMIT, {"input": wanted}, subject, full_name)
        return text_at(answer, subject, "data", "createCommitOnBranch", "commit", "oid")

    def find_pull_request(self, head_owner: str, branch: str, base: str) -> PullRequest | None:
        """The pull request of a branch: an open one, else the newest.

        Not the one that was changed last: anybody who may comment changes one.

        Args:
            head_owner: owner of the repository that the branch is in.
            branch: the proposed branch.
            base: the branch that it goes to.
        """
        head = f"{head_owner}:{branch}"
        subject = f"pull requests from {head}"
        asked = {"head": head, "base": base, "state": "all", "sort": "created", "direction": "desc"}
        listed = self._pages(f"{self._path}/pulls", subject, asked)
        found = [
            each
            for each in (parsed(PullRequestInList, each, subject) for each in listed)
            # GitHub leaves a filter out that it does not understand, instead of refusing it.
            if (each.head_branch, each.base_branch) == (branch, base)
            and same_account(each.head_owner, head_owner)
        ]
        is_open = (each for each in found if each.state == "open")
        chosen = next(is_open, found[0] if found else None)
        return self.pull_request(chosen.number) if chosen else None

    def open_pull_request(
        self, *, title: str, body: str, head_owner: str, branch: str, base: str
    ) -> PullRequest:
        """Open a pull request, or find the open one that is there already for this branch.

        Raises:
            PrerequisiteMissing: GitHub does not know the branch, or the fork.
            Conflict: the branch holds nothing that the base branch lacks.
        """
        head = f"{head_owner}:{branch}"
        wanted = {"title": title, "body": body, "head": head, "base": base}
        try:
            answer = self._send("POST", f"{self._path}/pulls", f"pull request from {head}", body=wanted)
            return self._pull_request(answer.decoded())
        except NotAccepted as error:
            refused, said = error, error.answer
        if _DUPLICATE in said:
            found = self.find_pull_request(head_owner, branch, base)
            if found is not None and found.state == "open":
                return found
        if "No commits between" in said:
            remedy = "Check whether the change is on the base branch already; then nothing is to be proposed."
            raise Conflict("GitHub", refused.subject, said, remedy)
        if re.search(r"\b(head|base) invalid\b", said):
            remedy = f"Check that both branches exist: {head} and {base}."
            raise PrerequisiteMissing("GitHub", refused.subject, said, remedy)
        raise refused

    def update_pull_request(self, number: int, body: str) -> PullRequest:
        """Set the text, where it is another one."""
        found = self.pull_request(number)
        # GitHub's own editor turns line ends into CR LF: that is no difference.
        if body.splitlines() == found.body.splitlines():
            return found
        path, subject = f"{self._path}/pulls/{number}", f"pull request #{number}"
        return self._pull_request(self._send("PATCH", path, subject, body={"body": body}).decoded())

    def pull_request(self, number: int) -> PullRequest:
        """One pull request."""
        path, subject = f"{self._path}/pulls/{number}", f"pull request #{number}"
        return self._pull_request(self._send("GET", path, subject).decoded())

    def comment_once(self, number: int, marker: str, body: str) -> bool:
        """Comment on a pull request, unless a comment of ours with this marker is there.

        Args:
            number: of the pull request.
            marker: words that name the occasion; they stand in the comment where readers do not see them.
            body: Markdown.

        Returns:
            Whether a comment was made.
        """
        hidden = f"<!-- {marker} -->"
        own = self.login()
        subject = f"comments on pull request #{number}"
        path = f"{self._path}/issues/{number}/comments"
        for each in self._pages(path, subject):
            comment = parsed(Comment, each, subject)
            # Of an App's token GitHub does not tell the name: then ours are those of a bot.
            is_ours = comment.kind == "Bot" if own is None else same_account(comment.author or "", own)
            if is_ours and hidden in (comment.body or ""):
                return False
        self._send("POST", path, subject, body={"body": f"{body}\n\n{hidden}"})
        return True

    def _pull_request(self, answer: object) -> PullRequest:
        """A pull request out of GitHub's full answer about it."""
        found = parsed(PullRequest, answer, "pull request")
        if found.state != "closed":
            return found
        path, subject = f"{self._path}/issues/{found.number}", f"pull request #{found.number}"
        issue = parsed(Issue, self._send("GET", path, subject).decoded(), subject)
        return found.model_copy(update={"closed_by": issue.closed_by})
