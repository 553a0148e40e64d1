"""``python -m sandbox.kubernetes_api --state-dir DIR``: the API server as a process of its own.

It writes ``DIR/admin.kubeconfig`` (0600), ``DIR/ca.crt`` and, once it answers, ``DIR/ready.json``. SIGTERM
and SIGINT end it.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from sandbox.kubernetes_api.server import KubernetesApi


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubernetes_api", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="directory of the server's files")
    parser.add_argument("--cluster-name", default="ember")
    options = parser.parse_args()

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    with KubernetesApi(options.state_dir, cluster_name=options.cluster_name) as api:
        ready = api.write_ready()
        print(api.url, flush=True)
        ended.wait()
        ready.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
