"""PEM as people have it: what of it is used, and that a private key is never among it."""

from __future__ import annotations

import base64
import os
import traceback
from itertools import count
from pathlib import Path

import pytest

from runbook.errors import InvalidInput
from sandbox.certificates import CertificateAuthority
from systems.trust import certificates, trust

ONE, TWO = CertificateAuthority("one"), CertificateAuthority("two")
BUNDLE = ONE.pem + TWO.pem
BLOCKS = BUNDLE.strip()
KEY = ONE.issue("somebody").key_pem


def renamed(kind: str) -> str:
    return KEY.replace("PRIVATE KEY", kind)


def body(pem: str) -> str:
    return "\n".join(pem.strip().splitlines()[1:-1])


def with_key_after_padding() -> str:
    """A key's base64 after a certificate's that ends with ``=``, where readers that are not strict end."""
    names = (f"padded {'x' * length}" for length in count())  # a signature is not always as long
    padded = next(pem for name in names if (pem := CertificateAuthority(name).pem) and "=" in body(pem))
    return padded.replace("\n-----END", f"\n{body(KEY)}\n-----END")


AROUND = {
    "comments": "# F\u0151tan\u00fas\u00edtv\u00e1ny\n" + ONE.pem + "\n# \u7b2c\u4e8c\n" + TWO.pem,
    "byte order mark": "\ufeff" + BUNDLE,
    "text": "Certificate:\n  Issuer: CN = B\u00fccher\n  X509v3 Private Key Usage Period: \n" + BUNDLE,
    "indented": "\n".join(f"   {line}" for line in BUNDLE.splitlines()),
    "Windows": "\ufeff" + BUNDLE.replace("\n", "\r\n"),
    "old Mac": BUNDLE.replace("\n", "\r"),
    "X509": BUNDLE.replace(" CERTIFICATE", " X509 CERTIFICATE"),
    "attributes": f"Bag Attributes\n    friendlyName: one\n{BUNDLE}",
    "others": f"{BUNDLE}-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----",
}


@pytest.mark.parametrize("around", AROUND)
def test_the_certificates_of_a_text_are_those_of_the_text_without_the_rest(around: str) -> None:
    assert certificates(AROUND[around], "ca_cert") == BLOCKS
    assert trust(AROUND[around], "ca_cert").cert_store_stats()["x509_ca"] == 2


@pytest.mark.parametrize("text", [BUNDLE, BLOCKS, ONE.pem + "\n\n" + TWO.pem, BUNDLE.replace("\n", "\r\n")])
def test_a_text_of_certificates_alone_is_left_as_git_and_vault_may_hold_it(text: str) -> None:
    assert certificates(text, "ca_cert") == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BUNDLE + KEY, "holds a private key"),
        (KEY + BUNDLE, "holds a private key"),
        (KEY, "holds a private key"),
        (BUNDLE + renamed("RSA PRIVATE KEY"), "holds a private key"),
        (BUNDLE + renamed("ENCRYPTED PRIVATE KEY"), "holds a private key"),
        (BUNDLE + renamed("OPENSSH PRIVATE KEY"), "holds a private key"),
        (BUNDLE + KEY.partition("\n")[2], "holds a private key"),
        (renamed("CERTIFICATE"), "cannot be read"),
        (with_key_after_padding(), "cannot be read"),
        (ONE.pem.replace("\n-----END", f"\n{body(KEY)}\n-----END"), "cannot be read"),
        (BUNDLE.replace(" CERTIFICATE", " TRUSTED CERTIFICATE"), "holds TRUSTED CERTIFICATE blocks"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read"),
        (BUNDLE.encode("utf-16").decode("utf-8", "replace"), "not a PEM certificate"),
        (base64.b64encode(BUNDLE.encode()).decode(), "not a PEM certificate"),
        (BUNDLE.replace("\n", "\\n"), "not a PEM certificate"),
        ("/etc/ssl/ca.pem", "not a PEM certificate"),
        ("", "not a PEM certificate"),
    ],
)
def test_a_key_and_what_holds_no_certificate_are_refused_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        certificates(text, "ca_cert of a test")
    assert caught.value.subject == "ca_cert of a test"
    assert KEY.splitlines()[1] not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(InvalidInput, match=says):
        trust(text, "ca_cert of a test")


def test_the_machines_store_is_read_again_when_the_machine_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known() -> list[str]:
        return [str(one["subject"]) for one in trust(None, "here").get_ca_certs()]

    bundle = tmp_path / "machine.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    bundle.write_text(CertificateAuthority("yesterday").pem)
    assert "yesterday" in str(known())
    assert trust(None, "here") is trust(None, "here")
    bundle.write_text(CertificateAuthority("today").pem)
    os.utime(bundle, ns=(0, 1))
    assert "today" in str(known())
    assert "yesterday" not in str(known())
