#!/bin/sh
# The one thing that everything here needs of its container, said in a sentence instead of Prefect's traceback.
if ! written=$(mktemp 2>/dev/null); then
    echo "Nothing can be written to ${TMPDIR:-/tmp} by UID $(id -u). Mount an emptyDir at /tmp, or set TMPDIR, HOME" \
        "and PREFECT_HOME to a folder to which it may write." >&2
    exit 1
fi
rm "$written"
exec "$@"
