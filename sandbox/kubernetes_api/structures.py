"""The fields of the built-in kinds and their types, in the language of `schemas`.

A real server has Go structs for this. As there, a field that is not declared is dropped without a word, and a
value of another type makes the whole request unreadable.
"""

from __future__ import annotations

from sandbox.kubernetes_api.status import Object

TEXT: Object = {"type": "string"}
FLAG: Object = {"type": "boolean"}
NUMBER: Object = {"type": "integer"}
ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def fields(**properties: Object) -> Object:
    """An object with these fields."""
    return {"type": "object", "properties": properties}


def many(items: Object) -> Object:
    """A list."""
    return {"type": "array", "items": items}


def mapping(values: Object) -> Object:
    """An object with keys of the user's choice."""
    return {"type": "object", "additionalProperties": values}


_OWNER = fields(apiVersion=TEXT, kind=TEXT, name=TEXT, uid=TEXT, controller=FLAG, blockOwnerDeletion=FLAG)
METADATA = fields(
    name=TEXT,
    namespace=TEXT,
    labels=mapping(TEXT),
    annotations=mapping(TEXT),
    finalizers=many(TEXT),
    ownerReferences=many(_OWNER),
    uid=TEXT,
    resourceVersion=TEXT,
    generation=NUMBER,
    creationTimestamp=TEXT,
    deletionTimestamp=TEXT,
    deletionGracePeriodSeconds=NUMBER,
    managedFields=many(ANYTHING),
    selfLink=TEXT,
)
"""Metadata of every kind."""

_REFERENCE = fields(
    kind=TEXT, namespace=TEXT, name=TEXT, uid=TEXT, apiVersion=TEXT, resourceVersion=TEXT, fieldPath=TEXT
)
_ROLE_REFERENCE = fields(apiGroup=TEXT, kind=TEXT, name=TEXT)
_SUBJECTS = many(fields(apiGroup=TEXT, kind=TEXT, name=TEXT, namespace=TEXT))
_RULES = many(
    fields(
        verbs=many(TEXT),
        apiGroups=many(TEXT),
        resources=many(TEXT),
        resourceNames=many(TEXT),
        nonResourceURLs=many(TEXT),
    )
)

CONFIG_MAP = fields(data=mapping(TEXT))
EVENT = fields(
    involvedObject=_REFERENCE,
    reason=TEXT,
    message=TEXT,
    source=fields(component=TEXT, host=TEXT),
    firstTimestamp=TEXT,
    lastTimestamp=TEXT,
    count=NUMBER,
    type=TEXT,
    eventTime=TEXT,
    series=ANYTHING,
    action=TEXT,
    related=_REFERENCE,
    reportingComponent=TEXT,
    reportingInstance=TEXT,
)
NAMESPACE = fields(spec=fields(finalizers=many(TEXT)), status=fields(phase=TEXT, conditions=many(ANYTHING)))
SECRET = fields(data=mapping(TEXT), stringData=mapping(TEXT), type=TEXT)
SERVICE_ACCOUNT = fields(
    secrets=many(_REFERENCE), imagePullSecrets=many(fields(name=TEXT)), automountServiceAccountToken=FLAG
)
ROLE = fields(rules=_RULES)
CLUSTER_ROLE = fields(rules=_RULES, aggregationRule=ANYTHING)
ROLE_BINDING = fields(roleRef=_ROLE_REFERENCE, subjects=_SUBJECTS)
_AUDIENCES = many(TEXT)
TOKEN_REQUEST = fields(
    spec=fields(
        audiences=_AUDIENCES,
        expirationSeconds=NUMBER,
    )
)
TOKEN_REVIEW = fields(spec=fields(token=TEXT, audiences=_AUDIENCES))
_RESOURCE_ATTRIBUTES = fields(
    namespace=TEXT,
    verb=TEXT,
    group=TEXT,
    resource=TEXT,
    subresource=TEXT,
    name=TEXT,
)
SELF_SUBJECT_ACCESS_REVIEW = fields(spec=fields(resourceAttributes=_RESOURCE_ATTRIBUTES))
SELF_SUBJECT_RULES_REVIEW = fields(spec=fields(namespace=TEXT))
SUBJECT_ACCESS_REVIEW = fields(
    spec=fields(resourceAttributes=_RESOURCE_ATTRIBUTES, user=TEXT, groups=many(TEXT), uid=TEXT)
)
DEPLOYMENT = fields(spec=ANYTHING, status=ANYTHING)
CUSTOM_RESOURCE_DEFINITION = fields(
    spec=fields(
        group=TEXT,
        scope=TEXT,
        preserveUnknownFields=FLAG,
        conversion=ANYTHING,
        names=fields(
            plural=TEXT,
            singular=TEXT,
            kind=TEXT,
            listKind=TEXT,
            shortNames=many(TEXT),
            categories=many(TEXT),
        ),
        versions=many(
            fields(
                name=TEXT,
                served=FLAG,
                storage=FLAG,
                deprecated=FLAG,
                deprecationWarning=TEXT,
                schema=fields(openAPIV3Schema=ANYTHING),
                subresources=fields(status=ANYTHING, scale=ANYTHING),
                additionalPrinterColumns=many(ANYTHING),
                selectableFields=many(ANYTHING),
            )
        ),
    ),
    status=ANYTHING,
)
