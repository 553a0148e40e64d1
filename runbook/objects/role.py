"""The role on the Kubernetes auth mount of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook.bound_names import NAMES, NAMESPACES, SELECTOR, bind_listed, bound_unlisted, is_bound
from runbook.changes import Change, Found, difference, foreign, united
from runbook.names import Cluster
from runbook.objects.mount import no_mount_of_ours
from runbook.objects.vault_object import NOT_NEEDED, WRITE, Seen, VaultObject, VaultRule, nothing_to_adopt


@dataclass(frozen=True, slots=True)
class Role(VaultObject):
    """Who may log in at the cluster's mount, and what they get.

    Attributes:
        cluster: whose mount it is on.
        service_account, namespaces: whom the run binds.
        policies: names of the policies that it hands out, the one by which it is known first.
        ttl: seconds that a session lasts; None for whatever it has.
        adopted: keep what others hand out or bind by it.
    """

    cluster: Cluster
    service_account: str
    namespaces: tuple[str, ...]
    policies: tuple[str, ...]
    ttl: int | None = None
    adopted: bool = False

    @property
    def name(self) -> str:
        return f"auth/{self.cluster.mount}/role/{self.cluster.role}"

    @property
    def rules(self) -> tuple[VaultRule, ...]:
        pins: dict[str, tuple[Any, ...]] = {
            "alias_name_source": ("serviceaccount_uid",),
            NAMES: (),
            SELECTOR: (),
            NAMESPACES: (),
            # As clients send it: ours a list, the command line a text.
            "token_policies": (sorted(self.policies), ",".join(sorted(self.policies))),
            "token_ttl": (),
        }
        return (
            VaultRule(self.name, WRITE, "who may log in; the names are free, what they get is not", pins),
        )

    def unknown(self, seen: Seen) -> str:
        return no_mount_of_ours(self.cluster, seen)

    def compare(self, seen: Seen) -> Change:
        mount = self.cluster.mount
        there = None if seen.is_only_planned(mount) else seen.vault.role(mount, self.cluster.role)
        return self.compare_with(there)

    def compare_with(self, current: Mapping[str, Any] | None) -> Change:
        """What to do for the role as read. Names and namespaces that others bound stay bound.

        ``token_policies`` is not a list that several people share: whatever else stands in it is given to
        every ServiceAccount that is bound, ours too.

        Raises:
            Conflict: the role hands out a policy that is not ours, or may bind anybody's ServiceAccount, and
            is
                not adopted.
            InvalidInput: it is adopted, and is not there.
        """
        if current is None and self.adopted:
            raise nothing_to_adopt(self.name)
        there = dict(current or {})
        wanted = {
            "alias_name_source": "serviceaccount_uid",
            NAMES: list(_bound(there.get(NAMES), [self.service_account])),
            NAMESPACES: list(_bound(there.get(NAMESPACES), self.namespaces)),
            "token_policies": sorted(self.policies),
        } | ({"token_ttl": self.ttl} if self.ttl is not None else {})
        also_bound = self._others(there)
        notes = [also_bound]
        theirs = sorted(set(there.get("token_policies") or ()) - {*self.policies})
        if theirs:
            notes.append(self._adopted_policies(theirs, there))
            # Left out of a write, the list stays as it is.
            del wanted["token_policies"]
        unlisted = bound_unlisted(there)
        if unlisted:
            notes.append(self._adopted_unlisted(unlisted, there))
        elif self.adopted and not theirs:
            notes.append(NOT_NEEDED)
        note = "; ".join(filter(None, notes))
        differences = difference(there if current is not None else None, wanted)
        found: Found
        is_foreign = bool(theirs or unlisted)
        if not differences:
            found = "foreign" if is_foreign else "same or more" if also_bound else "same"
            return Change(self.name, found, "none", self.name, note=note)
        payload = dict(wanted)
        if there.get(SELECTOR):
            # A write without it clears it.
            payload[SELECTOR] = there[SELECTOR]
        if current is None:
            return Change(self.name, "absent", "create", self.name, payload, differences, note)
        found = "foreign" if is_foreign else "different"
        return Change(self.name, found, "update", self.name, payload, differences, note)

    def _adopted_policies(self, theirs: list[str], there: Mapping[str, Any]) -> str:
        """The note on a role that hands out more than our policy, where that is adopted.

        Raises:
            Conflict: it is not adopted, or hands out everything but our policy.
        """
        ours, only_one = ", ".join(self.policies), len(self.policies) == 1
        answer = f"hands out the policies {', '.join(theirs)}; wanted is {ours}{' alone' if only_one else ''}"
        command = f"`vault write {self.name} token_policies={','.join(self.policies)}`"
        by_hand = f"Ask a Vault administrator to run {command}, then retry"
        if not {*self.policies} <= {*(there.get("token_policies") or ())}:
            raise foreign(
                self.name,
                f"{answer}, {'which it does not hand' if only_one else 'not all of which it hands'} out",
                f"{by_hand}; or start a new run with the policy_scope that fits. It cannot be adopted as it "
                "stands: no workload could read its secrets.",
            )
        if not self.adopted:
            raise foreign(
                self.name,
                answer,
                f"Every ServiceAccount that it binds has these rights now. {by_hand}; or start a new run "
                f"with the policy_scope that fits, or with adopt=['{self.name}'] to keep them.",
            )
        return f"token_policies adopted as they stand: {answer}"

    def _adopted_unlisted(self, unlisted: tuple[str, ...], there: Mapping[str, Any]) -> str:
        """The note on a role that may bind anybody's ServiceAccount, where that is adopted.

        Raises:
            Conflict: it is not adopted.
        """
        answer = f"may let anybody's ServiceAccount log in: {', '.join(unlisted)}"
        if not self.adopted:
            command = bind_listed(self.name, there, self.service_account, self.namespaces)
            raise foreign(
                self.name,
                answer,
                "Each that it binds can read the secrets now. Find out who wrote that, and ask a Vault "
                f"administrator to bind the intended names and namespaces: {command}, then retry; or start a "
                f"new run with adopt=['{self.name}'] to adopt it as it stands.",
            )
        return f"adopted as it stands: {answer}"

    def _others(self, there: Mapping[str, Any]) -> str:
        others = sorted(
            {*(there.get(NAMES) or ())} - {self.service_account}
            | {*(there.get(NAMESPACES) or ())} - {*self.namespaces}
        )
        return f"also bound: {', '.join(others)}; kept" if others else ""


def _bound(current: Iterable[str] | None, wanted: Iterable[str]) -> tuple[str, ...]:
    """The union, where a glob that is there covers what it matches: Vault refuses ``*`` beside a name."""
    there = tuple(current or ())
    return united(there, [name for name in wanted if not is_bound(name, there)])
