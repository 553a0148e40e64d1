"""Acting as somebody else (`kubectl --as`), for those whom a role allows to `impersonate`."""

from __future__ import annotations

from starlette.datastructures import Headers

from deployments.sandbox.kubernetes_api.authentication import ANONYMOUS, User
from deployments.sandbox.kubernetes_api.authorization import Action, Authorizer
from deployments.sandbox.kubernetes_api.status import bad_request

_ACCOUNT_PREFIX = "system:serviceaccount:"


def effective_user(user: User, headers: Headers, authorizer: Authorizer) -> User:
    """The user as whom the request counts: ``user``, unless the headers ask for another.

    Raises:
        ApiError: 403 when ``user`` may not, 400 for groups without a user.
    """
    name = headers.get("impersonate-user", "")
    groups = headers.getlist("impersonate-group")
    if not name:
        if groups:
            raise bad_request("requested groups without impersonating a user name")
        return user
    account = name.removeprefix(_ACCOUNT_PREFIX).split(":") if name.startswith(_ACCOUNT_PREFIX) else []
    if len(account) == 2:
        namespace, account_name = account
        action = Action("impersonate", resource="serviceaccounts", namespace=namespace, name=account_name)
        groups = groups or ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    else:
        action = Action("impersonate", resource="users", name=name)
    authorizer.demand(user, action)
    for group in headers.getlist("impersonate-group"):
        authorizer.demand(user, Action("impersonate", resource="groups", name=group))
    common = "system:unauthenticated" if name == ANONYMOUS.name else "system:authenticated"
    return User(name, groups=tuple(dict.fromkeys([*groups, common])))
