"""`make demo`: the whole thing on this machine, from the first parameter to the proved login.

It starts a Prefect server, a worker, a Vault, a GitHub and a cluster, enables the cluster as an engineer
would, waits at the gate for somebody to merge, and ends with the report. Ctrl-C ends everything.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import requests

from sandbox.demo_options import DemoOptions
from sandbox.demo_run import DemoRun
from sandbox.environment import CHECKOUT, replace_environment
from sandbox.gitops_agent.cluster import ClusterError
from sandbox.installation import Installation
from sandbox.log_check import unexplained
from sandbox.processes import SandboxError, ending_on_signals
from sandbox.user_login import prove_user_login

_STATE = CHECKOUT / ".sandbox"


def main() -> int:
    """Returns 0 when the cluster is enabled and proved, 1 when not, 130 after Ctrl-C before the end."""
    try:
        options = DemoOptions.read(os.environ)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    with ending_on_signals(), _own_directory() as directory:
        replace_environment(os.environ, directory / "home-of-demo", keep=("TERM", "COLUMNS", "LINES"))
        outcome = _Outcome()
        try:
            status = _demo(directory / "state", options, outcome)
        except KeyboardInterrupt:
            _say("\nEnding.")
            status = outcome.status
        except (SandboxError, ClusterError, requests.RequestException) as error:
            _say(f"\nThe demo failed: {error}")
            return 1
        finally:
            _say(f"Nothing is left running. Logs: {directory / 'state'}")
        return status or _tell_errors(directory / "state")


class _Outcome:
    """What to exit with when Ctrl-C ends the demo: how its run stands."""

    status = 130


def _demo(directory: Path, options: DemoOptions, outcome: _Outcome) -> int:
    _say(f"Starting a whole installation on 127.0.0.1; what it keeps is in {directory}.\n")
    with Installation(directory, options, _say) as installation:
        run = DemoRun(installation, options, _say)
        _say(
            f"\nEnabling {options.env}/{options.cluster} for {', '.join(options.namespaces)}. Watch the run:"
        )
        _say(f"  {run.url}\n")
        while True:
            completed = run.until_end()
            if completed:
                completed = _tell_success(installation, options, run)
            else:
                _say(f"\nThe run did not complete.\n{run.cause()}")
            outcome.status = 0 if completed else 1
            if options.auto and not options.keep:
                return outcome.status
            _say("\nEverything keeps running for you to look around; Ctrl-C ends it. The run:")
            _say(f"  {run.url}\n")
            run.until_started_again()


def _tell_success(installation: Installation, options: DemoOptions, run: DemoRun) -> bool:
    _say(f"\n{run.report() or 'The run published no report.'}\n")
    if installation.vault is None:
        _say("User login was not tried by the demo either: the Vault is yours.")
        return True
    proof = prove_user_login(installation.vault, options.env)
    _say(proof.sentence)
    return proof.holds


def _tell_errors(directory: Path) -> int:
    """Say which errors the logs hold although the cluster was enabled; returns 1 if there are any."""
    errors = unexplained(sorted(directory.rglob("*.log")))
    for error in errors:
        _say(f"An error that nobody explains is in the logs: {error}")
    return 1 if errors else 0


@contextmanager
def _own_directory() -> Iterator[Path]:
    """A directory that no other demo of this checkout uses now."""
    _STATE.mkdir(exist_ok=True)
    for number in count(1):
        directory = _STATE / (f"demo-{number}" if number > 1 else "demo")
        directory.mkdir(mode=0o700, exist_ok=True)
        with (directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(directory / "home-of-demo", ignore_errors=True)
            yield directory
            return


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
