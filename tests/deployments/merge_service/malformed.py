"""Malformed deliveries without end, the same ones for the same seed: bytes to put on a socket."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.deployments.merge_service.conftest import SECRET, sign
from tests.deployments.merge_service.payloads import encoded, pull_request, push

MARK = "fuzz-mark"
"""In every body: must be in no log."""

_NO_JSON = (
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b"-",
    b"{,}",
    b"{'a': 1}",
    b"\x00",
    b"\xef\xbb\xbf{}",
    b"{}\x00",
)
_NO_VALUE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    "",
    [],
    {},
    [[]],
    {"full_name": None},
    {"ref": {}},
    "\ud7ff" * 300,
)


class Malformed:
    """Makes them. Each is wrong in one way at least, so none may cause a look."""

    def __init__(self, seed: int, repository: str, base_branch: str) -> None:
        """Args: repository, base_branch: what they would be about, were they right."""
        self._payloads = {
            "push": push(f"refs/heads/{base_branch}", full_name=repository) | {"mark": MARK},
            "pull_request": pull_request("closed", merged=True, full_name=repository) | {"mark": MARK},
        }
        self._random = random.Random(seed)  # noqa: S311 - to be the same each time
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._signed_nonsense,
            self._signed_wrong_type,
            self._signed_depth,
            self._signed_number,
            self._signed_twice,
            self._signed_no_utf8,
            self._cut_off,
            self._flipped,
            self._bad_signature,
            self._bad_header,
            self._bad_length,
            self._bad_chunks,
            self._good_chunks_of_nonsense,
            self._no_http,
        )

    def requests(self, count: int) -> Iterator[bytes]:
        """So many requests."""
        for number in range(count):
            yield self._kinds[number % len(self._kinds)]()

    def _event(self) -> str:
        return self._random.choice(list(self._payloads))

    def _bytes(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randrange(most))

    def _request(self, body: bytes, event: str | None = None, /, **headers: bytes | None) -> bytes:
        sent: dict[str, bytes | None] = {
            "host": b"service",
            "content-type": b"application/json",
            "content-length": str(len(body)).encode(),
            "x-github-event": (event or self._event()).encode(),
            "x-github-delivery": f"{self._random.getrandbits(128):032x}".encode(),
            "x-hub-signature-256": sign(body).encode(),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [name.encode() + b": " + value for name, value in sent.items() if value is not None]
        return b"\r\n".join([b"POST /webhook HTTP/1.1", *lines, b"", body])

    def _signed_nonsense(self) -> bytes:
        return self._request(self._random.choice([*_NO_JSON, b"\x80" + self._bytes(2000)]))

    def _signed_wrong_type(self) -> bytes:
        event = self._event()
        field = self._random.choice(
            ["repository", "ref", "before"] if event == "push" else ["action", "number"]
        )
        wrong = [value for value in _NO_VALUE if not isinstance(value, str | int) or isinstance(value, bool)]
        return self._request(encoded(self._payloads[event] | {field: self._random.choice(wrong)}), event)

    def _signed_depth(self) -> bytes:
        depth = self._random.randrange(300, 50_000)
        opening = self._random.choice([b"[", b'{"repository":'])
        return self._request(opening * depth + self._random.choice([b"", b"1" + b"]" * depth]))

    def _signed_number(self) -> bytes:
        digits = self._random.choice(["9" * 5000, "1e400", "-0.0", "1" * 30 + ".5", "0x10", "١"])
        text = encoded(self._payloads["pull_request"]).decode().replace('"number":2', f'"number":{digits}')
        return self._request(text.encode(), "pull_request")

    def _signed_twice(self) -> bytes:
        event = self._event()
        again = f',"repository":{json.dumps(self._random.choice(_NO_VALUE))}}}'
        return self._request(encoded(self._payloads[event])[:-1] + again.encode(), event)

    def _signed_no_utf8(self) -> bytes:
        event = self._event()
        text = encoded(self._payloads[event]).decode()
        if self._random.random() < 0.5:
            return self._request(text.encode(self._random.choice(["utf-16", "utf-32", "utf-16-be"])), event)
        return self._request(text.replace(MARK, "@").encode().replace(b"@", b"\xc3\x28"), event)

    def _cut_off(self) -> bytes:
        event = self._event()
        body = encoded(self._payloads[event])
        return self._request(body[: self._random.randrange(len(body))], event)

    def _flipped(self) -> bytes:
        body = bytearray(encoded(self._payloads[self._event()]))
        right = sign(bytes(body)).encode()
        for _ in range(self._random.randrange(1, 20)):
            body[self._random.randrange(len(body))] ^= self._random.randrange(1, 256)
        wrong = sign(bytes(body)).encode() != right
        return self._request(bytes(body), x_hub_signature_256=right if wrong else None)

    def _bad_signature(self) -> bytes:
        event = self._event()
        body = encoded(self._payloads[event])
        right = sign(body).encode()
        wrong = [
            *(None, b"", b"sha256=", right[:-1], right[:-1] + b"g", right.upper(), b"sha1=" + right[7:47]),
            *(sign(body, SECRET + b" ").encode(), b"sha256=" + b"0" * 64, b"\xff" * 71, right * 50),
        ]
        return self._request(body, event, x_hub_signature_256=self._random.choice(wrong))

    def _bad_header(self) -> bytes:
        event = self._event()
        wrong: list[dict[str, bytes | None]] = [
            {"content_type": None},
            {"content_type": b"application/x-www-form-urlencoded"},
            {"content_type": b"application/json" * 100},
            {"content_type": b"\xff\xfe"},
            {"x_github_delivery": None},
            {"x_github_delivery": b"\xe2\x82\xac"},
            {"x_github_delivery": b"x" * 5000},
            {"x_github_event": b"\xff" * 30},
            {"x_github_event": b"a" * 5000},
            {"x_github_event": b"push, push"},
            {"x_odd": b"y" * 70_000, "x_hub_signature_256": b"sha256="},
            {"bad header": b"1"},
        ]
        return self._request(encoded(self._payloads[event]), event, **self._random.choice(wrong))

    def _bad_length(self) -> bytes:
        length = self._random.choice(
            [
                b"-1",
                b"abc",
                b"1e3",
                b"99999999999999999999",
                b"\xb2",
                b"0x10",
                b"3000000",
                b"9" * 4000,
                b"1, 2",
            ]
        )
        return self._request(encoded(self._payloads["push"]), "push", content_length=length)

    def _bad_chunks(self) -> bytes:
        chunks = self._random.choice(
            [
                b"zz\r\n",
                b"-1\r\n",
                b"5\r\nabc",
                b"ffffffffffffffffffff\r\n",
                b"\r\n\r\n",
                b"1\r\nab\r\n",
                self._bytes(99),
            ]
        )
        both = self._random.random() < 0.2
        length = b"5" if both else None
        head = self._request(b"", None, content_length=length, transfer_encoding=b"chunked")
        return head + chunks + b"\r\n\r\n\r\n"

    def _good_chunks_of_nonsense(self) -> bytes:
        body = b"{" + self._bytes(3000)
        signature = sign(body).encode()
        head = self._request(
            b"", None, content_length=None, transfer_encoding=b"chunked", x_hub_signature_256=signature
        )
        half = len(body) // 2
        parts = [part for part in (body[:half], body[half:]) if part]
        return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    def _no_http(self) -> bytes:
        return self._random.choice(
            [
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._bytes(300),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"POST /webhook HTTP/9.9\r\n\r\n",
                b"POST " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
                self._bytes(500) + b"\r\n\r\n",
            ]
        )
