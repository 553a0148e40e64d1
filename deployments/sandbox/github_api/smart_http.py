"""The Git remote: smart HTTP through ``git http-backend``, the CGI program that comes with Git.

``http://127.0.0.1:PORT/<owner>/<name>.git`` can be cloned (whole, shallow, partial), fetched from and pushed
to with a token as the password. Nothing is served without one.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from deployments.sandbox.github_api.api import authenticate
from deployments.sandbox.github_api.problems import Problem
from deployments.sandbox.github_api.service import Service
from deployments.sandbox.github_api.state import Repository

_PROTOCOL = re.compile(r"[a-z0-9=:.-]{1,100}")
_CHUNK = 64 * 1024
_NOT_FOUND = "Repository not found."


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


def router(service: Service) -> APIRouter:
    """The three URLs of a smart remote."""
    routes = APIRouter()

    async def serve(request: Request, owner: str, name: str, command: str) -> Response:
        program = request.query_params.get("service", "") if command == "info/refs" else command
        try:
            repository = await run_in_threadpool(_allowed, service, request, owner, name, program)
        except _Refused as refused:
            headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if refused.status == 401 else {}
            return PlainTextResponse(refused.message + "\n", refused.status, headers=headers)
        with tempfile.TemporaryFile() as body:
            async for part in request.stream():
                body.write(part)
            environment = _environment(service, request, repository, command, body.tell())
            body.seek(0)
            if command == "git-receive-pack":
                return await run_in_threadpool(
                    _receive, service, repository, request.state.login, environment, body
                )
            return await _upload(environment, body)

    @routes.get("/{owner}/{name}/info/refs")
    async def info_refs(request: Request, owner: str, name: str) -> Response:
        return await serve(request, owner, name, "info/refs")

    @routes.post("/{owner}/{name}/git-upload-pack")
    async def upload_pack(request: Request, owner: str, name: str) -> Response:
        return await serve(request, owner, name, "git-upload-pack")

    @routes.post("/{owner}/{name}/git-receive-pack")
    async def receive_pack(request: Request, owner: str, name: str) -> Response:
        return await serve(request, owner, name, "git-receive-pack")

    return routes


def _allowed(service: Service, request: Request, owner: str, name: str, program: str) -> Repository:
    """The repository that is asked for, if the caller may do with it what is asked."""
    if program not in ("git-upload-pack", "git-receive-pack"):
        # The old protocol, which reads files one by one, is not served by GitHub either.
        raise _Refused(403, "Please upgrade your git client.")
    try:
        login = authenticate(service.accounts, request.headers.get("authorization"))
    except Problem as error:
        raise _Refused(401, "Invalid username or token.") from error
    request.state.login = login
    try:
        repository = service.repository(login, owner, name.removesuffix(".git"))
    except Problem as error:
        raise _Refused(404, _NOT_FOUND) from error
    if not repository.ready:
        raise _Refused(404, _NOT_FOUND)
    if program == "git-receive-pack" and not service.may(login, repository, "write"):
        raise _Refused(403, "Write access to repository not granted.")
    return repository


def _environment(
    service: Service, request: Request, repository: Repository, command: str, length: int
) -> dict[str, str]:
    """What a CGI program is told, by RFC 3875, and which protocol version the client speaks."""
    protocol = request.headers.get("git-protocol", "")
    return service.hosting.git.environment(
        GIT_PROJECT_ROOT=str(service.hosting.root),
        GIT_HTTP_EXPORT_ALL="1",
        GIT_PROTOCOL=protocol if _PROTOCOL.fullmatch(protocol) else "",
        PATH_INFO=f"/{repository.owner}/{repository.name}.git/{command}",
        REQUEST_METHOD=request.method,
        QUERY_STRING=request.url.query,
        CONTENT_TYPE=request.headers.get("content-type", ""),
        CONTENT_LENGTH=str(length),
        HTTP_CONTENT_ENCODING=request.headers.get("content-encoding", ""),
        REMOTE_ADDR="127.0.0.1",
        REMOTE_USER=request.state.login,
    )


def _receive(
    service: Service, repository: Repository, login: str, environment: dict[str, str], body: IO[bytes]
) -> Response:
    """Take a push. Pull requests have followed it before the client gets its answer."""
    path: Path = service.hosting.path(repository)
    git = service.hosting.git
    with service.state.lock:
        before = git.branches(path)
        done = subprocess.run(
            ["git", "http-backend"], env=environment, stdin=body, capture_output=True, check=False
        )
        after = git.branches(path)
        moved = {
            branch: (before.get(branch), after.get(branch))
            for branch in sorted(before.keys() | after.keys())
            if before.get(branch) != after.get(branch)
        }
        if moved:
            service.pulls.pushed(repository, moved, login)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    status, headers = _head(head)
    return Response(content, status, headers)


async def _upload(environment: dict[str, str], body: IO[bytes]) -> Response:
    """Answer a clone or a fetch as Git produces it."""
    process = await asyncio.create_subprocess_exec(
        *("git", "http-backend"),
        env=environment,
        stdin=body,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        head = await stdout.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        await process.wait()
        return PlainTextResponse(f"git http-backend said nothing: {error}\n", 500)
    status, headers = _head(head.removesuffix(b"\r\n\r\n"))

    async def content() -> AsyncIterator[bytes]:
        done = False
        try:
            while part := await stdout.read(_CHUNK):
                yield part
            done = True
        finally:
            # Only who was cut off is killed: killing also reaps, and asyncio misses a child reaped by others.
            if not done and process.returncode is None:
                process.kill()
            await process.wait()

    return StreamingResponse(content(), status, headers)


def _head(lines: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers of a CGI answer."""
    pairs = (line.split(": ", 1) for line in lines.decode("latin-1").split("\r\n") if ": " in line)
    headers = {name.lower(): value for name, value in pairs}
    status = int(headers.pop("status", "200").split()[0])
    return status, headers
