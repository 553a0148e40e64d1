"""Judges objects by the published schemas: kinds, fields, types, and what is required.

The models of the `kubernetes` package are made from the OpenAPI document of Kubernetes, and forbid each field
that it does not name. Of the kinds that others bring, `CUSTOM` has the part of their CRDs that is used here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import kubernetes.client
from pydantic import BaseModel, ValidationError

_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }


CUSTOM: dict[tuple[str, str], dict[str, Any]] = {
    # openshift/api, route/v1/zz_generated.crd-manifests/routes-Default.crd.yaml
    ("route.openshift.io/v1", "Route"): _object(
        ("to",),
        host={"type": "string", "maxLength": 253, "pattern": r"^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$"},
        path={"type": "string", "pattern": "^/"},
        port=_object(("targetPort",), targetPort={"type": ["string", "integer"]}),
        tls=_object(
            ("termination",),
            termination={"enum": ["edge", "reencrypt", "passthrough"]},
            insecureEdgeTerminationPolicy={"enum": ["Allow", "None", "Redirect", ""]},
        ),
        to=_object(
            ("kind", "name"),
            kind={"enum": ["Service", ""]},
            name={"type": "string", "minLength": 1},
            weight={"type": "integer", "minimum": 0, "maximum": 256},
        ),
    ),
    # external-secrets/external-secrets, config/crds/bases/external-secrets.io_externalsecrets.yaml
    ("external-secrets.io/v1", "ExternalSecret"): _object(
        secretStoreRef=_object(kind={"enum": ["SecretStore", "ClusterSecretStore"]}, name=_NAME),
        refreshInterval={"type": "string"},
        data={
            "type": "array",
            "items": _object(
                ("secretKey", "remoteRef"),
                secretKey={"type": "string", "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"},
                remoteRef=_object(("key",), key={"type": "string"}, property={"type": "string"}),
            ),
        },
    ),
    # prometheus-operator/prometheus-operator, monitoring.coreos.com_servicemonitors.yaml in
    # example/prometheus-operator-crd
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _object(
        ("selector", "endpoints"),
        selector=_object(matchLabels={"type": "object", "additionalProperties": {"type": "string"}}),
        endpoints={
            "type": "array",
            "items": _object(
                port={"type": "string"},
                path={"type": "string"},
                interval={"type": "string", "pattern": r"^(0|(\d+h)?(\d+m)?(\d+s)?)$"},
            ),
        },
    ),
}


def problems(document: Mapping[str, Any]) -> list[str]:
    """What the published schema of its kind has against an object; empty if nothing."""
    where = f"{document.get('kind')} {document.get('metadata', {}).get('name', '')}"
    return [f"{where}: {problem}" for problem in _problems(document)]


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    api_version, kind = document.get("apiVersion", ""), document.get("kind", "")
    if schema := CUSTOM.get((api_version, kind)):
        rest = {key: value for key, value in document.items() if key not in {"apiVersion", "kind"}}
        yield from _judged(kubernetes.client.V1ObjectMeta, rest.pop("metadata", None))
        found = jsonschema.Draft202012Validator(_object(("spec",), spec=schema)).iter_errors(rest)
        yield from (f"{error.json_path}: {error.message}" for error in found)
        return
    model = getattr(kubernetes.client, f"{api_version.rpartition('/')[2].capitalize()}{kind}", None)
    if model is None:
        yield f"no kind {kind} in {api_version}"
    else:
        yield from _judged(model, document)


def _judged(model: type[BaseModel], value: Any) -> Iterator[str]:
    try:
        kept = model.model_validate(value).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        yield from (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    else:
        if kept != value:
            yield "has a field under the name that Python has for it"
