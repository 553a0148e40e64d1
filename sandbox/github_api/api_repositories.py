"""Routes about users, repositories, forks, branches and commits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from sandbox.github_api.answers import Json, about_repository, about_user
from sandbox.github_api.api import REPOSITORY, Caller, framed, in_pages
from sandbox.github_api.problems import Problem, forbidden, invalid_field, not_found
from sandbox.github_api.service import Service
from sandbox.github_api.state import Repository

_COMMIT_FORMAT = "%H%x00%an%x00%cI"


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=framed(service))
    _repositories(routes, service)
    _git(routes, service)
    return routes


def _repositories(routes: APIRouter, service: Service) -> None:
    def shown_to(caller: str, repository: Repository) -> Json:
        return about_repository(service.url, repository, service.accounts.permission(caller, repository))

    @routes.get("/api/v3/user")
    def myself(caller: Caller) -> Json:
        return about_user(caller)

    @routes.get(REPOSITORY)
    def repository(caller: Caller, owner: str, name: str) -> Json:
        return shown_to(caller, service.repository(caller, owner, name))

    @routes.get(f"{REPOSITORY}/rules/branches/{{branch:path}}")
    def rules(caller: Caller, owner: str, name: str, branch: str) -> list[Json]:
        full_name = service.repository(caller, owner, name).full_name
        return [{"type": each} for each in service.rules.get((full_name, branch), ())]

    @routes.post(f"{REPOSITORY}/forks", status_code=202)
    def fork(
        caller: Caller, owner: str, name: str, organization: Annotated[str | None, Body(embed=True)] = None
    ) -> Json:
        original = service.repository(caller, owner, name)
        user = service.accounts.users[caller]
        if user.read_only_token:
            raise forbidden()
        if organization is not None and organization not in user.organizations:
            raise invalid_field("Fork", "organization")
        return shown_to(caller, service.forks.make(original, organization or caller))


def _git(routes: APIRouter, service: Service) -> None:
    git, hosting = service.hosting.git, service.hosting

    @routes.get(f"{REPOSITORY}/branches/{{branch:path}}")
    def branch(caller: Caller, owner: str, name: str, branch: str) -> Json:
        commit = git.commit_of(hosting.path(service.repository(caller, owner, name)), branch)
        if commit is None:
            raise Problem(404, "Branch not found")
        return {"name": branch, "commit": {"sha": commit}}

    @routes.get(f"{REPOSITORY}/git/ref/heads/{{branch:path}}")
    def reference(caller: Caller, owner: str, name: str, branch: str) -> Json:
        commit = git.commit_of(hosting.path(service.repository(caller, owner, name)), branch)
        if commit is None:
            raise not_found()
        return {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": commit}}

    @routes.get(f"{REPOSITORY}/commits")
    def commits(request: Request, caller: Caller, owner: str, name: str, sha: str, path: str) -> JSONResponse:
        bare = hosting.path(service.repository(caller, owner, name))
        start = git.commit_of(bare, sha)
        if start is None:
            raise not_found()
        listed = git.run(bare, "log", f"--format={_COMMIT_FORMAT}", start, "--", path)
        return in_pages(request, listed.splitlines(), _about_commit)


def _about_commit(line: str) -> Json:
    sha, author, committed_at = line.split("\0")
    return {
        "sha": sha,
        "commit": {"author": {"name": author}, "committer": {"date": committed_at}},
        # Whose account an e-mail address belongs to is not known here; GitHub says null then.
        "author": None,
    }
