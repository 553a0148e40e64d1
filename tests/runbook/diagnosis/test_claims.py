"""Reading a token that anybody may have made up."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from runbook.diagnosis.claims import claims_of, is_base64_of_jwt


def token(body: str) -> SecretStr:
    parts = ('{"kid": "k"}', body, "signature")
    encoded = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    return SecretStr(".".join(encoded))


def test_what_a_token_says_is_read() -> None:
    serviceaccount = {"name": "eso-vault-auth", "uid": "u-1"}
    body = {
        "kubernetes.io": {"namespace": "eso", "serviceaccount": serviceaccount},
        "aud": ["https://kubernetes", "vault"],
        "exp": 1_800_000_000,
        "iss": "https://issuer",
    }
    claims = claims_of(token(json.dumps(body)))
    assert claims is not None
    assert (claims.account, claims.uid, claims.key_id) == ("eso/eso-vault-auth", "u-1", "k")
    assert claims.audiences == ("https://kubernetes", "vault")
    assert claims.expires == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "ends", ["1e300", "-1e18", "NaN", "Infinity", "99999999999999999", "9" * 400, "true", '"soon"', "null"]
)
def test_an_end_that_no_calendar_has_is_none(ends: str) -> None:
    claims = claims_of(token(f'{{"exp": {ends}}}'))
    assert claims is not None
    assert claims.expires is None


@pytest.mark.parametrize("audience", ["5", '{"a": 1}', "null", "true", '""', "[]", "[1, null]"])
def test_what_is_no_text_is_no_audience(audience: str) -> None:
    claims = claims_of(token(f'{{"aud": {audience}}}'))
    assert claims is not None
    assert claims.audiences == ()


@pytest.mark.parametrize("body", ["[" * 100_000, "{", "[]", "no JSON", ""])
def test_what_is_no_object_is_no_token(body: str) -> None:
    assert claims_of(token(body)) is None


@pytest.mark.parametrize("between", ["\n", "\n\n\n\n", " ", "\u00e9", "="])
def test_a_token_with_what_no_token_has_is_none(between: str) -> None:
    text = token('{"exp": 1}').get_secret_value()
    assert claims_of(SecretStr(text)) is not None
    assert claims_of(SecretStr(f"{text[:8]}{between}{text[8:]}")) is None


def test_a_token_that_was_not_decoded_is_recognised() -> None:
    text = token("{}").get_secret_value()
    assert is_base64_of_jwt(SecretStr(base64.b64encode(text.encode()).decode() + "\n"))


@pytest.mark.parametrize(
    "text", ["", "garbage", "gärbage", "Z2FyYmFnZQ==", "//79", token("{}").get_secret_value()]
)
def test_other_text_is_no_token_that_was_not_decoded(text: str) -> None:
    assert not is_base64_of_jwt(SecretStr(text))
