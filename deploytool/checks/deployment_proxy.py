"""nginx before the project's own servers: what it passes on, and which files it serves.

Judged are the `server` blocks that hand requests on to a server that another deployment
file starts. What an `include` of a file that is not at hand may say is not judged.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
from typing import TYPE_CHECKING

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from deploytool.checks.deployment_files import title
from deploytool.checks.forwarded import COMMON, has_middleware, redirects, scheme_header
from deploytool.checks.inference import is_proxy, serves_files, static_path
from deploytool.checks.rule import Finding, rule
from deploytool.project.facts import Location
from deploytool.project.stack.applications import parsed
from deploytool.project.stack.nginx import passed_host
from deploytool.project.stack.serving import binds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.project.stack.compose import Service
    from deploytool.project.stack.containers import Container
    from deploytool.project.stack.nginx import Directive, Place, Site

# Files that come with nginx, and set no header of a request to a proxied server; those with
# settings of TLS are told by their name.
_HARMLESS = re.compile(
    r"(mime\.types|uwsgi_params|fastcgi_params|fastcgi\.conf|scgi_params)$"
    r"|ssl|tls|letsencrypt|certs?\b|gzip"
)
# /etc/nginx/proxy_params of Debian's package.
_PROXY_PARAMS = {
    "host": "$http_host",
    "x-real-ip": "$remote_addr",
    "x-forwarded-for": "$proxy_add_x_forwarded_for",
    "x-forwarded-proto": "$scheme",
}
OPEN = "?"
"""What :func:`sent` gives for a header that a file sets or not that is not at hand."""


def sent(place: Place, name: str) -> str | None:
    """The value that a location gives the header ``name``, None where it gives it none.

    "These directives are inherited from the previous configuration level if and only if
    there are no proxy_set_header directives defined on the current level"
    (ngx_http_proxy_module).
    """
    for block in place.chain:
        own = {
            each.arguments[0].lower(): each.arguments[1]
            for each in block.all("proxy_set_header")
            if len(each.arguments) == 2
        }
        for include in block.all("include"):
            path = include.arguments[0] if include.arguments else ""
            if posixpath.basename(path) == "proxy_params":
                own = {**_PROXY_PARAMS, **own}
            elif block.name in {"location", "server", "if"} and not _HARMLESS.search(path):
                return own.get(name.lower(), OPEN)
        if own:
            return own.get(name.lower())
    return None


def passing(case: Case) -> Iterator[tuple[Site, Place, Directive]]:
    """The locations that hand requests on to one of the project's servers by HTTP."""
    for site in case.files.stack.sites:
        if site.file.stage == "development":
            continue
        for place in site.places:
            passed = place.passes
            if passed and passed.name == "proxy_pass" and case.files.reaches(site, passed):
                yield site, place, passed


def _known(include: Directive) -> bool:
    path = include.arguments[0] if include.arguments else ""
    return bool(_HARMLESS.search(path)) or posixpath.basename(path) == "proxy_params"


def location_of(site: Site, path: str) -> Place | None:
    """The location that nginx takes for ``path``; None where that is not sure.

    The order is that of ngx_http_core_module, "location".
    """
    best: Place | None = None
    if any(not _known(each) for each in site.directive.all("include")):
        return None  # there may be locations in it
    for place in site.places:
        if place.modifier == "=" and place.pattern == path:
            return place
        longer = best is None or len(place.pattern) > len(best.pattern)
        if longer and place.modifier in {"", "^~"} and path.startswith(place.pattern):
            best = place
    if best is not None and best.modifier == "^~":
        return best
    for place in site.places:
        if place.modifier not in {"~", "~*"}:
            continue
        try:
            flags = re.IGNORECASE if place.modifier == "~*" else 0
            if re.search(place.pattern, path, flags):
                return place
        except (re.error, RecursionError, OverflowError):
            return None
    return best


def written_out(case: Case, name: str) -> bool:
    """Whether the source of the settings says the list ``name`` as it is here.

    One that the environment has a part in may be another one where it is served.
    """
    place = case.set_at(name)
    if not isinstance(place, Location):
        return False
    tree = parsed(os.path.join(case.project.base_dir, place.path))
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno == place.line:
            try:
                value = ast.literal_eval(node.value) if node.value else None
                return list(value) == list(getattr(settings, name))  # type: ignore[arg-type]
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return False
    return False


def _pattern(place: Place) -> str:
    return f"location {place.pattern}" if place.pattern else "the server"


@rule(720, "EW")
def host_not_passed(case: Case) -> Iterator[Finding]:
    """nginx does not pass the Host header on.

    A location hands requests on without `proxy_set_header Host`, or loses it by a header of
    its own: `proxy_set_header` is only inherited where none stands in the location.

    ## Why is this bad?
    nginx sends the name in `proxy_pass` then, of the upstream or the service. Django answers
    400 where `ALLOWED_HOSTS` does not have it, and always for a name with an underscore;
    otherwise it writes it into redirects, links and mails, and refuses the forms of an HTTPS
    site, whose Origin is another host.

    ## Example
    ```nginx
    location / {
        proxy_pass http://web:8000;
    }
    ```

    ## Use instead
    ```nginx
    location / {
        proxy_pass http://web:8000;
        proxy_set_header Host $http_host;
    }
    ```

    ## Source
    ngx_http_proxy_module, "proxy_set_header"; Django's documentation, "ALLOWED_HOSTS";
    https://github.com/Flagsmith/flagsmith/issues/63.
    """
    if not has_middleware(case, COMMON) and not redirects(case):
        return  # nothing asks for the host of every request
    forwarded = getattr(settings, "USE_X_FORWARDED_HOST", False)
    allowed = list(case.names("ALLOWED_HOSTS"))
    for site, place, passed in passing(case):
        value = sent(place, "Host")
        if value not in {None, "$proxy_host"} or (forwarded and sent(place, "X-Forwarded-Host")):
            continue
        host = passed_host(passed.arguments[0])
        host = "localhost" if host.startswith("unix:") else host
        if "$" in host:
            continue
        domain, _ = split_domain_port(host)
        refused = not domain or not validate_host(domain, allowed)
        sure = not domain or (written_out(case, "ALLOWED_HOSTS") and not case.project.debug)
        what = f"{_pattern(place)} hands requests on without their Host header: Django gets {host}"
        if refused and sure:
            reason = (
                "which ALLOWED_HOSTS does not have"
                if domain
                else "which is no valid host, whatever ALLOWED_HOSTS says"
            )
            message = f"{what}, {reason}, and answers every request with 400."
        else:
            message = (
                f"{what}. It answers 400 where ALLOWED_HOSTS does not have it; where it does, "
                "redirects lead there, and forms of an HTTPS site are refused."
            )
        yield Finding(
            message,
            "Add proxy_set_header Host $http_host; to the location.",
            site.at(passed.line),
            "E" if refused and sure else "W",
        )


@rule(721, "EW")
def scheme_not_passed(case: Case) -> Iterator[Finding]:
    """nginx does not tell Django that a request came by HTTPS.

    nginx ends TLS and does not set the header that `SECURE_PROXY_SSL_HEADER` names, or hands
    on what the client sent under that name. Or it stands behind whoever ends TLS, and writes
    its own `$scheme`, `http`, over what that one said. ERROR with `SECURE_SSL_REDIRECT`.

    ## Why is this bad?
    Django takes every request for plain HTTP: `SECURE_SSL_REDIRECT` redirects without an end,
    forms are refused for their Origin, and links lead to http://.

    ## Example
    ```nginx
    server {
        listen 443 ssl;
        location / { proxy_pass http://web:8000; proxy_set_header Host $host; }
    }
    ```

    ## Use instead
    ```nginx
    proxy_set_header X-Forwarded-Proto $scheme;
    ```
    Behind another proxy: `proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;`.

    ## Source
    Django's documentation, "SECURE_PROXY_SSL_HEADER"; ngx_http_proxy_module,
    "proxy_set_header".
    """
    pair = scheme_header(getattr(settings, "SECURE_PROXY_SSL_HEADER", None))
    if pair is None or not isinstance(pair[0], str) or not pair[0].startswith("HTTP_"):
        return
    name = pair[0].removeprefix("HTTP_").replace("_", "-").title()
    own = "$http_" + name.lower().replace("-", "_")
    loops = redirects(case)
    follows = (
        "takes them for plain HTTP, and redirects without an end"
        if loops
        else "takes them for plain HTTP: forms are refused for their Origin"
    )
    for site, place, passed in passing(case):
        value = sent(place, name)
        if site.tls and value in {None, own, "", "http"}:
            how = "does not set"
            if value == own:
                how = "hands on what the client says, and no browser says anything, of"
            elif value == "http":
                how = 'writes "http" into'
            condition = " where no other proxy before it says more," if value == own else ""
            yield Finding(
                f"nginx ends TLS, and {_pattern(place)} {how} {name}. Django, which believes that "
                f"header,{condition} {follows}.",
                f"Set proxy_set_header {name} $scheme; in the location.",
                site.at(passed.line),
                "E" if loops and value != own else "W",
            )
        elif not site.tls and value == "$scheme" and (proxy := _inner(case, site)):
            yield Finding(
                f"{_pattern(place)} writes $scheme into {name}, which is always http: the service "
                f"{proxy.name} listens without TLS, and whoever ends it stands before it. Django "
                f"{follows}.",
                f"Hand on what that one says: proxy_set_header {name} {own};",
                site.at(passed.line),
                "E" if loops else "W",
            )


def _inner(case: Case, site: Site) -> Service | None:
    """The Compose service that reads a site's file, where it has no way to end TLS.

    On a host of its own the file may be changed by certbot, which nobody sees here.
    """
    readers = [
        service
        for service, container in _readers(case, site)
        if container.start.stage != "development"
    ]
    if not readers or any(port.target == "443" for each in readers for port in each.ports):
        return None
    same = [each for each in case.files.stack.sites if each.file.path == site.file.path]
    return None if any(each.tls for each in same) else readers[0]


def _readers(case: Case, site: Site) -> Iterator[tuple[Service, Container]]:
    """The Compose services of a proxy that a site's file is mounted into."""
    for container in case.files.stack.containers:
        service = container.service
        if service is None or not is_proxy(service):
            continue
        if container.tree.container_path(site.file.path) is not None:
            yield service, container


@rule(722, "E")
def upgrade_not_passed(case: Case) -> Iterator[Finding]:
    """nginx hands WebSocket routes on without the headers of the handshake.

    The location that takes the path of a WebSocket route does not set `Upgrade` and
    `Connection`, which nginx does not pass on by itself.

    ## Why is this bad?
    The handshake arrives as an ordinary request, for a path that the URLconf does not have:
    404 for every WebSocket.

    ## Example
    ```nginx
    location / {
        proxy_pass http://web:8000;
        proxy_set_header Host $http_host;
    }
    ```

    ## Use instead
    ```nginx
    location /ws/ {
        proxy_pass http://web:8000;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
    ```

    ## Source
    nginx's documentation, "WebSocket proxying"; Channels' documentation, "Deploying".
    """
    routes = case.project.entrypoints.asgi.websocket_routes
    if not case.asgi or not routes:
        return
    seen = set()
    for site, _, _ in passing(case):
        if site.directive in seen:
            continue
        seen.add(site.directive)
        for route in routes:
            sample = "/" + re.split(r"[<(\[\\.*+?$^|{]", route.route.lstrip("^/"), maxsplit=1)[0]
            place = location_of(site, sample)
            if place is None or _may_upgrade(site, sample):
                continue
            passed = place.passes
            if passed is None or passed.name != "proxy_pass":
                continue
            if not case.files.reaches(site, passed):
                continue
            missing = [name for name in ("Upgrade", "Connection") if sent(place, name) is None]
            if missing:
                yield Finding(
                    f"{_pattern(place)} takes the WebSocket route {route.route}, and does not "
                    f"pass {' and '.join(missing)} on: the handshake arrives as an ordinary "
                    "request, and is answered 404.",
                    "Set proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and "
                    'proxy_set_header Connection "upgrade" in a location for it.',
                    site.at(passed.line),
                )
                break


def _may_upgrade(site: Site, sample: str) -> bool:
    """Whether another location, for some of the paths that begin so, passes the handshake on."""
    return any(
        sent(place, "Upgrade") is not None
        for place in site.places
        if place.modifier in {"~", "~*"}
        or (place.pattern.startswith(sample) and place.pattern != sample)
    )


@rule(723, "W")
def event_stream_held(case: Case) -> Iterator[Finding]:
    """nginx holds event streams back.

    The location that takes the path of an event stream buffers the answers and speaks HTTP/1.0
    to the server, nginx's default before 1.29.7, and the server is not Uvicorn, which sends
    chunks even so. Silent where the view sends `X-Accel-Buffering: no`.

    ## Why is this bad?
    In HTTP/1.0 an answer ends with its connection. nginx gathers it, and hands events on when
    a buffer is full, or at the end.

    ## Example
    ```nginx
    location / {
        proxy_pass http://web:8000;
    }
    ```

    ## Use instead
    ```nginx
    proxy_http_version 1.1;
    proxy_buffering off;
    ```
    Or `response["X-Accel-Buffering"] = "no"` in the view.

    ## Source
    ngx_http_proxy_module, "proxy_buffering" and "proxy_http_version".
    """
    streams = [stream for stream in case.async_code.streams if stream.event_stream]
    if not streams or _says_unbuffered(case):
        return
    for site, place, passed in passing(case):
        servers = {
            launch.server
            for target in site.targets(passed)
            if (reached := case.files.reached_by(target))
            for launch in reached[0].launches
        }
        if "uvicorn" in servers or "runserver_gateway" in servers:
            continue
        http = place.value("proxy_http_version")
        if place.value("proxy_buffering") == "off" or (http or "1.0") != "1.0":
            continue
        for stream in streams:
            sample = "/" + re.split(r"[<(\[\\.*+?$^|{]", stream.route.lstrip("^/"), maxsplit=1)[0]
            taken = location_of(site, sample)
            if taken is not None and taken.chain == place.chain:
                yield Finding(
                    f"{_pattern(place)} takes the event stream {stream.view}, buffers it and "
                    "speaks HTTP/1.0 to the server, unless nginx is 1.29.7 or newer: events are "
                    "held back until a buffer is full, or the stream ends.",
                    "Set proxy_http_version 1.1 and proxy_buffering off there, or send "
                    "X-Accel-Buffering: no with the stream.",
                    site.at(passed.line),
                )
                break


def _says_unbuffered(case: Case) -> bool:
    """Whether the project's code names the header that tells nginx not to buffer."""
    for directory, names, files in os.walk(case.project.base_dir):
        names[:] = [n for n in names if n[:1] != "." and n not in {"node_modules", "venv", "env"}]
        for file in files:
            if file.endswith(".py"):
                try:
                    with open(os.path.join(directory, file), "rb") as source:
                        if b"accel-buffering" in source.read().lower():
                            return True
                except OSError:
                    continue
    return False


@rule(724, "EW")
def static_location_misses(case: Case) -> Iterator[Finding]:
    """nginx looks for the static files where they are not.

    `root` with the path of the location at its end, which nginx adds by itself; `alias`
    without the slash that the location ends with; or a volume that the server has at another
    place than `STATIC_ROOT`. A WARNING for a location without the slash that `alias` ends with.

    ## Why is this bad?
    404 for every static file. In the last case files beside the directory can be read:
    `/static../settings.py`.

    ## Example
    ```nginx
    location /static/ {
        root /srv/mysite/static;  # /srv/mysite/static/static/
    }
    ```

    ## Use instead
    ```nginx
    location /static/ {
        alias /srv/mysite/static/;
    }
    ```

    ## Source
    ngx_http_core_module, "root" and "alias"; Django's documentation, "How to deploy static
    files".
    """
    path = static_path()
    if path is None:
        return
    sites = {id(site): site for site, _, _ in passing(case)}
    for site in sites.values():
        for place in site.places:
            fits = serves_files(place.pattern, place.modifier, path)
            if not fits or place.modifier not in {"", "^~"} or place.passes:
                continue
            tried = [word for each in place.chain[0].all("try_files") for word in each.arguments]
            if any("@" in word for word in tried):
                continue  # what is not there is asked of the server
            yield from _misplaced(case, site, place, path)


def _misplaced(case: Case, site: Site, place: Place, path: str) -> Iterator[Finding]:
    root, alias = place.own("root"), place.own("alias")
    pattern = place.pattern
    named = alias or root or place.inherited("root")
    written = named.arguments[0] if named and named.arguments else ""
    if named is None or not written.startswith("/") or "$" in written:
        return
    bare = "/" + pattern.strip("/")
    static_root = getattr(settings, "STATIC_ROOT", None)
    collected = os.fspath(static_root) if isinstance(static_root, (str, os.PathLike)) else ""
    if alias is None:
        directory = written.rstrip("/") + pattern
        doubled = written.rstrip("/").endswith(bare)
        if root is not None and doubled and not str(collected).rstrip("/").endswith(bare + bare):
            yield Finding(
                f"nginx adds the path of the location to root: it looks for static files in "
                f"{directory}, and answers 404.",
                f"Write alias {written.rstrip('/')}/; or root {written.rstrip('/')[: -len(bare)]};",
                site.at(root.line),
            )
            return
    elif pattern.endswith("/") and not written.endswith("/"):
        yield Finding(
            f"nginx puts {written} in the place of {pattern}: {pattern}a.css is looked for as "
            f"{written}a.css, and answered 404.",
            f"Write alias {written}/;",
            site.at(alias.line),
        )
        return
    elif written.endswith("/") and not pattern.endswith("/"):
        yield Finding(
            f"nginx puts {written} in the place of {pattern}: {pattern}../ is the directory above, "
            "and its files can be read by everybody.",
            f"Write location {pattern}/.",
            site.at(place.line),
            "W",
        )
        directory = written
    else:
        directory = written + path.removeprefix(pattern)
    yield from _other_volume(case, site, directory, str(collected))


def _other_volume(case: Case, site: Site, directory: str, collected: str) -> Iterator[Finding]:
    """A volume of Compose that nginx serves, and that the server has not at STATIC_ROOT."""
    if not collected:
        return
    for _, proxy in _readers(case, site):
        volume = proxy.tree.mounted(posixpath.normpath(directory))
        if volume is None or volume.kind != "volume" or not volume.source:
            continue
        for container in case.files.containers:
            if container.compose is not proxy.compose:
                continue
            there = container.tree.container_path(collected)
            if there is None:
                continue
            mounts = [each for each in container.tree.volumes if each.source == volume.source]
            around = [posixpath.normpath(each.target) for each in mounts]
            if mounts and not any(
                there == each or there.startswith(each + "/") or each.startswith(there + "/")
                for each in around
            ):
                yield Finding(
                    f"nginx serves the volume {volume.source}, which the service "
                    f"{container.start.name} has at {around[0]}, and collectstatic writes to "
                    f"{there} (STATIC_ROOT) there: static files are answered 404.",
                    f"Mount {volume.source} at {there}.",
                    mounts[0].place,
                )


@rule(725, "E")
def proxy_misses_server(case: Case) -> Iterator[Finding]:
    """nginx hands requests on to a port, or by a protocol, where the server does not listen.

    The host in `proxy_pass` is the Compose service of the server, and the port is another one;
    or one of them speaks uwsgi and the other HTTP.

    ## Why is this bad?
    502 for every request.

    ## Example
    ```nginx
    proxy_pass http://web:8080;  # and gunicorn --bind 0.0.0.0:8000
    ```

    ## Use instead
    The same port in both; `uwsgi_pass` for uWSGI's `socket`, `proxy_pass` for its
    `http-socket`.

    ## Source
    ngx_http_proxy_module, "proxy_pass"; ngx_http_uwsgi_module, "uwsgi_pass"; uWSGI's
    documentation, "Nginx support".
    """
    for site in case.files.stack.sites:
        if site.file.stage == "development":
            continue
        for place in site.places:
            passed = place.passes
            if passed is None or passed.name not in {"proxy_pass", "uwsgi_pass"}:
                continue
            if finding := _missed(case, site, passed):
                yield finding


def _missed(case: Case, site: Site, passed: Directive) -> Finding | None:
    for target in site.targets(passed):
        reached = case.files.reached_by(target)
        if reached is not None:
            start, bind = reached
            spoken = "http" if passed.name == "proxy_pass" else "uwsgi"
            if bind.protocol in {"http", "uwsgi"} and bind.protocol != spoken:
                return Finding(
                    f"{passed.name} speaks {spoken} to {target}, where {start.name} speaks "
                    f"{bind.protocol} ({bind.place}): every request is answered 502.",
                    f"Write {'uwsgi_pass' if bind.protocol == 'uwsgi' else 'proxy_pass'}, or let "
                    "the server speak the other.",
                    site.at(passed.line),
                )
            continue
        host, _, port = target.rpartition(":") if ":" in target else (target, "", "80")
        if target.startswith("unix:") or not port.isdecimal():
            continue
        listening = []
        for container in case.files.containers:
            service = container.service
            if service is None or host not in {service.name, *service.aliases}:
                continue
            launches = container.start.launches
            found = binds(launches[0], container.start.environment) if launches else ()
            if len(launches) != 1 or container.start.opaque or not found:
                return None
            if any(bind.port is None for bind in found):
                return None
            listening.append((launches[0], found))
        if listening:
            launch, found = listening[0]
            ports = " and ".join(str(bind.port) for bind in found)
            return Finding(
                f"nginx hands requests on to {target}, and {title(launch.server)} listens on "
                f"{ports} ({found[0].place}): every request is answered 502.",
                f"Write {host}:{found[0].port}.",
                site.at(passed.line),
            )
    return None
