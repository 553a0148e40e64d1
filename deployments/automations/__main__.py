"""Create or update the automations: ``python -m deployments.automations``.

They are found by name. Running it again changes only what differs; one that a person has paused stays paused.
Those that notify people need ``--notify``, which names a Block of Prefect with the address.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from deployments.commands import CommandError, no_answer, prefect_server
from tasks.runbooks import OTHERS, RUNBOOKS

CRASH, STUCK = "crash-runs-without-heartbeat", "schedule-stuck-runs-again"
"""Files of the automations whose time can be chosen."""
WATCHER = "watch-merges"
FLOWS = (*(runbook.flow for runbook in RUNBOOKS), *OTHERS, WATCHER)
KINDS = (
    "slack-webhook, ms-teams-webhook, sendgrid-email (e-mail), custom-webhook, mattermost-webhook and others"
)
LEAST_SECONDS = 10.0
"""Prefect takes no shorter window for what has not happened."""


def read_automations(
    deployment_id: Callable[[str], UUID], within: Mapping[str, float], notify: Sequence[UUID] = ()
) -> Iterator[AutomationCore]:
    """The automations of this folder, in the order of their files' names; last those that notify.

    Args:
        deployment_id: looks up the id of a ``<flow>/<deployment>``; what it raises comes out of here.
        within: seconds until an automation acts, by the name of its file, where they are not the file's own.
        notify: ids of the Blocks through which people are told.
    """
    folder = Path(__file__).parent
    notifying = sorted(folder.glob("notifications/*.yaml")) if notify else []
    for file in (*sorted(folder.glob("*.yaml")), *notifying):
        automation = yaml.safe_load(file.read_text("utf-8"))
        if file in notifying:
            (action,) = automation["actions"]
            automation["actions"] = [{**action, "block_document_id": str(block)} for block in notify]
        for action in automation["actions"]:
            if "deployment_id" in action:
                action["deployment_id"] = str(deployment_id(action["deployment_id"]))
        if related := automation["trigger"]["match_related"]:
            # What the watcher does about a crash does not begin with a crash of the watcher.
            runs_watcher = any(action["type"] == "run-deployment" for action in automation["actions"])
            related["prefect.resource.name"] = [one for one in FLOWS if not (runs_watcher and one == WATCHER)]
        automation["trigger"]["within"] = within.get(file.stem, automation["trigger"]["within"])
        yield AutomationCore.model_validate(automation)


def apply(client: SyncPrefectClient, wanted: AutomationCore) -> str:
    """Create or update one automation. Returns what was done: created, updated or unchanged.

    Raises:
        CommandError: several have its name.
        httpx.HTTPError: the server refused.
    """
    found = client.read_automations_by_name(wanted.name)
    if len(found) > 1:
        msg = f"There are {len(found)} automations named {wanted.name!r}. Remove all but one in the UI."
        raise CommandError(msg)
    if not found:
        client.create_automation(wanted)
        return "created"
    (current,) = found
    # Whether it is switched on is the business of those who operate the server.
    wanted = wanted.model_copy(update={"enabled": current.enabled})
    if _comparable(current) == _comparable(wanted):
        return "unchanged"
    client.update_automation(current.id, wanted)
    return "updated"


def _comparable(automation: AutomationCore | Automation) -> object:
    return AutomationCore.model_validate(automation.model_dump(include=set(AutomationCore.model_fields)))


def _deployment_id(client: SyncPrefectClient, name: str) -> UUID:
    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound:
        msg = f"There is no deployment {name}. Run `prefect --no-prompt deploy --all` first."
        raise CommandError(msg) from None


def _block_id(client: SyncPrefectClient, text: str) -> UUID:
    kind, _, name = text.partition("/")
    try:
        block = client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound:
        msg = (
            f"There is no Block {text!r}. `prefect block create {kind or 'TYPE'}` links to its form; "
            f"save it as {name or 'NAME'!r}. Types that can notify: {KINDS}."
        )
        raise CommandError(msg) from None
    if block.block_schema is None or "notify" not in block.block_schema.capabilities:
        msg = f"The Block {text!r} cannot notify anybody. Types that can: {KINDS}."
        raise CommandError(msg)
    return block.id


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= LEAST_SECONDS:
        msg = f"{text} is too short: the least is {LEAST_SECONDS:.0f} seconds"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """Do it, or end the process with what is in the way."""
    parser = argparse.ArgumentParser(prog="python -m deployments.automations", description=__doc__)
    parser.add_argument(
        "--silence",
        type=_seconds,
        metavar="SECONDS",
        help="how long a run may send no heartbeat (default: 70); longer than "
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY in the work pool's job template (at least 30)",
    )
    parser.add_argument(
        "--pending",
        type=_seconds,
        metavar="SECONDS",
        help="how long a run may be Pending (default: 60); longer if starting a run takes minutes (images "
        "to pull)",
    )
    parser.add_argument(
        "--notify",
        action="append",
        default=[],
        metavar="TYPE/NAME",
        help="a Block that tells people when a run waits, fails or crashes, for example "
        "slack-webhook/platform; may be given several times",
    )
    options = parser.parse_args(arguments)
    given = {CRASH: options.silence, STUCK: options.pending}
    within = {file: seconds for file, seconds in given.items() if seconds is not None}
    try:
        prefect_server()
        with get_client(sync_client=True) as client:
            notify = [_block_id(client, text) for text in options.notify]
            wanted = list(read_automations(lambda name: _deployment_id(client, name), within, notify))
            for automation in wanted:
                print(f"{apply(client, automation)} {automation.name!r}")
    except CommandError as error:
        sys.exit(str(error))
    except httpx.HTTPError as error:
        sys.exit(no_answer(error))


if __name__ == "__main__":
    main()
