"""From an allowed request to the function that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from deployments.sandbox.kubernetes_api import bodies, patches
from deployments.sandbox.kubernetes_api.authentication import User
from deployments.sandbox.kubernetes_api.kinds import Kind, Registry
from deployments.sandbox.kubernetes_api.request_info import RequestInfo, flag
from deployments.sandbox.kubernetes_api.resources import Place, Resources
from deployments.sandbox.kubernetes_api.reviews import Reviews
from deployments.sandbox.kubernetes_api.selectors import selection
from deployments.sandbox.kubernetes_api.status import (
    Object,
    PageNotFoundError,
    bad_request,
    invalid,
    method_not_allowed,
    not_served,
    required,
    unsupported_value,
)
from deployments.sandbox.kubernetes_api.storage import Store
from deployments.sandbox.kubernetes_api.watches import Watch

_TOKEN_REQUEST = ("", "serviceaccounts", "token")


class Dispatcher:
    """Answers requests for resources; what is not served is a `PageNotFoundError`."""

    def __init__(self, store: Store, registry: Registry, resources: Resources, reviews: Reviews) -> None:
        self._store = store
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
        if kind.verbs == ("create",):
            return await self._review(request, info, kind, user)
        place = _place(kind, info)
        if (info.group, info.resource, info.subresource) == _TOKEN_REQUEST:
            return await self._token_request(request, info)
        if info.subresource:
            return await self._status(request, info, place)
        if info.verb in ("get", "list", "watch"):
            return self._read(request.query_params, info, place)
        return await self._write(request, info, place)

    def _read(self, query: Mapping[str, str], info: RequestInfo, place: Place) -> Response:
        if info.verb == "get":
            return JSONResponse(self._resources.get(place))
        return self._list(query, place) if info.verb == "list" else self._watch(query, place)

    async def _write(self, request: Request, info: RequestInfo, place: Place) -> Response:
        match info.verb:
            case "create" if not info.name:
                body = await bodies.read_object(request, place.kind.name)
                dry_run = _dry_run(request.query_params)
                return JSONResponse(self._resources.create(place, body, dry_run=dry_run), 201)
            case "update" | "patch" if info.name:
                return await self._change(request, info, place, status=False)
            case "delete":
                return await self._delete(request, place)
            case "deletecollection":
                return self._delete_collection(request.query_params, place)
            case _:
                raise method_not_allowed()

    async def _review(self, request: Request, info: RequestInfo, kind: Kind, user: User) -> Response:
        if info.name:
            raise not_served()
        if info.verb != "create":
            raise method_not_allowed()
        body = await bodies.read_object(request, kind.name, bodies.REVIEW_TYPES)
        return JSONResponse(self._reviews.review(kind, body, user), 201)

    async def _token_request(self, request: Request, info: RequestInfo) -> Response:
        if info.verb != "create":
            raise method_not_allowed()
        body = await bodies.read_object(request, "TokenRequest", bodies.REVIEW_TYPES)
        return JSONResponse(self._reviews.request_token(info.namespace, info.name, body), 201)

    async def _status(self, request: Request, info: RequestInfo, place: Place) -> Response:
        if info.subresource != "status" or not place.kind.has_status:
            raise place.missing() if place.kind.custom else not_served()
        if info.verb == "get":
            return JSONResponse(self._resources.get(place))
        if info.verb in ("update", "patch"):
            return await self._change(request, info, place, status=True)
        raise method_not_allowed()

    async def _change(self, request: Request, info: RequestInfo, place: Place, *, status: bool) -> Response:
        dry_run = _dry_run(request.query_params)
        if info.verb == "update":
            body = await bodies.read_object(request, place.kind.name)
            return JSONResponse(self._resources.update(place, body, status=status, dry_run=dry_run))
        content = await bodies.read_patch(request, place.kind)
        media_type = bodies.media_type_of(request)
        if media_type == patches.JSON_PATCH:
            change = partial(patches.json_patch, operations=content)
            return JSONResponse(self._resources.patch(place, change, status=status, dry_run=dry_run))
        if not isinstance(content, dict):
            raise bad_request("error decoding patch: json: cannot unmarshal it into an object")
        if media_type == patches.APPLY_PATCH:
            return self._apply(request.query_params, place, content, status=status, dry_run=dry_run)
        merge = patches.merge_patch if media_type == patches.MERGE_PATCH else patches.strategic_merge_patch
        change = partial(merge, patch=content)
        return JSONResponse(self._resources.patch(place, change, status=status, dry_run=dry_run))

    def _apply(
        self, query: Mapping[str, str], place: Place, content: Object, *, status: bool, dry_run: bool
    ) -> Response:
        manager = query.get("fieldManager", "")
        if not manager:
            cause = required("fieldManager", "is required for apply patch")
            raise invalid("meta.k8s.io", "PatchOptions", "", [cause])
        applied, created = self._resources.apply(
            place, content, manager, force=flag(query, "force"), status=status, dry_run=dry_run
        )
        return JSONResponse(applied, 201 if created else 200)

    async def _delete(self, request: Request, place: Place) -> Response:
        options = await bodies.read_options(request)
        dry_run = _dry_run(request.query_params) or options.get("dryRun") == ["All"]
        return JSONResponse(self._resources.delete(place, options, dry_run=dry_run))

    def _list(self, query: Mapping[str, str], place: Place) -> Response:
        fits = selection(place.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        limit = query.get("limit", "0")
        if not limit.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax')
        found = self._resources.list(place, fits, int(limit), query.get("continue", ""))
        return JSONResponse(found)

    def _delete_collection(self, query: Mapping[str, str], place: Place) -> Response:
        if place.kind.group_resource == "namespaces" or (place.kind.namespaced and not place.namespace):
            raise method_not_allowed()
        fits = selection(place.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        found = self._resources.list(place, fits)
        for item in found["items"]:
            one = Place(place.kind, place.namespace, item["metadata"]["name"])
            self._resources.delete(one, {}, dry_run=_dry_run(query))
        return JSONResponse(found)

    def _watch(self, query: Mapping[str, str], place: Place) -> Response:
        watch = Watch(
            kind=place.kind,
            namespace=place.namespace,
            fits=selection(place.kind, query.get("labelSelector", ""), query.get("fieldSelector", "")),
            since=query.get("resourceVersion", ""),
            send_initial=flag(query, "sendInitialEvents"),
            seconds=int(query["timeoutSeconds"]) if query.get("timeoutSeconds", "").isdigit() else 0,
        )
        return StreamingResponse(watch.begin(self._store), media_type="application/json")


def _place(kind: Kind, info: RequestInfo) -> Place:
    """Where the request points; a namespace where none belongs, or none where one does, is not served."""
    if kind.group_resource == "namespaces":
        return Place(kind, "", info.namespace)
    if info.namespace and not kind.namespaced:
        raise not_served()
    if kind.namespaced and not info.namespace:
        if info.name and info.verb in ("get", "update", "patch", "delete"):
            raise not_served()
        if info.verb not in ("list", "watch"):
            raise method_not_allowed()
    return Place(kind, info.namespace, info.name)


def _dry_run(query: Mapping[str, str]) -> bool:
    given = query.get("dryRun", "")
    if given not in ("", "All"):
        cause = unsupported_value("dryRun", [given], ["All"])
        raise invalid("meta.k8s.io", "CreateOptions", "", [cause])
    return given == "All"
