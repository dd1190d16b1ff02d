"""nginx configuration, by nginx's documentation ("Configuration file structure")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.project.facts import Location
    from deploytool.project.stack.repository import DeployFile

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|[{};]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:\$\{\w+\}|\\.|[^\s{};\\])+"""
)
_DEPTH = 40  # nested blocks; more is no configuration
_PASSES = frozenset({"proxy_pass", "uwsgi_pass", "grpc_pass", "fastcgi_pass"})


class NginxError(ValueError):
    """A configuration that cannot be read, and in which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive: its name, its arguments, and what stands in its block."""

    name: str
    arguments: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] | None = None

    def all(self, name: str) -> tuple[Directive, ...]:
        """The directives ``name`` in its block."""
        return tuple(each for each in self.block or () if each.name == name)


@dataclass(frozen=True, slots=True)
class Place:
    """A location (or a server without one): its directives, and those of what it stands in.

    ``chain`` is from the inside to the outside: location, outer location, server, http.
    """

    chain: tuple[Directive, ...]

    @property
    def pattern(self) -> str:
        """The path or regular expression of the location, ``""`` for a server."""
        return self.chain[0].arguments[-1] if self._is_location else ""

    @property
    def modifier(self) -> str:
        """``=``, ``~``, ``~*``, ``^~`` or ``""``."""
        if not self._is_location or len(self.chain[0].arguments) < 2:
            return ""
        return self.chain[0].arguments[0]

    @property
    def _is_location(self) -> bool:
        return self.chain[0].name == "location" and bool(self.chain[0].arguments)

    @property
    def line(self) -> int:
        """The line that it begins in."""
        return self.chain[0].line

    def own(self, name: str) -> Directive | None:
        """The directive ``name`` of its own block."""
        found = self.chain[0].all(name)
        return found[-1] if found else None

    def inherited(self, name: str) -> Directive | None:
        """The directive ``name`` in force: its own, or the nearest around it."""
        for each in self.chain:
            if found := each.all(name):
                return found[-1]
        return None

    def inherited_all(self, name: str) -> tuple[Directive, ...]:
        """Directives of which there may be several: those of the nearest block with any.

        ``proxy_set_header`` is inherited "if and only if there are no proxy_set_header
        directives defined on the current level" (ngx_http_proxy_module).
        """
        for each in self.chain:
            if found := each.all(name):
                return found
        return ()

    @property
    def passes(self) -> Directive | None:
        """The directive that hands the request on, None where it does not."""
        for each in self.chain[0].block or ():
            if each.name in _PASSES and each.arguments:
                return each
        for condition in self.chain[0].all("if"):
            for each in condition.block or ():
                if each.name in _PASSES and each.arguments:
                    return each
        return None

    def value(self, name: str) -> str | None:
        """The first argument of the directive in force, None where there is none."""
        found = self.inherited(name)
        return found.arguments[0] if found and found.arguments else None

    def header(self, name: str) -> str | None:
        """The value that ``proxy_set_header`` gives the header ``name``."""
        for each in self.inherited_all("proxy_set_header"):
            if len(each.arguments) == 2 and each.arguments[0].lower() == name.lower():
                return each.arguments[1]
        return None


@dataclass(frozen=True, slots=True)
class Site:
    """A ``server`` block: its locations, and the upstreams and maps beside it."""

    directive: Directive
    around: tuple[Directive, ...]
    file: DeployFile
    upstreams: dict[str, Directive]
    maps: dict[str, Directive]

    def at(self, line: int) -> Location:
        """A line of the file."""
        return self.file.at(line)

    @property
    def places(self) -> tuple[Place, ...]:
        """Every location, nested ones too; the server itself where it has none."""
        chain = (self.directive, *self.around)
        return (*_places(self.directive, chain), Place(chain))

    @property
    def tls(self) -> bool:
        """Whether it ends TLS."""
        for listen in self.directive.all("listen"):
            words = listen.arguments
            if "ssl" in words or (words and re.search(r"(^|:)443$", words[0])):
                return True
        return Place((self.directive, *self.around)).value("ssl") == "on"

    @property
    def listens(self) -> tuple[str, ...]:
        """Where it listens, ``80`` where nothing is said."""
        found = [each.arguments[0] for each in self.directive.all("listen") if each.arguments]
        return tuple(found) or ("80",)

    @property
    def redirects(self) -> bool:
        """Whether it only sends on to another address."""
        return any(each.name == "return" for each in self.directive.block or ()) and not any(
            place.passes for place in self.places
        )

    def targets(self, passed: Directive) -> tuple[str, ...]:
        """The addresses that a ``proxy_pass`` hands on to: ``web:8000``, ``unix:/run/x.sock``."""
        host = passed_host(passed.arguments[0])
        upstream = self.upstreams.get(host)
        if upstream is None:
            return (host,)
        return tuple(
            each.arguments[0]
            for each in upstream.all("server")
            if each.arguments and "down" not in each.arguments
        )


def passed_host(target: str) -> str:
    """The host and port, the name of an upstream, or the socket in a ``proxy_pass``."""
    text = re.sub(r"^\w+://", "", target)
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        return f"unix:{path.partition(':')[0]}"
    return text.partition("/")[0]


def _places(directive: Directive, chain: tuple[Directive, ...]) -> Iterator[Place]:
    for location in directive.all("location"):
        inner = (location, *chain)
        yield Place(inner)
        yield from _places(location, inner)


def read_nginx(file: DeployFile) -> tuple[Site, ...]:
    """The server blocks of a file. Raises NginxError where it cannot be read."""
    return tuple(sites_of(parse(file.text), file))


def sites_of(directives: tuple[Directive, ...], file: DeployFile) -> Iterator[Site]:
    """The server blocks among ``directives``."""
    top = Directive("main", (), 1, directives)
    levels: list[tuple[Directive, tuple[Directive, ...]]] = [(top, ())]
    for http in top.all("http"):
        levels.append((http, (top,)))
    upstreams = {
        each.arguments[0]: each
        for level, _ in levels
        for each in level.all("upstream")
        if each.arguments
    }
    maps = {
        each.arguments[1]: each
        for level, _ in levels
        for each in level.all("map")
        if len(each.arguments) == 2
    }
    for level, around in levels:
        for server in level.all("server"):
            if server.block is not None:
                yield Site(server, (level, *around), file, upstreams, maps)


def parse(text: str) -> tuple[Directive, ...]:
    """The directives of a configuration. Raises NginxError for braces that do not close."""
    stack: list[tuple[list[str], int, list[Directive]]] = [([], 1, [])]
    words: list[str] = []
    start = 1
    for part, line in _tokens(text):
        if part == ";":
            if words:
                stack[-1][2].append(Directive(words[0], tuple(words[1:]), start))
            words = []
        elif part == "{":
            stack.append((words, start, []))
            words = []
            if len(stack) > _DEPTH:
                raise NginxError("it is nested too deeply", line)
        elif part == "}":
            if len(stack) == 1:
                raise NginxError("a brace is closed that was not opened", line)
            head, at, block = stack.pop()
            name, *arguments = head or [""]
            stack[-1][2].append(Directive(name, tuple(arguments), at, tuple(block)))
            words = []
        else:
            start = start if words else line
            words.append(_unquoted(part))
    if len(stack) > 1:
        raise NginxError("a brace is not closed", stack[-1][1])
    return tuple(stack[0][2])


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Words, braces and semicolons, each with its line."""
    line, position = 1, 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise NginxError("a quote is not closed", line)
        if not found[0].isspace() and not found[0].startswith("#"):
            yield found[0], line
        line += found[0].count("\n")
        position = found.end()


def _unquoted(word: str) -> str:
    if word[:1] in {'"', "'"}:
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def size(text: str) -> int | None:
    """A size of nginx (``10m``) in bytes, None for what is none."""
    found = re.fullmatch(r"(\d+)([kKmMgG]?)", text)
    if found is None:
        return None
    return int(found[1]) * {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}[found[2].lower()]


def duration(text: str) -> float | None:
    """A time of nginx (``60s``, ``2m``) in seconds, None for what is none."""
    units = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
    if not re.fullmatch(r"(\d+(ms|s|m|h|d|)\s*)+", text):
        return None
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h|d|)", text))
