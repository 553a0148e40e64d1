"""What our record of a reviewer's token says later."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook.diagnosis.record import ReviewerRecord

KEPT = {"sha256": "f" * 64, "service_account_uid": "u-1", "written": "2026-01-02T03:04:00+00:00"}
ENDED = "2026-02-03T04:05:00"
AT = f"our record: written at 2026-01-02 03:04 UTC, sha256 {'f' * 16}, "
OF = "of ServiceAccount uid u-1"


@pytest.mark.parametrize(
    ("expires", "uid", "sha256", "good", "words"),
    [
        (
            "with its Secret",
            "u-1",
            "f" * 64,
            True,
            f"expires with its Secret, {OF}, the Secret still has that token",
        ),
        (
            "with its Secret",
            "u-1",
            "e" * 64,
            False,
            f"expires with its Secret, {OF}, the Secret has another token now",
        ),
        # Without its zone: as UTC.
        (ENDED, "u-1", "e" * 64, False, f"expired at 2026-02-03 04:05 UTC, {OF}"),
        (
            f"{ENDED}+00:00",
            "u-2",
            "",
            False,
            f"expired at 2026-02-03 04:05 UTC, {OF}, recreated since: now u-2",
        ),
        ("2100-02-03T04:05:00", "", "", True, f"expires at 2100-02-03 04:05 UTC, {OF}"),
    ],
)
def test_our_record_tells_what_became_of_that_jwt(
    expires: str, uid: str, sha256: str, good: bool, words: str
) -> None:
    record = ReviewerRecord.read({**KEPT, "expires": expires})
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert record.words(now, uid, sha256) == AT + words
    assert record.is_still_good(now, uid, sha256) is good
