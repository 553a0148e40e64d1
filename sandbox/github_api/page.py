"""The page on which a person reads a pull request and presses a button.

No login: the buttons act as the sandbox's reviewer, for this page only.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from sandbox.github_api.accounts import REVIEWER
from sandbox.github_api.problems import Problem
from sandbox.github_api.service import Service
from sandbox.github_api.state import PullRequest

_URL = "/{owner}/{name}/pull/{number:int}"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_KINDS = {"@": "hunk", "+": "added", "-": "removed"}
# HTML in a description is shown as text, and a picture from elsewhere as a link to nothing; as at GitHub, a
# line of it ends where the text ends it.
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable("image")
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def router(service: Service) -> APIRouter:
    """The page and its form."""
    routes = APIRouter()

    @routes.get(_URL)
    async def show(owner: str, name: str, number: int) -> Response:
        pull = service.pull_request(service.repository(REVIEWER, owner, name), number)
        async with service.one_by_one:
            return await run_in_threadpool(_shown, service, pull)

    @routes.post(_URL)
    async def press(request: Request, owner: str, name: str, number: int) -> Response:
        here = str(request.base_url).rstrip("/")
        if request.headers.get("origin", here) != here:
            raise Problem(403, "This form is of another web site.")
        pull = service.pull_request(service.repository(REVIEWER, owner, name), number)
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("action") not in {"merge", "close"} or "head" not in form:
            raise Problem(422, "This form has an action, merge or close, and the head that was read.")
        async with service.one_by_one:
            return await run_in_threadpool(_pressed, service, pull, form["action"], form["head"])

    return routes


def _pressed(service: Service, pull: PullRequest, action: str, head: str) -> Response:
    try:
        if action == "close":
            service.pulls.close(pull, REVIEWER)
        else:
            # What was read is what is merged: a push since then is refused.
            service.pulls.merge(pull, REVIEWER, "merge", expected_head=head)
    except Problem as problem:
        return _shown(service, pull, problem)
    return RedirectResponse(f"/{pull.base.full_name}/pull/{pull.number}", 303)


def _shown(service: Service, pull: PullRequest, problem: Problem | None = None) -> Response:
    git, bare = service.hosting.git, service.hosting.path(pull.base)
    commits = git.run(bare, "log", "--format=%h %s", f"{pull.base_sha}..{pull.head_sha}")
    diff = git.run(bare, "diff", f"{pull.base_sha}...{pull.head_sha}")
    text = _TEMPLATES.get_template("page.html").render(
        pull=pull,
        reviewer=REVIEWER,
        problem=problem,
        said=[(pull.author, pull.created_at, _rendered(pull.body or "*No description.*"))]
        + [(comment.author, comment.created_at, _rendered(comment.body)) for comment in pull.comments],
        commits=commits.splitlines(),
        # No line of a file's content begins with "diff": each has a blank, a sign or a backslash before it.
        files=[_lines(part) for part in re.split(r"^diff --git ", diff, flags=re.MULTILINE)[1:]],
        mergeable=service.pulls.test_merge(pull) is not None,
    )
    return HTMLResponse(text, problem.status if problem else 200)


def _lines(part: str) -> tuple[str, list[tuple[str, str]]]:
    """The names of a file of a diff, and the kind and text of each of its lines."""
    names, _, rest = part.partition("\n")
    hunks = re.search(r"^@@ .*", rest, re.MULTILINE | re.DOTALL)
    lines = (hunks[0] if hunks else rest).rstrip("\n").split("\n")
    return names, [(_KINDS.get(line[:1], "context"), line) for line in lines]


def _rendered(text: str) -> Markup:
    # GitHub shows no comments of HTML. The renderer escapes the rest; its output is HTML by intention.
    return Markup(_MARKDOWN.render(_COMMENT.sub("", text)))  # noqa: S704
