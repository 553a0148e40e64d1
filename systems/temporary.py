"""Folders for what is only needed for a moment."""

from __future__ import annotations

import tempfile

from runbook.errors import PrerequisiteMissing


def temporary_folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A new folder that only we can read; it is removed at the end of a ``with`` block, or by ``cleanup()``.

    Raises:
        PrerequisiteMissing: no folder for temporary files can be written to.
    """
    try:
        return tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise PrerequisiteMissing(
            "worker",
            "temporary files",
            error.strerror or type(error).__name__,
            "Let this process write to /tmp (in a pod, mount an emptyDir there), or set TMPDIR to a folder "
            "to which it may write.",
        ) from error
