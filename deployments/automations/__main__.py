"""Create or update the automations: ``python -m deployments.automations``.

They are known by their names. Running it again changes nothing that is as it should be; one that a person has
paused stays paused.
"""

from __future__ import annotations

import argparse
import sys
from uuid import UUID

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from deployments.automations.files import LEAST_SILENCE, read_automations


class AutomationsError(Exception):
    """They could not be made. The message says why and what to do."""


def apply(client: SyncPrefectClient, wanted: AutomationCore) -> str:
    """Create or update one automation. Returns what was done: created, updated or unchanged.

    Raises:
        AutomationsError: several have its name.
        httpx.HTTPError: the server refused.
    """
    found = client.read_automations_by_name(wanted.name)
    if len(found) > 1:
        msg = f"There are {len(found)} automations named {wanted.name!r}. Remove all but one in the UI."
        raise AutomationsError(msg)
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
        raise AutomationsError(msg) from None


def _run(options: argparse.Namespace) -> None:
    if not PREFECT_API_URL.value():
        msg = "No Prefect server is named; set PREFECT_API_URL, for example to http://127.0.0.1:4200/api."
        raise AutomationsError(msg)
    if options.silence is not None and not options.silence >= LEAST_SILENCE:
        msg = f"--silence {options.silence} is too short: give {LEAST_SILENCE:.0f} seconds or more."
        raise AutomationsError(msg)
    with get_client(sync_client=True) as client:
        wanted = list(read_automations(lambda name: _deployment_id(client, name), options.silence))
        if options.print:
            print(yaml.safe_dump({"automations": wanted}, sort_keys=False), end="")
            return
        for automation in wanted:
            done = apply(client, AutomationCore.model_validate(automation))
            print(f"{done} {automation['name']!r}")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 when all is well, 1 after printing what is not."""
    parser = argparse.ArgumentParser(prog="python -m deployments.automations", description=__doc__)
    parser.add_argument(
        "--silence",
        type=float,
        metavar="SECONDS",
        help="how long a run may send no heartbeat; 90 by default, longer than the workers' "
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY (30 at least)",
    )
    parser.add_argument(
        "--print",
        action="store_true",
        help="change nothing; write them as `prefect automation create --from-file` takes them",
    )
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except (AutomationsError, httpx.HTTPError, PrefectHTTPStatusError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
