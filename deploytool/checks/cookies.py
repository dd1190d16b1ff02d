"""Cookies and TLS settings that no browser, or no browser of this site, would heed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.checks.forwarded import CSRF, SECURITY, SESSION, has_middleware
from deploytool.checks.rule import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case

_MEANING = {"SESSION": "logging in has no effect", "CSRF": "every form is refused (403)"}


def _kinds(case: Case) -> Iterator[str]:
    """The cookies that the site sets: prefixes of their settings."""
    if has_middleware(case, SESSION):
        yield "SESSION"
    if has_middleware(case, CSRF) and not getattr(settings, "CSRF_USE_SESSIONS", False):
        yield "CSRF"


def _without_tls(case: Case) -> str:
    """What says that the site has no TLS; empty where it has, or where nobody knows."""
    tls, proxy = case.deployment.tls, case.deployment.proxy
    if tls.value == "none":
        return tls.evidence
    if tls.value == "proxy" and tls.source == "inferred" and proxy.value is False:
        # Inferred from these very settings; there is no proxy, and the server has no certificate.
        return f"{proxy.evidence}: no proxy, and no certificate"
    return ""


def _part(kind: str, name: str) -> object:
    return getattr(settings, f"{kind}_COOKIE_{name}", None)


@rule(325, "EI")
def tls_settings_without_tls(case: Case) -> Iterator[Finding]:
    """Settings that need TLS, on a site by plain HTTP.

    The deployment has no TLS, and a setting redirects to HTTPS or lets a cookie travel over
    HTTPS only. `SECURE_HSTS_SECONDS` is advice: Django sends HSTS over HTTPS alone.

    ## Why is this bad?
    The redirect leads where nobody answers. A browser does not keep a cookie with `Secure`
    that comes by plain HTTP (but on localhost): users log in and are not, and every form is
    refused for want of its cookie.

    ## Example
    ```python
    SESSION_COOKIE_SECURE = True
    DEPLOYTOOL = {"TLS": "none"}
    ```

    ## Use instead
    TLS; or, for a site in a closed network, `SESSION_COOKIE_SECURE = False`.

    ## Source
    Django's documentation, "SECURE_SSL_REDIRECT" and "SESSION_COOKIE_SECURE"; RFC 6265bis,
    "Storage Model".
    """
    evidence = _without_tls(case)
    if not evidence:
        return
    found: list[tuple[str, str]] = []
    if getattr(settings, "SECURE_SSL_REDIRECT", False) and has_middleware(case, SECURITY):
        found.append(("SECURE_SSL_REDIRECT", "every page is redirected to where nobody answers"))
    for kind in _kinds(case):
        if _part(kind, "SECURE"):
            told = f"browsers do not keep the cookie, and {_MEANING[kind]}"
            found.append((f"{kind}_COOKIE_SECURE", told))
    for name, follows in found:
        yield Finding(
            f"{name} is on, and the site has no TLS ({evidence}): {follows}.",
            f"Give the site TLS, or set {name} = False.",
            case.set_at(name),
        )
    seconds: object = getattr(settings, "SECURE_HSTS_SECONDS", 0)
    if seconds and has_middleware(case, SECURITY):
        yield Finding(
            f"SECURE_HSTS_SECONDS is set, and the site has no TLS ({evidence}): Django "
            "sends HSTS over HTTPS alone, and never here.",
            "Remove it until the site has TLS.",
            case.set_at("SECURE_HSTS_SECONDS"),
            "I",
        )


@rule(326, "E")
def cookie_refused(case: Case) -> Iterator[Finding]:
    """Browsers refuse the session or CSRF cookie, or Django cannot make it.

    `SameSite=None` without `Secure`; a name that begins with `__Secure-` or `__Host-` without
    what that promises; a `SAMESITE` that is none of Lax, Strict and None.

    ## Why is this bad?
    Browsers drop such a cookie without a word: users log in and are not, or every form is
    refused. For an unknown `SAMESITE` Django raises an error whenever it sets the cookie.

    ## Example
    ```python
    SESSION_COOKIE_SAMESITE = "None"
    SESSION_COOKIE_SECURE = False
    ```

    ## Use instead
    ```python
    SESSION_COOKIE_SAMESITE = "None"
    SESSION_COOKIE_SECURE = True
    ```

    ## Source
    RFC 6265bis, "The SameSite Attribute" and "Cookie Name Prefixes"; Django's documentation,
    "SESSION_COOKIE_SAMESITE".
    """
    for kind in _kinds(case):
        found = _refusal(kind)
        if found:
            setting, fault, hint = found
            yield Finding(f"{fault}: {_MEANING[kind]}.", hint, case.set_at(setting))


def _refusal(kind: str) -> tuple[str, str, str] | None:
    """The setting, what is wrong with it, and what to do."""
    site, secure = _part(kind, "SAMESITE"), bool(_part(kind, "SECURE"))
    setting = f"{kind}_COOKIE_SAMESITE"
    if site and (not isinstance(site, str) or site.lower() not in {"lax", "strict", "none"}):
        fault = f"{setting} is {site!r}, and Django raises an error whenever it sets the cookie"
        return setting, fault, 'Use "Lax", "Strict" or "None".'
    if isinstance(site, str) and site.lower() == "none" and not secure:
        fault = f"{setting} is {site!r} without {kind}_COOKIE_SECURE, and browsers drop the cookie"
        return setting, fault, f"Set {kind}_COOKIE_SECURE = True."
    name = _part(kind, "NAME")
    if not isinstance(name, str):
        return None
    host, wants = name.startswith("__Host-"), []
    if (host or name.startswith("__Secure-")) and not secure:
        wants.append(f"{kind}_COOKIE_SECURE = True")
    if host and _part(kind, "DOMAIN"):
        wants.append(f"{kind}_COOKIE_DOMAIN = None")
    if host and _part(kind, "PATH") != "/":
        wants.append(f'{kind}_COOKIE_PATH = "/"')
    if not wants:
        return None
    fault = f"{name} is a name that browsers keep only with {' and '.join(wants)}"
    return f"{kind}_COOKIE_NAME", fault, f"Set {', '.join(wants)}; or another name."


@rule(327, "E")
def cookie_domain(case: Case) -> Iterator[Finding]:
    """The domain of a cookie is none of this site's.

    No host in `ALLOWED_HOSTS` lies in `SESSION_COOKIE_DOMAIN` or `CSRF_COOKIE_DOMAIN`.

    ## Why is this bad?
    A browser drops a cookie for a domain that the page's host does not lie in: users log in
    and are not, or every form is refused.

    ## Example
    ```python
    ALLOWED_HOSTS = ["www.example.org"]
    SESSION_COOKIE_DOMAIN = "example.com"
    ```

    ## Use instead
    ```python
    SESSION_COOKIE_DOMAIN = "example.org"  # or none: the host itself
    ```

    ## Source
    Django's documentation, "SESSION_COOKIE_DOMAIN"; RFC 6265, "Domain Matching".
    """
    hosts = [host.lower() for host in case.names("ALLOWED_HOSTS") if host]
    for kind in _kinds(case):
        setting = f"{kind}_COOKIE_DOMAIN"
        domain = _part(kind, "DOMAIN")
        if not isinstance(domain, str) or not domain:
            continue
        wanted = domain.lower().removeprefix(".")
        malformed = bool(set("/: ") & set(wanted))
        if not malformed and any(host == "*" or _within(host, wanted) for host in hosts):
            continue
        if not hosts and not malformed:
            continue  # a fault of ALLOWED_HOSTS
        why = "no domain" if malformed else "the domain of no host in ALLOWED_HOSTS"
        yield Finding(
            f"{setting} is {domain!r}, {why}: browsers drop the cookie, and {_MEANING[kind]}.",
            "Remove it, for the host itself; or name a domain that the hosts lie in.",
            case.set_at(setting),
        )


def _within(host: str, domain: str) -> bool:
    """Whether the host, or some host that the pattern allows, lies in the domain."""
    bare = host.removeprefix(".")
    if bare == domain or bare.endswith(f".{domain}"):
        return True
    return host.startswith(".") and domain.endswith(host)
