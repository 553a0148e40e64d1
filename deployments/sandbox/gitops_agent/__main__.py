"""Run the agent: ``python -m deployments.sandbox.gitops_agent --help``."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from dataclasses import fields
from pathlib import Path

from deployments.sandbox.gitops_agent.agent import GitOpsAgent
from deployments.sandbox.gitops_agent.cluster import Cluster
from deployments.sandbox.gitops_agent.onboarding import Ledger, clean_up
from deployments.sandbox.gitops_agent.options import Folders, Options
from deployments.sandbox.processes import ending_on_signals, write_ready


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 when a clean-up left something behind."""
    parsed = _parser().parse_args(arguments)
    with ending_on_signals():
        if parsed.clean_up:
            return _clean_up(parsed.kubeconfig, parsed.state_dir)
        try:
            with GitOpsAgent(_options(parsed), _log) as agent:
                agent.run(threading.Event())
        except KeyboardInterrupt:
            return 0
        finally:
            _print_left_behind(parsed.state_dir)
    return 0


def _log(line: str) -> None:
    print(line, flush=True)


def _clean_up(kubeconfig: Path, state_dir: Path) -> int:
    ledger = Ledger(state_dir / "created.json")
    with Cluster(kubeconfig) as cluster:
        remaining = clean_up(cluster, ledger, _log)
    report = state_dir / "report.json"
    content = json.loads(report.read_text()) if report.exists() else {}
    write_ready(report, {**content, "left_behind": [str(identity) for identity in remaining]})
    for identity in remaining:
        _log(f"left behind: {identity}")
    return 1 if remaining else 0


def _print_left_behind(state_dir: Path) -> None:
    for identity in Ledger(state_dir / "created.json"):
        _log(f"left behind: {identity} (--clean-up removes it)")


def _options(parsed: argparse.Namespace) -> Options:
    folders = Folders(**{one.name: getattr(parsed, one.name) for one in fields(Folders)})
    return Options(
        repository=parsed.repository,
        branch=parsed.branch,
        kubeconfig=parsed.kubeconfig,
        environment=parsed.environment,
        cluster=parsed.cluster,
        state_dir=parsed.state_dir,
        token_file=parsed.token_file,
        ca_file=parsed.ca_file,
        only_onboarding=parsed.only_onboarding,
        interval=parsed.interval,
        namespaces=tuple(parsed.namespace),
        operator_versions=tuple(parsed.operator_versions.split(",")),
        folders=folders,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sandbox.gitops_agent",
        description="Plays ArgoCD and the operator's lifecycle for one cluster.",
    )
    parser.add_argument("--repository", default="", help="URL of the Git repository, without credentials")
    parser.add_argument("--branch", default="main", help="branch that is deployed")
    parser.add_argument("--token-file", type=Path, help="file with the token for the repository")
    parser.add_argument("--ca-file", type=Path, help="CA of the repository's server")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="administrator of the cluster")
    parser.add_argument("--environment", default="", help="first half of the cluster's folders: emea")
    parser.add_argument("--cluster", default="", help="second half: ember")
    parser.add_argument("--state-dir", type=Path, required=True, help="directory of the agent alone")
    parser.add_argument("--only-onboarding", action="store_true", help="only what an onboarding brings")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two rounds")
    parser.add_argument(
        "--namespace", action="append", default=[], help="a namespace that the cluster has anyway"
    )
    parser.add_argument(
        "--operator-versions", default="v1", help="versions of external-secrets.io, the stored one first"
    )
    parser.add_argument(
        "--clean-up", action="store_true", help="remove what --only-onboarding created, and end"
    )
    for one in fields(Folders):
        parser.add_argument(f"--{one.name.replace('_', '-')}", default=one.default, help="folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
