"""Label and field selectors of lists, as far as somebody asks by them: ``a=b,c=d``."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.kubernetes_api.kinds import Kind
from sandbox.kubernetes_api.status import Object, bad_request

Test = Callable[[Object], bool]

_NAMES = ("metadata.name", "metadata.namespace")
_FIELDS = {"events": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name")}


def selection(kind: Kind, labels: str, fields: str) -> Test:
    """One test for both selectors (either may be empty).

    Raises:
        ApiError: 400 for a selector that cannot be read, or a field that cannot be selected by.
    """
    wanted_labels, wanted_fields = _wanted(labels), _wanted(fields)
    for key in wanted_fields:
        if key not in (*_NAMES, *_FIELDS.get(kind.group_resource, ())):
            raise bad_request(f"field label not supported: {key}")

    def fits(item: Object) -> bool:
        found = item["metadata"].get("labels") or {}
        return all(found.get(key) == value for key, value in wanted_labels.items()) and all(
            _field(item, key) == value for key, value in wanted_fields.items()
        )

    return fits


def _wanted(selector: str) -> dict[str, str]:
    wanted = {}
    for part in filter(None, selector.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key.endswith("!") or " " in part.strip():
            raise bad_request(f"unable to parse requirement: found '{part}'")
        wanted[key.strip()] = value.removeprefix("=").strip()
    return wanted


def _field(item: Object, path: str) -> object:
    value: object = item
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return value
