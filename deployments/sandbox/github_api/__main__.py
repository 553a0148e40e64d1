"""The stand-in as a process of its own: ``python -m deployments.sandbox.github_api --help``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from deployments.sandbox.github_api.git import GitError
from deployments.sandbox.github_api.server import GitHubApi
from deployments.sandbox.github_api.webhooks import Webhook


def _seed(text: str) -> tuple[str, str | None]:
    full_name, _, source = text.partition("=")
    owner, slash, name = full_name.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not OWNER/NAME or OWNER/NAME=SOURCE")
    return full_name, source or None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sandbox.github_api",
        description="A stand-in for GitHub on 127.0.0.1: REST API, Git over HTTP, and a page to merge on.",
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="folder for everything that is kept")
    parser.add_argument(
        "--seed",
        type=_seed,
        action="append",
        required=True,
        metavar="OWNER/NAME[=SOURCE]",
        help="a repository, cloned from a path, a bundle or a URL; may be given several times",
    )
    parser.add_argument("--port", type=int, default=0, help="a free one by default")
    parser.add_argument("--delete-branch-on-merge", action="store_true")
    parser.add_argument(
        "--webhook-url", help="where to deliver events; the secret is read from WEBHOOK_SECRET"
    )
    return parser.parse_args()


def _write_ready(path: Path, github: GitHubApi, repositories: list[str]) -> None:
    """Say, in one step, that the stand-in answers, and where."""
    ready = {
        "pid": os.getpid(),
        "url": github.url,
        "api_url": github.api_url,
        "repositories": {
            name: {
                "clone_url": github.clone_url(name),
                "page_url": github.page_url(name),
                "default_branch": github.default_branch(name),
            }
            for name in repositories
        },
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(ready, indent=2) + "\n", "utf-8")
    draft.replace(path)


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 if it could not start."""
    arguments = _arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    repositories = dict(arguments.seed)
    secret = os.environ.get("WEBHOOK_SECRET", "")
    if arguments.webhook_url and not secret:
        print("WEBHOOK_SECRET is not set: a delivery must be signed.", file=sys.stderr)
        return 1
    webhooks = [Webhook(arguments.webhook_url, secret)] if arguments.webhook_url else []
    ready = arguments.state_dir / "ready.json"
    ready.unlink(missing_ok=True)
    try:
        github = GitHubApi(
            arguments.state_dir,
            repositories,
            port=arguments.port,
            webhooks=webhooks,
            delete_branch_on_merge=arguments.delete_branch_on_merge,
            keep_requests=False,
        )
    except (OSError, GitError) as error:
        print(f"The GitHub stand-in cannot start: {error}", file=sys.stderr)
        return 1
    with github:
        _write_ready(ready, github, list(repositories))
        print(f"GitHub stand-in: {github.url}", flush=True)
        stop.wait()
    ready.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
