"""Text that others wrote, made harmless before people read it.

Authors choose their names and titles, systems their answers. A terminal acts on control characters, a reader
is misled by text that runs backwards, and a page in markdown loads images and follows links. Whatever goes
into a log goes through `plain`, whatever goes into markdown through one of the others.
"""

from __future__ import annotations

import re
import unicodedata

_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control and format characters, surrogates, line and paragraph separators."""

_CODE = re.compile(r"(`[^`]+`)")
_ACTIVE = re.compile(r"[\\*~$\[\]<`]|(?<=\])\(|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[#>]|&(?=#?\w+;)|@(?=\w)")
_INSTEAD = {"<": "&lt;", "&": "&amp;", "@": "@&#8203;", "`": "'"}
"""After the sign of a mention stands a zero-width space: GitHub tells nobody then."""


def plain(text: object, keep: str = "") -> str:
    """Text for a log: on one line, without the characters that are acted on instead of shown.

    Args:
        text: what others wrote, or a sentence with it.
        keep: white space that stays: ``"\\n"`` for a text of several lines.
    """
    shown = "".join(sign if sign in keep else _shown(sign) for sign in str(text))
    return shown if keep else " ".join(shown.split())


def without_list(text: object) -> str:
    """What Go says as a list with a head, even of one error: ``1 error occurred:\\n\\t* no`` is ``no``."""
    alone = re.sub(r"\d+ errors? occurred:\s*\* ", "", str(text)).strip()
    return re.sub(r"\s*\n\s*\* ", "; ", alone)


def hides(text: str) -> bool:
    """Whether a text has characters that are acted on or not seen: control, bidirectional, invisible."""
    return any(unicodedata.category(sign) in _NOT_SHOWN for sign in text)


def markdown(text: object) -> str:
    """Text in a sentence or a cell of markdown; of its formatting only code spans are left."""
    parts = _CODE.split(plain(text))
    # Every second part is a code span, in which nothing is acted on.
    parts[::2] = [_ACTIVE.sub(_harmless, part) for part in parts[::2]]
    return "".join(parts)


def code(text: object) -> str:
    """A name or a path as a code span."""
    name = plain(text).replace("`", "'")
    return f"`{name}`"


def block(text: str, language: str) -> str:
    """Lines of a file as a code block, which none of them ends."""
    lines = plain(text.rstrip(), keep="\n\t")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", lines))])
    return f"{fence}{language}\n{lines}\n{fence}"


def _harmless(found: re.Match[str]) -> str:
    return _INSTEAD.get(found[0], f"\\{found[0]}")


def _shown(sign: str) -> str:
    if sign.isspace():
        return " "
    return "" if unicodedata.category(sign) in _NOT_SHOWN else sign
