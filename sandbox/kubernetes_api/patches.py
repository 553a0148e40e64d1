"""Server-side apply: what is applied is set, and what is there beside it stays.

A list is one value here. A real server joins certain lists member by member; of objects that one manager
applies as a whole, the result is the same.
"""

from __future__ import annotations

import copy

from sandbox.kubernetes_api.status import Object

APPLY_PATCH = "application/apply-patch+yaml"


def apply(item: Object, applied: Object) -> Object:
    """Set what is applied, and leave the rest."""
    result = dict(item)
    for name, value in applied.items():
        if isinstance(value, dict):
            below = result.get(name)
            result[name] = apply(below if isinstance(below, dict) else {}, value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = copy.deepcopy(value)
    return result
