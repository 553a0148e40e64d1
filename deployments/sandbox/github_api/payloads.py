"""What happened, in the shape of GitHub's webhook payloads."""

from __future__ import annotations

from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.events import Event, PullRequestEvent, PushEvent
from deployments.sandbox.github_api.service import Service
from deployments.sandbox.github_api.state import Repository

_NO_COMMIT = "0" * 40
_MOST_COMMITS = 20


def payload(service: Service, event: Event) -> tuple[str, Json]:
    """The name of the event (``X-GitHub-Event``) and its payload."""
    if isinstance(event, PullRequestEvent):
        return "pull_request", _pull_request(service, event)
    return "push", _push(service, event)


def _pull_request(service: Service, event: PullRequestEvent) -> Json:
    repository = service.state.repository(event.pull.repository)
    assert repository is not None  # noqa: S101 - repositories are never removed
    return {
        "action": event.action,
        "number": event.pull.number,
        "pull_request": service.about_pull_request(repository, event.pull, try_merge=False),
        **event.details,
        **_common(service, repository, event.sender),
    }


def _push(service: Service, event: PushEvent) -> Json:
    repository = event.repository
    in_git = service.in_git(repository)
    page = f"{service.answers.url}/{repository.full_name}"
    pushed: list[str] = []
    if event.after is not None:
        known = (f"^{event.before}",) if event.before else ()
        listed = in_git.git.run(
            *(in_git.path, "rev-list", f"--max-count={_MOST_COMMITS}", event.after), *known
        )
        pushed = listed.split()[::-1]
    commits = [_commit(in_git.full_commit(commit)) for commit in pushed]
    return {
        "ref": f"refs/heads/{event.branch}",
        "before": event.before or _NO_COMMIT,
        "after": event.after or _NO_COMMIT,
        "base_ref": None,
        "created": event.before is None,
        "deleted": event.after is None,
        "forced": bool(
            event.before
            and event.after
            and not in_git.git.is_ancestor(in_git.path, event.before, event.after)
        ),
        "compare": f"{page}/compare/{(event.before or '')[:12]}...{(event.after or '')[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": event.sender, "email": None},
        **_common(service, repository, event.sender),
    }


def _commit(shown: Json) -> Json:
    paths: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
    for file in shown["files"]:
        paths.get(file["status"], paths["modified"]).append(file["filename"])
    return {
        "id": shown["sha"],
        "tree_id": shown["commit"]["tree"]["sha"],
        "distinct": True,
        "message": shown["commit"]["message"],
        "timestamp": shown["commit"]["committer"]["date"],
        "url": shown["html_url"],
        "author": shown["commit"]["author"],
        "committer": shown["commit"]["committer"],
        **paths,
    }


def _common(service: Service, repository: Repository, sender: str) -> Json:
    return {
        "repository": service.answers.repository(repository, "none"),
        "sender": service.answers.user(sender),
    }
