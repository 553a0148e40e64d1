"""The SSL context of a login, with its client certificate and key."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from runbook.errors import InvalidInput
from systems.openshift.kubeconfig import Login
from systems.tls import trusted_context


def context_of(login: Login) -> ssl.SSLContext:
    """Whom a login believes, and the client certificate that it shows.

    Raises:
        InvalidInput: certificate and key are no PEM, or do not belong together.
    """
    context = trusted_context(login.ca_pem, "kubeconfig, certificate-authority-data")
    if login.certificate_pem and login.key_pem:
        with _as_file(login.certificate_pem, login.key_pem) as pair:
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                problem = error.reason or "unreadable"
            else:
                return context
        raise InvalidInput(
            "input",
            "kubeconfig, client-certificate-data and client-key-data",
            f"are not a PEM certificate and its key ({problem})",
            "Put the output of `oc config view --minify --flatten --raw` into the ClusterConnection.",
        )
    return context


@contextmanager
def _as_file(certificate_pem: str, key_pem: SecretStr) -> Iterator[str]:
    """A path at which OpenSSL, which reads keys from files only, finds a certificate and its key.

    On Linux it leads to memory that has no name on any disk: a process that is killed leaves no key behind.
    Elsewhere it is a file (0600) in a directory (0700), both gone when the block ends.
    """
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("client.pem"), "w") as memory:
            memory.write(f"{certificate_pem}\n{key_pem.get_secret_value()}")
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory, "client.pem")
        pair.touch(mode=0o600)
        pair.write_text(f"{certificate_pem}\n{key_pem.get_secret_value()}")
        yield str(pair)
