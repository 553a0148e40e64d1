"""``python -m bench.scale``: what grows with the size of an installation, as one table.

Variables: BENCH_RUNS (50) at the same time, BENCH_LIMIT (8) of the work pool, BENCH_WAITING (2000) runs in
one look of the merge service, BENCH_PART (all parts if empty): ``runs``, ``waiting`` or ``systems``.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from sandbox.environment import replace_environment
from sandbox.processes import ending_on_signals


def main() -> int:
    """Measure in an environment that holds nothing of the person."""
    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="vault-enablement-scale-") as name:
        directory = Path(name).resolve()
        replace_environment(os.environ, directory / "home", keep=("BENCH_",))
        # As in `bench.__main__`.
        from bench import scale_parts  # noqa: PLC0415

        wanted = os.environ.get("BENCH_PART", "")
        sections = []
        for part, measure in scale_parts.PARTS.items():
            if wanted in {"", part}:
                sections += measure(directory / part)
        load = os.getloadavg()[0]
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f}\n")
        print(scale_parts.render(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
