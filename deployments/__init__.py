"""How the pipeline is run: connections, automations, manifests, the sandbox. Nothing imports this."""

import sys
from pathlib import Path

try:
    Path.home()
except RuntimeError:
    # Seen of a container's user, whom no passwd file has: importing Prefect ends in a traceback.
    sys.exit(
        "Prefect looks for its profile in the home folder of its user, and this user has none. Set HOME to a "
        "folder of its own, for example to one that `mktemp -d` makes."
    )
