"""The Git remote: smart HTTP through ``git http-backend``, the CGI program that comes with Git.

``http://127.0.0.1:PORT/<owner>/<name>.git`` can be cloned (whole, shallow, partial), fetched from and pushed
to with a token as the password. Nothing is served without one.
"""

from __future__ import annotations

import subprocess

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from sandbox.github_api.problems import Problem
from sandbox.github_api.service import Service
from sandbox.github_api.state import Repository

_REPOSITORY = "/{owner}/{name}.git"
_REFUSALS = {
    401: "Invalid username or token.",
    403: "Write access to repository not granted.",
    404: "Repository not found.",
}


def router(service: Service) -> APIRouter:
    """The three URLs of a smart remote."""
    routes = APIRouter()

    @routes.get(f"{_REPOSITORY}/info/refs")
    @routes.post(f"{_REPOSITORY}/git-upload-pack")
    @routes.post(f"{_REPOSITORY}/git-receive-pack")
    async def remote(request: Request, owner: str, name: str) -> Response:
        command = request.url.path.rpartition(".git/")[2]
        pushes = "git-receive-pack" in (command, request.query_params.get("service"))
        try:
            login = service.accounts.authenticate(request.headers.get("authorization"))
            repository = service.repository(login, owner, name, "write" if pushes else "read")
        except Problem as problem:
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if problem.status == 401 else None
            return PlainTextResponse(f"{_REFUSALS[problem.status]}\n", problem.status, headers)
        body = await request.body()
        environment = {
            # What a CGI program is told, by RFC 3875, and which protocol version the client speaks.
            **service.hosting.git.environment,
            "GIT_PROJECT_ROOT": str(service.hosting.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "PATH_INFO": f"/{repository.full_name}.git/{command}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "REMOTE_USER": login,
        }
        if command != "git-receive-pack":
            return await run_in_threadpool(_backend, environment, body)
        async with service.one_by_one:
            return await run_in_threadpool(_receive, service, repository, login, environment, body)

    return routes


def _receive(
    service: Service, repository: Repository, login: str, environment: dict[str, str], body: bytes
) -> Response:
    """Take a push. Pull requests have followed it before the client gets its answer."""
    path, git = service.hosting.path(repository), service.hosting.git
    before = git.branches(path)
    answer = _backend(environment, body)
    after = git.branches(path)
    moved = {
        branch: after.get(branch)
        for branch in sorted(before.keys() | after.keys())
        if before.get(branch) != after.get(branch)
    }
    service.pulls.pushed(repository, moved, login)
    return answer


def _backend(environment: dict[str, str], body: bytes) -> Response:
    """What the CGI program answers."""
    done = subprocess.run(
        ["git", "http-backend"], env=environment, input=body, capture_output=True, check=False
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    return Response(content, int(headers.pop("Status", "200").split()[0]), headers)
