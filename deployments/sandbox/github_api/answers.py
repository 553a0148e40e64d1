"""Pull requests and comments in the shape in which GitHub shows them; users and repositories are beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployments.sandbox.github_api.answers_repository import Json, RepositoryAnswers, node_id, timestamp
from deployments.sandbox.github_api.diff import FileChange
from deployments.sandbox.github_api.state import Comment, PullRequest, Repository


@dataclass(frozen=True)
class PullRequestDetails:
    """What only the answer about a single pull request tells.

    ``test_merge`` is None on a conflict, and when it was not ``tried``.
    """

    tried: bool
    test_merge: str | None
    comments: int
    commits: int
    changes: Sequence[FileChange]


class Answers(RepositoryAnswers):
    """All answers but those about what is in Git."""

    def pull_request(self, pull: PullRequest, base: Repository, head: Repository) -> Json:
        """GitHub's "simple pull request", as it stands in a list."""
        api = f"{self.api}/repos/{base.full_name}"
        page = f"{self.url}/{base.full_name}/pull/{pull.number}"
        links = {
            "self": f"{api}/pulls/{pull.number}",
            "html": page,
            "issue": f"{api}/issues/{pull.number}",
            "comments": f"{api}/issues/{pull.number}/comments",
            "review_comments": f"{api}/pulls/{pull.number}/comments",
            "review_comment": f"{api}/pulls/comments{{/number}}",
            "commits": f"{api}/pulls/{pull.number}/commits",
            "statuses": f"{api}/statuses/{pull.head_sha}",
        }
        return {
            "url": links["self"],
            "id": pull.id,
            "node_id": node_id("PullRequest", pull.id),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": links["issue"],
            "commits_url": links["commits"],
            "review_comments_url": links["review_comments"],
            "review_comment_url": links["review_comment"],
            "comments_url": links["comments"],
            "statuses_url": links["statuses"],
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "user": self.user(pull.author),
            "body": pull.body,
            "labels": [],
            "milestone": None,
            "active_lock_reason": None,
            "created_at": timestamp(pull.created_at),
            "updated_at": timestamp(pull.updated_at),
            "closed_at": timestamp(pull.closed_at),
            "merged_at": timestamp(pull.merged_at),
            "merge_commit_sha": pull.merge_commit_sha,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(head, pull.head_branch, pull.head_sha),
            "base": self._side(base, pull.base_branch, pull.base_sha),
            "_links": {name: {"href": link} for name, link in links.items()},
            "author_association": "OWNER" if pull.author == base.owner else "COLLABORATOR",
            "auto_merge": None,
            "draft": pull.draft,
        }

    def full_pull_request(
        self, pull: PullRequest, base: Repository, head: Repository, details: PullRequestDetails
    ) -> Json:
        """GitHub's "pull request", as the answer about a single one."""
        merged = pull.merged_at is not None
        tried = details.tried and pull.state == "open"
        mergeable = details.test_merge is not None if tried else None
        return {
            **self.pull_request(pull, base, head),
            # Of an open one this is GitHub's test merge, not a merge that happened.
            "merge_commit_sha": pull.merge_commit_sha or details.test_merge,
            "merged": merged,
            "mergeable": mergeable,
            "rebaseable": mergeable,
            "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
            "merged_by": self.user(pull.merged_by) if pull.merged_by else None,
            "comments": details.comments,
            "review_comments": 0,
            "maintainer_can_modify": pull.maintainer_can_modify,
            "commits": details.commits,
            "additions": sum(change.additions for change in details.changes),
            "deletions": sum(change.deletions for change in details.changes),
            "changed_files": len(details.changes),
        }

    def issue(self, pull: PullRequest, comments: int) -> Json:
        """A pull request seen as the issue that it also is: only here GitHub tells who closed it."""
        api = f"{self.api}/repos/{pull.repository}"
        issue = f"{api}/issues/{pull.number}"
        page = f"{self.url}/{pull.repository}/pull/{pull.number}"
        return {
            "id": pull.id,
            "node_id": node_id("Issue", pull.id),
            "url": issue,
            "repository_url": api,
            "labels_url": f"{issue}/labels{{/name}}",
            "comments_url": f"{issue}/comments",
            "events_url": f"{issue}/events",
            "html_url": page,
            "number": pull.number,
            "state": pull.state,
            "state_reason": None,
            "title": pull.title,
            "body": pull.body,
            "user": self.user(pull.author),
            "labels": [],
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "locked": False,
            "active_lock_reason": None,
            "comments": comments,
            "closed_at": timestamp(pull.closed_at),
            "closed_by": self.user(pull.closed_by) if pull.closed_by else None,
            "created_at": timestamp(pull.created_at),
            "updated_at": timestamp(pull.updated_at),
            "author_association": "COLLABORATOR",
            "draft": pull.draft,
            "pull_request": {
                "url": f"{api}/pulls/{pull.number}",
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": timestamp(pull.merged_at),
            },
        }

    def comment(self, comment: Comment) -> Json:
        """A comment on an issue or a pull request."""
        api = f"{self.api}/repos/{comment.repository}/issues"
        page = f"{self.url}/{comment.repository}/pull/{comment.number}"
        return {
            "id": comment.id,
            "node_id": node_id("IssueComment", comment.id),
            "url": f"{api}/comments/{comment.id}",
            "html_url": f"{page}#issuecomment-{comment.id}",
            "issue_url": f"{api}/{comment.number}",
            "body": comment.body,
            "user": self.user(comment.author),
            "created_at": timestamp(comment.created_at),
            "updated_at": timestamp(comment.created_at),
            "author_association": "COLLABORATOR",
        }

    def _side(self, repository: Repository, branch: str, commit: str) -> Json:
        return {
            "label": f"{repository.owner}:{branch}",
            "ref": branch,
            "sha": commit,
            "user": self.user(repository.owner),
            "repo": self.repository(repository, "none"),
        }
