"""What is written beside certificates. Whom clients trust: ``tests/systems/test_tls_certificate.py``."""

from __future__ import annotations

from pathlib import Path

from sandbox.certificates import write_private


def test_private_files_are_readable_by_their_owner_only_even_when_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and open to all")
    path.chmod(0o644)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
