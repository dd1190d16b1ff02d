"""Routing modules that lie beside the installed apps, used by an entry point or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import copy_project, facts

CONSUMERS = """\
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.urls import path

class Live(AsyncWebsocketConsumer):
    pass

"""


def inspect(project: Path) -> list[dict[str, Any]]:
    found = facts(
        project,
        "from deploytool.project.routing import inspect_routing",
        "inspect_routing(os.getcwd())",
    )
    assert isinstance(found, list)
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [f"{module['module']}:{module['attribute']}" for module in found]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project("channels_chat", tmp_path)


def test_the_routes_of_an_app(project):
    (module,) = inspect(project)
    assert (module["module"], module["attribute"]) == ("chat.routing", "websocket_urlpatterns")
    (route,) = module["routes"]
    assert route["route"] == r"ws/chat/(?P<room>\w+)/$"
    assert route["consumer"] == "chat.consumers.ChatConsumer"
    assert route["location"] == {"path": "chat/routing.py", "line": 6}
    assert route["instantiated"] is True


def test_a_module_of_any_name_that_makes_routes(project):
    (project / "chat" / "routing.py").rename(project / "chat" / "ws_urls.py")
    assert names(inspect(project)) == ["chat.ws_urls:websocket_urlpatterns"]


def test_a_subpackage_and_the_settings_package_and_the_base_directory(project):
    text = CONSUMERS + "mine = [path('x/', Live.as_asgi())]\n"
    (project / "chat" / "live").mkdir()
    (project / "chat" / "live" / "__init__.py").touch()
    (project / "chat" / "live" / "sockets.py").write_text(text)
    (project / "mysite" / "routing.py").write_text(text)
    (project / "routing.py").write_text(text)
    assert names(inspect(project)) == [
        "chat.live.sockets:mine",
        "chat.routing:websocket_urlpatterns",
        "mysite.routing:mine",
        "routing:mine",
    ]


@pytest.mark.parametrize(
    "routes",
    [
        (
            "from chat.routing import websocket_urlpatterns as chat\n"
            "all_routes = [*chat, path('x/', Live.as_asgi())]"
        ),
        (
            "import chat.routing\n"
            "all_routes = [path('ws/', URLRouter(chat.routing.websocket_urlpatterns))]"
        ),
    ],
)
def test_a_list_that_another_includes_is_left_out(routes, project):
    (project / "mysite" / "routing.py").write_text(CONSUMERS + routes + "\n")
    assert names(inspect(project)) == ["mysite.routing:all_routes"]


def test_an_imported_list_is_where_it_is_written(project):
    (project / "mysite" / "routing.py").write_text(
        "from chat.routing import websocket_urlpatterns  # noqa\n# path(\n"
    )
    assert names(inspect(project)) == ["chat.routing:websocket_urlpatterns"]


def test_a_consumer_without_as_asgi_is_seen(project):
    routing = project / "chat" / "routing.py"
    routing.write_text(routing.read_text().replace(".as_asgi()", ""))
    (module,) = inspect(project)
    assert module["routes"][0]["instantiated"] is False


def test_what_cannot_be_imported_or_holds_no_sockets_is_left_out(project):
    (project / "chat" / "routing.py").write_text("import nowhere\npath(x.as_asgi())\n")
    (project / "mysite" / "routing.py").write_text(
        "from django.urls import path\nfrom mysite.urls import urlpatterns\n"
        "views = list(urlpatterns)\n"
    )
    (project / "mysite" / "exits.py").write_text("import sys\nsys.exit()\npath(x.as_asgi())\n")
    assert inspect(project) == []


def test_a_project_without_channels_has_none(tmp_path):
    assert inspect(copy_project("entry_plain", tmp_path)) == []
