"""The subset of YAML that Compose files are written in, read with the line of each value.

Block and flow collections, plain and quoted scalars, block scalars, anchors, aliases, merge
keys and comments, by YAML 1.2.2 (https://yaml.org/spec/1.2.2/). Not read: several documents,
complex keys (``? ``) and directives other than ``%YAML``; a file that has them is said to be
unreadable. Scalars keep their text: what is a number or a switch, the schema of Compose says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from deploytool.project.stack.yaml_scalars import BlockScalar, fold, unescape

_DEPTH = 60  # nested collections; more is no deployment file
_SIZE = 5000  # values that aliases may multiply a file to

_PROPERTY = re.compile(r"(?:&(?P<anchor>[^\s,\[\]{}]+)|!(?P<tag>[^\s,\[\]{}]*))(?=\s|$|[,\]}])")
_ALIAS = re.compile(r"\*([^\s,\[\]{}:]+)")
# A key on one line: quoted, or plain up to ": " or a colon at the end of the line.
_KEY = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'"""
    r"""|(?![-?:](?:\s|$)|[,\[\]{}#&*!|>'"%@`])(?:[^:#\n]|:(?=\S)|(?<=\S)\#)+?|\*[^\s:]+)\s*:(?=\s|$)"""
)


class YamlError(ValueError):
    """Text that cannot be read: what is wrong, and in which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file.

    ``line`` is that of its key where it has one, else its own. ``text`` is a scalar's text,
    None for a collection and for nothing at all; ``quoted`` tells ``"8000"`` from ``8000``.
    ``items`` are the values of a list, ``mapping`` those of a mapping.
    """

    line: int
    text: str | None = None
    quoted: bool = False
    items: tuple[Node, ...] | None = None
    mapping: dict[str, Node] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no value at all (``null``)."""
        return self.text is None and self.items is None and self.mapping is None

    def get(self, *keys: str) -> Node | None:
        """The value below ``keys``, None where a level is no mapping or lacks the key."""
        found: Node | None = self
        for key in keys:
            if found is None or found.mapping is None:
                return None
            found = found.mapping.get(key)
        return found

    def string(self, *keys: str) -> str:
        """The text below ``keys``, ``""`` where there is none."""
        found = self.get(*keys)
        return (found.text or "") if found else ""


def read_yaml(text: str) -> Node:
    """The document in ``text``; an empty mapping where there is none.

    Raises YamlError for what is no YAML, or not of the subset.
    """
    return _Reader(text).document()


@dataclass
class _Reader:
    text: str
    lines: list[str] = field(init=False)
    row: int = 0
    column: int = 0
    anchors: dict[str, Node] = field(default_factory=dict)
    depth: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self.lines = self.text.removeprefix("\ufeff").splitlines()

    # The document

    def document(self) -> Node:
        while self.row < len(self.lines) and self._skipped_before(self.lines[self.row]):
            self.row += 1
        if self._between() and self.lines[self.row].startswith("---"):
            self.column = 3
        node = self._block(-1, Node(1, mapping={}))
        if self._between() and not re.match(r"(\.\.\.|---)(\s|$)", self._rest()):
            raise self._error("something stands where nothing can")
        if self._more_documents():
            raise self._error("there is more than one document in it")
        return Node(1, mapping={}) if node.empty else node

    @staticmethod
    def _skipped_before(line: str) -> bool:
        return not line.strip() or line.lstrip().startswith("#") or line.startswith("%YAML")

    def _more_documents(self) -> bool:
        while self.row < len(self.lines):
            line = self.lines[self.row]
            if line.strip() and not re.match(r"\s*#|(\.\.\.|---)\s*$", line):
                return True
            self.row += 1
        return False

    # Where the reader is

    def _error(self, message: str) -> YamlError:
        return YamlError(message, min(self.row + 1, max(1, len(self.lines))))

    def _rest(self) -> str:
        return self.lines[self.row][self.column :] if self.row < len(self.lines) else ""

    def _between(self) -> bool:
        """Go over white space, comments and empty lines; whether anything is left."""
        while self.row < len(self.lines):
            line = self.lines[self.row]
            while self.column < len(line) and line[self.column] in " \t":
                self.column += 1
            rest = line[self.column :]
            if rest and not (
                rest[0] == "#" and (self.column == 0 or line[self.column - 1] in " \t")
            ):
                return True
            self.row, self.column = self.row + 1, 0
        return False

    def _indented(self) -> int:
        """The column of what comes next; tabs do not indent."""
        if "\t" in self.lines[self.row][: self.column]:
            raise self._error("a tab is no indentation")
        return self.column

    # Block structure

    def _block(self, parent: int, nothing: Node, *, in_mapping: bool = False) -> Node:
        """The value that stands deeper than the column ``parent``, or ``nothing``.

        The list of a mapping's key may stand in the column of the key itself.
        """
        start = self.row
        if not self._between():
            return nothing
        anchor, node = self._properties(parent)
        if node is None:
            node = self._value(parent, start, nothing, in_mapping=in_mapping)
        if anchor:
            self.anchors[anchor] = node
        return node

    def _properties(self, parent: int) -> tuple[str, Node | None]:
        """An anchor before a value; the value itself where an alias stands for it."""
        anchor = ""
        while self._between() and (found := _PROPERTY.match(self._rest())):
            if self.column <= parent and self.column == self._first_column():
                return anchor, None
            # Of a mapping that begins with an anchor on its first key, the key has it.
            if self._key() and self.column == self._first_column():
                break
            anchor = found["anchor"] or anchor
            self.column += found.end()
        found = _ALIAS.match(self._rest())
        if found is None or self._key():
            return anchor, None
        if self.column <= parent and self.column == self._first_column():
            return anchor, None
        self.column += found.end()
        return anchor, self._alias(found[1])

    def _alias(self, name: str) -> Node:
        if name not in self.anchors:
            raise self._error(f"the alias *{name} has no anchor")
        node = self.anchors[name]
        self.size += _size(node)
        if self.size > _SIZE:
            raise self._error("its aliases make it too large")
        return node

    def _first_column(self) -> int:
        line = self.lines[self.row]
        return len(line) - len(line.lstrip(" "))

    def _value(self, parent: int, start: int, nothing: Node, *, in_mapping: bool) -> Node:
        if not self._between():
            return nothing
        own_line = self.column == self._first_column()
        if re.match(r"(---|\.\.\.)(\s|$)", self._rest()) and self.column == 0:
            return nothing
        dash = re.match(r"-(\s|$)", self._rest()) is not None
        least = parent if in_mapping and dash and own_line and self.row > start else parent + 1
        if own_line and self.row >= start and self.column < least:
            return nothing
        if self._rest()[0] in "|>":
            return self._block_scalar(parent)
        if dash and (own_line or not in_mapping):
            return self._deeper(self._sequence)
        if self._key() and (own_line or not in_mapping):
            return self._deeper(self._mapping)
        return self._flow_or_plain(parent)

    def _deeper(self, read: object) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise self._error("it is nested too deeply")
        node: Node = read()  # type: ignore[operator]
        self.depth -= 1
        return node

    def _key(self) -> re.Match[str] | None:
        rest = self._rest()
        found = _PROPERTY.match(rest)
        offset = 0
        while found:
            offset += found.end() + len(rest[found.end() :]) - len(rest[found.end() :].lstrip(" "))
            rest = self._rest()[offset:]
            found = _PROPERTY.match(rest)
        return _KEY.match(rest)

    def _sequence(self) -> Node:
        column, line, items = self._indented(), self.row + 1, []
        while self._between() and self.column == column == self._indented():
            if not re.match(r"-(\s|$)", self._rest()):
                break
            here = self.row + 1
            self.column += 1
            items.append(self._block(column, Node(here)))
        self._require_dedent(column)
        return Node(line, items=tuple(items))

    def _mapping(self) -> Node:
        column, line = self._indented(), self.row + 1
        values: dict[str, Node] = {}
        merged: list[Node] = []
        while self._between() and self.column == column == self._indented():
            if re.match(r"(---|\.\.\.)(\s|$)", self._rest()) and column == 0:
                break
            found = self._key()
            if found is None:
                raise self._error("a key with a colon is expected")
            here = self.row + 1
            anchor = self._skip_properties()
            name = self._key_name(found[0])
            self.column += found.end()
            value = replace(self._block(column, Node(here), in_mapping=True), line=here)
            if anchor:
                self.anchors[anchor] = Node(here, text=name)
            if name == "<<":
                merged.append(value)
            else:
                values[name] = value
        self._require_dedent(column)
        return Node(line, mapping=self._merged(values, merged))

    def _skip_properties(self) -> str:
        anchor = ""
        while found := _PROPERTY.match(self._rest()):
            anchor = found["anchor"] or anchor
            self.column += found.end()
            self._between()
        return anchor

    def _key_name(self, written: str) -> str:
        name = written.rstrip()[:-1].rstrip()
        if name[:1] in {'"', "'"}:
            return unescape(name)
        if name.startswith("*"):
            return self._alias(name[1:]).text or ""
        return name

    def _require_dedent(self, column: int) -> None:
        if self._between() and self.column == self._first_column() and self.column > column:
            raise self._error("it is indented further than what it stands in")

    def _merged(self, values: dict[str, Node], merged: list[Node]) -> dict[str, Node]:
        """``values`` with those of the mappings that ``<<`` names below them."""
        sources = [each for node in merged for each in (node.items or (node,))]
        below: dict[str, Node] = {}
        for source in sources:
            if source.mapping is None:
                raise self._error("<< takes a mapping")
            below = {**source.mapping, **below}
        return {**below, **values}

    def _block_scalar(self, parent: int) -> Node:
        here = self.row + 1
        scalar = BlockScalar.of(self._rest())
        if scalar is None:
            raise self._error("the head of a block scalar cannot be read")
        self.row, self.column = self.row + 1, 0
        taken, text = scalar.read(self.lines[self.row :], max(parent, -1))
        self.row += taken
        return Node(here, text=text, quoted=True)

    # Flow style and scalars

    def _flow_or_plain(self, parent: int) -> Node:
        first = self._rest()[0]
        if first in "[{":
            node = self._deeper(self._flow_collection)
        elif first in "\"'":
            node = self._quoted()
        elif first in "@`%" or re.match(r"[?](\s|$)", self._rest()):
            raise self._error(f"a value cannot begin with {first!r}")
        else:
            return self._plain(parent)
        row = self.row
        if self._between() and self.row == row:
            raise self._error("something stands behind the value")
        return node

    def _plain(self, parent: int) -> Node:
        """A plain scalar; lines that are indented further go on with it."""
        here, blank = self.row + 1, 0
        parts: list[str] = []
        while self.row < len(self.lines):
            rest = self._rest()
            if not rest.strip():
                blank += 1
                self.row, self.column = self.row + 1, 0
                continue
            if parts:
                indent = len(rest) - len(rest.lstrip(" "))
                if indent <= parent or rest.lstrip().startswith("#") or self._document_mark(rest):
                    break
            words = re.split(r"\s#", rest, maxsplit=1)
            line = words[0].strip()
            if re.search(r":(\s|$)", line):
                if parts:
                    self.column = len(rest) - len(rest.lstrip(" "))
                raise self._error("a colon stands in a value without quotes")
            parts.append("\n" * blank if blank and parts else " " if parts else "")
            parts.append(line)
            blank = 0
            self.row, self.column = self.row + 1, 0
            if len(words) > 1:
                break
        text = "".join(parts)
        return Node(here) if text in {"", "~", "null", "Null", "NULL"} else Node(here, text)

    @staticmethod
    def _document_mark(line: str) -> bool:
        return re.match(r"(---|\.\.\.)(\s|$)", line) is not None

    def _quoted(self) -> Node:
        here, quote = self.row + 1, self._rest()[0]
        parts: list[str] = []
        end = re.compile(r'(?:[^"\\]|\\.)*+"' if quote == '"' else r"(?:[^']|'')*+'")
        self.column += 1
        while self.row < len(self.lines):
            found = end.match(self._rest())
            if found:
                parts.append(found[0][:-1])
                self.column += found.end()
                return Node(here, unescape(quote + fold(parts, quote) + quote), quoted=True)
            parts.append(self._rest())
            self.row, self.column = self.row + 1, 0
        raise YamlError("a quote is not closed", here)

    def _flow_collection(self) -> Node:
        here, opening = self.row + 1, self._rest()[0]
        closing = "]" if opening == "[" else "}"
        self.column += 1
        items: list[Node] = []
        values: dict[str, Node] = {}
        merged: list[Node] = []
        while True:
            if not self._between():
                raise YamlError(f"{opening!r} is not closed", here)
            if self._rest()[0] == closing:
                self.column += 1
                break
            key, value = self._flow_entry(sequence=opening == "[")
            if key is None:
                items.append(value)
            elif opening == "[":
                items.append(Node(value.line, mapping={key: value}))
            elif key == "<<":
                merged.append(value)
            else:
                values[key] = value
            if self._between() and self._rest()[0] == ",":
                self.column += 1
            elif not self._rest().startswith(closing):
                raise self._error(f"a comma or {closing!r} is expected")
        if opening == "[":
            return Node(here, items=tuple(items))
        return Node(here, mapping=self._merged(values, merged))

    def _flow_entry(self, *, sequence: bool) -> tuple[str | None, Node]:
        here = self.row + 1
        node = self._flow_value()
        pair = self._between() and re.match(r":(\s|$|[,\[\]{}\"'])", self._rest())
        if not pair:
            return (None, node) if sequence else (node.text or "", Node(here))
        self.column += 1
        self._between()
        if self._rest()[:1] in {",", "}", "]"}:
            return node.text or "", Node(here)
        return node.text or "", replace(self._flow_value(), line=here)

    def _flow_value(self) -> Node:
        anchor = self._skip_properties()
        rest = self._rest()
        if found := _ALIAS.match(rest):
            self.column += found.end()
            return self._alias(found[1])
        if rest[:1] in {"[", "{"}:
            node = self._deeper(self._flow_collection)
        elif rest[:1] in {'"', "'"}:
            node = self._quoted()
        else:
            node = self._flow_plain()
        if anchor:
            self.anchors[anchor] = node
        return node

    def _flow_plain(self) -> Node:
        here = self.row + 1
        parts: list[str] = []
        pattern = re.compile(r"(?:[^,\[\]{}:#]|:(?=[^\s,\[\]{}])|(?<=\S)#)*")
        while True:
            found = pattern.match(self._rest())
            text = found[0].strip() if found else ""
            if text:
                parts.append(text)
            self.column += found.end() if found else 0
            # The rest of a line without a mark: it may go on in the next one.
            if self._rest() or not self._between() or self._rest()[0] in ",[]{}:":
                break
        joined = " ".join(parts)
        if not joined and self._rest()[:1] not in {",", "]", "}", ":"}:
            raise self._error("a value cannot be read")
        return Node(here) if joined in {"", "~", "null"} else Node(here, joined)


def _size(node: Node) -> int:
    inner = (*(node.items or ()), *(node.mapping or {}).values())
    return 1 + sum(map(_size, inner))
