"""Addresses that people give, and texts that become headers: what is taken, and that errors show neither."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr

from runbook.addresses import Http, check_address, check_header, shown
from runbook.errors import InvalidInput

SECRET = "hunter2"


@pytest.mark.parametrize(
    "address",
    [
        "https://vault.example.com",
        "https://vault.example.com:8200/",
        "https://rancher.example.com/k8s/clusters/c-m-1",
        "HTTPS://API.example.com.:6443",
        "https://10.0.0.1:65535",
        "https://[fd00::1]:6443",
        "https://my_vault",
        "https://git.example.com/~team/a%20b.git",
    ],
)
def test_an_https_address_is_returned_as_it_is(address: str) -> None:
    assert check_address(address, "field") == address


@pytest.mark.parametrize(
    ("http", "address"),
    [
        *(
            ("loopback", f"http://{host}")
            for host in ("127.0.0.1:8200", "127.8.9.1", "localhost:3000/o/r.git", "[::1]:3000")
        ),
        ("always", "http://proxy.example.com:3128"),
    ],
)
def test_plain_http_goes_where_it_may(http: Http, address: str) -> None:
    assert check_address(address, "field", http=http) == address


@pytest.mark.parametrize(
    ("http", "host"),
    [
        ("never", "127.0.0.1:8200"),
        ("loopback", "vault.example.com"),
        ("loopback", "127.0.0.1.example.com"),
        ("loopback", "localhost.example.com"),
        ("loopback", "127.0.0.1@vault.example.com"),
        ("loopback", "0.0.0.0:8200"),
    ],
)
def test_plain_http_goes_nowhere_else(http: Http, host: str) -> None:
    with pytest.raises(InvalidInput):
        check_address(f"http://{host}", "field", http=http)


REFUSED = {
    "user name or password": (f"https://svc:{SECRET}@h.example.com", f"https://{SECRET}@h.example.com"),
    "query or a fragment": (
        f"https://h.example.com?token={SECRET}",
        f"https://h.example.com/#{SECRET}",
        "https://h.example.com/?",
    ),
    "a blank, a line end": (
        *(f" https://{SECRET}", f"https://{SECRET}\n", f"https://{SECRET}\t:1", f"\ufeffhttps://{SECRET}"),
        *(f"https://{SECRET}\\@h.example.com", f"https://b\u00fccher.example.com/{SECRET}"),
    ),
    "not https://": (
        *("", "https://", "https://[::1", "https://[12345::1]"),
        *(f"{SECRET}:8200", f"//{SECRET}", f"ssh://{SECRET}", f"file:///{SECRET}", f"https://a..{SECRET}"),
        *(f"https://{SECRET}:port", f"https://{SECRET}:0", f"https://{SECRET}:65536", f"https://{SECRET}:"),
        *(f"https://h%0aost={SECRET}/x", f"https://{'a' * 64}.{SECRET}"),
    ),
}


@pytest.mark.parametrize(
    ("says", "address"), [(says, address) for says, addresses in REFUSED.items() for address in addresses]
)
def test_another_address_is_refused_by_its_field_and_not_shown(says: str, address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_address(address, "address of a test", http="loopback")
    assert says in caught.value.answer
    assert caught.value.subject == "address of a test"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", f" {SECRET}", f"{SECRET} ", f"a {SECRET}", f"{SECRET}\n", f"a\r\nX: {SECRET}"),
        *(f"{SECRET}\t", f"{SECRET}\x00", f"{SECRET}\x7f"),
        *(f"\ufeff{SECRET}", f"{SECRET}\u2013", f"\u00fc{SECRET}", f"\u200b{SECRET}"),
    ],
)
def test_what_no_header_can_carry_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_header(SecretStr(value), "token of a test")
    assert caught.value.subject == "token of a test"
    trace = caught.value.__traceback__
    while trace and trace.tb_frame.f_code.co_name != "check_header":
        trace = trace.tb_next
    assert trace
    assert SECRET not in f"{caught.value!r}{caught.value.__dict__}{trace.tb_frame.f_locals}"


def test_a_token_is_returned_in_clear() -> None:
    assert check_header(SecretStr("hvs.CAES~a/b+c=-_"), "token") == "hvs.CAES~a/b+c=-_"


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("https://other.example.com:8200/v1/x", "https://other.example.com:8200/v1/x"),
        ("/ui/", "https://vault.example.com/ui/"),
        (f"https://me:{SECRET}@other.example.com/a?token={SECRET}#{SECRET}", "https://other.example.com/a"),
        ("https://other.example.com/\x1b[31m\u202e", "https://other.example.com/[31m"),
        (f"https://me:a/{SECRET}@other.example.com/a", "https://other.example.com/a"),
        ("https://[::1", "an address that cannot be read"),
    ],
)
def test_where_somebody_sends_us_is_shown_without_credentials(location: str, text: str) -> None:
    assert shown(location, "https://vault.example.com/v1/sys/health") == text
