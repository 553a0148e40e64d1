"""The config of a cluster's auth mount: whose it is, what we want, and what differs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook.by_hand import administrators_command
from runbook.changes import Change, Difference, Found, difference, foreign
from runbook.hosts import ApiServer, same_api_server, same_ca, without_credentials
from runbook.names import Cluster
from runbook.objects.mount import no_mount_of_ours
from runbook.objects.vault_object import NOT_NEEDED, WRITE, Seen, VaultObject, VaultRule, nothing_to_adopt

REVIEWER_JWT = "token_reviewer_jwt"
_JWT_BEFORE: Mapping[Any, str | None] = {True: "the token that Vault holds, not shown", False: None}
"""Of ``token_reviewer_jwt_set``, which Vault before 1.16 does not tell."""

_READ_ONLY = {"token_reviewer_jwt_set"}
"""Fields of the config's read that a write does not take."""

_DEFAULTS = {"disable_iss_validation": True}
"""What nobody has set; all other fields of the config are empty or false by default."""

_KEEP_LOCAL_JWT_OUT = "disable_local_ca_jwt"
"""Must be true in each write of a config. Without it, a Vault that runs in a cluster itself would send the
token of its own pod to whatever host the config names."""

_ROLE_AT_FAULT = (
    "invalid role name",
    "service account name not authorized",
    "namespace not authorized",
    "invalid audience",
)
"""What Vault says of a login that the role refuses, before it asks the API server with its reviewer JWT."""


def wanted_config(host: str, ca_pem: str) -> dict[str, Any]:
    """The fields of the config that are ours, without the reviewer's JWT.

    Host and CA are always sent, the CA empty where Vault goes by its own store: without
    ``disable_local_ca_jwt`` a Vault that runs in a cluster itself checks the remote API server against its
    own pod's CA.
    """
    return {"kubernetes_host": host, "kubernetes_ca_cert": ca_pem.strip(), _KEEP_LOCAL_JWT_OUT: True}


def fields_of_others(config: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The fields of a config that no run of ours sets, and whether Vault refuses tokens by them."""
    others = {
        key: value
        for key, value in config.items()
        if key not in {*wanted_config("", ""), *_READ_ONLY} and not _is_unset(key, value)
    }
    # An issuer is looked at only where somebody has switched that on.
    return tuple(sorted(others)), bool(others.keys() - {"issuer"})


@dataclass(frozen=True, slots=True)
class Config(VaultObject):
    """Where the cluster's API is, whom Vault trusts there, and as whom it reviews tokens.

    Attributes:
        cluster: whose mount it is on.
        connection: name of the ClusterConnection, for messages.
        reviewer_token: command by which an administrator gets it, after ``oc -n <namespace>``.
        adopted: keep the fields that others have set.
        moved: take the mount over although it leads to another API server and no record says that it is ours.
    """

    cluster: Cluster
    connection: str
    reviewer_token: str
    adopted: bool = False
    moved: bool = False

    @property
    def name(self) -> str:
        return f"auth/{self.cluster.mount}/config"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        config = VaultRule(
            self.name,
            WRITE,
            "host, CA and reviewer's token, no other field; never the token of Vault's own pod (the read has "
            "to say it too)",
            # A read has its parameters in the URL, as text.
            {
                _KEEP_LOCAL_JWT_OUT: (True, "true"),
                "kubernetes_host": (),
                "kubernetes_ca_cert": (),
                REVIEWER_JWT: (),
            },
            (_KEEP_LOCAL_JWT_OUT,),
        )
        why = "whether another environment has a role there, before the mount gets another API server"
        return (config, VaultRule(f"auth/{self.cluster.mount}/role", ("list",), why))

    def unknown(self, seen: Seen) -> str:
        api_is_known = "" if seen.api else "the cluster's address and CA are not known"
        return no_mount_of_ours(self.cluster, seen) or api_is_known

    def compare(self, seen: Seen) -> Change:
        """What differs, if the mount may be led to our API server.

        Raises:
            Conflict: the mount, or a field of its config, is somebody else's.
            InvalidInput: it is adopted, and is not there.
        """
        assert seen.api is not None  # noqa: S101 - for the type checker; see `unknown`
        mount, host = self.cluster.mount, seen.api.host
        planned = seen.is_only_planned(mount)
        current = None if planned else seen.vault.kubernetes_config(mount)
        taken_over = ""
        if current is None or not same_api_server(str(current.get("kubernetes_host") or ""), host):
            roles = () if planned else seen.vault.role_names(mount)
            taken_over = self._check_owner(current, host, roles, seen.configured_before)
        return self.compare_with(current, seen.api, login_works=seen.login_works, taken_over=taken_over)

    def _check_owner(
        self,
        current: Mapping[str, Any] | None,
        host: str,
        roles: Iterable[str],
        configured_before: Callable[[], bool],
    ) -> str:
        """Go on if the config may be made to lead to our API server, to which it does not lead now.

        Mounts are called after the cluster alone, so clusters of one name in two environments would share
        one. With the config of one of them, the ServiceAccounts of the other log in with its role.

        Returns:
            The plan's note where ``cluster_moved`` takes the mount over; else an empty text.
        """
        others = sorted(role for role in roles if self.cluster.is_role_of_another_environment(role))
        there = without_credentials(str((current or {}).get("kubernetes_host") or ""))
        leads = f"points to the API server {there}, not to {host}" if current else "was never written"
        if others:
            raise foreign(
                self.name,
                f"{leads}, and the mount has {', '.join(others)}, of another environment",
                "The mount is named after the cluster alone: another environment has a cluster "
                f"{self.cluster.name!r} too, and one of them needs another name. If that cluster is gone, "
                "ask a Vault administrator to delete the role (`vault delete "
                f"auth/{self.cluster.mount}/role/{others[0]}`), then retry.",
            )
        if current is None:
            return ""
        if self.moved:
            return f"taken over with cluster_moved: it leads to {there}"
        if configured_before():
            return ""
        raise foreign(
            self.name,
            f"{leads}, and no record says that we configured it for {self.cluster}",
            f"Check the ClusterConnection {self.connection!r} and whose the mount is. If the cluster was "
            "reinstalled or its API has moved, start a new run with cluster_moved=True.",
        )

    def compare_with(
        self,
        current: Mapping[str, Any] | None,
        api: ApiServer,
        *,
        login_works: bool = True,
        taken_over: str = "",
    ) -> Change:
        """What to do for the config as read, None while it was never written.

        A write replaces the whole: what was adopted of others is carried over, and the reviewer's JWT, which
        cannot be read, is always part of a write. Whether the JWT that Vault holds still works only a login
        can tell, and only when the step comes: it is conditional in a plan.
        """
        if current is None and self.adopted:
            raise nothing_to_adopt(self.name)
        wanted = wanted_config(api.host, api.ca_pem)
        there = dict(current or {})
        others, _ = fields_of_others(there)
        if others and not self.adopted:
            raise foreign(
                self.name,
                f"has {', '.join(others)}, which no run of ours sets",
                "They decide which tokens Vault accepts. Ask a Vault administrator to write it without them: "
                f"{self._command(wanted)}, then retry; or start a new run with adopt=['{self.name}'].",
            )
        differences = tuple(
            Difference(part.field, _shown_before(part), part.after)
            for part in difference(there if current is not None else None, wanted)
            if not _means_the_same(part)
        )
        adopted = NOT_NEEDED if self.adopted else ""
        adoption = f"adopted as they stand: {', '.join(others)}" if others else adopted
        note = "; ".join(filter(None, (taken_over, adoption)))
        found: Found = "foreign" if others or taken_over else "same"
        holds_jwt = there.get("token_reviewer_jwt_set")
        if not differences and login_works and holds_jwt is not False:
            return Change(self.name, found, "none", self.name, note=note, conditional=(REVIEWER_JWT,))
        before = None if current is None else _JWT_BEFORE.get(holds_jwt, "not known")
        differences += (Difference(REVIEWER_JWT, before, "the reviewer's token, not shown"),)
        payload = {key: there[key] for key in there if key in others} | wanted
        if current is None:
            return Change(self.name, "absent", "create", self.name, payload, differences, "", (REVIEWER_JWT,))
        found = found if found == "foreign" else "different"
        return Change(self.name, found, "update", self.name, payload, differences, note, (REVIEWER_JWT,))

    def by_hand(self, change: Change) -> str:
        return self._command(change.payload)

    def _command(self, payload: Mapping[str, Any]) -> str:
        """With which an administrator writes the whole config, with the reviewer's token."""
        has_ca = bool(payload.get("kubernetes_ca_cert"))
        fields = {**payload, "kubernetes_ca_cert": "@ca.pem" if has_ca else "", REVIEWER_JWT: "-"}
        command = administrators_command(self.name, fields)
        token = f"oc -n {shlex.quote(self.cluster.operator.namespace)} {self.reviewer_token}"
        return f"`{token} | {command}`" + (" (ca.pem: the API server's CA)" if has_ca else "")


def blames_the_role(refusal: str) -> bool:
    """Whether Vault refused a login for the role's sake: then it says nothing of config and JWT."""
    return any(words in refusal for words in _ROLE_AT_FAULT)


def replaced_since(written: Mapping[str, Any], current: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Fields of the config that are not as they were written a moment ago; none if all are.

    A write replaces the whole. So if any field is another one, whosever it is, somebody has written the
    config since, and with it whatever they had for the reviewer's JWT, which cannot be read.

    Args:
        written: the whole payload.
        current: the config as read.
    """
    there = dict(current or {})
    fields = {*written, *there} - {*_READ_ONLY, REVIEWER_JWT}
    other = [
        name
        for name in sorted(fields)
        if not (name not in written and _is_unset(name, there[name]))
        and _trimmed(there.get(name)) != _trimmed(written.get(name))
    ]
    if there.get("token_reviewer_jwt_set") is False:
        other.append(REVIEWER_JWT)
    return tuple(other)


def _is_unset(field: str, value: Any) -> bool:
    return value == _DEFAULTS[field] if field in _DEFAULTS else value in (None, "", [], False)


def _trimmed(value: Any) -> Any:
    # Vault keeps the CA's last line end, which is not always sent.
    return value.strip() if isinstance(value, str) else value


def _means_the_same(part: Difference) -> bool:
    """Whether a field only has another spelling. Vault dials nothing without a scheme."""
    before = str(part.before or "")
    if part.field == "kubernetes_host":
        return before.lower().startswith("https://") and same_api_server(before, part.after)
    return part.field == "kubernetes_ca_cert" and same_ca(before, part.after)


def _shown_before(part: Difference) -> Any:
    # Whoever wrote it may have put credentials into it; the plan stands in a pull request.
    return (
        without_credentials(part.before) if part.field == "kubernetes_host" and part.before else part.before
    )
