"""The proxy, and who tells Django that a request came by HTTPS."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.checks.forwarded import (
    CSRF,
    has_middleware,
    redirects,
    scheme_header,
    trusts_everybody,
    trusts_proxy,
)
from deploytool.checks.rule import Finding, rule
from deploytool.project.forwarding import mentioned
from deploytool.project.stack.serving import served_interface, trusted
from deploytool.servers import server_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.stack.facts import Launch

HEADER = "SECURE_PROXY_SSL_HEADER"
THE_HEADER = 'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")'

# Headers that proxies tell the scheme by, as Django finds them in request.META, with the
# values that stand for HTTPS: documentation of nginx ($scheme), Apache, HAProxy, AWS ELB,
# Microsoft's Front-End-Https, CloudFront and Gunicorn's secure_scheme_headers.
_KNOWN = {
    "HTTP_X_FORWARDED_PROTO": {"https"},
    "HTTP_X_FORWARDED_PROTOCOL": {"https", "ssl"},
    "HTTP_X_FORWARDED_SCHEME": {"https"},
    "HTTP_X_FORWARDED_SSL": {"on"},
    "HTTP_X_SCHEME": {"https"},
    "HTTP_X_URL_SCHEME": {"https"},
    "HTTP_FRONT_END_HTTPS": {"on"},
    "HTTP_CLOUDFRONT_FORWARDED_PROTO": {"https"},
}
# Headers of a proxy that tell something else.
_OTHERS = {"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_HOST"}


def _title(case: Case) -> str:
    return server_named(case.plan.server).title if case.plan.server else "The server"


@rule(300, "EWI")
def scheme_unknown(case: Case) -> Iterator[Finding]:
    """TLS ends at the proxy, and Django is not told so.

    Requests reach the server as plain HTTP. Neither `SECURE_PROXY_SSL_HEADER` nor the server
    nor code of the project tells Django that the client used HTTPS: the server ignores
    `X-Forwarded-Proto`, or ignores it from the address of the proxy.

    ## Why is this bad?
    `request.is_secure()` is False for every request. With `SECURE_SSL_REDIRECT` each page
    redirects to itself for ever. A form is refused (403, "Origin checking failed"), because
    the browser's `Origin` begins with `https://` and Django expects `http://`. Absolute URLs
    begin with `http://`, and the HSTS header is never sent.

    ## Example
    ```python
    SECURE_SSL_REDIRECT = True  # behind a proxy that ends TLS, served by Daphne
    ```

    ## Use instead
    ```python
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ```
    and a proxy that sets the header itself, whatever the client sent:
    `proxy_set_header X-Forwarded-Proto $scheme;`. Gunicorn and Uvicorn set the scheme without
    that setting where the address of the proxy is in `FORWARDED_ALLOW_IPS`.

    ## Source
    Django's documentation, "SECURE_PROXY_SSL_HEADER"; Gunicorn's, "forwarded_allow_ips";
    Uvicorn's, "Running behind a proxy"; https://github.com/Kludex/uvicorn/issues/369.
    """
    # Where the setting is there and wrong, wrong_header says so.
    told = getattr(settings, HEADER, None) or case.forwarding.scheme
    if case.deployment.tls.value != "proxy" or case.deployment.proxy.value is False or told:
        return
    trusted = trusts_proxy(case)
    if trusted or (trusted is None and case.plan.server is None):
        return
    loops = redirects(case)
    refuses = has_middleware(case, CSRF) and not _https_origins(case)
    level: Letter = "E" if loops or refuses else "W"
    condition = ""
    if trusted is None:
        level = "W" if loops else "I"
        condition = (
            f" unless the proxy connects from {case.plan.forwarded_allow_ips}, which alone "
            "the server believes"
        )
    if loops:
        follows = f"every page redirects to itself for ever{condition} (SECURE_SSL_REDIRECT)"
    elif refuses:
        follows = f"every form is refused, 403 Origin checking failed{condition}"
    else:
        follows = f"absolute URLs begin with http:// and HSTS is never sent{condition}"
    tls = case.deployment.tls
    name = "SECURE_SSL_REDIRECT" if loops else tls.evidence.removeprefix("settings.")
    yield Finding(
        f"TLS ends at the proxy ({tls.evidence}), and nothing tells Django: {_why(case)} and "
        f"SECURE_PROXY_SSL_HEADER is not set. As planned {follows}.",
        f"Set {THE_HEADER}, and let the proxy set that header itself{_or_trust(case)}.",
        case.set_at(name if name.isidentifier() else HEADER),
        level,
    )


def _why(case: Case) -> str:
    plan = case.plan
    if plan.server == "daphne":
        return "Daphne ignores X-Forwarded-Proto"
    if plan.address.path:
        return f"{_title(case)} ignores X-Forwarded-Proto from a Unix socket"
    address = case.deployment.proxy_address.value
    return (
        f"{_title(case)} takes X-Forwarded-Proto from {plan.forwarded_allow_ips} only, "
        f"the proxy is {address or 'elsewhere'},"
    )


def _or_trust(case: Case) -> str:
    if case.plan.server == "daphne":
        return ""
    address = case.deployment.proxy_address.value or "the address of the proxy"
    if case.plan.address.path:
        address = "'*'"
    return f'; or name {address} in settings.DEPLOYTOOL["FORWARDED_ALLOW_IPS"]'


def _https_origins(case: Case) -> bool:
    return any(origin.startswith("https://") for origin in case.names("CSRF_TRUSTED_ORIGINS"))


def header_works(case: Case) -> bool:
    """Whether SECURE_PROXY_SSL_HEADER is set and can tell Django the scheme."""
    return bool(getattr(settings, HEADER, None)) and not any(_header_faults(case))


@rule(301, "EW")
def wrong_header(case: Case) -> Iterator[Finding]:
    """`SECURE_PROXY_SSL_HEADER` is written in a way that never tells HTTPS.

    It is not a pair, its name is not the name of a header in `request.META` (`HTTP_`, capitals
    and underscores), or its value is not what the proxy sends.

    ## Why is this bad?
    Where it is no pair, Django raises `ImproperlyConfigured` as soon as it is asked for the
    scheme. Where the header is never found, the setting does nothing; where its value never
    fits, every request counts as plain HTTP, even where the server knows better.

    ## Example
    ```python
    SECURE_PROXY_SSL_HEADER = ("X-Forwarded-Proto", "https")
    ```

    ## Use instead
    ```python
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ```

    ## Source
    Django's documentation, "SECURE_PROXY_SSL_HEADER" ("Note that the header needs to be in
    the format as used by request.META – all caps and likely starting with HTTP_").
    """
    if getattr(settings, HEADER, None):
        for level, message in _header_faults(case):
            yield Finding(message, f"Write {THE_HEADER}.", case.set_at(HEADER), level)


def _header_faults(case: Case) -> Iterator[tuple[Letter, str]]:
    value: object = getattr(settings, HEADER, None)
    pair = scheme_header(value)
    if pair is None or isinstance(value, (str, bytes)):
        fault = f"SECURE_PROXY_SSL_HEADER is {value!r}, not a pair of a header and a value"
        yield "E", f"{fault}: Django raises an error for each request whose scheme it needs."
        return
    header, secure = pair
    if not isinstance(header, str) or not _in_meta(header, case):
        trusted = trusts_proxy(case)
        lost = f"SECURE_PROXY_SSL_HEADER names the header {header!r}, which Django never finds"
        if case.deployment.tls.value != "proxy" or trusted:
            yield "W", f"{lost}: it has no effect, and the scheme is what {_title(case)} says."
        elif trusted is None:
            yield "W", f"{lost}: unless {_title(case)} trusts the proxy, {_as_http(case)}."
        else:
            yield "E", f"{lost}: {_as_http(case)}."
        return
    yield from _value_faults(header, secure)


def _as_http(case: Case) -> str:
    if redirects(case):
        return "every page redirects to itself for ever (SECURE_SSL_REDIRECT)"
    return "every request counts as plain HTTP"


def _in_meta(header: str, case: Case) -> bool:
    """Whether ``request.META`` can have the key ``header``."""
    if mentioned(header, case.project.base_dir):
        return True  # something of the project's own puts it there
    if header == "wsgi.url_scheme":
        return not case.asgi
    return (
        header.startswith("HTTP_")
        and not header.startswith("HTTP_HTTP_")
        and header == header.upper().strip()
        and header.isascii()
        and not set("- :") & set(header)
    )


def _value_faults(header: str, secure: object) -> Iterator[tuple[Letter, str]]:
    never = "every request with that header counts as plain HTTP, one by HTTPS too"
    told = f"SECURE_PROXY_SSL_HEADER expects {secure!r} of {header}"
    if header in _OTHERS:
        yield "E", f"{HEADER} names {header}, which does not tell the scheme: {never}."
    elif not isinstance(secure, str) or secure != secure.strip() or not secure or "," in secure:
        yield "E", f"{told}, which no header can be: {never}."
    elif header in _KNOWN and secure not in _KNOWN[header]:
        usual = " or ".join(map(repr, sorted(_KNOWN[header])))
        wrong = secure.lower() in {"http", "https"} and header.endswith(("_PROTO", "_SCHEME"))
        if wrong or secure.lower() in _KNOWN[header]:
            yield "E", f"{told}, and proxies send {usual} (capitals count): {never}."
        else:
            yield "W", f"{told}, and proxies send {usual}: unless yours does not, {never}."
    elif header not in _KNOWN:
        near = difflib.get_close_matches(header, _KNOWN, n=1, cutoff=0.9)
        if near:
            fault = f"SECURE_PROXY_SSL_HEADER names {header}, which looks like {near[0]} misspelt"
            yield "W", f"{fault}: unless the proxy sends exactly that, it has no effect."


@rule(302, "W")
def header_without_proxy(case: Case) -> Iterator[Finding]:
    """`SECURE_PROXY_SSL_HEADER` is set, and no proxy stands in front.

    The deployment has no reverse proxy, so that the header comes from the clients.

    ## Why is this bad?
    Every client chooses whether its request counts as HTTPS: it gets around
    `SECURE_SSL_REDIRECT` and the stricter checks that Django makes of secure requests.

    ## Example
    ```python
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    DEPLOYTOOL = {"PROXY": ""}
    ```

    ## Use instead
    No `SECURE_PROXY_SSL_HEADER`; the server that ends TLS knows the scheme itself.

    ## Source
    Django's documentation, "SECURE_PROXY_SSL_HEADER" (the warning).
    """
    proxy = case.deployment.proxy
    if proxy.value is False and getattr(settings, HEADER, None):
        yield Finding(
            f"SECURE_PROXY_SSL_HEADER is set, and no proxy stands in front of the server "
            f"({proxy.evidence}): each client that sends the header itself counts as secure.",
            'Remove it; or state the proxy in settings.DEPLOYTOOL["PROXY"].',
            case.set_at(HEADER),
        )


@rule(303, "WI")
def trusts_all(case: Case) -> Iterator[Finding]:
    """The server believes the forwarded headers of everybody who can reach it.

    `FORWARDED_ALLOW_IPS` is `*` (or a network of all addresses) and the server listens on an
    address that more than this machine can reach.

    ## Why is this bad?
    Who gets past the proxy sends `X-Forwarded-For` and `X-Forwarded-Proto` of his own: under
    Uvicorn he has any client address that he likes, which defeats limits and lists by
    address, and everywhere he counts as HTTPS.

    ## Example
    ```python
    DEPLOYTOOL = {"BIND": "0.0.0.0:8000", "FORWARDED_ALLOW_IPS": "*"}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"BIND": "0.0.0.0:8000", "FORWARDED_ALLOW_IPS": "10.0.3.0/24"}
    ```
    Or a bind address, a Unix socket or a firewall that leaves the proxy alone as a client.

    ## Source
    Gunicorn's documentation, "forwarded_allow_ips"; Uvicorn's, "Running behind a proxy".
    """
    plan, deployment = case.plan, case.deployment
    if plan.server is None or plan.address.path or plan.address.is_loopback:
        return
    if not trusts_everybody(plan):
        return
    alone = deployment.proxy.value is False
    platform = deployment.container.value or plan.decision("bind").source == "environment"
    condition = "" if alone else ", unless a firewall or a network lets only the proxy in"
    option = "--proxy-headers" if plan.server == "daphne" else "FORWARDED_ALLOW_IPS"
    yield Finding(
        f"{_title(case)} listens on {plan.bind} and believes the X-Forwarded headers of "
        f"every client ({option}): whoever reaches it chooses its scheme"
        f"{_and_address(case)}{condition}.",
        "Leave it out: without a proxy nobody has to be believed."
        if alone
        else 'Name the address or network of the proxy in settings.DEPLOYTOOL["FORWARDED_'
        'ALLOW_IPS"].',
        case.set_at("DEPLOYTOOL"),
        "I" if platform and not alone else "W",
    )


def _and_address(case: Case) -> str:
    return "" if case.plan.server == "gunicorn" else " and client address"


@rule(304, "I")
def proxy_not_trusted(case: Case) -> Iterator[Finding]:
    """Uvicorn does not believe the proxy who the client is.

    The address of the proxy is not in `FORWARDED_ALLOW_IPS`, so that Uvicorn leaves
    `X-Forwarded-For` alone.

    ## Why is this bad?
    `REMOTE_ADDR` and the access log name the proxy for every client.

    ## Example
    ```python
    DEPLOYTOOL = {"PROXY": "10.0.3.5"}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"PROXY": "10.0.3.5", "FORWARDED_ALLOW_IPS": "10.0.3.5"}
    ```

    ## Source
    Uvicorn's documentation, "Running behind a proxy".
    """
    if case.plan.server != "uvicorn" or trusts_proxy(case) is not False:
        return
    if case.deployment.tls.value == "proxy" and not header_works(case):
        return  # scheme_unknown says so, with what else follows
    address = case.deployment.proxy_address
    yield Finding(
        f"Uvicorn believes {case.plan.forwarded_allow_ips} only, and the proxy is "
        f"{address.value or case.plan.bind}: every client has the address of the proxy.",
        f'Name {address.value or "*"!r} in settings.DEPLOYTOOL["FORWARDED_ALLOW_IPS"].',
        case.set_at("DEPLOYTOOL"),
    )


@rule(305, "W")
def forwarded_host_without_proxy(case: Case) -> Iterator[Finding]:
    """`USE_X_FORWARDED_HOST` or `USE_X_FORWARDED_PORT` is on, and no proxy stands in front.

    The deployment has no reverse proxy that would set these headers.

    ## Why is this bad?
    Every client chooses the host and the port that Django builds URLs with, within
    `ALLOWED_HOSTS`; a link in a mail to reset a password is one of them.

    ## Example
    ```python
    USE_X_FORWARDED_HOST = True
    DEPLOYTOOL = {"PROXY": ""}
    ```

    ## Use instead
    Neither: the `Host` header says it.

    ## Source
    Django's documentation, "USE_X_FORWARDED_HOST" ("should only be enabled if a proxy which
    sets this header is in use").
    """
    if case.deployment.proxy.value is not False:
        return
    for name in ("USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT"):
        if getattr(settings, name, False):
            what = name.removeprefix("USE_").replace("_", "-").title()
            yield Finding(
                f"{name} is on, and no proxy stands in front of the server "
                f"({case.deployment.proxy.evidence}): each client chooses it by {what}.",
                f"Remove {name}.",
                case.set_at(name),
            )


@rule(330, "EW")
def remote_addr(case: Case) -> Iterator[Finding]:
    """`REMOTE_ADDR` is taken for the client, and is the proxy.

    The project's own code reads `request.META["REMOTE_ADDR"]`, and the planned server puts
    the address of the proxy there: Gunicorn and Daphne never put another, Uvicorn does for a
    proxy that it trusts. Over a Unix socket it is empty, or not there at all under ASGI.

    ## Why is this bad?
    A limit or a list by address treats all clients as one. `META["REMOTE_ADDR"]` raises
    `KeyError` where there is none.

    ## Example
    ```python
    if request.META["REMOTE_ADDR"] in BLOCKED:  # served by Gunicorn, behind nginx
        raise PermissionDenied
    ```

    ## Use instead
    What the proxy says, once it alone can say it: a middleware that takes the last address of
    `X-Forwarded-For` (or `X-Real-IP`), which the proxy appends or sets. Uvicorn does it with
    the proxy in `FORWARDED_ALLOW_IPS`.

    ## Source
    Gunicorn's documentation, "Deploying" (the note on REMOTE_ADDR); Django's release notes
    of 1.1 (why SetRemoteAddrFromForwardedFor was removed).
    """
    if not case.deployment.proxy.value or case.plan.server is None or case.forwarding.address:
        return
    if case.plan.server in {"uvicorn", "daphne"} and trusts_proxy(case) is not False:
        return
    if any(_replaces_address(launch) for _, launch in case.files.served):
        return  # the project's own files start another server than the plan, which does
    unix = bool(case.plan.address.path)
    for use in case.forwarding.uses:
        fails = unix and case.asgi and use.required
        if not unix:
            what = "the address of the proxy for every client"
        elif case.asgi:
            what = "not there: a Unix socket has no address" + (" (KeyError)" if fails else "")
        else:
            what = "'' for every client: a Unix socket has no address"
        yield Finding(
            f"REMOTE_ADDR is read here, and served by {_title(case)} on {case.plan.bind} it is "
            f"{what}.",
            "Take the address from a header that only the proxy can set, such as the last of "
            "X-Forwarded-For" + _by_uvicorn(case) + ".",
            use.location,
            "E" if fails else "W",
        )


def _replaces_address(launch: Launch) -> bool:
    """Whether a server puts the client's address where a proxy beyond this machine connects."""
    addresses, _ = trusted(launch)
    if launch.server == "gunicorn" and served_interface(launch) == "wsgi":
        return False
    return addresses is None or addresses not in {"", "127.0.0.1"}


def _by_uvicorn(case: Case) -> str:
    if case.plan.server != "uvicorn":
        return ""
    return ', or name the proxy in settings.DEPLOYTOOL["FORWARDED_ALLOW_IPS"]'


@rule(331, "I")
def throttle_identity(case: Case) -> Iterator[Finding]:
    """Clients of Django REST framework choose who they are throttled as.

    A view has a throttle of Django REST framework, a proxy stands in front, and
    `NUM_PROXIES` is not set: a client without a login is known by the whole of
    `X-Forwarded-For`.

    ## Why is this bad?
    Most proxies append to that header. A client that sends one of its own, another each time,
    is another client each time, and no limit reaches it.

    ## Example
    ```python
    REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"anon": "10/min"}}
    ```

    ## Use instead
    ```python
    REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"anon": "10/min"}, "NUM_PROXIES": 1}
    ```

    ## Source
    Django REST framework's documentation, "How clients are identified".
    """
    if not case.deployment.proxy.value or case.forwarding.address:
        return
    framework = case.setting("REST_FRAMEWORK", dict, {})
    if framework.get("NUM_PROXIES") is not None:
        return
    identified = [each for each in case.throttles if each.by_forwarded_for]
    if identified:
        first = identified[0]
        yield Finding(
            f"{first.name} throttles {first.route or '/'} by the whole of X-Forwarded-For, as "
            "NUM_PROXIES is not set: where the proxy appends to that header, a client that "
            "sends one of its own is never throttled.",
            'Set REST_FRAMEWORK["NUM_PROXIES"] to the number of proxies, 1 for one.',
            first.location or case.set_at("REST_FRAMEWORK"),
        )


@rule(345, "E")
def no_certificate(case: Case) -> Iterator[Finding]:
    """TLS is to end at the server, and the server has no certificate.

    `settings.DEPLOYTOOL["TLS"]` (or `--tls`) says `server`; the plan has no `CERTFILE`.

    ## Why is this bad?
    The server speaks plain HTTP, and a browser that asks for HTTPS gets no answer.

    ## Example
    ```python
    DEPLOYTOOL = {"TLS": "server"}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"TLS": "server", "CERTFILE": "/etc/ssl/site.pem", "KEYFILE": "/etc/ssl/site.key"}
    ```

    ## Source
    deploytool's own (the page Settings).
    """
    tls = case.deployment.tls
    if tls.value == "server" and tls.source in {"option", "setting"} and not case.plan.certfile:
        yield Finding(
            f"TLS is to end at the server ({tls.evidence}), and the plan has no certificate: "
            f"{_title(case)} speaks plain HTTP.",
            'Name settings.DEPLOYTOOL["CERTFILE"] and ["KEYFILE"], or state TLS as "proxy".',
            case.set_at("DEPLOYTOOL"),
        )
