"""Users and repositories in the shape in which GitHub shows them.

Shapes and required fields are those of GitHub's OpenAPI description, which a test compares them with.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.sandbox.github_api.accounts import Permission, reaches
from deployments.sandbox.github_api.state import Repository

Json = dict[str, Any]

_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


def node_id(kind: str, number: int | str) -> str:
    """An opaque id as GraphQL has them."""
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def timestamp(moment: datetime | None) -> str | None:
    """A moment as GitHub writes it, in whole seconds."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class RepositoryAnswers:
    """Puts answers together. ``url`` is the stand-in's own, without a trailing slash."""

    url: str

    @property
    def api(self) -> str:
        """Where the API begins, as on a GitHub Enterprise Server."""
        return f"{self.url}/api/v3"

    def user(self, login: str, kind: str = "User") -> Json:
        """GitHub's "simple user"."""
        number = zlib.crc32(login.lower().encode())
        base = f"{self.api}/users/{login}"
        return {
            "login": login,
            "id": number,
            "node_id": node_id("User", number),
            "avatar_url": f"{self.url}/avatars/{number}",
            "gravatar_id": "",
            "url": base,
            "html_url": f"{self.url}/{login}",
            **{name: base + path for name, path in _USER_LINKS.items()},
            "type": kind,
            "site_admin": False,
        }

    def public_user(self, login: str, since: datetime) -> Json:
        """GitHub's "public user": a user with a profile."""
        nothing = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        moment = timestamp(since)
        profile = {**nothing, "blog": "", **counts, "created_at": moment, "updated_at": moment}
        return {**self.user(login), **profile}

    def repository(
        self, repository: Repository, permission: Permission, *, forks: int = 0, open_pulls: int = 0
    ) -> Json:
        """GitHub's "repository", with the permissions of whoever asks."""
        base = f"{self.api}/repos/{repository.full_name}"
        page = f"{self.url}/{repository.full_name}"
        return {
            "id": repository.id,
            "node_id": node_id("Repository", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.user(repository.owner),
            "private": True,
            "visibility": "private",
            "html_url": page,
            "description": None,
            "fork": repository.parent is not None,
            "url": base,
            **{name: base + path for name, path in _REPOSITORY_LINKS.items()},
            "clone_url": f"{page}.git",
            "git_url": f"git://{page.split('://', 1)[1]}.git",
            "ssh_url": f"git@{page.split('://', 1)[1].replace('/', ':', 1)}.git",
            "svn_url": page,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            "topics": [],
            "size": 0,
            "default_branch": repository.default_branch,
            "forks": forks,
            "forks_count": forks,
            "open_issues": open_pulls,
            "open_issues_count": open_pulls,
            "stargazers_count": 0,
            "watchers": 0,
            "watchers_count": 0,
            "is_template": False,
            "has_issues": True,
            "has_projects": False,
            "has_wiki": False,
            "has_pages": False,
            "has_downloads": False,
            "has_discussions": False,
            "archived": repository.archived,
            "disabled": False,
            "allow_forking": True,
            "web_commit_signoff_required": False,
            "pushed_at": timestamp(repository.pushed_at),
            "created_at": timestamp(repository.created_at),
            "updated_at": timestamp(repository.updated_at),
            "permissions": {
                "admin": permission == "admin",
                "maintain": permission == "admin",
                "push": reaches(permission, "write"),
                "triage": reaches(permission, "write"),
                "pull": reaches(permission, "read"),
            },
        }

    def full_repository(
        self,
        repository: Repository,
        permission: Permission,
        parent: Repository | None,
        *,
        forks: int,
        open_pulls: int,
    ) -> Json:
        """GitHub's "full repository": with where it was forked from, and how it merges."""
        answer = self.repository(repository, permission, forks=forks, open_pulls=open_pulls)
        answer |= {
            "network_count": forks,
            "subscribers_count": 0,
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": True,
            "allow_auto_merge": False,
            "delete_branch_on_merge": repository.delete_branch_on_merge,
        }
        if parent is not None:
            # A fork of a fork would have another source; the stand-in forks originals only.
            answer["parent"] = answer["source"] = self.repository(parent, "read")
        return answer
