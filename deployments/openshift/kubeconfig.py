"""Make the kubeconfig of the pipeline's account from an administrator's:

    oc config view --minify --flatten --raw | python -m deployments.openshift.kubeconfig ember.kubeconfig

The administrator is somebody who may read the account's token Secret; what is read from the standard input
need not lie in a file. OUTPUT is written with the account's token alone, readable by its owner only. The
token goes from the cluster into the file: it is in no argument and is not printed. Put the file into the
ClusterConnection: ``kubeconfig: {file: ember.kubeconfig}``.

The token of the Secret lives as long as the Secret: deleting it revokes the token. ``--lifetime 720h``
requests a token that expires instead (TokenRequest); then make the file again.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from deployments.openshift.account import ACCOUNT, NAMESPACE, TOKEN_SECRET
from runbook.durations import seconds
from runbook.errors import EnablementError, NotYetSynced, PrerequisiteMissing
from systems.openshift import OpenShift
from systems.openshift.kubeconfig import parse_kubeconfig

_TOKEN_SECONDS = 30.0
_POLL_SECONDS = 0.2


def account_kubeconfig(admin: OpenShift, lifetime: str = "") -> tuple[str, str]:
    """Text of the account's kubeconfig, which is a secret, and when its token expires.

    Args:
        admin: the cluster, as somebody who may read the token Secret, or ask for a token.
        lifetime: of a requested token, such as ``720h``; empty for the token of the Secret.

    Raises:
        EnablementError: there is no account, or its Secret has no token.
    """
    if lifetime:
        issued = admin.request_token(NAMESPACE, ACCOUNT, seconds("lifetime", lifetime))
        token, end = issued.token, f"{issued.expires_at:%Y-%m-%d %H:%M} UTC"
    else:
        token, end = _token_of_secret(admin), f"with Secret {NAMESPACE}/{TOKEN_SECRET}"
    return _text(admin.host, admin.ca_pem, token), end


def _token_of_secret(admin: OpenShift) -> SecretStr:
    subject = f"Secret {NAMESPACE}/{TOKEN_SECRET}"
    deadline = time.monotonic() + _TOKEN_SECONDS
    while True:
        found = admin.token_secret(NAMESPACE, TOKEN_SECRET)
        if found is None:
            raise PrerequisiteMissing(
                "OpenShift",
                subject,
                "is not there",
                "Apply the output of `python -m deployments.openshift.account` first.",
            )
        if found.token is not None:
            return found.token
        if time.monotonic() > deadline:
            raise NotYetSynced(
                "OpenShift", subject, "has no token", "The cluster fills it within seconds; retry."
            )
        time.sleep(_POLL_SECONDS)


def _text(host: str, ca_pem: str | None, token: SecretStr) -> str:
    cluster: dict[str, Any] = {"server": host}
    if ca_pem:
        cluster["certificate-authority-data"] = base64.b64encode(ca_pem.encode()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token.get_secret_value()}}],
        "contexts": [{"name": ACCOUNT, "context": {"cluster": "cluster", "user": ACCOUNT}}],
        "current-context": ACCOUNT,
    }
    return yaml.safe_dump(content, sort_keys=False)


def write_for_owner(file: Path, text: str) -> None:
    """Put the text in the file's place, whole or not at all, readable by its owner only."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "w") as writer:
            writer.write(text)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Write the file; returns 0, or 1 after saying what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.openshift.kubeconfig",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="file to write; replaced if it exists")
    parser.add_argument("--lifetime", default="", help="request a token that expires, for example after 720h")
    options = parser.parse_args(arguments)
    if sys.stdin.isatty():
        parser.error("pipe an administrator's kubeconfig in: oc config view --minify --flatten --raw | ...")
    given = sys.stdin.buffer.read().decode(errors="replace")
    try:
        with OpenShift(parse_kubeconfig(given, "the kubeconfig on the standard input")) as admin:
            text, end = account_kubeconfig(admin, options.lifetime)
        write_for_owner(options.output, text)
    except EnablementError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.output} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{options.output}: {NAMESPACE}/{ACCOUNT} at {admin.host}; the token expires {end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
