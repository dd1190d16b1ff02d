"""The options of ``deploycheck``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from deploytool.checks.deployment import Tls
from deploytool.checks.inference import Static
from deploytool.checks.result import LEVEL_NAMES
from deploytool.management.running import positive
from deploytool.reports.findings import FORMATS

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


def add_options(parser: CommandParser) -> None:
    """Add what ``deploycheck`` takes beside ``--interface`` and ``--server``."""
    add = parser.add_argument
    add("--workers", type=positive, metavar="N", help="Server processes to judge for.")
    add("--what-if", choices=["wsgi", "asgi"], help="Judge as if served so, and compare.")
    add(
        "--fail-level",
        type=str.upper,
        choices=list(LEVEL_NAMES.values()),
        default="WARNING",
        help="Lowest level that makes the exit status 1. Default: WARNING.",
    )
    add("--format", choices=list(FORMATS), default="text", help="Default: text.")
    add("--output", metavar="FILE", help="Write the report there instead.")
    add("--tag", "-t", dest="tags", action="append", help="Only checks with this tag.")
    add(
        "--database",
        dest="databases",
        action="append",
        metavar="ALIAS",
        help="A database that may be asked, for its migrations and limits.",
    )
    add("--explain", metavar="ID", help="Explain one check, and check nothing.")
    add("--list", action="store_true", help="List all checks, and check nothing.")
    _add_deployment(parser)


def _add_deployment(parser: CommandParser) -> None:
    """The deployment to judge for, as the keys of ``settings.DEPLOYTOOL`` state it."""
    add = parser.add_argument_group("the deployment, where it is not found right").add_argument
    add("--replicas", type=positive, metavar="N", help="Copies of the whole server.")
    add("--proxy", type=_address, metavar="ADDRESS", help="Where the proxy connects from, or none.")
    add("--tls", choices=get_args(Tls), help="Who ends TLS.")
    add(
        "--container",
        action=argparse.BooleanOptionalAction,
        help="Whether the server runs in a container.",
    )
    add("--mount", metavar="PATH", help="The path that the site is mounted at.")
    add("--stop-grace", type=_seconds, metavar="SECONDS", help="Between signal and kill.")
    add("--static", choices=get_args(Static), help="Who serves static files.")


def _address(text: str) -> str:
    """The address of a proxy; empty, as in the settings, for ``none``."""
    return "" if text.lower() == "none" else text


def _seconds(text: str) -> int:
    """A whole number of at least 0, as an argparse type."""
    return 0 if text == "0" else positive(text)
