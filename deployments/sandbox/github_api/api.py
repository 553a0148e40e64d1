"""The API's frame: tokens, rate limits, conditional requests, and errors in GitHub's words."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from deployments.sandbox.github_api import api_git, api_pull_requests, api_repositories
from deployments.sandbox.github_api.accounts import Accounts
from deployments.sandbox.github_api.problems import Problem
from deployments.sandbox.github_api.service import Service

_API_VERSION = "2022-11-28"

Next = Callable[[Request], Awaitable[Response]]


def token_in(authorization: str) -> str:
    """The token of an ``Authorization`` header: ``Bearer``, ``token``, or the password of ``Basic``."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def authenticate(accounts: Accounts, authorization: str | None) -> str:
    """Whose token came.

    Raises:
        Problem: 401 without a token, or with one that nobody has.
    """
    if authorization is None:
        raise Problem(401, "Requires authentication")
    login = accounts.login_of(token_in(authorization))
    if login is None:
        raise Problem(401, "Bad credentials")
    return login


def api(service: Service) -> FastAPI:
    """The application below ``/api/v3``."""
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    application.include_router(api_repositories.router(service))
    application.include_router(api_pull_requests.router(service))
    application.include_router(api_git.router(service))

    @application.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> JSONResponse:
        return _problem(error)

    @application.exception_handler(HTTPException)
    async def unknown(_request: Request, error: HTTPException) -> JSONResponse:
        # GitHub has no 405 for a path it does not know with this method.
        return _problem(Problem(404 if error.status_code == 405 else error.status_code, "Not Found"))

    @application.middleware("http")
    async def frame(request: Request, call_next: Next) -> Response:
        try:
            login = authenticate(service.accounts, request.headers.get("authorization"))
        except Problem as error:
            return _problem(error)
        request.state.login = login
        try:
            service.limiter.count(login, request.method)
            response = await call_next(request)
        except Problem as error:
            response = _problem(error)
        if request.method == "GET" and response.status_code == 200:
            response = await _conditional(request, response)
            if response.status_code == 304:
                service.limiter.give_back(login)
        for name, number in service.limiter.rate(login).items():
            response.headers[f"X-RateLimit-{name.capitalize()}"] = str(number)
        response.headers["X-RateLimit-Resource"] = "core"
        response.headers["X-GitHub-Request-Id"] = uuid.uuid4().hex[:16].upper()
        response.headers["X-GitHub-Media-Type"] = "github.v3; format=json"
        response.headers["X-GitHub-Api-Version-Selected"] = _API_VERSION
        return response

    return application


def _problem(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.body(), problem.status, headers=problem.headers)


async def _conditional(request: Request, response: Response) -> Response:
    """The answer with an ETag, or 304 if the caller has that already."""
    body = b""
    if isinstance(response, StreamingResponse) or hasattr(response, "body_iterator"):
        async for part in response.body_iterator:
            body += part.encode() if isinstance(part, str) else bytes(part)
    else:
        body = bytes(response.body)
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    # Weak, and different for each token, as GitHub's are.
    tag = hashlib.sha256(str(request.state.login).encode() + b"\0" + body).hexdigest()
    headers |= {"etag": f'W/"{tag}"', "cache-control": "private, max-age=60, s-maxage=60"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if f'"{tag}"' in known:
        headers.pop("content-type", None)
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers)
