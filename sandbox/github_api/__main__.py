"""The stand-in as a process of its own: ``python -m sandbox.github_api --help``.

It writes ``tokens.json`` (0600) and, once it answers, ``ready.json`` into its folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.github_api.git import GitError
from sandbox.github_api.server import GitHubApi
from sandbox.github_api.webhooks import Webhook
from sandbox.processes import write_ready


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 if it could not start."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.github_api",
        description="A stand-in for GitHub on 127.0.0.1: REST API, Git over HTTP, and a page to merge on.",
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="folder for everything that it writes")
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
    parser.add_argument("--seed", required=True, help="path or URL that the repository is cloned from")
    parser.add_argument("--webhook-url", required=True, help="gets events, signed with $WEBHOOK_SECRET")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        github = GitHubApi(options.state_dir, {options.repository: options.seed})
    except GitError as error:
        print(f"The GitHub stand-in cannot start: {error}", file=sys.stderr)
        return 1
    github.webhooks.append(Webhook(options.webhook_url, os.environ["WEBHOOK_SECRET"]))
    with github:
        ready = {
            "api_url": github.api_url,
            "clone_url": github.clone_url(options.repository),
            "default_branch": github.default_branch(options.repository),
        }
        write_ready(options.state_dir / "ready.json", ready)
        print(f"GitHub stand-in: {github.url}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
