"""Redirects that lead to themselves, or to where Django refuses to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from deploytool.checks.forwarded import COMMON, as_network, has_middleware, redirects
from deploytool.checks.rule import Finding, rule
from deploytool.project.login_page import closed_login_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case


@rule(316, "E")
def closed_login(case: Case) -> Iterator[Finding]:
    """The page to log in at asks for a login.

    `LOGIN_URL` is a view that `LoginRequiredMiddleware` covers, or that has
    `login_required()` or `LoginRequiredMixin` itself.

    ## Why is this bad?
    Who is not logged in is redirected to the page, and from there to the page again, with an
    address that grows until the browser gives up: nobody can log in.

    ## Example
    ```python
    MIDDLEWARE = [..., "django.contrib.auth.middleware.LoginRequiredMiddleware"]

    def login(request):  # LOGIN_URL = "login"
        ...
    ```

    ## Use instead
    ```python
    @login_not_required
    def login(request):
        ...
    ```
    Django's `LoginView` has it.

    ## Source
    Django's documentation, "Middleware", `LoginRequiredMiddleware` ("To prevent infinite
    redirects").
    """
    found = closed_login_page(case.project)
    if found is None:
        return
    by, hint = {
        "middleware": (
            "LoginRequiredMiddleware covers it",
            "Put @login_not_required (django.contrib.auth.decorators) above the view.",
        ),
        "decorator": ("login_required() is around it", "Take login_required() away from it."),
        "mixin": ("it has LoginRequiredMixin", "Take LoginRequiredMixin away from it."),
    }[found.by]
    yield Finding(
        f"LOGIN_URL leads to {found.view} (route {found.route!r}), and {by}: who is not logged in "
        "is redirected from that page to itself for ever.",
        hint,
        found.location or case.set_at("LOGIN_URL"),
    )


@rule(317, "E")
def www_refused(case: Case) -> Iterator[Finding]:
    """PREPEND_WWW redirects to a host that is not allowed.

    `PREPEND_WWW` is on, and `ALLOWED_HOSTS` has a host without `www.` and not the one with.

    ## Why is this bad?
    `CommonMiddleware` sends who asks for `example.org` to `www.example.org`, where Django
    answers 400 ("Invalid HTTP_HOST header").

    ## Example
    ```python
    PREPEND_WWW = True
    ALLOWED_HOSTS = ["example.org"]
    ```

    ## Use instead
    ```python
    PREPEND_WWW = True
    ALLOWED_HOSTS = ["example.org", "www.example.org"]
    ```

    ## Source
    Django's documentation, "PREPEND_WWW" and "ALLOWED_HOSTS".
    """
    if not getattr(settings, "PREPEND_WWW", False) or not has_middleware(case, COMMON):
        return
    hosts = case.names("ALLOWED_HOSTS")
    for host in hosts:
        name = host.lower()
        if "." not in name.strip(".[]") or name.startswith((".", "*", "www.")) or ":" in name:
            continue
        if as_network(name) is None and not validate_host(f"www.{name}", hosts):
            yield Finding(
                f"PREPEND_WWW sends who asks for {host} to www.{name}, which ALLOWED_HOSTS does "
                "not have: every page is answered 400.",
                f'Add "www.{name}" to ALLOWED_HOSTS.',
                case.set_at("ALLOWED_HOSTS"),
            )


@rule(323, "W")
def https_host_refused(case: Case) -> Iterator[Finding]:
    """SECURE_SSL_HOST is a host that is not allowed.

    `SECURE_SSL_REDIRECT` sends requests by plain HTTP to `SECURE_SSL_HOST`, which
    `ALLOWED_HOSTS` does not have.

    ## Why is this bad?
    Unless another site answers there, Django does, with 400 ("Invalid HTTP_HOST header").

    ## Example
    ```python
    SECURE_SSL_HOST = "secure.example.org"
    ALLOWED_HOSTS = ["example.org"]
    ```

    ## Use instead
    ```python
    SECURE_SSL_HOST = "secure.example.org"
    ALLOWED_HOSTS = ["secure.example.org", "example.org"]
    ```

    ## Source
    Django's documentation, "SECURE_SSL_HOST" and "ALLOWED_HOSTS".
    """
    host = case.setting("SECURE_SSL_HOST", str, "")
    hosts = case.names("ALLOWED_HOSTS")
    if not host or not hosts or not redirects(case) or "/" in host or host != host.strip():
        return
    domain = split_domain_port(host)[0]
    if domain and has_middleware(case, COMMON) and not validate_host(domain, hosts):
        yield Finding(
            f"SECURE_SSL_REDIRECT sends requests by plain HTTP to {host}, which ALLOWED_HOSTS "
            "does not have: unless another site answers there, each is answered 400.",
            f'Add "{domain}" to ALLOWED_HOSTS.',
            case.set_at("SECURE_SSL_HOST"),
        )
