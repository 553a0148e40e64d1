"""The HTTP side: each request is authenticated, authorized, dispatched, and noted in the request log."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.kubernetes_api import discovery, request_info
from sandbox.kubernetes_api.authentication import ANONYMOUS, Authenticator, User
from sandbox.kubernetes_api.authorization import Action, Authorizer
from sandbox.kubernetes_api.dispatch import Dispatcher
from sandbox.kubernetes_api.kinds import Registry
from sandbox.kubernetes_api.request_info import RequestInfo
from sandbox.kubernetes_api.status import (
    ApiError,
    PageNotFoundError,
    method_not_allowed,
    unauthorized,
)
from sandbox.kubernetes_api.tokens import TokenError, TokenSigner

Note = Callable[[str, str, int], None]
"""Takes method, path (without its query) and status of each answer."""

_HEADERS = {"cache-control": "no-cache, private"}


class Application:
    """The API server as an ASGI application."""

    def __init__(
        self,
        *,
        url: str,
        registry: Registry,
        authenticator: Authenticator,
        authorizer: Authorizer,
        signer: TokenSigner,
        dispatcher: Dispatcher,
        note: Note,
    ) -> None:
        self._url = url
        self._registry = registry
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._signer = signer
        self._dispatcher = dispatcher
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise ValueError(f"this server speaks HTTP, not {scope['type']}")
        request = Request(scope, receive)
        # Not `request.url.path`, which leaves out line breaks: what is noted, decided and served is one path.
        path = scope["path"]
        status = 500
        try:
            response = await self._answer(request, path)
            status = response.status_code
        except ClientDisconnect:
            return  # in the middle of its body; nobody is left to answer
        finally:
            self._note(request.method, path, status)
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        try:
            user = self._user(request)
            info = request_info.parse(request.method, path, request.query_params)
            self._authorizer.demand(user, _action(info))
            if info.is_resource:
                return await self._dispatcher.answer(request, info, user)
            return self._answer_path(info)
        except ApiError as error:
            return JSONResponse(error.body(), error.code)
        except PageNotFoundError:
            return PlainTextResponse("404 page not found\n", 404)

    def _user(self, request: Request) -> User:
        parts = request.headers.get("authorization", "").split(" ")
        if len(parts) < 2 or parts[0].lower() != "bearer" or not parts[1]:
            return ANONYMOUS
        try:
            return self._authenticator.authenticate(parts[1])[0]
        except TokenError as error:
            raise unauthorized() from error

    def _answer_path(self, info: RequestInfo) -> Response:
        response = self._page(info)
        if info.verb not in ("get", "head"):
            raise method_not_allowed()
        return response

    def _page(self, info: RequestInfo) -> Response:
        match info.path.rstrip("/"):
            case "/version":
                return JSONResponse(discovery.version())
            case "/openid/v1/jwks":
                return JSONResponse(self._signer.key_set(), media_type="application/jwk-set+json")
            case path:
                return JSONResponse(discovery.answer(path, self._registry, self._url.partition("//")[2]))


def _action(info: RequestInfo) -> Action:
    if not info.is_resource:
        return Action(verb=info.verb, path=info.path)
    return Action(
        verb=info.verb,
        group=info.group,
        resource=info.resource,
        subresource=info.subresource,
        name=info.name,
        namespace=info.namespace,
    )
