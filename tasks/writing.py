"""What a step may write: the approved plan, and of that what the pipeline's policy lets our token write.

Preflight asks for the whole plan. A step looks once more at the values that it is about to write: somebody
may have put one of theirs beside ours while the run waited. For its rights it asks where a write is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from change.execution import once, share
from change.permission import Permission
from change.permission import permission as of_plan
from change.records import Recorder
from change.step import Outcome, log_changes, outcome, realize
from connections import VaultConnection
from runbook.approval import ApprovedPlan
from runbook.by_hand import OWN_ID
from runbook.changes import Change, pending
from runbook.errors import AccessDenied, Conflict
from runbook.objects import Seen, VaultObject
from runbook.request import ClusterRequest
from runbook.rights import beyond_pins
from runbook.vault_answers import MountInVault
from systems.vault import Vault
from tasks import connect


def permission(request: ClusterRequest, approved: ApprovedPlan, vault: Vault) -> Permission:
    """What a step of this run may write.

    Args:
        request: the run's parameters.
        approved: see `change.approval.approved_plan`.
        vault: where the step writes; asked what our token may write.
    """

    def check_rights(changes: Sequence[Change]) -> None:
        check_pins(vault, request, changes, pinned=connect.vault_connection(request).pinned_policy)

    def check_values(changes: Sequence[Change]) -> None:
        if any(beyond_pins(request.objects, change) for change in changes):
            check_rights(changes)

    recorder = Recorder.of_this_run(request, approved.pull_request, approved.approver)
    cluster = f"ClusterConnection {request.cluster_connection}"
    return of_plan(approved, vault, recorder, check_values, check_rights, cluster)


_LOOK = "what preflight has seen in Vault"


@dataclass(frozen=True, slots=True)
class Look:
    """What preflight has seen in Vault, for the steps of the same execution: seconds later, as a rule.

    Attributes:
        connection: to that Vault.
        auth_mounts: by path. Vault itself refuses to enable one that somebody else has made since.
        changes: what has to be done with each object, by its name; not of those that could not be compared.
    """

    connection: VaultConnection
    auth_mounts: dict[str, MountInVault]
    changes: Mapping[str, Change]

    def keep(self) -> None:
        """Have the steps of this execution find it."""
        share(_LOOK, self)

    @classmethod
    def of_this_execution(cls, connection: VaultConnection) -> Look:
        """Preflight's; an empty one where it has not looked at this very Vault."""
        empty = cls(connection, {}, {})
        look = once(_LOOK, lambda: empty)
        return look if look.connection == connection else empty


def carry_out(request: ClusterRequest, approved: ApprovedPlan, *groups: Sequence[VaultObject]) -> Outcome:
    """Bring objects of Vault to where the run wants them, one group after the other; the step's result.

    Vault is asked once more for what is to be written. Where this execution has just found everything as
    wanted, there is nothing to write.
    """
    look = Look.of_this_execution(connect.vault_connection(request))
    known = [look.changes.get(one.name) for objects in groups for one in objects]
    changes = [one for one in known if one is not None]
    if len(changes) < len(known) or pending(changes):
        with connect.vault(request) as vault:
            given = permission(request, approved, vault)
            seen = Seen(vault, auth_mounts=look.auth_mounts or None)
            changes = [change for objects in groups for change in realize(vault, objects, given, seen)]
    log_changes(changes)
    return outcome(changes)


def check_pins(vault: Vault, request: ClusterRequest, changes: Sequence[Change], *, pinned: bool) -> None:
    """Go on if our token may write all of these.

    ``sys/capabilities-self`` tells of paths and not of pinned values. For those this goes by what the policy
    should be, where ``pinned``.

    Raises:
        AccessDenied: a path is not ours to write: the group, or an alias that another group has.
        Conflict: a value of somebody else's would be written together with ours.
            Both with the commands for an administrator.
    """
    have = vault.capabilities([change.path for change in changes])
    denied = [change for change in changes if not have[change.path] & {"root", "update"}]
    beyond = [
        (change, fields)
        for change in changes
        if pinned
        and change not in denied
        and "root" not in have[change.path]
        and (fields := beyond_pins(request.objects, change))
    ]
    if not denied and not beyond:
        return
    why = [f"our token may not write {change.path}, which is {change.found}" for change in denied]
    why += [
        f"{', '.join(fields)} would be written together with values of others, and the pipeline's policy "
        f"allows only our own (path {change.path})"
        for change, fields in beyond
    ]
    by_others = [
        change
        for change in changes
        # With the group its alias: no policy can pin the id of a group that is not there.
        if change in denied or change in [one for one, _ in beyond] or OWN_ID in change.payload.values()
    ]
    objects = {one.name: one for one in request.objects}
    commands = ", then ".join(objects[change.object].by_hand(change) for change in by_others)
    remedy = f"Ask a Vault administrator to run {commands}, then retry this run."
    if denied:
        remedy += (
            " Once the group is there, a run itself writes its alias if the token's policy was printed with "
            "--group (and --allow move-alias to take it from another group)."
        )
    if beyond:
        remedy += " If the token's policy pins no values, set pinned_policy of the VaultConnection to false."
    raise (AccessDenied if denied else Conflict)(
        "Vault", ", ".join(change.object for change in by_others), "; ".join(why), remedy
    )
