"""Views, by walking the resolved URLconf of whole projects."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.support import PROJECTS, copy_project, facts

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = "from deploytool.project.views import inspect_views"


def inspect(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = facts(project, IMPORT, "inspect_views(os.getcwd())")
    return found


def by_route(project: Path) -> dict[str, dict[str, Any]]:
    found = inspect(project)
    assert found["error"] is None
    return {each["route"]: each for each in found["views"]}


def brief(view: dict[str, Any]) -> tuple[str, str, str]:
    return view["view"], view["mode"], view["kind"]


def append_urls(project: Path, package: str, text: str) -> Path:
    urls = project / package / "urls.py"
    urls.write_text(urls.read_text() + "\n" + text)
    return urls


def test_modes_and_names_of_every_way_to_write_a_view() -> None:
    found = by_route(PROJECTS / "view_zoo")
    shown = {
        route: (each["view"].removeprefix("zoo."), each["mode"], each["kind"])
        for route, each in found.items()
        if each["view"].startswith("zoo.")
    }
    assert shown == {
        "plain/": ("views.plain", "sync", "function"),
        "coroutine/": ("views.coroutine", "async", "function"),
        "private/": ("views.private", "async", "function"),
        "cached/": ("views.cached", "sync", "function"),
        "stamped/": ("views.stamped", "sync", "function"),
        # Django asks the wrapper, which is sync
        "forgotten/": ("views.forgotten", "sync", "function"),
        "awaited/": ("views.awaited", "async", "function"),
        "counted/": ("views.counted", "sync", "function"),
        "threaded/": ("views.plain", "async", "function"),
        "blocking/": ("views.coroutine", "sync", "function"),
        # load() is a helper, not the view
        "made/": ("decorators.page.<locals>.view", "sync", "function"),
        "sync/": ("views.Sync", "sync", "class"),
        "async/": ("views.Async", "async", "class"),
        "guarded/": ("views.Guarded", "async", "class"),
        "hidden/": ("views.Sync", "sync", "class"),
        "health/": ("views.Health", "sync", "class"),
        "evasive/": ("views.Evasive", "sync", "class"),
        "lambda/": ("urls.<lambda>", "sync", "function"),
        "partial/": ("views.plain", "sync", "function"),
        "partial-async/": ("views.coroutine", "async", "function"),
        "shop/": ("views.plain", "sync", "function"),
        "shop/<int:pk>/": ("views.plain", "sync", "function"),
        "shop/by-year/(?P<year>[0-9]{4})/$": ("views.coroutine", "async", "function"),
        "^legacy/old/$": ("views.plain", "sync", "function"),
        "en-us/about/": ("views.plain", "sync", "function"),
    }


def test_route_names_carry_their_namespaces() -> None:
    found = by_route(PROJECTS / "view_zoo")
    assert found["plain/"]["name"] == "plain"
    assert found["coroutine/"]["name"] is None
    assert found["shop/<int:pk>/"]["name"] == "main:detail"
    assert found["admin/login/"]["name"] == "admin:login"


def test_locations_are_those_of_the_users_code() -> None:
    found = by_route(PROJECTS / "view_zoo")
    source = (PROJECTS / "view_zoo" / "zoo" / "views.py").read_text().splitlines()
    for route, first_line in {
        "plain/": "def plain(request, pk=None):",
        "partial/": "def plain(request, pk=None):",
        "coroutine/": "async def coroutine(request):",
        "sync/": "class Sync(View):",
        "hidden/": "class Sync(View):",
        "health/": "class Health:",
        # a definition starts at its first decorator
        "guarded/": '@method_decorator(login_required, name="dispatch")',
        "stamped/": "@unsigned",
    }.items():
        location = found[route]["location"]
        assert location["path"] == "zoo/views.py"
        assert source[location["line"] - 1] == first_line, route


def test_routes_of_installed_apps_are_there_too() -> None:
    found = by_route(PROJECTS / "view_zoo")
    login = found["admin/login/"]
    assert brief(login) == ("django.contrib.admin.sites.AdminSite.login", "sync", "function")
    assert login["location"]["path"].endswith("django/contrib/admin/sites.py")


def test_rest_framework() -> None:
    found = by_route(PROJECTS / "drf")
    assert brief(found["status/"]) == ("api.views.Status", "sync", "drf")
    assert brief(found["ping/"]) == ("api.views.ping", "sync", "drf")
    assert found["ping/"]["location"]["path"] == "api/views.py"
    assert brief(found["^books/$"]) == ("api.views.Books", "sync", "drf")
    assert found["^books/$"]["name"] == "book-list"
    # one action of the viewset streams; the routes of the others do not
    streaming = {route for route, each in found.items() if each["streaming"]}
    assert streaming == {"^books/export/$", r"^books/export\.(?P<format>[a-z0-9]+)/?$"}
    assert found["^books/export/$"]["streaming"] == "sync"


def test_ninja() -> None:
    views = inspect(PROJECTS / "ninja_async")["views"]
    found = [
        (each["route"], *brief(each), each["streaming"], each["event_stream"])
        for each in views
        if each["kind"] == "ninja"
    ]
    api = "ninjaproject.api"
    assert found == [
        ("api/hello", f"{api}.hello", "sync", "ninja", None, False),
        ("api/slow", f"{api}.slow", "async", "ninja", None, False),
        # one view answers both operations of a path, so one async operation makes both async
        ("api/shop/items/<item>", f"{api}.read_item", "async", "ninja", None, False),
        ("api/shop/items/<item>", f"{api}.delete_item", "async", "ninja", None, False),
        ("api/shop/ticks", f"{api}.ticks", "async", "ninja", "async", True),
        ("api/shop/export", f"{api}.export", "sync", "ninja", "sync", False),
    ]
    assert views[2]["location"]["path"] == "ninjaproject/api.py"


def test_import_that_fails_in_an_included_app() -> None:
    found = inspect(PROJECTS / "broken_urlconf")
    assert found["urlconf"] == "broken.urls"
    assert found["views"] == []
    error = found["error"]
    assert error["type"] == "ModuleNotFoundError"
    assert "package_that_is_not_installed" in error["message"]
    assert error["location"] == {"path": "shop/views.py", "line": 2}
    assert [each["path"] for each in error["trail"]] == [
        "broken/urls.py",
        "shop/urls.py",
        "shop/views.py",
    ]


def test_nested_urlconf_that_fails_late_leaves_the_other_routes(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    (project / "broken" / "urls.py").write_text(
        "from django.http import HttpResponse\n"
        "from django.urls import URLResolver, path\n"
        "from django.urls.resolvers import RegexPattern\n"
        "urlpatterns = [\n"
        '    path("first/", HttpResponse),\n'
        '    URLResolver(RegexPattern(r"^shop/"), "shop.urls"),\n'
        '    path("last/", HttpResponse),\n'
        "]\n"
    )
    found = inspect(project)
    assert [each["route"] for each in found["views"]] == ["first/", "last/"]
    assert found["error"]["location"] == {"path": "shop/views.py", "line": 2}


def test_process_that_a_urlconf_ends(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    (project / "shop" / "views.py").write_text('raise SystemExit("no licence")\n')
    error = inspect(project)["error"]
    assert (error["type"], error["message"]) == ("SystemExit", "no licence")


def test_class_with_sync_and_async_handlers(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    (project / "shop" / "views.py").write_text(
        "from django.views import View\n"
        "class Mixed(View):\n"
        "    def get(self, request): ...\n"
        "    async def post(self, request): ...\n"
        "index = Mixed.as_view()\n"
    )
    error = inspect(project)["error"]
    assert error["type"] == "ImproperlyConfigured"
    assert "either be all sync or all async" in error["message"]
    assert error["location"] == {"path": "shop/views.py", "line": 5}


def test_urlconf_that_is_not_set(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    settings = project / "broken" / "settings.py"
    text = settings.read_text()
    for value in ("", "ROOT_URLCONF = None"):
        settings.write_text(text.replace('ROOT_URLCONF = "broken.urls"', value))
        found = inspect(project)
        assert (found["urlconf"], found["views"]) == (None, [])
        assert found["error"]["message"] == "settings.ROOT_URLCONF is not set"


def test_urlconf_that_does_not_exist(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    (project / "broken" / "urls.py").unlink()
    error = inspect(project)["error"]
    assert error["type"] == "ModuleNotFoundError"
    settings = (project / "broken" / "settings.py").read_text().splitlines()
    line = settings.index('ROOT_URLCONF = "broken.urls"') + 1
    assert error["location"] == {"path": "broken/settings.py", "line": line}


def test_pattern_of_the_wrong_kind(tmp_path: Path) -> None:
    project = copy_project("drf", tmp_path)
    append_urls(project, "api", 'urlpatterns += ["status/", path("more/", views.ping)]')
    found = inspect(project)
    assert "neither a path()" in found["error"]["message"]
    assert found["error"]["location"] == {"path": "api/urls.py", "line": None}
    assert found["views"][-1]["route"] == "more/"


def test_included_module_without_patterns(tmp_path: Path) -> None:
    project = copy_project("broken_urlconf", tmp_path)
    (project / "shop" / "urls.py").write_text("url_patterns = []\n")
    found = inspect(project)
    assert found["error"]["type"] == "ImproperlyConfigured"
    assert "does not appear to have any patterns" in found["error"]["message"]
    assert found["error"]["location"] == {"path": "shop/urls.py", "line": None}
    assert [each["route"] for each in found["views"]] == [""]


def test_urlconf_that_includes_itself_ends(tmp_path: Path) -> None:
    project = copy_project("drf", tmp_path)
    append_urls(
        project, "api", 'import api.urls\nurlpatterns += [path("again/", include("api.urls"))]'
    )
    routes = [each["route"] for each in inspect(project)["views"]]
    assert routes.count("status/") == 1
    assert routes.count("again/status/") == 1


def test_ten_thousand_routes_parse_no_more_than_they_must(tmp_path: Path) -> None:
    """Counts the work: of 100 modules with 100 views each, only the one that streams is parsed."""
    project = copy_project("broken_urlconf", tmp_path)
    shutil.rmtree(project / "shop")
    package = project / "broken"
    lines = ["from django.http import HttpResponse, StreamingHttpResponse"]
    lines += [f"def view_{number}(request): return HttpResponse()" for number in range(100)]
    for number in range(100):
        # no two alike: equal code objects are looked at once
        text = "\n".join([f"NUMBER = {number}", "\n" * number, *lines])
        if number == 7:
            text = text.replace(
                "view_9(request): return HttpResponse()",
                "view_9(request): return StreamingHttpResponse(['row'])",
            )
        (package / f"views_{number}.py").write_text(text)
    (package / "urls.py").write_text(
        "from importlib import import_module\n"
        "from django.urls import path\n"
        "modules = [import_module(f'broken.views_{number}') for number in range(100)]\n"
        "urlpatterns = [\n"
        "    path(f'{at}/{number}/', getattr(module, f'view_{number}'))\n"
        "    for at, module in enumerate(modules) for number in range(100)\n"
        "]\n"
    )
    views, parsed, seconds = facts(
        project,
        "import ast, time\nimport broken.urls\nfrom deploytool.project.views import inspect_views\n"
        "parsed = []\nparse = ast.parse\n"
        "ast.parse = lambda *args, **options: parsed.append(1) or parse(*args, **options)\n"
        "started = time.perf_counter()",
        "(inspect_views(os.getcwd()), len(parsed), time.perf_counter() - started)",
    )
    assert len(views["views"]) == 10_000
    assert [each["route"] for each in views["views"] if each["streaming"]] == ["7/9/"]
    assert parsed == 1
    assert seconds < 10  # 0.2 s where nothing else runs; the bound allows for busy machines
