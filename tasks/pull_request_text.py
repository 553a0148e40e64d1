"""What the pipeline says on its open pull request, and what GitHub says of it: whether it merges."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prefect import get_run_logger

from runbook.foreign_text import markdown, plain
from runbook.pull_request import Words, updated
from systems.github import GitHub, PullRequest

_MERGEABLE_TRIES = 6
"""How often GitHub is asked whether a pull request merges; after a push it takes a second or two."""

_MERGEABLE_PAUSE = 0.5


def show_plan(github: GitHub, pull: PullRequest, text: Words, plan_sha256: str) -> bool:
    """Have the open pull request show the plan of now, without touching what people wrote around it.

    One that was merged or closed a moment ago gets back the text that was decided on.

    Returns:
        Whether the pull request shows it now, in its text or in a comment.
    """
    body = updated(pull.body, text.body)
    if body is None:
        return github.comment_once(
            pull.number,
            f"enablement plan {plan_sha256[:16]}",
            "The pipeline's part of the description was removed, so it is not updated. "
            f"The plan is now:\n\n{text.body}",
        )
    after = github.update_pull_request(pull.number, body=body)
    if after.state != "open":
        github.update_pull_request(pull.number, body=pull.body)
        get_run_logger().info(
            "Pull request #%s is %s by now; its text stays as it was.",
            pull.number,
            after.state,
        )
        return False
    get_run_logger().info("Pull request #%s now shows the plan %s.", pull.number, plan_sha256[:12])
    return True


def with_mergeability(github: GitHub, pull: PullRequest) -> PullRequest:
    """The pull request once GitHub has found out whether it merges, or after a few seconds without that."""
    for _ in range(_MERGEABLE_TRIES):
        pull = github.pull_request(pull.number)
        if pull.mergeable is not None or pull.state != "open":
            break
        time.sleep(_MERGEABLE_PAUSE)
    return pull


def tell_troubles(github: GitHub, pull: PullRequest, troubles: Mapping[str, str]) -> None:
    """Say on the run, and each once on the pull request, why it cannot be merged as it is.

    Args:
        github: where it is.
        pull: the pull request.
        troubles: a sentence each, by kind; of one kind it is said once.
    """
    for kind, trouble in troubles.items():
        get_run_logger().warning("Pull request #%s: %s.", pull.number, plain(trouble))
        github.comment_once(
            pull.number,
            f"enablement trouble {kind}",
            f"The pipeline waits for this pull request, but {markdown(trouble)}. It does not overwrite "
            "commits of others. Correct the branch; or delete it, close this pull request and start a new "
            "run.",
        )
