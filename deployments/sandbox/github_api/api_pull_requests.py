"""Routes about pull requests and the comments on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.exchange import (
    Body,
    Caller,
    flag,
    in_pages,
    required_text,
    text_field,
)
from deployments.sandbox.github_api.merging import MergeMethod
from deployments.sandbox.github_api.problems import forbidden, invalid_field, not_found
from deployments.sandbox.github_api.service import Service
from deployments.sandbox.github_api.state import Comment, PullRequest, Repository

_PULLS = "/repos/{owner}/{name}/pulls"
_PULL = _PULLS + "/{number:int}"
_ISSUE = "/repos/{owner}/{name}/issues/{number:int}"
_METHODS: dict[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
_ORDER: dict[str, Callable[[PullRequest], datetime]] = {
    "created": lambda pull: pull.created_at,
    "updated": lambda pull: pull.updated_at,
}


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    _reading(routes, service)
    _writing(routes, service)
    _commenting(routes, service)
    return routes


def _reading(routes: APIRouter, service: Service) -> None:
    state, answers = service.state, service.answers

    @routes.get(_PULLS)
    def pull_requests(request: Request, caller: Caller, owner: str, name: str) -> JSONResponse:
        asked = request.query_params
        with state.lock:
            repository = service.repository(caller, owner, name)
            wanted, base, head = asked.get("state", "open"), asked.get("base"), asked.get("head")
            found = [
                pull
                for pull in state.pull_requests(repository.full_name)
                if wanted in ("all", pull.state)
                and (base is None or base == pull.base_branch)
                # GitHub ignores a head that names no owner.
                and (head is None or ":" not in head or _is_head(pull, head))
            ]
            sort = asked.get("sort", "created")
            direction = asked.get("direction", "desc" if sort == "created" else "asc")
            found.sort(key=_ORDER.get(sort, _ORDER["created"]), reverse=direction == "desc")
            return in_pages(
                *(request, answers.api, found),
                lambda pull: answers.pull_request(pull, repository, service.head_repository(pull)),
            )

    @routes.get(_PULL)
    def pull_request(caller: Caller, owner: str, name: str, number: int) -> Json:
        with state.lock:
            repository = service.repository(caller, owner, name)
            return service.about_pull_request(repository, service.pull_request(repository, number))

    @routes.get(f"{_PULL}/files")
    def files(request: Request, caller: Caller, owner: str, name: str, number: int) -> JSONResponse:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            in_git = service.in_git(repository)
            changed = service.changes(repository, pull)
            return in_pages(request, answers.api, changed, lambda each: in_git.file(each, pull.head_sha))

    @routes.get(f"{_PULL}/commits")
    def commits(request: Request, caller: Caller, owner: str, name: str, number: int) -> JSONResponse:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            in_git = service.in_git(repository)
            found = in_git.commits_between(pull.base_sha, pull.head_sha)
            return in_pages(request, answers.api, found, in_git.commit)

    @routes.get(f"{_PULL}/merge")
    def is_merged(caller: Caller, owner: str, name: str, number: int) -> Response:
        pull = service.pull_request(service.repository(caller, owner, name), number)
        if pull.merged_at is None:
            raise not_found()
        return Response(status_code=204)


def _writing(routes: APIRouter, service: Service) -> None:
    state = service.state

    @routes.post(_PULLS)
    def open_pull_request(caller: Caller, owner: str, name: str, body: Body) -> JSONResponse:
        base = service.repository(caller, owner, name)
        title, base_branch = required_text(body, "title"), required_text(body, "base")
        with state.lock:
            head, head_branch = _head(service, base, required_text(body, "head"))
            if not service.may(caller, head, "write"):
                raise forbidden()
            pull = service.pulls.open(
                *(base, base_branch, head, head_branch),
                title=title,
                body=text_field(body, "body"),
                author=caller,
                draft=flag(body, "draft"),
                maintainer_can_modify=flag(body, "maintainer_can_modify"),
            )
            answer = service.about_pull_request(base, pull, try_merge=False)
        return JSONResponse(answer, 201, headers={"Location": answer["url"]})

    @routes.patch(_PULL)
    def edit_pull_request(caller: Caller, owner: str, name: str, number: int, body: Body) -> Json:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            own = pull.author == caller and service.accounts.may_write_with_token(caller)
            if not own and not service.may(caller, repository, "write"):
                raise forbidden()
            title, text, base = (text_field(body, field) for field in ("title", "body", "base"))
            if (title, text, base) != (None, None, None):
                service.pulls.edit(pull, caller, title=title, body=text, base_branch=base)
            match body.get("state"):
                case None:
                    pass
                case "closed":
                    service.pulls.close(pull, caller)
                case "open":
                    service.pulls.reopen(pull, caller)
                case _:
                    raise invalid_field("PullRequest", "state")
            return service.about_pull_request(repository, pull)

    @routes.put(f"{_PULL}/merge")
    def merge(caller: Caller, owner: str, name: str, number: int, body: Body) -> Json:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            if not service.may(caller, repository, "write"):
                raise forbidden()
            method = _METHODS.get(text_field(body, "merge_method") or "merge")
            if method is None:
                raise invalid_field("PullRequest", "merge_method")
            commit = service.pulls.merge(
                *(pull, caller, method),
                expected_head=text_field(body, "sha"),
                title=text_field(body, "commit_title"),
                message=text_field(body, "commit_message"),
            )
        return {"sha": commit, "merged": True, "message": "Pull Request successfully merged"}


def _commenting(routes: APIRouter, service: Service) -> None:
    state, answers = service.state, service.answers

    @routes.get(_ISSUE)
    def issue(caller: Caller, owner: str, name: str, number: int) -> Json:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            return answers.issue(pull, len(state.comments(repository.full_name, number)))

    @routes.get(f"{_ISSUE}/comments")
    def comments(request: Request, caller: Caller, owner: str, name: str, number: int) -> JSONResponse:
        with state.lock:
            repository = service.repository(caller, owner, name)
            service.pull_request(repository, number)
            found = state.comments(repository.full_name, number)
            return in_pages(request, answers.api, found, answers.comment)

    @routes.post(f"{_ISSUE}/comments")
    def add_comment(caller: Caller, owner: str, name: str, number: int, body: Body) -> JSONResponse:
        with state.lock:
            repository = service.repository(caller, owner, name)
            pull = service.pull_request(repository, number)
            if not service.accounts.may_write_with_token(caller):
                raise forbidden()
            text = required_text(body, "body")
            if not text.strip():
                raise invalid_field("IssueComment", "body", "missing_field")
            comment = Comment(
                id=state.next_id(), repository=repository.full_name, number=number, author=caller, body=text
            )
            pull.updated_at = comment.created_at
            state.add(comment)
            answer = answers.comment(comment)
        return JSONResponse(answer, 201, headers={"Location": answer["url"]})


def _is_head(pull: PullRequest, head: str) -> bool:
    owner, _, branch = head.partition(":")
    return owner.lower() == pull.head_owner.lower() and branch == pull.head_branch


def _head(service: Service, base: Repository, head: str) -> tuple[Repository, str]:
    """The repository and the branch that ``branch`` or ``owner:branch`` names.

    Raises:
        Problem: 422 if that owner has no fork of ours.
    """
    owner, colon, branch = head.rpartition(":")
    if not colon or owner.lower() == base.owner.lower():
        return base, branch
    for fork in service.state.forks_of(base.full_name):
        if fork.owner.lower() == owner.lower():
            return fork, branch
    raise invalid_field("PullRequest", "head")
