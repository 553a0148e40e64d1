"""``python -m bench``: everything measured side by side on this machine, as one table.

Ends with 1 if the second run of the flow wrote anything anywhere. Missed aims are marked in the table and do
not fail: how long something takes says as much about the machine as about us.

Variables: BENCH_ROUNDS (5), BENCH_GITOPS_REPO (path or URL of a repository with its history, to clone).

``python -m bench scale`` measures what grows with the size of an installation. Variables: BENCH_RUNS (50) at
the same time, BENCH_LIMIT (8) of the work pool, BENCH_WAITING (2000) runs in one look of the merge service,
BENCH_PART (all parts if empty): ``runs``, ``waiting`` or ``systems``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from sandbox.environment import replace_environment
from sandbox.processes import ending_on_signals


def main() -> int:
    """Measure in an environment that holds nothing of the person."""
    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="vault-enablement-bench-") as name:
        directory = Path(name).resolve()
        replace_environment(os.environ, directory / "home", keep=("BENCH_",))
        # Prefect reads its settings and the active profile on import, kubernetes its kubeconfig.
        if sys.argv[1:] == ["scale"]:
            from bench.scale import measure_what_grows  # noqa: PLC0415

            measure_what_grows(directory)
            return 0
        from bench.measure import measure_everything  # noqa: PLC0415

        given = os.environ.get("BENCH_GITOPS_REPO", "")
        return measure_everything(
            directory,
            rounds=max(1, int(os.environ.get("BENCH_ROUNDS", "5"))),
            # A relative path is meant from here, and the clone is made elsewhere.
            repository=str(Path(given).resolve()) if given and Path(given).exists() else given,
        )


if __name__ == "__main__":
    sys.exit(main())
