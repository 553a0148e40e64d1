"""Routes about pull requests and the comments on them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sandbox.github_api.answers import Json, about_comment, about_issue, about_pull_request, in_list
from sandbox.github_api.api import REPOSITORY, Caller, framed, in_pages
from sandbox.github_api.merging import MergeMethod
from sandbox.github_api.problems import forbidden, invalid_field
from sandbox.github_api.service import Service
from sandbox.github_api.state import Comment, PullRequest, Repository

_PULLS = f"{REPOSITORY}/pulls"
_PULL = f"{_PULLS}/{{number:int}}"
_ISSUE = f"{REPOSITORY}/issues/{{number:int}}"


class _Wanted(BaseModel):
    title: str
    head: str
    base: str
    body: str | None = None


class _Changed(BaseModel):
    title: str | None = None
    body: str | None = None
    state: Literal["open", "closed"] | None = None


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=framed(service))
    _pulls(routes, service)
    _comments(routes, service)
    return routes


def _pulls(routes: APIRouter, service: Service) -> None:
    def about(pull: PullRequest) -> Json:
        test_merge = service.pulls.test_merge(pull)
        mergeable = test_merge is not None if pull.state == "open" else None
        return about_pull_request(service.url, pull, test_merge, mergeable)

    @routes.get(_PULLS)
    def pull_requests(
        request: Request,
        caller: Caller,
        owner: str,
        name: str,
        state: str = "open",
        base: str | None = None,
        head: str | None = None,
        direction: str = "desc",
    ) -> JSONResponse:
        found = [
            pull
            for pull in service.repository(caller, owner, name).pulls
            if state in ("all", pull.state) and base in (None, pull.base_branch) and _is_head(pull, head)
        ]
        found = found if direction == "asc" else found[::-1]
        return in_pages(request, found, lambda pull: in_list(service.url, pull))

    @routes.get(_PULL)
    def pull_request(caller: Caller, owner: str, name: str, number: int) -> Json:
        return about(service.pull_request(service.repository(caller, owner, name), number))

    @routes.post(_PULLS, status_code=201)
    def open_pull_request(caller: Caller, owner: str, name: str, wanted: _Wanted) -> Json:
        base = service.repository(caller, owner, name)
        head, branch = _head(service, base, wanted.head)
        service.demand(caller, head, "write")
        pull = service.pulls.open(
            *(base, wanted.base, head, branch), title=wanted.title, body=wanted.body, author=caller
        )
        # Whether it merges GitHub finds out after it has answered.
        return about_pull_request(service.url, pull, None, None)

    @routes.patch(_PULL)
    def edit_pull_request(caller: Caller, owner: str, name: str, number: int, changed: _Changed) -> Json:
        repository = service.repository(caller, owner, name)
        pull = service.pull_request(repository, number)
        if pull.author != caller:
            service.demand(caller, repository, "write")
        if (changed.title, changed.body) != (None, None):
            service.pulls.edit(pull, changed.title, changed.body)
        if changed.state == "closed":
            service.pulls.close(pull, caller)
        elif changed.state == "open":
            service.pulls.reopen(pull)
        return about(pull)

    @routes.put(f"{_PULL}/merge")
    def merge(
        caller: Caller,
        owner: str,
        name: str,
        number: int,
        merge_method: Annotated[MergeMethod, Body(embed=True)] = "merge",
    ) -> Json:
        pull = service.pull_request(service.repository(caller, owner, name, "write"), number)
        commit = service.pulls.merge(pull, caller, merge_method)
        return {"sha": commit, "merged": True, "message": "Pull Request successfully merged"}


def _comments(routes: APIRouter, service: Service) -> None:
    @routes.get(_ISSUE)
    def issue(caller: Caller, owner: str, name: str, number: int) -> Json:
        return about_issue(service.pull_request(service.repository(caller, owner, name), number))

    @routes.get(f"{_ISSUE}/comments")
    def comments(request: Request, caller: Caller, owner: str, name: str, number: int) -> JSONResponse:
        pull = service.pull_request(service.repository(caller, owner, name), number)
        return in_pages(request, pull.comments, about_comment)

    @routes.post(f"{_ISSUE}/comments", status_code=201)
    def add_comment(
        caller: Caller, owner: str, name: str, number: int, body: Annotated[str, Body(embed=True)]
    ) -> Json:
        pull = service.pull_request(service.repository(caller, owner, name), number)
        if service.accounts.users[caller].read_only_token:
            raise forbidden()
        comment = Comment(caller, body)
        pull.comments.append(comment)
        return about_comment(comment)


def _is_head(pull: PullRequest, head: str | None) -> bool:
    if head is None:
        return True
    owner, _, branch = head.partition(":")
    return owner.lower() == pull.head.owner.lower() and branch == pull.head_branch


def _head(service: Service, base: Repository, head: str) -> tuple[Repository, str]:
    """The repository and the branch that ``branch`` or ``owner:branch`` names.

    Raises:
        Problem: 422 if that owner has no fork of ours.
    """
    owner, _, branch = head.rpartition(":")
    if owner.lower() in ("", base.owner.lower()):
        return base, branch
    fork = service.forks.find(base, owner)
    if fork is None:
        raise invalid_field("PullRequest", "head")
    return fork, branch
