"""Which hosts and origins Django answers, and whom it sends to HTTPS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from deploytool.checks.forwarded import (
    COMMON,
    CSRF,
    SECURITY,
    as_network,
    has_middleware,
    redirects,
)
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# What an orchestrator is usually told to ask for.
_HEALTH = re.compile(r"(?:^|[/_-])(?:health\w*|livez?|liveness|readyz?|readiness|ping|ht|up)/?$")


@rule(310, "E", supersedes=("security.W020",))
def no_host(case: Case) -> Iterator[Finding]:
    """No host is allowed: every request is answered 400.

    `ALLOWED_HOSTS` is empty, or none of its entries can be a host: `[""]`, which is what
    `"".split(",")` gives, an address with its scheme or its port, `*.example.org`.

    ## Why is this bad?
    Django compares the host of each request with the entries and answers 400 ("Invalid
    HTTP_HOST header") where none fits. `manage.py check --deploy` only sees whether the list
    is empty.

    ## Example
    ```python
    ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "").split(",")
    ```

    ## Use instead
    ```python
    ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")  # ALLOWED_HOSTS=example.org
    ```

    ## Source
    Django's documentation, "ALLOWED_HOSTS".
    """
    hosts = _allowed_hosts()
    faults = [_host_fault(host) for host in hosts]
    if not all(faults) or not (has_middleware(case, COMMON) or redirects(case)):
        return
    what = f"is {hosts!r}, and no entry can be a host: {faults[0]}" if hosts else "is empty"
    yield Finding(
        f"ALLOWED_HOSTS {what}: every request is answered 400.",
        "Name the hosts of the site, without scheme, port and path: "
        'ALLOWED_HOSTS = ["example.org"].',
        case.set_at("ALLOWED_HOSTS"),
    )


@rule(311, "W")
def host_never_matches(case: Case) -> Iterator[Finding]:
    """An entry of `ALLOWED_HOSTS` matches no host.

    It has a scheme, a port, a path or a space in it, an asterisk before a domain, a network's
    prefix, or is no text.

    ## Why is this bad?
    Django compares the host of a request, in small letters and without its port, with each
    entry as it is. A request for the host that was meant is answered 400.

    ## Example
    ```python
    ALLOWED_HOSTS = ["example.org", "https://www.example.org", "*.example.org"]
    ```

    ## Use instead
    ```python
    ALLOWED_HOSTS = ["example.org", "www.example.org", ".example.org"]
    ```

    ## Source
    Django's documentation, "ALLOWED_HOSTS".
    """
    hosts = _allowed_hosts()
    faults = {repr(host): fault for host in hosts if (fault := _host_fault(host))}
    if len(faults) == len(set(map(repr, hosts))):
        return  # no_host says so
    for host, fault in faults.items():
        if host not in {"''", "None"}:  # left behind by a comma or a variable, and harmless
            yield Finding(
                f"ALLOWED_HOSTS has {host}, which matches no host: {fault}. Requests for the "
                "host that is meant are answered 400 unless another entry fits.",
                "Write the bare host; a dot before it allows its subdomains too.",
                case.set_at("ALLOWED_HOSTS"),
            )


def _allowed_hosts() -> list[object]:
    value: object = settings.ALLOWED_HOSTS
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []


def _host_fault(host: object) -> str:
    """Why the entry matches no host; empty for one that may match.

    Asked of Django's own functions, with the host that the entry must be meant for.
    """
    if not isinstance(host, str):
        if not host:
            return "it is empty"
        return "" if hasattr(host, "lower") and hasattr(host, "__getitem__") else "it is no text"
    if host == "*":
        return ""
    bare = host.removeprefix(".")
    if bare == "[::]" or validate_host(split_domain_port(bare)[0], [host]):
        return ""
    for fault, found in (
        ("it is empty", not host.strip()),
        ("it has a scheme", "://" in host),
        ("it has spaces around it", host != host.strip()),
        ("a network is no host", "/" in host and as_network(host) is not None),
        ("it has a path", "/" in host),
        ("an IPv6 address has brackets here", host.count(":") > 1 and "[" not in host),
        ("it has a port", re.search(r":\d+$", host)),
        ("a dot before the domain stands for its subdomains, not *", "*" in host),
    ):
        if found:
            return fault
    return "it is no host name (a name with other letters is written as in DNS, xn--…)"


@rule(312, "W")
def any_host(case: Case) -> Iterator[Finding]:
    """`ALLOWED_HOSTS` allows every host.

    It contains `*`, and no middleware looks at the host before Django does.

    ## Why is this bad?
    The `Host` header is the client's. Absolute URLs are built with it, so that a mail to
    reset a password may lead to the site of whoever asked for it, and a cache may keep such
    links for everybody.

    ## Example
    ```python
    ALLOWED_HOSTS = ["*"]
    ```

    ## Use instead
    ```python
    ALLOWED_HOSTS = ["example.org"]
    ```
    A health probe by address can send `Host: example.org` itself.

    ## Source
    Django's documentation, "ALLOWED_HOSTS" and "Host header validation".
    """
    if "*" in _allowed_hosts() and not case.forwarding.host:
        yield Finding(
            'ALLOWED_HOSTS has "*": unless the proxy passes on the names of this site only, '
            "every client chooses the host that links are built with.",
            "Name the hosts of the site; a probe by address can send one of them as Host.",
            case.set_at("ALLOWED_HOSTS"),
        )


@rule(313, "W")
def origin_never_matches(case: Case) -> Iterator[Finding]:
    """An entry of `CSRF_TRUSTED_ORIGINS` matches no origin.

    It has a path, a slash at the end, capitals, the port that its scheme has anyway, or an
    asterisk that is not `*.` before a domain.

    ## Why is this bad?
    A browser sends `Origin: https://example.org` and nothing else, and Django compares it with
    the entry as it is. Forms from the origin that was meant are refused: 403, "Origin
    checking failed".

    ## Example
    ```python
    CSRF_TRUSTED_ORIGINS = ["https://example.org/", "https://*"]
    ```

    ## Use instead
    ```python
    CSRF_TRUSTED_ORIGINS = ["https://example.org", "https://*.example.org"]
    ```

    ## Source
    Django's documentation, "CSRF_TRUSTED_ORIGINS"; RFC 6454, "Serializing Origins".
    """
    if not has_middleware(case, CSRF):
        return
    for origin in case.names("CSRF_TRUSTED_ORIGINS"):
        # One without a scheme is 4_0.E001 of Django.
        if "://" in origin and (fault := _origin_fault(origin)):
            yield Finding(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}, which matches no origin: {fault}. Forms "
                "from the origin that is meant are refused (403) unless it is the host itself.",
                "Write scheme and host, and the port where it is not the scheme's own: "
                '"https://example.org".',
                case.set_at("CSRF_TRUSTED_ORIGINS"),
            )


def _origin_fault(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "it is no URL"
    # As CsrfViewMiddleware does it: of an entry with an asterisk only the domain counts, in
    # whatever letters; one without is compared whole.
    domain, whole = parts.netloc.lstrip("*"), "*" not in origin
    for fault, found in (
        ("it has spaces in it", re.search(r"\s", origin)),
        ("* stands before a domain only, as in *.example.org", "*" in domain),
        ("it has no host", not domain),
        ("it has a path", whole and (parts.path or parts.query or parts.fragment)),
        ("browsers send small letters", whole and origin != origin.lower()),
        (
            "browsers leave the scheme's own port out",
            domain.endswith(_DEFAULT_PORTS.get(parts.scheme, "\0")),
        ),
        ("browsers send the name as in DNS, xn--…", not domain.isascii()),
    ):
        if found:
            return fault
    return ""


@rule(314, "I")
def insecure_origin(case: Case) -> Iterator[Finding]:
    """A site with TLS trusts forms of its own host by plain HTTP.

    `CSRF_TRUSTED_ORIGINS` has the `http://` origin of a host in `ALLOWED_HOSTS`.

    ## Why is this bad?
    A page by plain HTTP can be made by anybody on the way, and its forms are trusted. What
    the entry was meant to mend, "Origin checking failed" behind a proxy, it does not mend:
    the browser's origin begins with `https://`.

    ## Example
    ```python
    CSRF_TRUSTED_ORIGINS = ["http://example.org"]
    ```

    ## Use instead
    ```python
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ```

    ## Source
    Django's documentation, "CSRF_TRUSTED_ORIGINS" and "SECURE_PROXY_SSL_HEADER".
    """
    if case.deployment.tls.value not in {"proxy", "server"} or not has_middleware(case, CSRF):
        return
    named = [host for host in _allowed_hosts() if isinstance(host, str) and host != "*"]
    for origin in case.names("CSRF_TRUSTED_ORIGINS"):
        if not origin.startswith("http://") or _origin_fault(origin):
            continue
        domain = split_domain_port(urlsplit(origin).netloc.removeprefix("*."))[0]
        if _is_local(domain) or not validate_host(domain, named):
            continue
        yield Finding(
            f"CSRF_TRUSTED_ORIGINS has {origin!r}, and the site has TLS "
            f"({case.deployment.tls.evidence}): it trusts forms of pages by plain HTTP, which "
            "anybody on the way can make.",
            "Remove it, or write https://.",
            case.set_at("CSRF_TRUSTED_ORIGINS"),
        )


def _is_local(domain: str) -> bool:
    return "." not in domain.strip("[]") or as_network(domain) is not None


@rule(315, "W")
def no_referrer(case: Case) -> Iterator[Finding]:
    """`SECURE_REFERRER_POLICY` makes browsers hide the origin of forms.

    The policy in force is `no-referrer`, and `CsrfViewMiddleware` is installed.

    ## Why is this bad?
    Under that policy a browser sends `Origin: null` with each form, the site's own too, and
    no `Referer`. Django refuses it: 403, "Origin checking failed - null does not match any
    trusted origins".

    ## Example
    ```python
    SECURE_REFERRER_POLICY = "no-referrer"
    ```

    ## Use instead
    ```python
    SECURE_REFERRER_POLICY = "same-origin"
    ```

    ## Source
    Django's documentation, "Cross Site Request Forgery protection" ("How it works"); the
    Fetch standard, "append a request Origin header".
    """
    if not (has_middleware(case, SECURITY) and has_middleware(case, CSRF)):
        return
    policy: object = getattr(settings, "SECURE_REFERRER_POLICY", None)
    if isinstance(policy, str):
        policy = policy.split(",")
    if not isinstance(policy, (list, tuple)):
        return
    # A browser takes the last that it knows (Referrer Policy, "Parse a referrer policy").
    names = [name.strip().lower() for name in policy if isinstance(name, str) and name.strip()]
    if names and names[-1] == "no-referrer":
        yield Finding(
            "SECURE_REFERRER_POLICY is no-referrer: browsers send Origin: null with every form, "
            "and as soon as a page has one, CsrfViewMiddleware refuses it (403).",
            'Set SECURE_REFERRER_POLICY = "same-origin", which tells other sites nothing either.',
            case.set_at("SECURE_REFERRER_POLICY"),
        )


@rule(320, "WE")
def exempt_never_matches(case: Case) -> Iterator[Finding]:
    """A pattern in `SECURE_REDIRECT_EXEMPT` matches no path.

    It wants a slash where the path begins, or is no regular expression at all.

    ## Why is this bad?
    Django takes the slash off the path before it looks, so that the path is redirected to
    HTTPS all the same: a health probe by plain HTTP gets 301 instead of 200. A pattern that
    cannot be compiled ends the server when it starts.

    ## Example
    ```python
    SECURE_REDIRECT_EXEMPT = [r"^/healthz$"]
    ```

    ## Use instead
    ```python
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    ```

    ## Source
    Django's documentation, "SECURE_REDIRECT_EXEMPT"; `SecurityMiddleware.process_request()`.
    """
    if not has_middleware(case, SECURITY):
        return
    paths = [view.route for view in case.project.views.views if _is_literal(view.route)]
    for pattern in case.names("SECURE_REDIRECT_EXEMPT"):
        try:
            compiled = re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            yield Finding(
                f"SECURE_REDIRECT_EXEMPT has {pattern!r}, which is no regular expression "
                f"({error}): the server cannot start.",
                "Mend the pattern; re.escape() takes a path as it is.",
                case.set_at("SECURE_REDIRECT_EXEMPT"),
                "E",
            )
            continue
        if not redirects(case) or any(compiled.search(path) for path in paths):
            continue
        anchored = pattern.startswith(("^/", "\\A/", "^\\/"))
        if anchored or any(compiled.search(f"/{path}") for path in paths):
            yield Finding(
                f"SECURE_REDIRECT_EXEMPT has {pattern!r}: Django compares it with the path "
                "without its first slash, so that what it is meant for is redirected to HTTPS.",
                f"Take the slash off: {pattern.replace('/', '', 1)!r}.",
                case.set_at("SECURE_REDIRECT_EXEMPT"),
                "W",
            )


def _is_literal(route: str) -> bool:
    """Whether the route is the path itself: no converters, no regular expression."""
    return not set("<>^$\\()[]*+?") & set(route)


@rule(321, "I")
def health_redirected(case: Case) -> Iterator[Finding]:
    """A health probe by plain HTTP would be redirected to HTTPS.

    The server runs in a container, the URLconf has what looks like a route for probes, and
    `SECURE_SSL_REDIRECT` does not leave it out.

    ## Why is this bad?
    A probe asks the container itself, without the proxy and its headers, and gets 301: a load
    balancer that wants 200 takes the container out, and `wget` follows to a port where nobody
    answers.

    ## Example
    ```python
    SECURE_SSL_REDIRECT = True
    urlpatterns = [path("healthz/", health)]
    ```

    ## Use instead
    ```python
    SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
    ```
    Or a probe that sends `X-Forwarded-Proto: https`, and a `Host` of `ALLOWED_HOSTS`.

    ## Source
    Django's documentation, "SECURE_REDIRECT_EXEMPT";
    https://github.com/paperless-ngx/paperless-ngx/issues/3214.
    """
    if not case.deployment.container.value or not redirects(case):
        return
    exempt = []
    for pattern in case.names("SECURE_REDIRECT_EXEMPT"):
        try:
            exempt.append(re.compile(pattern))
        except (re.error, RecursionError, OverflowError):
            return
    for view in case.project.views.views:
        route = view.route
        if _is_literal(route) and _HEALTH.search(route):
            if not any(pattern.search(route) for pattern in exempt):
                yield Finding(
                    f"/{route} looks like a route for health probes: one that asks the "
                    "container itself, by plain HTTP, is redirected to HTTPS.",
                    f'Set SECURE_REDIRECT_EXEMPT = [r"^{re.escape(route)}$"], or let the probe '
                    "send X-Forwarded-Proto: https.",
                    view.location or case.set_at("SECURE_SSL_REDIRECT"),
                )
            return


@rule(322, "E")
def redirect_host(case: Case) -> Iterator[Finding]:
    """`SECURE_SSL_HOST` is not a host.

    It has a scheme or a path.

    ## Why is this bad?
    Django puts `https://` before it and the path behind it: the redirect leads to
    `https://https://example.org/…`, where nobody answers.

    ## Example
    ```python
    SECURE_SSL_HOST = "https://example.org"
    ```

    ## Use instead
    ```python
    SECURE_SSL_HOST = "example.org"
    ```

    ## Source
    Django's documentation, "SECURE_SSL_HOST".
    """
    host = case.setting("SECURE_SSL_HOST", str, "")
    if host and redirects(case) and ("/" in host or host != host.strip()):
        yield Finding(
            f"SECURE_SSL_HOST is {host!r}: requests by plain HTTP are redirected to "
            f"https://{host}/…, where nobody answers.",
            f"Write the host alone: {host.strip().rpartition('//')[2].partition('/')[0]!r}.",
            case.set_at("SECURE_SSL_HOST"),
        )
