"""Start a run and see it through, without a browser: in a terminal, or in a CI.

    python -m deployments.runs enable-cluster -p cluster=ember -p env=emea -p 'namespaces=["payments"]'
    python -m deployments.runs --run ID     # one that is there, for example after the merge

It prints each step as it comes, and at the end what the run published: its plan, its report, or what is
missing. Exit status: 0 the run completed; 1 it failed, or the Prefect server does not answer; 2 the arguments
do not fit, and no run was made; 3 the run waits for a person. Ctrl-C ends this command, not the run (130).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter
from prefect.client.schemas.objects import Artifact, FlowRun, State
from prefect.client.schemas.sorting import ArtifactSort, LogSort, TaskRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.utilities.urls import url_for
from rich.console import Console
from rich.markdown import Markdown

from change.gate.waits import APPROVAL, MERGE, kind_of
from deployments.commands import CommandError, no_answer, prefect_server

COMPLETED, FAILED, BAD_INPUT, WAITS = 0, 1, 2, 3
_POLL_SECONDS = 1.0
_LOG_SECONDS = 2.5
"""The last lines of a run's log come up to so long after its state."""
_PUBLISHED = ("plan", "report", "diagnosis", "pull-request")
"""Kinds of artifacts that are printed, in this order; the subject follows in their keys."""
_NOT_WORTH_A_LINE = frozenset({"Pending", "Scheduled", "NotReady"})
_WARNING, _ERROR = 30, 40
_FINE = re.compile("- (✅|not checked)")
"""Begins the rows of preflight and diagnosis that nobody has to read."""
_WIDTH = 140
"""Columns where the output is no terminal: a diff that is broken into narrower lines cannot be read."""


class BadInputError(CommandError):
    """No run can be made of what was given."""


def parameter(text: str) -> tuple[str, Any]:
    """``name=value``, the value as JSON where it is JSON: as Prefect's own command takes them."""
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def create(client: SyncPrefectClient, deployment: str, parameters: dict[str, Any]) -> UUID:
    """Create a run of a deployment, by ``<flow>/<deployment>`` or the one name that both have.

    Raises:
        BadInputError: there is no such deployment, or a parameter does not fit.
    """
    name = deployment if "/" in deployment else f"{deployment}/{deployment}"
    try:
        found = client.read_deployment_by_name(name)
        return client.create_flow_run_from_deployment(found.id, parameters=parameters).id
    except ObjectNotFound:
        msg = f"There is no deployment {name}. `prefect deployment ls` lists them."
        raise BadInputError(msg) from None
    except PrefectHTTPStatusError as error:
        if error.response.status_code not in {409, 422}:
            raise
        raise BadInputError(f"No run was made. {error.response.json().get('detail')}") from None


def _is_up_to_a_person(state: State) -> bool:
    """Whether a run waits for its merge or an approval. What it lacks after the merge may come by itself."""
    return state.is_paused() and kind_of(state) in {"", MERGE, APPROVAL}


class Follower:
    """Prints what becomes of one run."""

    def __init__(self, client: SyncPrefectClient, run: UUID, console: Console) -> None:
        self._client = client
        self._run = run
        self._only = FlowRunFilter.model_validate({"id": {"any_": [run]}})
        self._console = console
        self._seen: dict[object, str] = {}
        self._began = time.monotonic()

    def until_end(self, *, wait: bool) -> tuple[FlowRun, State]:
        """Follow until the run ends or, unless ``wait`` is set, until it waits for a person.

        Raises:
            BadInputError: there is no such run.
        """
        while True:
            try:
                run = self._client.read_flow_run(self._run)
            except ObjectNotFound:
                raise BadInputError(f"There is no run {self._run}.") from None
            if not self._seen:
                self._say(str(url_for(run)))
            self._tell_steps()
            state = run.state
            if state is not None:
                is_up_to_a_person, name = _is_up_to_a_person(state), state.name or state.type
                lacks = state.is_paused() and not is_up_to_a_person
                self._tell(run.id, "run", f"{name}: {state.message}" if lacks else name)
                if state.is_final() or (is_up_to_a_person and not wait):
                    return run, state
            time.sleep(_POLL_SECONDS)

    def conclude(self, run: FlowRun, state: State) -> int:
        """Print what the run published, then how it stands; returns the exit status."""
        newest = self._newest_artifacts()
        if state.is_completed() or state.is_paused() or "plan" in newest:
            newest.pop("preflight", None)
        for artifact in newest.values():
            text = "\n".join(line for line in str(artifact.data).splitlines() if not _FINE.match(line))
            with self._console.capture() as rendered:
                self._console.print(Markdown(text, hyperlinks=False))
            print("", *map(str.rstrip, rendered.get().splitlines()), sep="\n")
        if "preflight" not in newest:  # it has its warnings itself
            self._tell_warnings()
        self._say(f"\n{run.name}: {state.name}. {state.message or ''}".rstrip())
        if state.is_paused():
            self._say(f"It waits for a person: {url_for(run)}\nTo follow it again: --run {run.id}")
            return WAITS
        return COMPLETED if state.is_completed() else FAILED

    def _newest_artifacts(self) -> dict[str, Artifact]:
        """Those that people read, by their kind, in the order in which they are printed."""
        found = self._client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate({"flow_run_id": {"any_": [self._run]}}),
            sort=ArtifactSort.CREATED_DESC,
        )
        newest: dict[str, Artifact] = {}
        for kind in ("preflight", *_PUBLISHED):
            for one in found:
                if one.type == "markdown" and (one.key or "").startswith(f"{kind}-"):
                    newest.setdefault(kind, one)
        return newest

    def _tell_steps(self) -> None:
        # The newest: the server gives 200 at once, and each look of a run that waits adds some.
        newest = self._client.read_task_runs(
            flow_run_filter=self._only, sort=TaskRunSort.EXPECTED_START_TIME_DESC
        )
        for step in reversed(newest):
            if step.state_name and step.state_name not in _NOT_WORTH_A_LINE:
                self._tell(step.id, step.name, step.state_name)

    def _tell_warnings(self) -> None:
        # Errors are the state's message.
        time.sleep(_LOG_SECONDS)
        wanted = {"flow_run_id": {"any_": [self._run]}, "level": {"ge_": _WARNING, "le_": _ERROR - 1}}
        found = self._client.read_logs(LogFilter.model_validate(wanted), sort=LogSort.TIMESTAMP_ASC)
        for message in dict.fromkeys(line.message for line in found):
            self._say(f"\nWarning: {message}")

    def _tell(self, key: object, what: str, state: str) -> None:
        if self._seen.get(key) != state:
            self._seen[key] = state
            minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
            late = " (no worker of its work pool takes it)" if state == "Late" else ""
            self._say(f"{minutes:4}:{seconds:02d}  {what:<28} {state}{late}")

    def _say(self, line: str) -> None:
        # No markup and no colours: the words are those of systems and people.
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Do it, and end the process with the run's outcome."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("deployment", nargs="?", help="for example enable-cluster")
    parser.add_argument("-p", "--param", type=parameter, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--run", type=UUID, metavar="ID", help="follow this run instead of starting one")
    parser.add_argument("--wait", action="store_true", help="keep following while the run waits for a person")
    options = parser.parse_args(arguments)
    if (options.run is None) == (options.deployment is None) or (options.run and options.param):
        parser.error("name a deployment and its parameters, or a run with --run")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    try:
        prefect_server()
        with get_client(sync_client=True) as client:
            run = options.run or create(client, options.deployment, dict(options.param))
            follower = Follower(client, run, console)
            sys.exit(follower.conclude(*follower.until_end(wait=options.wait)))
    except BadInputError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)
    except CommandError as error:
        sys.exit(str(error))
    except httpx.HTTPError as error:
        sys.exit(no_answer(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
