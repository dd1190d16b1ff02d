"""Scalars of YAML: what quotes and folding make of the text (YAML 1.2.2, chapters 5.7 and 7.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


def unescape(written: str) -> str:
    """The text of a scalar in double or single quotes."""
    inner = written[1:-1]
    if written[0] == "'":
        return inner.replace("''", "'")
    return _ESCAPE.sub(_escaped, inner)


def _escaped(found: re.Match[str]) -> str:
    text = found[1]
    if text[0] in "xuU" and len(text) > 1:
        number = int(text[1:], 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _ESCAPES.get(text, text)


def fold(lines: list[str], quote: str) -> str:
    """The lines of a quoted scalar as one text: a break is a space, an empty line a break."""
    text = lines[0] if len(lines) == 1 else lines[0].rstrip()
    breaks = 0
    for number, line in enumerate(lines[1:], 2):
        stripped = line.lstrip() if number == len(lines) else line.strip()
        if not stripped and number != len(lines):
            breaks += 1
            continue
        escaped = quote == '"' and re.search(r"(?<!\\)(?:\\\\)*\\$", text)
        if escaped:
            text = text[:-1] + "\n" * breaks + stripped
        else:
            text += ("\n" * breaks if breaks else " ") + stripped
        breaks = 0
    return text


@dataclass(frozen=True, slots=True)
class BlockScalar:
    """The head of a block scalar: ``|`` or ``>``, with ``-`` or ``+``, and its indentation."""

    folded: bool
    chomping: str
    indent: int | None

    @classmethod
    def of(cls, head: str) -> BlockScalar | None:
        """The head in ``head``, None where it is none."""
        found = re.fullmatch(r"([|>])([+-]?)([1-9]?)([+-]?)\s*(?:(?<=\s)#.*)?", head)
        if found is None:
            return None
        chomping = found[2] or found[4]
        return cls(found[1] == ">", chomping, int(found[3]) if found[3] else None)

    def read(self, lines: list[str], parent: int) -> tuple[int, str]:
        """How many of ``lines`` belong to it, and its text; it stands deeper than ``parent``."""
        indent = self.indent + max(parent, 0) if self.indent else None
        taken: list[str] = []
        for line in lines:
            blank = not line.strip(" ")
            depth = len(line) - len(line.lstrip(" "))
            if not blank and indent is None and depth > parent:
                indent = depth
            if not blank and (indent is None or depth < indent):
                break
            taken.append(line[indent or 0 :] if not blank else line[indent or len(line) :])
        count = len(taken)
        while taken and not taken[-1]:
            taken.pop()
        trailing = count - len(taken)
        text = _folded(taken) if self.folded else "\n".join(taken)
        if self.chomping == "+":
            return count, text + "\n" * (trailing + bool(taken))
        return count, text + ("\n" if taken and self.chomping != "-" else "")


def _folded(lines: list[str]) -> str:
    """Lines joined by spaces, except around lines that are empty or indented further."""
    text, breaks, before_more = "", 0, False
    for number, line in enumerate(lines):
        more = line[:1] in {" ", "\t"}
        if not line:
            breaks += 1
            continue
        if number:
            if more or before_more:
                text += "\n" * (breaks + 1) if text or breaks else ""
            else:
                text += "\n" * breaks if breaks else " "
        text += line
        breaks, before_more = 0, more
    return text
