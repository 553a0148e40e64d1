"""Routes about users, repositories and forks."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from deployments.sandbox.github_api.answers_repository import Json
from deployments.sandbox.github_api.exchange import Body, Caller, in_pages, text_field
from deployments.sandbox.github_api.problems import forbidden, invalid_field, not_found
from deployments.sandbox.github_api.service import Service

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    state, answers = service.state, service.answers

    @routes.get("/user")
    def myself(caller: Caller) -> Json:
        return answers.public_user(caller, state.started)

    @routes.get("/users/{login}")
    def user(login: str) -> Json:
        known = {name.lower(): name for name in service.accounts.users}
        if login.lower() not in known:
            raise not_found()
        return answers.public_user(known[login.lower()], state.started)

    @routes.get("/rate_limit")
    def rate_limit(caller: Caller) -> Json:
        service.limiter.give_back(caller)  # asking costs nothing
        rate = service.limiter.rate(caller)
        return {"resources": {"core": rate, "search": rate}, "rate": rate}

    @routes.get("/repos/{owner}/{name}")
    def repository(caller: Caller, owner: str, name: str) -> Json:
        with state.lock:
            return service.about(caller, service.repository(caller, owner, name))

    @routes.get("/repos/{owner}/{name}/forks")
    def forks(request: Request, caller: Caller, owner: str, name: str) -> JSONResponse:
        with state.lock:
            original = service.repository(caller, owner, name)
            visible = [
                fork
                for fork in state.forks_of(original.full_name)
                if service.permission(caller, fork) != "none"
            ]
            return in_pages(
                *(request, answers.api, visible),
                lambda fork: answers.repository(fork, service.permission(caller, fork)),
            )

    @routes.post("/repos/{owner}/{name}/forks", status_code=202)
    def fork(caller: Caller, owner: str, name: str, body: Body) -> Json:
        original = service.repository(caller, owner, name)
        organization, new_name = text_field(body, "organization"), text_field(body, "name")
        if not service.accounts.may_write_with_token(caller):
            raise forbidden()
        if organization is not None:
            known = {each.lower(): each for each in service.accounts.users[caller].organizations}
            if organization.lower() not in known:
                raise invalid_field("Fork", "organization")
            organization = known[organization.lower()]
        if new_name is not None and not _NAME.fullmatch(new_name):
            raise invalid_field("Repository", "name")
        fork = service.forks.make(original, organization or caller, new_name)
        with state.lock:
            return service.about(caller, fork)

    return routes
