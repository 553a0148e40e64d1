"""Run the agent: ``python -m sandbox.gitops_agent --help``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sandbox.gitops_agent.agent import GitOpsAgent
from sandbox.gitops_agent.options import Options
from sandbox.processes import ending_on_signals

_INTERVAL_SECONDS = 1.0


def main() -> None:
    """Look at the repository again and again, until SIGTERM or Ctrl-C."""
    options = Options(**vars(_parser().parse_args()))
    with ending_on_signals(), GitOpsAgent(options, _log) as agent:
        while True:
            agent.round()
            time.sleep(_INTERVAL_SECONDS)


def _log(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.gitops_agent",
        description="Plays ArgoCD and the operator's lifecycle for one cluster.",
    )
    parser.add_argument("--repository", required=True, help="URL of the Git repository, without credentials")
    parser.add_argument("--branch", required=True, help="branch that is deployed")
    parser.add_argument("--token-file", type=Path, help="file with the token for the repository")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="administrator of the cluster")
    parser.add_argument("--environment", required=True, help="first half of the cluster's folders: emea")
    parser.add_argument("--cluster", required=True, help="second half: ember")
    parser.add_argument("--state-dir", type=Path, required=True, help="directory of the agent alone")
    parser.add_argument("--only-onboarding", action="store_true", help="only what an onboarding brings")
    return parser


if __name__ == "__main__":
    main()
