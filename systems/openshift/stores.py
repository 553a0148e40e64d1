"""What External Secrets Operator shows of itself: its SecretStores and ExternalSecrets, with their Events.

Its conditions are generic (``InvalidProviderConfig``); the cause is in the Events. It writes an Event at each
look, every five minutes by default, and changes the condition only when the verdict changes: so the newest of
all moments tells whether anything still reconciles a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runbook.cluster_rights import EVENTS_OF_CLUSTER
from runbook.documents import mappings_of
from runbook.vault_store import VaultStore
from systems.openshift.answers import ExternalSecretState, SecretStoreState
from systems.openshift.fields import condition, mapping, text, time
from systems.openshift.transport import Api, Query, if_allowed

_GROUP = "external-secrets.io"
_IN_NAMESPACE = f"/apis/{_GROUP}/{{version}}/namespaces/{{namespace}}"
_IN_CLUSTER = f"/apis/{_GROUP}/{{version}}"


def secret_store(api: Api, namespace: str, name: str, version: str) -> SecretStoreState | None:
    """State of a SecretStore; of a ClusterSecretStore for an empty namespace.

    None if it, or its kind in that version, is not there.
    """
    if namespace:
        plural, within, where = "secretstores", _IN_NAMESPACE, f"{namespace}/{name}"
    else:
        plural, within, where = "clustersecretstores", _IN_CLUSTER, name
    found = api.find(
        f"{plural}.{_GROUP} {where}",
        f"{within}/{plural}/{{name}}",
        {"version": version, "namespace": namespace, "name": name},
        kind_may_be_missing=True,
    )
    if found is None:
        return None
    ready, metadata = condition(found, "Ready"), mapping(found, "metadata")
    of_status = [one for one in mappings_of(metadata, "managedFields") if one.get("subresource") == "status"]
    moments = [
        time(ready, "lastTransitionTime"),
        time(metadata, "creationTimestamp"),
        *(time(one, "time") for one in of_status),
    ]
    return SecretStoreState(
        ready=_verdict(ready),
        reason=text(ready, "reason"),
        message=text(ready, "message"),
        since=time(ready, "lastTransitionTime"),
        last_change=_newest(moments),
        vault=VaultStore.of_spec(mapping(found, "spec")),
        spec=mapping(found, "spec"),
    )


def with_events(api: Api, state: SecretStoreState, namespace: str, name: str) -> SecretStoreState:
    """The state of a store, with what its Events tell; ``namespace`` as of `secret_store`."""
    kind = "SecretStore" if namespace else "ClusterSecretStore"
    events = _events(api, namespace or EVENTS_OF_CLUSTER, kind, name)
    last_change = _newest([state.last_change, *(moment for moment, _ in events)])
    return replace(state, events=_texts(events), last_change=last_change)


def unsynced(
    api: Api, namespace: str, store: str, version: str, store_kind: str
) -> tuple[ExternalSecretState, ...]:
    """The ExternalSecrets of a namespace that use a store and are not Ready, with their Events."""
    found = api.find(
        f"externalsecrets.{_GROUP} in {namespace}",
        f"{_IN_NAMESPACE}/externalsecrets",
        {"version": version, "namespace": namespace},
        kind_may_be_missing=True,
    )
    states = []
    for one in mappings_of(found, "items"):
        ready, name = condition(one, "Ready"), text(one, "metadata", "name")
        reference = mapping(one, "spec", "secretStoreRef")
        kind = text(reference, "kind") or "SecretStore"
        if (kind, text(reference, "name")) == (store_kind, store) and not _verdict(ready):
            events = _texts(_events(api, namespace, "ExternalSecret", name))
            states.append(ExternalSecretState(name, text(ready, "reason"), text(ready, "message"), events))
    return tuple(states)


def _newest(moments: Iterable[datetime | None]) -> datetime | None:
    return max(filter(None, moments), default=None)


def _verdict(ready: Mapping[str, Any]) -> bool | None:
    return {"True": True, "False": False}.get(text(ready, "status"))


def _events(api: Api, namespace: str, kind: str, name: str) -> list[tuple[datetime, str]]:
    """Events of an object, oldest first, as time and ``"<type> <reason>: <message>"``."""
    subject, path = f"Events of {kind} {namespace}/{name}", "/api/v1/namespaces/{namespace}/events"
    of_object: Query = {
        "fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}",
        "limit": 100,
    }
    # Where we may not look, the state is worth having without its history.
    found = if_allowed(lambda: api.ask(subject, path, {"namespace": namespace}, query=of_object))
    return sorted(
        (
            (_time_of_event(one), f"{text(one, 'type')} {text(one, 'reason')}: {text(one, 'message')}")
            for one in mappings_of(found, "items")
        ),
        key=lambda event: event[0],
    )


def _time_of_event(event: Mapping[str, Any]) -> datetime:
    return time(event, "lastTimestamp") or time(event, "eventTime") or datetime.min.replace(tzinfo=UTC)


def _texts(events: list[tuple[datetime, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words for _, words in events))
