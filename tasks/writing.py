"""What a step may write: the approved plan, and of that what the pipeline's policy lets our token write.

Preflight asks for the whole plan. A step looks once more at the values that it is about to write: somebody
may have put one of theirs beside ours while the run waited. For its rights it asks where a write is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from change.permission import Permission
from change.permission import permission as of_plan
from change.records import Recorder
from change.step import Outcome, log_changes, outcome, realize
from runbook.approval import ApprovedPlan
from runbook.by_hand import OWN_ID
from runbook.changes import Change
from runbook.errors import AccessDenied, Conflict
from runbook.objects import Seen, VaultObject
from runbook.request import ClusterRequest
from runbook.rights import beyond_pins
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


def carry_out(request: ClusterRequest, approved: ApprovedPlan, *groups: Sequence[VaultObject]) -> Outcome:
    """Bring objects of Vault to where the run wants them, one group after the other; the step's result."""
    with connect.vault(request) as vault:
        given, seen = permission(request, approved, vault), Seen(vault)
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
