"""Routes about branches, commits, comparisons and files."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from deployments.sandbox.github_api.answers_git import GitAnswers
from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.exchange import Caller, in_pages
from deployments.sandbox.github_api.git import GitError
from deployments.sandbox.github_api.problems import Problem, not_found
from deployments.sandbox.github_api.service import Service

_REPOSITORY = "/repos/{owner}/{name}"


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    _branches(routes, service)
    _commits(routes, service)
    return routes


def _branches(routes: APIRouter, service: Service) -> None:
    @routes.get(f"{_REPOSITORY}/branches")
    def branches(request: Request, caller: Caller, owner: str, name: str) -> JSONResponse:
        repository = service.repository(caller, owner, name)
        in_git = service.in_git(repository)
        found = in_git.git.branches(in_git.path) if repository.ready else {}
        return in_pages(
            request, service.answers.api, list(found.items()), lambda item: in_git.short_branch(*item)
        )

    @routes.get(f"{_REPOSITORY}/branches/{{branch:path}}")
    def branch(caller: Caller, owner: str, name: str, branch: str) -> Json:
        repository = service.repository(caller, owner, name)
        in_git = service.in_git(repository)
        commit = in_git.git.commit_of(in_git.path, f"refs/heads/{branch}") if repository.ready else None
        if commit is None:
            raise Problem(404, "Branch not found")
        return in_git.branch(branch, commit)

    @routes.get(f"{_REPOSITORY}/git/ref/{{reference:path}}")
    def reference(caller: Caller, owner: str, name: str, reference: str) -> Json:
        in_git = _filled(service, caller, owner, name)
        commit = in_git.git.commit_of(in_git.path, f"refs/{reference}")
        if commit is None or not reference.startswith(("heads/", "tags/", "pull/")):
            raise not_found()
        return in_git.reference(f"refs/{reference}", commit)


def _commits(routes: APIRouter, service: Service) -> None:
    @routes.get(f"{_REPOSITORY}/commits")
    def commits(request: Request, caller: Caller, owner: str, name: str) -> JSONResponse:
        in_git = _filled(service, caller, owner, name)
        start = _commit(service, in_git, request.query_params.get("sha", in_git.repository.default_branch))
        path = request.query_params.get("path")
        found = in_git.git.run(in_git.path, "rev-list", start, "--", *((path,) if path else ()))
        return in_pages(request, service.answers.api, found.split(), in_git.commit)

    @routes.get(f"{_REPOSITORY}/commits/{{spelled:path}}")
    def commit(caller: Caller, owner: str, name: str, spelled: str) -> Json:
        in_git = _filled(service, caller, owner, name)
        try:
            found = _commit(service, in_git, spelled)
        except Problem as error:
            raise Problem(422, f"No commit found for SHA: {spelled}") from error
        return in_git.full_commit(found)

    @routes.get(f"{_REPOSITORY}/compare/{{basehead:path}}")
    def compare(caller: Caller, owner: str, name: str, basehead: str) -> Json:
        in_git = _filled(service, caller, owner, name)
        base, dots, head = basehead.partition("...")
        if not dots:
            raise not_found()
        with service.state.lock:
            base_commit, head_commit = _commit(service, in_git, base), _commit(service, in_git, head)
            try:
                return in_git.comparison(basehead, base_commit, head_commit)
            except GitError as error:
                # No common ancestor.
                raise not_found() from error

    @routes.get(f"{_REPOSITORY}/contents")
    @routes.get(f"{_REPOSITORY}/contents/{{path:path}}")
    def contents(request: Request, caller: Caller, owner: str, name: str, path: str = "") -> Any:
        in_git = _filled(service, caller, owner, name)
        spelled = request.query_params.get("ref", in_git.repository.default_branch)
        try:
            commit = _commit(service, in_git, spelled)
        except Problem as error:
            raise Problem(404, f"No commit found for the ref {spelled}") from error
        found = None if ".." in path.split("/") else in_git.contents(commit, path)
        if found is None:
            raise not_found()
        return found


def _filled(service: Service, caller: str, owner: str, name: str) -> GitAnswers:
    """A repository whose Git data is there.

    Raises:
        Problem: 409 for a fork that is still being made.
    """
    repository = service.repository(caller, owner, name)
    if not repository.ready:
        raise Problem(409, "Git Repository is empty.")
    return service.in_git(repository)


def _commit(service: Service, in_git: GitAnswers, spelled: str) -> str:
    """A commit by branch, tag or id; a branch of a fork as ``owner:branch``.

    Raises:
        Problem: 404 if there is none.
    """
    owner, colon, name = spelled.rpartition(":")
    path = in_git.path
    if colon and owner.lower() != in_git.repository.owner.lower():
        forks = service.state.forks_of(in_git.repository.full_name)
        fork = next((each for each in forks if each.owner.lower() == owner.lower() and each.ready), None)
        if fork is None:
            raise not_found()
        path = service.hosting.path(fork)
    # Git's own spellings (HEAD~1, @{1}, :/text) are no commits to GitHub.
    if any(sign in name for sign in "~^@{ "):
        raise not_found()
    for spelling in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        commit = in_git.git.commit_of(path, spelling)
        if commit is not None:
            if path != in_git.path:
                in_git.git.run(in_git.path, "fetch", "--quiet", "--no-tags", str(path), commit)
            return commit
    raise not_found()
