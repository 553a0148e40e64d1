"""Whom we believe over TLS: exactly the CA of the connection, or the machine's store where none is given.

HTTP libraries add the bundle of certifi to a private CA, and take a CA only as a file. Here the CA is text,
and the only one that counts.
"""

from __future__ import annotations

import re
import ssl
from binascii import a2b_base64
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from runbook.errors import InvalidInput

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----")
_PRIVATE_KEY = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY")


def certificates(pem: str, subject: str) -> str:
    """The CERTIFICATE blocks of a PEM text, and nothing else of it.

    People give bundles with comments in any language, with a byte order mark, indented, or as `openssl x509
    -text` prints them: all that is outside of the blocks is left out. A text that holds nothing but blocks is
    returned as it is, because Git and Vault may hold it already.

    Args:
        pem: what somebody gave.
        subject: names the field for the reader.

    Raises:
        InvalidInput: it holds a private key, or no certificate, or one that cannot be read. The text is not
            repeated.
    """
    lines = "\n".join(line.strip() for line in pem.splitlines())
    lines = lines.replace(" X509 CERTIFICATE-----", " CERTIFICATE-----")  # OpenSSL's old name
    blocks = list(_CERTIFICATE.finditer(lines))
    found = "\n".join(block[0] for block in blocks)
    if _PRIVATE_KEY.search(pem):
        problem = "holds a private key"
    elif not blocks and "-----BEGIN TRUSTED CERTIFICATE-----" in lines:
        problem = "holds TRUSTED CERTIFICATE blocks, which only OpenSSL reads"
    elif not blocks:
        problem = "is not a PEM certificate"
    elif not _are_certificates(block[1] for block in blocks):
        problem = "holds a certificate that cannot be read"
    else:
        as_it_is = [line.rstrip() for line in pem.split("\n") if line.strip()] == found.splitlines()
        return pem if as_it_is else found
    raise InvalidInput(
        "input",
        subject,
        problem,
        "Set it to the CA's certificates alone, as text that starts with '-----BEGIN CERTIFICATE-----'.",
    )


def _are_certificates(blocks: Iterable[str]) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        for encoded in blocks:
            # As DER: OpenSSL's reader of PEM ignores what follows the certificate inside of a block, and so
            # does base64 that is not strict.
            context.load_verify_locations(cadata=a2b_base64(encoded.replace("\n", ""), strict_mode=True))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _machines_store() -> ssl.SSLContext:
    bundle = ssl.get_default_verify_paths().cafile
    return _store_of(bundle, Path(bundle).stat().st_mtime_ns if bundle else 0)


@lru_cache(maxsize=1)
def _store_of(_bundle: str | None, _changed: int) -> ssl.SSLContext:
    """Read once for all clients, for that takes 40 ms; again when the machine has another bundle."""
    return ssl.create_default_context()


def trust(ca_pem: str | None, subject: str) -> ssl.SSLContext:
    """An SSL context that believes exactly ``ca_pem`` (PEM text), or the machine's store when it is None.

    Not to be changed: several clients may have the same one.

    Raises:
        InvalidInput: see `certificates`.
    """
    if ca_pem is None:
        return _machines_store()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificates(ca_pem, subject))
    return context
