"""Answers of bounded size, read in bounded time: for the clients of Vault, GitHub and the clusters alike.

HTTP libraries read an answer whole, whatever its size, and their timeout counts between two bytes, so that an
answer may drip for hours.
"""

from __future__ import annotations

import time

import requests
import urllib3

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes. Nothing that we read comes near it, and an endless answer may not fill memory."""

_CHUNK = 65536


class TooLargeError(Exception):
    """More than `LARGEST_ANSWER`. The caller, which knows the subject, says so in its own words."""

    def __init__(self) -> None:
        super().__init__(f"an answer of more than {LARGEST_ANSWER} bytes")


def read_body(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body as it comes, not in whole chunks, until ``deadline`` (of `time.monotonic`).

    Raises:
        TooLargeError: see there.
        urllib3.exceptions.HTTPError: it broke off, or did not end in time.
    """
    received = bytearray()
    while chunk := response.read1(_CHUNK, decode_content=True):
        received += chunk
        if len(received) > LARGEST_ANSWER:
            response.close()
            raise TooLargeError
        if time.monotonic() > deadline:
            response.close()
            raise urllib3.exceptions.ProtocolError("the answer did not end in time")
    response.release_conn()
    return bytes(received)


def read_response(response: requests.Response, deadline: float) -> bytes:
    """The same for requests, whose sessions must have been asked with ``stream=True``.

    Raises:
        TooLargeError: see there.
        requests.exceptions.ConnectionError: it broke off, or did not end in time.
    """
    with response:
        try:
            return read_body(response.raw, deadline)
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from None


def root_cause(error: BaseException) -> str:
    """The innermost reason: requests wraps it in layers that print addresses of objects."""
    while True:
        reasons = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        inner = next((each for each in reasons if isinstance(each, BaseException)), None)
        if inner is None or inner is error:
            break
        error = inner
    text = str(error).strip() or type(error).__name__
    return text.rsplit("> ", 1)[-1].split(": ", 1)[-1] if "object at 0x" in text else text
