"""Shell text as words and commands, by POSIX (IEEE 1003.1, "Shell Command Language").

Nothing is run, and nothing of the environment of this process is looked at: an expansion
whose value the caller does not know stays as it is written, in a word that is not ``known``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_EXPANSION = re.compile(
    rf"\$(?:(?P<plain>{_NAME})|\{{(?P<braced>{_NAME})(?P<rest>[^{{}}]*)\}}|(?P<special>[@*#?$!0-9-]))"
)
_ASSIGNMENT = re.compile(rf"({_NAME})\+?=(.*)", re.DOTALL)
_OPERATOR = re.compile(r"&&|\|\||;;&|;;|;&|\|&|[;&|()]")
_REDIRECTION = re.compile(r"(\d*|&|\{\w+\})(<<-?|<<<|<>|>>|>\||<&|>&|&>>|&>|<|>)")

# Words that begin or end a compound command; the command itself follows.
_RESERVED = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word. ``known`` is False where something in it is only known when it runs; that
    part then stands in ``text`` as it is written, ``$PORT`` or ``${PORT:-8000}``."""

    text: str
    known: bool = True
    quoted: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command: its words without redirections, and how the shell runs it.

    ``assignments`` stand before it. ``line`` counts from 1. ``operator`` is what ends it
    (``&&``, ``|``, ``&``, ``;``, ``""`` for the end of the line or text); ``piped`` where it
    is part of a pipeline; ``depth`` is that of the compound commands around it, a function's
    body counting as one; ``redirected`` where its output or input goes elsewhere.
    """

    words: tuple[Word, ...]
    line: int
    assignments: tuple[tuple[str, Word], ...] = ()
    operator: str = ""
    piped: bool = False
    depth: int = 0
    redirected: bool = False

    @property
    def background(self) -> bool:
        """Whether the shell does not wait for it."""
        return self.operator == "&"

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of each word."""
        return tuple(word.text for word in self.words)


def split_words(text: str, env: Mapping[str, str] | None = None) -> tuple[Word, ...]:
    """``text`` as words and nothing else: operators are words, too.

    As Compose splits the string of a command (github.com/mattn/go-shellwords, which knows no
    operators), and Python's shlex.
    """
    return tuple(
        word for _, word in _Scanner(text, env or {}, operators=False).tokens() if word is not None
    )


def read_script(text: str, env: Mapping[str, str] | None = None) -> tuple[Simple, ...]:
    """The simple commands of a script, in the order in which they are written.

    Assignments to variables are followed where they are plain; what a condition decides is
    not: every branch is there.
    """
    return tuple(_commands(_Scanner(text, dict(env or {}), operators=True)))


def assignment(word: Word) -> tuple[str, Word] | None:
    """The name and value of a word like ``NAME=value``, else None."""
    found = _ASSIGNMENT.fullmatch(word.text)
    return (found[1], Word(found[2], word.known)) if found else None


def interpolate(text: str, env: Mapping[str, str]) -> Word:
    """``text`` with ``$NAME`` and ``${NAME:-default}`` filled in from ``env`` as far as it goes."""
    known = True

    def fill(found: re.Match[str]) -> str:
        nonlocal known
        value = _value(found, env)
        if value is None:
            known = False
            return found[0]
        return value

    filled = _EXPANSION.sub(fill, text)
    return Word(filled, known and "$(" not in filled and "`" not in filled)


def _value(found: re.Match[str], env: Mapping[str, str]) -> str | None:
    name = found["plain"] or found["braced"]
    if (
        name is None
        or name not in env
        or (found["rest"] not in {None, ""} and not re.match(r":?[-?]", found["rest"]))
    ):
        return None
    return env[name]


@dataclass
class _Scanner:
    """Words and operators of a text; an operator has no word."""

    text: str
    env: Mapping[str, str]
    operators: bool
    position: int = 0
    line: int = 1

    def tokens(self) -> Iterator[tuple[str, Word | None]]:
        """``(operator, None)`` or ``("", word)``; a newline is the operator ``"\\n"``."""
        while self.position < len(self.text):
            rest = self.text[self.position : self.position + 2]
            if rest == "\\\n":
                self._take(2)
            elif rest[0] == "\n":
                self._take(1)
                if self.operators:
                    yield "\n", None
            elif rest[0] in " \t\r":
                self._take(1)
            elif rest[0] == "#" and self.operators:
                end = self.text.find("\n", self.position)
                self._take((end if end >= 0 else len(self.text)) - self.position)
            elif self.operators and (redirection := self._redirection()):
                yield redirection, None
            elif self.operators and (found := _OPERATOR.match(self.text, self.position)):
                self._take(len(found[0]))
                yield found[0], None
            else:
                yield "", self.word()

    def _take(self, count: int) -> str:
        taken = self.text[self.position : self.position + count]
        self.position += count
        self.line += taken.count("\n")
        return taken

    def _redirection(self) -> str:
        """Go over a redirection with its target; ``<`` or ``>`` where there was one."""
        found = _REDIRECTION.match(self.text, self.position)
        if not found:
            return ""
        self._take(len(found[0]))
        while self.text[self.position : self.position + 1] in {" ", "\t"}:
            self._take(1)
        if found[2] in {"<<", "<<-"}:
            self._here_document(self.word().text, strip=found[2] == "<<-")
        elif self.position < len(self.text) and self.text[self.position] not in "\n;&|()":
            self.word()
        elif self.text[self.position : self.position + 1] == "(":
            self._substitution()
        return found[2][0]

    def _here_document(self, mark: str, *, strip: bool) -> None:
        end = self.text.find("\n", self.position)
        if end < 0:
            return
        lines = self.text[end + 1 :].split("\n")
        for number, line in enumerate(lines):
            if (line.lstrip("\t") if strip else line) == mark:
                body = "\n".join(lines[: number + 1])
                # The rest of the line of its head stays; the document is taken out.
                head = self.text[: end + 1]
                self.text = head + "\n" * number + "\n" + self.text[end + 1 + len(body) + 1 :]
                return

    def word(self) -> Word:
        """The word at the position."""
        parts: list[str] = []
        known, quoted = True, False
        stop = " \t\r\n;&|()<>" if self.operators else " \t\r\n"
        while self.position < len(self.text) and self.text[self.position] not in stop:
            char = self.text[self.position]
            if char == "'":
                quoted = True
                end = self.text.find("'", self.position + 1)
                end = end if end >= 0 else len(self.text)
                parts.append(self._take(end + 1 - self.position).strip("'"))
            elif char == '"':
                quoted = True
                inner, inner_known = self._double_quoted()
                parts.append(inner)
                known = known and inner_known
            elif char == "\\":
                pair = self._take(2)
                parts.append("" if pair == "\\\n" else pair[1:])
            elif char in "$`":
                inner, inner_known = self._expansion()
                parts.append(inner)
                known = known and inner_known
            else:
                parts.append(self._take(1))
        if not parts and self.position < len(self.text) and not quoted:
            self._take(1)  # an operator where none can be: never stand still
        return Word("".join(parts), known, quoted)

    def _double_quoted(self) -> tuple[str, bool]:
        self._take(1)
        parts: list[str] = []
        known = True
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == '"':
                self._take(1)
                break
            if char == "\\":
                pair = self._take(2)
                parts.append("" if pair == "\\\n" else pair[1:] if pair[1:] in '"\\$`' else pair)
            elif char in "$`":
                inner, inner_known = self._expansion()
                parts.append(inner)
                known = known and inner_known
            else:
                parts.append(self._take(1))
        return "".join(parts), known

    def _expansion(self) -> tuple[str, bool]:
        """What ``$`` or a backquote stands for; as written where that is not known."""
        if self.text[self.position] == "`":
            end = self.text.find("`", self.position + 1)
            return self._take((end if end >= 0 else len(self.text)) + 1 - self.position), False
        if self.text.startswith("$(", self.position):
            self._take(1)
            return "$" + self._substitution(), False
        found = _EXPANSION.match(self.text, self.position)
        if not found:
            if self.text.startswith("${", self.position):  # one in another's default
                return self._take(_closing(self.text, self.position + 1, "{}")), False
            return self._take(1), True
        self._take(len(found[0]))
        value = _value(found, self.env)
        return (found[0], False) if value is None else (value, True)

    def _substitution(self) -> str:
        """A text in parentheses, to its end."""
        return self._take(_closing(self.text, self.position, "()") - 0)


def _closing(text: str, start: int, pair: str) -> int:
    """The number of characters from ``start`` to behind the bracket that closes it."""
    depth = 0
    for offset, char in enumerate(text[start:], 1):
        depth += (char == pair[0]) - (char == pair[1])
        if depth == 0 and char == pair[1]:
            return offset + (1 if pair == "{}" else 0)
    return len(text) - start


def _commands(scanner: _Scanner) -> Iterator[Simple]:
    reader = _Commands(dict(scanner.env))
    scanner.env = reader.assigned
    for operator, word in scanner.tokens():
        if word is not None:
            reader.word(word, scanner.line - word.text.count("\n"))
        else:
            yield from reader.operator(operator)
    yield from reader.operator("")


class _Commands:
    """The state between two tokens: the words so far, and the compound commands around them."""

    def __init__(self, assigned: dict[str, str]) -> None:
        self.assigned = assigned
        self._words: list[Word] = []
        self._line = 1
        self._around: list[str] = []  # if, while, until, for, case, pattern, { and (
        self._redirected = False
        self._after_pipe = False

    def word(self, word: Word, line: int) -> None:
        """Take a word in."""
        if not self._words:
            self._line = line
            if not word.quoted and self._reserved(word.text):
                return
        self._words.append(word)
        first = self._words[0].text
        if word.quoted:
            return
        if first == "case" and word.text == "in":
            self._around += ["case", "pattern"]
            self._words = []
        elif first == "function" and word.text == "{":
            self._around.append("{")
            self._words = []

    def _reserved(self, text: str) -> bool:
        if self._around[-1:] == ["pattern"] and text != "esac":
            return False
        if text in {"if", "while", "until", "{"}:
            self._around.append(text)
        elif text in _CLOSING:
            if text == "esac" and self._around[-1:] == ["pattern"]:
                self._around.pop()
            if self._around:
                self._around.pop()
        return text in _RESERVED | _CLOSING

    def operator(self, operator: str) -> Iterator[Simple]:
        """Take an operator in; the command that it ends."""
        if operator in {"<", ">"}:
            self._redirected = True
            return
        if self._around[-1:] == ["pattern"]:
            if operator == ")":
                self._around.pop()
            if operator != "\n":
                self._words = []
        elif operator == "(":
            if not self._words:
                self._around.append("(")
            self._words = []  # or the name of a function
        else:
            yield from self._ended(operator)

    def _ended(self, operator: str) -> Iterator[Simple]:
        first = self._words[0] if self._words else Word("")
        if first.text == "for" and not first.quoted:
            self._around.append("for")
            made = None
        else:
            made = _simple(self._words, self._line, operator, len(self._around))
        pipe = operator in {"|", "|&"}
        if made is not None:
            yield replace(made, piped=self._after_pipe or pipe, redirected=self._redirected)
            _remember(made, self.assigned)
        if operator == ")" and self._around[-1:] == ["("]:
            self._around.pop()
        if operator in {";;", ";&", ";;&"} and self._around[-1:] == ["case"]:
            self._around.append("pattern")
        self._after_pipe = pipe or (operator == "\n" and self._after_pipe and made is None)
        self._words, self._redirected = [], False


def _simple(words: list[Word], line: int, operator: str, depth: int) -> Simple | None:
    assignments = []
    rest = list(words)
    while rest and not rest[0].text.startswith("="):
        found = assignment(rest[0])
        if found is None:
            break
        assignments.append(found)
        rest = rest[1:]
    if not rest and not assignments:
        return None
    ended = "" if operator == "\n" else operator
    return Simple(tuple(rest), line, tuple(assignments), ended, depth=depth)


def _remember(command: Simple, assigned: dict[str, str]) -> None:
    """Follow assignments that no condition stands before."""
    pairs = list(command.assignments) if not command.words else []
    if command.words and command.words[0].text in {"export", "readonly", "declare"}:
        pairs += [found for word in command.words[1:] if (found := assignment(word))]
    for name, value in pairs:
        if value.known and command.depth == 0:
            assigned[name] = value.text
        else:
            assigned.pop(name, None)
