"""The options of each server's command line: which take a value, and what they are called.

By ``--help`` of Gunicorn 27.0, Uvicorn 0.54, Daphne 4.2, Hypercorn 0.18, Granian 2.8 and
Waitress 3.0, and uWSGI's "Configuration Options". An option is called by its long form with
underscores, where nothing else is said; an unknown one takes a value where the next word
does not look like an option and more words follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploytool.project.stack.words import Word


class Given(NamedTuple):
    """An option as given: its name, and its value (``"true"`` or ``"false"`` for a switch)."""

    name: str
    value: Word | str
    position: int


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How one server reads its words.

    ``switches`` take no value; ``short`` maps short options to their long form; ``names`` the
    long form to the name where that differs. ``prefixes`` is True where an option may be
    shortened as far as it stays the only one (Python's argparse). ``environment`` is the
    prefix of variables that stand for options.
    """

    switches: frozenset[str]
    values: frozenset[str]
    short: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    prefixes: bool = False
    environment: str = ""

    def name(self, long: str) -> str:
        """What the option with the long form ``long`` (without dashes) is called."""
        return self.names.get(long, long.replace("-", "_"))

    def read(self, words: Sequence[Word]) -> tuple[list[Given], list[int]]:
        """The options in ``words``, and the positions of the words that are none."""
        given: list[Given] = []
        rest: list[int] = []
        position = 0
        while position < len(words):
            text = words[position].text
            here = position
            position += 1
            if text == "--":
                rest.extend(range(position, len(words)))
                break
            if not text.startswith("-") or text == "-":
                rest.append(here)
                continue
            long, inline = self._long(text)
            long = self._completed(long)
            if self._is_switch(long, inline, words, position):
                given.append(Given(*self._switch(long), here))
            elif inline is not None:
                word = words[here]
                given.append(Given(self.name(long), type(word)(inline, word.known), here))
            elif position < len(words):
                given.append(Given(self.name(long), words[position], here))
                position += 1
        return given, rest

    def _long(self, text: str) -> tuple[str, str | None]:
        if text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            return name, value if equals else None
        long = self.short.get(text[:2], text[1:2] if text[:2] not in self.short else "")
        inline = text[2:].removeprefix("=")
        if text[:2] not in self.short and len(text) > 2:
            name, equals, value = text[1:].partition("=")
            return name, value if equals else None
        return long, inline or None

    def _completed(self, long: str) -> str:
        known = self.switches | self.values
        if not self.prefixes or long in known:
            return long
        near = [name for name in known if name.startswith(long)]
        return near[0] if len(near) == 1 else long

    def _is_switch(
        self, long: str, inline: str | None, words: Sequence[Word], position: int
    ) -> bool:
        if inline is not None or long in self.values:
            return False
        if long in self.switches or long.removeprefix("no-") in self.switches:
            return True
        following = words[position].text if position < len(words) else "-"
        # Of an unknown option, unless the application would be its value.
        return following.startswith("-") or position + 1 == len(words)

    def _switch(self, long: str) -> tuple[str, str]:
        if long.startswith("no-") and long not in self.names:
            return self.name(long.removeprefix("no-")), "false"
        return self.name(long), "true"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


GUNICORN = CommandLine(
    switches=_set(
        "reload spew check-config print-config preload no-sendfile reuse-port daemon initgroups "
        "disable-redirect-access-to-syslog capture-output log-syslog enable-stdio-inheritance "
        "enable-backlog-metric suppress-ragged-eofs do-handshake-on-connect no-control-socket "
        "permit-obsolete-folding strip-header-spaces permit-unconventional-http-method "
        "permit-unconventional-http-version casefold-http-method version help"
    ),
    values=_set(
        "config bind backlog workers worker-class threads worker-connections max-requests "
        "max-requests-jitter timeout graceful-timeout keep-alive limit-request-line "
        "limit-request-fields limit-request-field_size reload-engine reload-extra-file chdir env "
        "pid worker-tmp-dir user group umask forwarded-allow-ips access-logfile access-logformat "
        "error-logfile log-file log-level logger-class log-config log-config-json log-syslog-to "
        "log-syslog-prefix log-syslog-facility statsd-host dogstatsd-tags statsd-prefix name "
        "pythonpath paste paster proxy-protocol proxy-allow-from protocol uwsgi-allow-from "
        "keyfile certfile ssl-version cert-reqs ca-certs ciphers http-protocols http2-cleartext "
        "http2-max-concurrent-streams http2-initial-window-size http2-max-frame-size "
        "http2-max-header-list-size paste-global forwarder-headers header-map asgi-loop "
        "asgi-lifespan asgi-disconnect-grace-period websocket-max-message-size http-parser "
        "root-path dirty-app dirty-workers dirty-timeout dirty-threads dirty-graceful-timeout "
        "control-socket control-socket-mode"
    ),
    short={
        "-c": "config",
        "-b": "bind",
        "-w": "workers",
        "-k": "worker-class",
        "-t": "timeout",
        "-D": "daemon",
        "-e": "env",
        "-p": "pid",
        "-u": "user",
        "-g": "group",
        "-m": "umask",
        "-n": "name",
        "-R": "enable-stdio-inheritance",
        "-v": "version",
        "-h": "help",
    },
    names={
        "keep-alive": "keepalive",
        "preload": "preload_app",
        "env": "raw_env",
        "pid": "pidfile",
        "name": "proc_name",
        "access-logfile": "accesslog",
        "access-logformat": "access_log_format",
        "error-logfile": "errorlog",
        "log-file": "errorlog",
        "log-level": "loglevel",
        "log-config": "logconfig",
        "no-control-socket": "control_socket_disable",
        "no-sendfile": "no_sendfile",
        "proxy-allow-from": "proxy_allow_ips",
        "reload-extra-file": "reload_extra_files",
    },
    prefixes=True,
)

UVICORN = CommandLine(
    switches=_set(
        "reload http2 access-log use-colors proxy-headers server-header date-header version "
        "reset-contextvars factory help"
    ),
    values=_set(
        "host port uds fd reload-dir reload-include reload-exclude reload-delay workers loop http "
        "ws ws-max-size ws-max-queue ws-ping-interval ws-ping-timeout ws-per-message-deflate "
        "lifespan interface env-file log-config log-level forwarded-allow-ips root-path "
        "limit-concurrency backlog limit-max-requests limit-max-requests-jitter "
        "timeout-keep-alive timeout-graceful-shutdown timeout-worker-healthcheck ssl-keyfile "
        "ssl-certfile ssl-keyfile-password ssl-version ssl-cert-reqs ssl-ca-certs ssl-ciphers "
        "header app-dir h11-max-incomplete-event-size"
    ),
    environment="UVICORN_",
)

DAPHNE = CommandLine(
    switches=_set("proxy-headers no-server-name help"),
    values=_set(
        "port bind unix-socket fd endpoint verbosity http-timeout access-log log-fmt "
        "ping-interval ping-timeout websocket_timeout websocket_connect_timeout "
        "websocket-max-message-size websocket-max-frame-size application-close-timeout root-path "
        "proxy-headers-host proxy-headers-port server-name"
    ),
    short={
        "-p": "port",
        "-b": "bind",
        "-u": "unix-socket",
        "-e": "endpoint",
        "-v": "verbosity",
        "-t": "http-timeout",
        "-s": "server-name",
    },
    names={"bind": "host", "no-server-name": "no_server_name"},
    prefixes=True,
)

HYPERCORN = CommandLine(
    switches=_set("daemon debug reload help"),
    values=_set(
        "access-log access-logfile access-logformat backlog bind ca-certs certfile cert-reqs "
        "ciphers config error-log error-logfile log-file graceful-timeout read-timeout "
        "max-requests max-requests-jitter group worker-class keep-alive keyfile keyfile-password "
        "insecure-bind log-config log-level pid quic-bind root-path server-name statsd-host "
        "statsd-prefix umask user verify-mode websocket-ping-interval workers"
    ),
    short={
        "-b": "bind",
        "-c": "config",
        "-D": "daemon",
        "-g": "group",
        "-k": "worker-class",
        "-p": "pid",
        "-m": "umask",
        "-u": "user",
        "-w": "workers",
    },
    prefixes=True,
)

GRANIAN = CommandLine(
    switches=_set(
        "ws http1-keep-alive http1-pipeline-flush http2-adaptive-window log access-log "
        "ssl-client-verify respawn-failed-workers factory metrics reload "
        "reload-ignore-worker-failure version help"
    ),
    values=_set(
        "host port uds uds-permissions interface http workers blocking-threads "
        "blocking-threads-idle-timeout runtime-threads runtime-blocking-threads runtime-mode loop "
        "task-impl backlog backpressure http1-buffer-size http1-header-read-timeout "
        "http2-initial-connection-window-size http2-initial-stream-window-size "
        "http2-keep-alive-interval http2-keep-alive-timeout http2-max-concurrent-streams "
        "http2-max-frame-size http2-max-headers-size http2-max-send-buffer-size log-level "
        "log-config access-log-fmt ssl-certificate ssl-keyfile ssl-keyfile-password "
        "ssl-protocol-min ssl-ca ssl-crl url-path-prefix respawn-interval rss-sample-interval "
        "rss-samples workers-lifetime workers-max-rss workers-kill-timeout working-dir env-files "
        "static-path-route static-path-mount static-path-dir-to-file static-path-expires "
        "metrics-scrape-interval metrics-address metrics-port reload-paths reload-ignore-dirs "
        "reload-ignore-patterns reload-ignore-paths reload-tick process-name pid-file"
    ),
    environment="GRANIAN_",
)

WAITRESS = CommandLine(
    switches=_set(
        "call ipv4 ipv6 log-socket-errors expose-tracebacks asyncore-use-poll help "
        "clear-untrusted-proxy-headers log-untrusted-proxy-headers"
    ),
    values=_set(
        "host port listen unix-socket unix-socket-perms url-scheme url-prefix ident threads "
        "backlog recv-bytes send-bytes outbuf-overflow outbuf-high-watermark inbuf-overflow "
        "connection-limit cleanup-interval channel-timeout max-request-header-size "
        "max-request-body-size asyncore-loop-timeout channel-request-lookahead trusted-proxy "
        "trusted-proxy-count trusted-proxy-headers"
    ),
)

UWSGI = CommandLine(
    switches=_set(
        "master enable-threads die-on-term vacuum need-app lazy lazy-apps single-interpreter "
        "strict thunder-lock http-keepalive http-auto-chunked disable-logging log-4xx log-5xx "
        "auto-procname show-config manage-script-name no-orphans enable-proxy-protocol "
        "buffer-output ignore-sigpipe ignore-write-errors disable-write-exception abstract-socket"
    ),
    values=_set(
        "module wsgi wsgi-file ini socket http http-socket http11-socket https uwsgi-socket "
        "processes workers threads chdir pythonpath env home virtualenv venv callable harakiri "
        "max-requests buffer-size uid gid static-map chmod-socket chown-socket pidfile daemonize "
        "logto touch-reload listen cheaper offload-threads post-buffering file plugin plugins "
        "plugin-dir fastcgi-socket hook-master-start py-autoreload reload-mercy worker-reload-mercy"
    ),
    short={
        "-w": "module",
        "-s": "socket",
        "-p": "processes",
        "-M": "master",
        "-T": "enable-threads",
        "-C": "chmod-socket",
        "-H": "home",
        "-d": "daemonize",
        "-t": "harakiri",
    },
    names={
        "wsgi": "module",
        "workers": "processes",
        "pp": "pythonpath",
        "virtualenv": "home",
        "venv": "home",
        "py-auto-reload": "py_autoreload",
        "http11-socket": "http_socket",
        "uwsgi-socket": "socket",
    },
)

RUNSERVER = CommandLine(
    switches=_set(
        "noreload nothreading ipv6 nostatic insecure no-color force-color skip-checks traceback "
        "no-reload reload dry-run noasgi"
    ),
    values=_set(
        "settings pythonpath verbosity interface server workers threads http_timeout application"
    ),
    short={"-6": "ipv6", "-v": "verbosity"},
    names={"no-reload": "noreload"},
    prefixes=True,
)

COMMAND_LINES: dict[str, CommandLine] = {
    "gunicorn": GUNICORN,
    "uvicorn": UVICORN,
    "daphne": DAPHNE,
    "hypercorn": HYPERCORN,
    "granian": GRANIAN,
    "waitress": WAITRESS,
    "uwsgi": UWSGI,
    "runserver": RUNSERVER,
    "runserver_gateway": RUNSERVER,
}
"""How each server reads its command line, by its name."""
