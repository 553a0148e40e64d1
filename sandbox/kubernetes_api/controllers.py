"""What a real cluster's controllers do a moment after a change, for the kinds that are served here.

One loop looks at everything and brings it one step further: it reacts to states, not to events, so nothing
is missed. It waits a moment after a change, because clients must not rely on an instant answer.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable

from sandbox.kubernetes_api.authentication import (
    ACCOUNT_NAME_ANNOTATION,
    ACCOUNT_UID_ANNOTATION,
    TOKEN_SECRET_TYPE,
)
from sandbox.kubernetes_api.kinds import CUSTOM_RESOURCE_DEFINITION, Registry, kinds_of
from sandbox.kubernetes_api.names import timestamp
from sandbox.kubernetes_api.resources import CLEANUP_FINALIZER
from sandbox.kubernetes_api.status import Object
from sandbox.kubernetes_api.storage import Store
from sandbox.kubernetes_api.tokens import TokenSigner

_DEFINITIONS = CUSTOM_RESOURCE_DEFINITION.group_resource


class Controllers:
    """Default ServiceAccounts, root certificates, token Secrets, ending namespaces, custom resources."""

    def __init__(
        self, store: Store, registry: Registry, signer: TokenSigner, authority_pem: str, delay: float
    ) -> None:
        """Args: delay: seconds from a change to what follows from it.

        Attributes:
            at_rest: as long as it is true, nothing follows from any change.
        """
        self.at_rest = False
        self._store = store
        self._registry = registry
        self._signer = signer
        self._authority_pem = authority_pem
        self._delay = delay

    async def run(self) -> None:
        """Work until cancelled."""
        changed = asyncio.Event()
        changed.set()
        stop_observing = self._store.observe(changed.set)
        try:
            while True:
                await changed.wait()
                await asyncio.sleep(self._delay)
                if self.at_rest:
                    continue
                changed.clear()
                self.step()
        finally:
            stop_observing()

    def step(self) -> None:
        """Bring everything one step further."""
        steps: list[Callable[[], None]] = [
            self._establish_definitions,
            self._end_definitions,
            self._fill_namespaces,
            self._end_namespaces,
            self._fill_token_secrets,
        ]
        for step in steps:
            step()

    def _fill_namespaces(self) -> None:
        for namespace in list(self._store.scan("namespaces")):
            if "deletionTimestamp" in namespace["metadata"]:
                continue
            name = namespace["metadata"]["name"]
            if self._store.read("serviceaccounts", name, "default") is None:
                self._store.write("serviceaccounts", _made("ServiceAccount", name, "default"))
            if self._store.read("configmaps", name, "kube-root-ca.crt") is None:
                data = {"data": {"ca.crt": self._authority_pem}}
                self._store.write("configmaps", _made("ConfigMap", name, "kube-root-ca.crt") | data)

    def _end_namespaces(self) -> None:
        for namespace in list(self._store.scan("namespaces")):
            if "deletionTimestamp" not in namespace["metadata"]:
                continue
            name = namespace["metadata"]["name"]
            if self._remove_contents(name):
                self._store.remove("namespaces", "", name)

    def _remove_contents(self, namespace: str) -> bool:
        """Delete what is in a namespace; says whether nothing is left (finalizers may hold something)."""
        left = False
        for kind in self._registry.storage_kinds():
            if not kind.namespaced:
                continue
            for item in list(self._store.scan(kind.group_resource, namespace)):
                left |= not self._remove(kind.group_resource, item)
        return not left

    def _remove(self, group_resource: str, item: Object) -> bool:
        metadata = item["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if not metadata.get("finalizers"):
            self._store.remove(group_resource, namespace, name)
            return True
        if "deletionTimestamp" not in metadata:
            marked = {**item, "metadata": {**metadata, "deletionTimestamp": timestamp()}}
            self._store.write(group_resource, marked)
        return False

    def _fill_token_secrets(self) -> None:
        for secret in list(self._store.scan("secrets")):
            if secret["type"] != TOKEN_SECRET_TYPE:
                continue
            metadata = secret["metadata"]
            annotations = metadata.get("annotations") or {}
            account = self._store.read(
                "serviceaccounts", metadata["namespace"], annotations.get(ACCOUNT_NAME_ANNOTATION, "")
            )
            known = annotations.get(ACCOUNT_UID_ANNOTATION)
            if account is None or known not in (None, "", account["metadata"]["uid"]):
                # Also when the Secret came first: a real cluster deletes it, whoever applies it tries again.
                self._remove("secrets", secret)
            else:
                self._fill_token_secret(secret, account)

    def _fill_token_secret(self, secret: Object, account: Object) -> None:
        metadata, data = secret["metadata"], secret.get("data") or {}
        wanted = {
            "ca.crt": _encoded(self._authority_pem),
            "namespace": _encoded(metadata["namespace"]),
            "token": data.get("token") or _encoded(self._signer.legacy_token(account, metadata["name"])),
        }
        annotations = {**metadata["annotations"], ACCOUNT_UID_ANNOTATION: account["metadata"]["uid"]}
        if {**data, **wanted} == data and annotations == metadata["annotations"]:
            return
        self._store.write(
            "secrets",
            {**secret, "data": {**data, **wanted}, "metadata": {**metadata, "annotations": annotations}},
        )

    def _establish_definitions(self) -> None:
        for definition in list(self._store.scan(_DEFINITIONS)):
            if "deletionTimestamp" in definition["metadata"]:
                continue
            self._registry.define(definition)
            status = _definition_status(definition)
            if definition.get("status") != status:
                self._store.write(_DEFINITIONS, {**definition, "status": status})

    def _end_definitions(self) -> None:
        for definition in list(self._store.scan(_DEFINITIONS)):
            metadata = definition["metadata"]
            if "deletionTimestamp" not in metadata:
                continue
            left = False
            for kind in kinds_of(definition):
                for item in list(self._store.scan(kind.group_resource)):
                    left |= not self._remove(kind.group_resource, item)
            others = [f for f in metadata.get("finalizers") or [] if f != CLEANUP_FINALIZER]
            if not left and not others:
                self._registry.undefine(metadata["name"])
                self._store.remove(_DEFINITIONS, "", metadata["name"])


def _made(kind: str, namespace: str, name: str) -> Object:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": timestamp(),
    }
    return {"kind": kind, "apiVersion": "v1", "metadata": metadata}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _definition_status(definition: Object) -> Object:
    """What a definition's status says once its kinds are served."""
    before = definition.get("status") or {}
    since = definition["metadata"]["creationTimestamp"]
    stored = next(version["name"] for version in definition["spec"]["versions"] if version.get("storage"))
    versions = list(before.get("storedVersions") or ())
    if stored not in versions:
        versions.append(stored)

    def condition(kind: str, reason: str, message: str) -> Object:
        return {
            "type": kind,
            "status": "True",
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }

    return {
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": versions,
    }
