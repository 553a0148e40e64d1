"""``python -m deployments.sandbox.kubernetes_api --state-dir DIR``: the API server as a process of its own.

It writes ``DIR/admin.kubeconfig`` (0600), ``DIR/ca.crt`` and, once it answers, ``DIR/ready.json``. SIGTERM
and SIGINT end it.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from deployments.sandbox.kubernetes_api.server import KubernetesApi


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m deployments.sandbox.kubernetes_api", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="directory of the server's files")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; by default a free one")
    parser.add_argument("--cluster-name", default="ember")
    parser.add_argument("--san", action="append", default=[], help="further name of the certificate")
    parser.add_argument("--plain", action="store_true", help="Kubernetes without OpenShift's resources")
    parser.add_argument("--controller-delay", type=float, default=0.1, metavar="SECONDS")
    parser.add_argument("--max-token-lifetime", type=int, default=1 << 32, metavar="SECONDS")
    parser.add_argument("--verdict-lifetime", type=float, default=0, metavar="SECONDS")
    options = parser.parse_args()

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    api = KubernetesApi(
        options.state_dir,
        options.port,
        openshift=not options.plain,
        cluster_name=options.cluster_name,
        names=options.san,
        controller_delay=options.controller_delay,
        max_token_lifetime=options.max_token_lifetime,
        verdict_lifetime=options.verdict_lifetime,
    )
    with api:
        ready = api.write_ready()
        print(api.url, flush=True)
        ended.wait()
        ready.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
