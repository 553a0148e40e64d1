"""Malformed deliveries without end, the same ones for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.deployments.merge_service.conftest import SECRET, sign
from tests.deployments.merge_service.payloads import encoded, pull_request, push

MARK = "fuzz-mark"
"""In every body: must be in no log."""

_NO_JSON = b'|null|[]|"text"|NaN|-|{,}|{a: 1}|\x00|\xef\xbb\xbf{}|{}\x00'.split(b"|")
_NO_VALUE: list[Any] = [None, True, -1, 1e308, "", [], {}, [[]], {"full_name": None}, {"ref": {}}]


@dataclass(frozen=True)
class Request:
    """One of them; ``headers`` replace what belongs to the body, None leaves one out."""

    event: str
    body: bytes
    headers: dict[str, str | None] = field(default_factory=dict)


class Malformed:
    """Makes them. Each is wrong in one way at least, so none may cause a look."""

    def __init__(self, seed: int, repository: str, base_branch: str) -> None:
        """Args: repository, base_branch: what they would be about, were they right."""
        self._payloads = {
            "push": push(f"refs/heads/{base_branch}", full_name=repository) | {"mark": MARK},
            "pull_request": pull_request("closed", merged=True, full_name=repository) | {"mark": MARK},
        }
        self._random = random.Random(seed)  # noqa: S311 - to be the same each time
        self._kinds: tuple[Callable[[str, dict[str, Any]], Request], ...] = (
            self._nonsense,
            self._wrong_type,
            self._deep,
            self._twice,
            self._no_utf8,
            self._cut_off,
            self._flipped,
            self._bad_signature,
            self._bad_header,
        )

    def requests(self, count: int) -> Iterator[Request]:
        """So many requests."""
        for number in range(count):
            event = self._random.choice(list(self._payloads))
            yield self._kinds[number % len(self._kinds)](event, self._payloads[event])

    def _nonsense(self, event: str, _payload: dict[str, Any]) -> Request:
        noise = b"\x80" + self._random.randbytes(self._random.randrange(2000))
        return Request(event, self._random.choice([*_NO_JSON, noise]))

    def _wrong_type(self, event: str, payload: dict[str, Any]) -> Request:
        name = self._random.choice(["repository", "ref" if event == "push" else "action"])
        wrong = [value for value in _NO_VALUE if not isinstance(value, str)]
        return Request(event, encoded(payload | {name: self._random.choice(wrong)}))

    def _deep(self, event: str, _payload: dict[str, Any]) -> Request:
        depth = self._random.randrange(300, 50_000)
        opening = self._random.choice([b"[", b'{"repository":'])
        return Request(event, opening * depth + self._random.choice([b"", b"1" + b"]" * depth]))

    def _twice(self, event: str, payload: dict[str, Any]) -> Request:
        again = f',"repository":{json.dumps(self._random.choice(_NO_VALUE))}}}'
        return Request(event, encoded(payload)[:-1] + again.encode())

    def _no_utf8(self, event: str, payload: dict[str, Any]) -> Request:
        text = encoded(payload).decode()
        if self._random.random() < 0.5:
            return Request(event, text.encode(self._random.choice(["utf-16", "utf-32", "utf-16-be"])))
        return Request(event, text.replace(MARK, "@").encode().replace(b"@", b"\xc3\x28"))

    def _cut_off(self, event: str, payload: dict[str, Any]) -> Request:
        body = encoded(payload)
        return Request(event, body[: self._random.randrange(len(body))])

    def _flipped(self, event: str, payload: dict[str, Any]) -> Request:
        body = bytearray(encoded(payload))
        right = sign(bytes(body))
        for _ in range(self._random.randrange(1, 20)):
            body[self._random.randrange(len(body))] ^= self._random.randrange(1, 256)
        return Request(
            event, bytes(body), {"x_hub_signature_256": None if sign(bytes(body)) == right else right}
        )

    def _bad_signature(self, event: str, payload: dict[str, Any]) -> Request:
        body = encoded(payload)
        right, other = sign(body), sign(body, SECRET + b" ")
        wrong = [
            None,
            "",
            "sha256=",
            right[:-1],
            right[:-1] + "g",
            right.upper(),
            f"sha1={right[7:47]}",
            other,
        ]
        wrong += ["sha256=" + "0" * 64, "\xff" * 71, right * 50]
        return Request(event, body, {"x_hub_signature_256": self._random.choice(wrong)})

    def _bad_header(self, event: str, payload: dict[str, Any]) -> Request:
        types = (None, "text/json", "application/json" * 100, "\xff\xfe")
        wrong: list[dict[str, str | None]] = [{"content_type": each} for each in types]
        wrong += [{"x_github_event": each} for each in ("\xff" * 30, "a" * 5000, "push, push")]
        return Request(event, encoded(payload), self._random.choice(wrong))
