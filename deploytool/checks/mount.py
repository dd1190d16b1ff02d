"""A site that is mounted below a path of its host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.checks.forwarded import SESSION, has_middleware
from deploytool.checks.rule import Finding, rule
from deploytool.project.file_serving import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case


def _mount(case: Case) -> str:
    """The mount point without its last slash; empty for a site of its own."""
    mount = case.deployment.mount.value.strip("/")
    return f"/{mount}" if mount else ""


def _below(path: str, mount: str) -> bool:
    return path == mount or path.startswith(f"{mount}/")


@rule(340, "EW")
def mount_unknown(case: Case) -> Iterator[Finding]:
    """Django does not know the path that it is mounted at.

    The deployment states a mount point, and `FORCE_SCRIPT_NAME` is another, or is not set and
    nothing else tells Django; or it does not begin with a slash.

    ## Why is this bad?
    Django reverses URLs without that path: links and redirects lead to the root of the host,
    which is another site.

    ## Example
    ```python
    DEPLOYTOOL = {"MOUNT": "/shop"}
    ```

    ## Use instead
    ```python
    DEPLOYTOOL = {"MOUNT": "/shop"}
    FORCE_SCRIPT_NAME = "/shop"
    ```

    ## Source
    Django's documentation, "FORCE_SCRIPT_NAME"; Gunicorn's, "Deploying" and the FAQ on
    SCRIPT_NAME.
    """
    name: object = getattr(settings, "FORCE_SCRIPT_NAME", None)
    mount, stated = _mount(case), case.deployment.mount.source in {"option", "setting"}
    where = case.set_at("FORCE_SCRIPT_NAME" if name else "DEPLOYTOOL")
    if isinstance(name, str) and name and not name.startswith("/"):
        yield Finding(
            f"FORCE_SCRIPT_NAME is {name!r}, without a slash before it: every reversed URL is "
            "relative to the page that it stands on, and leads elsewhere.",
            f'Write FORCE_SCRIPT_NAME = "/{name.strip("/")}".',
            where,
        )
    elif isinstance(name, str) and name and stated and name.rstrip("/") != mount:
        yield Finding(
            f"FORCE_SCRIPT_NAME is {name!r}, and the site is mounted at {mount or '/'} "
            f"({case.deployment.mount.evidence}): every link leads out of it.",
            f"Set FORCE_SCRIPT_NAME = {mount or None!r}, or state the other mount point.",
            where,
        )
    elif not name and mount and stated and not _told_otherwise(case, mount):
        gunicorn = case.plan.server == "gunicorn" and not case.asgi
        condition = ", unless the proxy sends SCRIPT_NAME" if gunicorn else ""
        yield Finding(
            f"The site is mounted at {mount} ({case.deployment.mount.evidence}), and nothing "
            f"tells Django: links and redirects lead to the root of the host{condition}.",
            f'Set FORCE_SCRIPT_NAME = "{mount}".',
            where,
            "W" if gunicorn else "E",
        )


def _told_otherwise(case: Case, mount: str) -> bool:
    """Whether the server's environment, a wrapper or the URLconf itself carries the mount."""
    prefix = mount.strip("/")
    routes = [view.route.lstrip("^") for view in case.project.views.views]
    return (
        any(_below(route.rstrip("/"), prefix) for route in routes)
        or bool(os.environ.get("SCRIPT_NAME"))
        or any("root" in option and "path" in option for option in case.plan.argv)
        or bool(case.entry.wrappers or case.entry.mounts)
        or bool(case.project.views.error)
    )


@rule(341, "W")
def url_outside_mount(case: Case) -> Iterator[Finding]:
    """A URL in the settings leads out of the mount point.

    The site is mounted below a path, and `LOGIN_URL`, `LOGIN_REDIRECT_URL` or
    `LOGOUT_REDIRECT_URL` is the path of one of its own routes without it; or the site serves
    `STATIC_URL` itself, outside of it.

    ## Why is this bad?
    Django takes these as they are, without `FORCE_SCRIPT_NAME`: who has to log in is sent to
    the root of the host, unless the proxy hands that path to this site as well.

    ## Example
    ```python
    FORCE_SCRIPT_NAME = "/shop"
    LOGIN_URL = "/accounts/login/"
    ```

    ## Use instead
    ```python
    FORCE_SCRIPT_NAME = "/shop"
    LOGIN_URL = "login"  # the name of the route
    STATIC_URL = "static/"  # relative: Django puts the mount point before it
    ```

    ## Source
    Django's documentation, "LOGIN_URL" and "STATIC_URL".
    """
    mount = _mount(case)
    if not mount:
        return
    routes = {view.route for view in case.project.views.views}
    for name in ("LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL"):
        url = case.setting(name, str, "")
        path = local_path(url) or ""
        own = url.startswith("/") and path and {path, f"{path}/"} & routes
        if own and not _below(f"/{path}", mount):
            yield Finding(
                f"{name} is {url!r}, a route of this site, which is mounted at {mount}: the "
                "redirect leads out of it unless the proxy hands that path to the site too.",
                f"Use the name of the route, or {mount + url!r}.",
                case.set_at(name),
            )
    static = case.project.services.static
    url = static.url or ""
    path = local_path(url) or ""
    # Relative, it would have got the mount point from FORCE_SCRIPT_NAME (LazySettings).
    known = bool(case.setting("FORCE_SCRIPT_NAME", str, ""))
    if known and path and static.served_by and not _below(f"/{path}", mount):
        yield Finding(
            f"STATIC_URL is {url!r}, and the site, which serves it itself, is mounted at "
            f"{mount}: browsers ask outside of it, and get 404 unless the proxy hands that "
            "path to the site too.",
            f"Write it without the slash before it: STATIC_URL = {f'{path}/'!r}.",
            case.set_at("STATIC_URL"),
        )


@rule(342, "EI")
def cookie_path(case: Case) -> Iterator[Finding]:
    """The session cookie is for another path than the site's.

    The site is mounted below a path, and `SESSION_COOKIE_PATH` lies beside it (then browsers
    never send the cookie), or is the whole host.

    ## Why is this bad?
    Beside it, users log in and are not. On the whole host, sites that share the host and the
    name of the cookie log each other's users out.

    ## Example
    ```python
    FORCE_SCRIPT_NAME = "/shop"
    SESSION_COOKIE_PATH = "/store"
    ```

    ## Use instead
    ```python
    SESSION_COOKIE_PATH = "/shop"
    ```

    ## Source
    Django's documentation, "SESSION_COOKIE_PATH".
    """
    mount = _mount(case)
    path = case.setting("SESSION_COOKIE_PATH", str, "/")
    if not mount or not has_middleware(case, SESSION):
        return
    outer = path.rstrip("/")
    if outer and not _below(mount, outer) and not _below(outer, mount):
        yield Finding(
            f"SESSION_COOKIE_PATH is {path!r}, and the site is mounted at {mount}: browsers "
            "never send the cookie, and logging in has no effect.",
            f"Set SESSION_COOKIE_PATH = {mount!r}.",
            case.set_at("SESSION_COOKIE_PATH"),
        )
    elif not outer and case.setting("SESSION_COOKIE_NAME", str, "sessionid") == "sessionid":
        yield Finding(
            f"The site is mounted at {mount}, and its session cookie, sessionid, is one of the "
            "whole host: another Django site on it would log its users out.",
            f"Set SESSION_COOKIE_PATH = {mount!r}, or a SESSION_COOKIE_NAME of its own.",
            case.set_at("SESSION_COOKIE_PATH"),
            "I",
        )
