"""Pages for people: the pull requests of a repository, and one of them with its buttons.

No login: the buttons act as the sandbox's reviewer. A form carries a token that only these pages know, so
that no other web site can press a button.
"""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from deployments.sandbox.github_api.merging import MergeMethod
from deployments.sandbox.github_api.problems import Problem, forbidden
from deployments.sandbox.github_api.service import Service
from deployments.sandbox.github_api.state import PullRequest, Repository

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_MERGES: dict[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
_LONGEST_FORM = 4096
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def router(service: Service) -> APIRouter:
    """The pages and their forms."""
    routes = APIRouter()
    pages = _Pages(service)

    @routes.get("/")
    def repositories() -> Response:
        return pages.show("repositories.html", repositories=service.state.repositories)

    @routes.get("/{owner}/{name}")
    @routes.get("/{owner}/{name}/pulls")
    def pull_requests(owner: str, name: str) -> Response:
        with service.state.lock:
            repository = service.repository(service.reviewer, owner, name)
            pulls = list(reversed(service.state.pull_requests(repository.full_name)))
            return pages.show("pulls.html", repository=repository, pulls=pulls)

    @routes.get("/{owner}/{name}/pull/{number:int}")
    def pull_request(owner: str, name: str, number: int) -> Response:
        with service.state.lock:
            repository = service.repository(service.reviewer, owner, name)
            return pages.pull_request(repository, service.pull_request(repository, number))

    @routes.get("/{owner}/{name}/pull/{number:int}.diff")
    def diff(owner: str, name: str, number: int) -> Response:
        with service.state.lock:
            repository = service.repository(service.reviewer, owner, name)
            pull = service.pull_request(repository, number)
            text = service.hosting.git.run(
                *(service.hosting.path(repository), "diff", f"{pull.base_sha}...{pull.head_sha}", "--"),
            )
        return PlainTextResponse(text, headers=_HEADERS)

    @routes.post("/{owner}/{name}/pull/{number:int}")
    async def press(request: Request, owner: str, name: str, number: int) -> Response:
        form = await _form(request)
        return await run_in_threadpool(pages.press, form, owner, name, number)

    return routes


class _Pages:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._form_token = secrets.token_urlsafe(24)
        # HTML in a description is shown as text, and a picture from elsewhere as a link to nothing.
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(template).render(
            **values, reviewer=self._service.reviewer, form_token=self._form_token
        )
        return HTMLResponse(text, status, headers=_HEADERS)

    def pull_request(
        self, repository: Repository, pull: PullRequest, status: int = 200, problem: str = ""
    ) -> Response:
        service = self._service
        in_git = service.in_git(repository)
        return self.show(
            "pull.html",
            status,
            repository=repository,
            pull=pull,
            problem=problem,
            body=self._rendered(pull.body or "*No description.*"),
            comments=[
                (comment, self._rendered(comment.body))
                for comment in service.state.comments(repository.full_name, pull.number)
            ],
            commits=[
                in_git.commit(commit) for commit in in_git.commits_between(pull.base_sha, pull.head_sha)[-50:]
            ],
            files=service.changes(repository, pull),
            mergeable=pull.state == "open" and service.pulls.test_merge(pull) is not None,
            head_exists=service.head_exists(pull),
        )

    def press(self, form: dict[str, str], owner: str, name: str, number: int) -> Response:
        service, by = self._service, self._service.reviewer
        with service.state.lock:
            repository = service.repository(by, owner, name)
            pull = service.pull_request(repository, number)
            try:
                self._act(form, repository, pull)
            except Problem as problem:
                details = "; ".join(error.get("message", "") for error in problem.errors)
                return self.pull_request(repository, pull, problem.status, details or problem.message)
        return RedirectResponse(f"/{repository.full_name}/pull/{number}", 303, headers=_HEADERS)

    def _act(self, form: dict[str, str], repository: Repository, pull: PullRequest) -> None:
        service, by = self._service, self._service.reviewer
        if not hmac.compare_digest(form.get("form_token", ""), self._form_token):
            raise Problem(403, "This form is not from this page, or the stand-in was restarted: try again.")
        if not service.may(by, repository, "write"):
            raise forbidden()
        match form.get("action"):
            case ("merge" | "squash" | "rebase") as action:
                # What was read is what is merged: a push since then is refused.
                service.pulls.merge(pull, by, _MERGES[action], expected_head=form.get("head", ""))
            case "close":
                service.pulls.close(pull, by)
            case "reopen":
                service.pulls.reopen(pull, by)
            case "delete-branch":
                if pull.state == "closed":
                    service.pulls.delete_head_branch(pull, by)
            case _:
                raise Problem(400, "There is no such button.")

    def _rendered(self, text: str) -> Markup:
        # GitHub shows no comments of HTML. The renderer escapes the rest; its output is HTML by intention.
        return Markup(self._markdown.render(_COMMENT.sub("", text)))  # noqa: S704


async def _form(request: Request) -> dict[str, str]:
    """The fields of a plain HTML form, each once; anything else is empty."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > _LONGEST_FORM:
            return {}
    fields = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}
