"""Who may do what: role-based access control over the stored roles and bindings, evaluated at each request.

Nothing is cached, so a change counts at once. The check against privilege escalation (nobody grants what he
does not hold) and aggregated ClusterRoles are left out: writers of roles are trusted in the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sandbox.kubernetes_api.authentication import MASTERS, User
from sandbox.kubernetes_api.kinds import RBAC_GROUP
from sandbox.kubernetes_api.status import ApiError, Object, details, forbidden
from sandbox.kubernetes_api.storage import Store


@dataclass(frozen=True, slots=True)
class Action:
    """Something that somebody wants to do: to a resource, or, when ``path`` is given, to a path."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""

    @property
    def combined_resource(self) -> str:
        """``serviceaccounts/token``, as roles name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` names the binding that allows, or what is wrong with the bindings that could have."""

    allowed: bool
    reason: str = ""


class Authorizer:
    """Decides by the roles and bindings in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: User, action: Action) -> Decision:
        """Whether the user may do it. Denied unless some rule allows it."""
        if MASTERS in user.groups:
            return Decision(True)
        problems: list[str] = []
        for source, rules, problem in self._granted(user, action.namespace):
            if any(_allows(rule, action) for rule in rules):
                return Decision(True, f"RBAC: allowed by {source}")
            problems.append(problem)
        problem = _aggregate(problems)
        return Decision(False, f"RBAC: {problem}" if problem else "")

    def rules(self, user: User, namespace: str) -> tuple[list[Object], str]:
        """All rules that hold for the user in a namespace, and what is wrong with the bindings there."""
        granted = list(self._granted(user, namespace))
        problem = _aggregate(problem for _, _, problem in granted)
        return [rule for _, rules, _ in granted for rule in rules], problem

    def demand(self, user: User, action: Action) -> None:
        """Raises the 403 of the API unless the user may do it."""
        decision = self.decide(user, action)
        if not decision.allowed:
            raise _refusal(user, action, decision.reason)

    def _granted(self, user: User, namespace: str) -> Iterator[tuple[str, list[Object], str]]:
        """Of each binding of the user its source, the rules of its role, and what is wrong with it."""
        for source, binding, place in self._bindings(user, namespace):
            reference = binding["roleRef"]
            rules = self._rules(reference, place)
            resource = "clusterrole" if reference["kind"] == "ClusterRole" else "role"
            missing = f'{resource}.{RBAC_GROUP} "{reference["name"]}" not found' if rules is None else ""
            yield source, rules or [], missing

    def _bindings(self, user: User, namespace: str) -> Iterator[tuple[str, Object, str]]:
        places = [("ClusterRoleBinding", f"clusterrolebindings.{RBAC_GROUP}", "")]
        if namespace:
            places.append(("RoleBinding", f"rolebindings.{RBAC_GROUP}", namespace))
        for kind, group_resource, place in places:
            for binding in self._store.scan(group_resource, place):
                for subject in binding.get("subjects") or ():
                    if _applies(user, subject, place):
                        yield _source(kind, binding, subject, place), binding, place
                        break

    def _rules(self, reference: Object, namespace: str) -> list[Object] | None:
        if reference["kind"] == "ClusterRole":
            role = self._store.read(f"clusterroles.{RBAC_GROUP}", "", reference["name"])
        else:
            role = self._store.read(f"roles.{RBAC_GROUP}", namespace, reference["name"])
        return None if role is None else role.get("rules") or []


def _aggregate(problems: Iterable[str]) -> str:
    unique = list(dict.fromkeys(filter(None, problems)))
    return f"[{', '.join(unique)}]" if len(unique) > 1 else "".join(unique)


def _applies(user: User, subject: Object, namespace: str) -> bool:
    match subject["kind"]:
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            place = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{place}:{subject['name']}"
        case _:
            return False


def _source(kind: str, binding: Object, subject: Object, namespace: str) -> str:
    name = binding["metadata"]["name"] + (f"/{namespace}" if namespace else "")
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who += f"/{subject.get('namespace') or namespace}"
    role = binding["roleRef"]
    return f'{kind} "{name}" of {role["kind"]} "{role["name"]}" to {subject["kind"]} "{who}"'


def _allows(rule: Object, action: Action) -> bool:
    if not _among(rule.get("verbs"), action.verb):
        return False
    if action.path:
        return any(_path_matches(pattern, action.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _among(rule.get("apiGroups"), action.group)
        and any(_resource_matches(pattern, action) for pattern in rule.get("resources") or ())
        and (not names or action.name in names)
    )


def _among(listed: list[str] | None, wanted: str) -> bool:
    return listed is not None and ("*" in listed or wanted in listed)


def _resource_matches(pattern: str, action: Action) -> bool:
    if pattern in ("*", action.combined_resource):
        return True
    return bool(action.subresource) and pattern == f"*/{action.subresource}"


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern.rstrip("*"))
    return pattern == path


def _refusal(user: User, action: Action, reason: str) -> ApiError:
    tail = f": {reason}" if reason else ""
    if action.path:
        sentence = f'User "{user.name}" cannot {action.verb} path "{action.path}"{tail}'
        return ApiError(403, "Forbidden", f"forbidden: {sentence}", details("", "", ""))
    scope = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
    sentence = (
        f'User "{user.name}" cannot {action.verb} resource "{action.combined_resource}" '
        f'in API group "{action.group}" {scope}{tail}'
    )
    return forbidden(action.group, action.resource, action.name, sentence)
