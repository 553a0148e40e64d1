"""From an allowed request to the function that answers it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.kubernetes_api import bodies
from sandbox.kubernetes_api.authentication import User
from sandbox.kubernetes_api.kinds import Kind, Registry
from sandbox.kubernetes_api.request_info import RequestInfo, flag
from sandbox.kubernetes_api.resources import Place, Resources
from sandbox.kubernetes_api.reviews import Reviews
from sandbox.kubernetes_api.selectors import selection
from sandbox.kubernetes_api.status import (
    PageNotFoundError,
    bad_request,
    invalid,
    method_not_allowed,
    not_served,
    required,
)

_TOKEN_REQUEST = ("", "serviceaccounts", "token")


class Dispatcher:
    """Answers requests for resources; what is not served is a `PageNotFoundError`."""

    def __init__(self, registry: Registry, resources: Resources, reviews: Reviews) -> None:
        self._registry = registry
        self._resources = resources
        self._reviews = reviews

    async def answer(self, request: Request, info: RequestInfo, user: User) -> Response:
        """The answer to an authorized request.

        Raises:
            ApiError: any refusal.
            PageNotFoundError: nothing of that group is served.
        """
        kind = self._registry.find(info.group, info.version, info.resource)
        if not self._registry.has_group(info.group):
            raise PageNotFoundError(info.path)
        if kind is None or info.malformed:
            raise not_served()
        if request.method == "HEAD":
            raise method_not_allowed()
        if "dryRun" in request.query_params or flag(request.query_params, "watch"):
            raise bad_request("this stand-in serves neither dry runs nor watches")
        if kind.verbs == ("create",):
            return await self._review(request, info, kind, user)
        place = _place(kind, info)
        if (info.group, info.resource, info.subresource) == _TOKEN_REQUEST:
            return await self._token_request(request, info)
        if info.subresource:
            return await self._status(request, info, place)
        return await self._answer_stored(request, info, place)

    async def _answer_stored(self, request: Request, info: RequestInfo, place: Place) -> Response:
        match info.verb:
            case "get":
                return JSONResponse(self._resources.get(place))
            case "list":
                return self._list(request.query_params, place)
            case "create" if not info.name:
                body = await bodies.read_object(request, place.kind.name)
                return JSONResponse(self._resources.create(place, body), 201)
            case "update" if info.name:
                return await self._update(request, place, status=False)
            case "patch" if info.name:
                return await self._apply(request, place)
            case "delete":
                return JSONResponse(self._resources.delete(place))
            case _:
                raise method_not_allowed()

    async def _review(self, request: Request, info: RequestInfo, kind: Kind, user: User) -> Response:
        if info.name:
            raise not_served()
        if info.verb != "create":
            raise method_not_allowed()
        body = await bodies.read_object(request, kind.name)
        return JSONResponse(self._reviews.review(kind, body, user), 201)

    async def _token_request(self, request: Request, info: RequestInfo) -> Response:
        if info.verb != "create":
            raise method_not_allowed()
        body = await bodies.read_object(request, "TokenRequest")
        return JSONResponse(self._reviews.request_token(info.namespace, info.name, body), 201)

    async def _status(self, request: Request, info: RequestInfo, place: Place) -> Response:
        if info.subresource != "status" or not place.kind.has_status:
            raise place.missing() if place.kind.custom else not_served()
        if info.verb == "get":
            return JSONResponse(self._resources.get(place))
        if info.verb == "update":
            return await self._update(request, place, status=True)
        raise method_not_allowed()

    async def _update(self, request: Request, place: Place, *, status: bool) -> Response:
        body = await bodies.read_object(request, place.kind.name)
        return JSONResponse(self._resources.update(place, body, status=status))

    async def _apply(self, request: Request, place: Place) -> Response:
        content = await bodies.read_patch(request)
        query = request.query_params
        manager = query.get("fieldManager", "")
        if not manager:
            cause = required("fieldManager", "is required for apply patch")
            raise invalid("meta.k8s.io", "PatchOptions", "", [cause])
        applied, created = self._resources.apply(place, content, manager, force=flag(query, "force"))
        return JSONResponse(applied, 201 if created else 200)

    def _list(self, query: Mapping[str, str], place: Place) -> Response:
        fits = selection(place.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        limit = query.get("limit", "0")
        if not limit.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
        found = self._resources.list(place, fits, int(limit))
        return JSONResponse(found)


def _place(kind: Kind, info: RequestInfo) -> Place:
    """Where the request points; a namespace where none belongs, or none where one does, is not served."""
    if kind.group_resource == "namespaces":
        return Place(kind, "", info.namespace)
    if info.namespace and not kind.namespaced:
        raise not_served()
    if kind.namespaced and not info.namespace:
        if info.name and info.verb in ("get", "update", "patch", "delete"):
            raise not_served()
        if info.verb != "list":
            raise method_not_allowed()
    return Place(kind, info.namespace, info.name)
