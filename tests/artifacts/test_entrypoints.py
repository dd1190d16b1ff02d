"""wsgi.py and asgi.py: where they go, what they hold, and that servers can use them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import copy_project, manage, run_python

EXPECTED = Path(__file__).parent / "expected"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def generate(project: Path, *args: str, **env: str | None) -> str:
    """What ``deployfiles ARGS`` printed."""
    done = manage(project, "deployfiles", *args, "--noinput", **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(project: Path, script: str) -> str:
    """What ``script`` prints in a fresh interpreter, as a server's would be."""
    done = run_python("-c", script, cwd=project)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def application(project: Path, module: str, attribute: str = "application") -> str:
    """The class of the application, and the settings that it was loaded with."""
    return run(
        project,
        f"import os\nfrom {module} import {attribute} as application\n"
        "print(type(application).__name__, os.environ['DJANGO_SETTINGS_MODULE'])",
    )


@pytest.mark.parametrize(
    ("name", "artifact", "expected"),
    [
        ("files_plain", "wsgi", "plain_wsgi.py"),
        ("files_plain", "asgi", "plain_asgi.py"),
        ("files_split", "asgi", "split_asgi.py"),
        ("files_channels", "asgi", "channels_asgi.py"),
    ],
)
def test_whole_files(tmp_path, name, artifact, expected):
    project = copy_project(name, tmp_path)
    package = "config" if name == "files_split" else "site1"
    assert generate(project, artifact) == f"{package}/{artifact}.py: created\n"
    assert (project / package / f"{artifact}.py").read_text() == (EXPECTED / expected).read_text()


def test_one_routing_module(tmp_path):
    project = copy_project("files_channels", tmp_path)
    edit(project / "site1/settings.py", '    "news",\n', "")
    shutil.rmtree(project / "news")
    generate(project, "asgi")
    expected = (EXPECTED / "channels_one_asgi.py").read_text()
    assert (project / "site1/asgi.py").read_text() == expected


@pytest.mark.parametrize("app", ["django.contrib.sessions", "django.contrib.auth"])
def test_no_user_without_sessions_and_authentication(tmp_path, app):
    project = copy_project("files_channels", tmp_path)
    settings = project / "site1/settings.py"
    edit(settings, f'    "{app}",\n', "")
    edit(settings, '    "news",\n', "")
    shutil.rmtree(project / "news")
    generate(project, "asgi")
    expected = (EXPECTED / "channels_anonymous_asgi.py").read_text()
    assert (project / "site1/asgi.py").read_text() == expected


def test_apps_that_are_installed_by_their_configuration(tmp_path):
    project = copy_project("files_channels", tmp_path)
    settings = project / "site1/settings.py"
    edit(settings, '"django.contrib.auth"', '"django.contrib.auth.apps.AuthConfig"')
    generate(project, "asgi")
    expected = (EXPECTED / "channels_asgi.py").read_text()
    assert (project / "site1/asgi.py").read_text() == expected


def test_several_lists_of_routes_in_one_module(tmp_path):
    project = copy_project("files_channels", tmp_path)
    edit(project / "site1/settings.py", '    "news",\n', "")
    with (project / "chat/routing.py").open("a") as file:
        file.write('\nadmin_routes = [path("ws/admin/", ChatConsumer.as_asgi())]\n')
    generate(project, "asgi")
    text = (project / "site1/asgi.py").read_text()
    assert text.count("import chat.routing") == 1
    assert "*chat.routing.admin_routes,\n" in text
    assert "*chat.routing.websocket_urlpatterns,\n" in text
    assert application(project, "site1.asgi") == "ProtocolTypeRouter site1.settings"


CONVERSATION = """
import asyncio, json
from site1.asgi import application
from channels.testing import HttpCommunicator, WebsocketCommunicator

async def connect(path, origin):
    socket = WebsocketCommunicator(application, path, headers=[(b"origin", origin)])
    connected, _ = await socket.connect()
    return socket, connected

async def main():
    chat, connected = await connect("/ws/chat/", b"http://localhost")
    await chat.send_json_to("hello")
    answer = await chat.receive_json_from()
    news, _ = await connect("/ws/news/", b"http://127.0.0.1:8000")
    first = await news.receive_from()
    await chat.disconnect()
    await news.disconnect()
    _, foreign = await connect("/ws/chat/", b"http://evil.example")
    page = await HttpCommunicator(application, "GET", "/").get_response()
    print(json.dumps([connected, answer, first, foreign, page["status"], page["body"].decode()]))

asyncio.run(main())
"""


def test_websockets_and_pages_through_the_generated_application(tmp_path):
    project = copy_project("files_channels", tmp_path)
    edit(project / "site1/urls.py", 'HttpResponse("home")', 'HttpResponse(request.scope["type"])')
    generate(project, "asgi")
    answer = '{"model": "Message", "said": "hello", "user": "AnonymousUser"}'
    assert run(project, CONVERSATION) == f'[true, {answer}, "news", false, 200, "http"]'


def test_every_entry_point_works_in_a_fresh_interpreter(tmp_path):
    project = copy_project("files_plain", tmp_path)
    generate(project, "wsgi", "asgi")
    assert application(project, "site1.wsgi") == "WSGIHandler site1.settings"
    assert application(project, "site1.asgi") == "ASGIHandler site1.settings"


def test_split_settings_name_what_the_other_entry_point_names(tmp_path):
    project = copy_project("files_split", tmp_path)
    generate(project, "asgi")
    # The app of parts/ is found as well, without any help from the environment.
    assert application(project, "config.asgi") == "ASGIHandler config.settings.production"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.base"', "config.settings.base"),
        # A module that is not there, and a value that only running would tell.
        (
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "old.settings")',
            "config.settings.local",
        ),
        ('os.environ.setdefault("DJANGO_SETTINGS_MODULE", NAME)', "config.settings.local"),
        ("this is no Python", "config.settings.local"),
    ],
)
def test_the_settings_that_are_named(tmp_path, line, expected):
    project = copy_project("files_split", tmp_path)
    (project / "config/wsgi.py").write_text(f"import os\n{line}\n")
    generate(project, "asgi", DJANGO_SETTINGS_MODULE="config.settings.production")
    assert f'"DJANGO_SETTINGS_MODULE", "{expected}")' in (project / "config/asgi.py").read_text()


def test_without_another_name_it_is_the_loaded_settings(tmp_path):
    project = copy_project("files_split", tmp_path)
    (project / "config/wsgi.py").unlink()
    edit(project / "manage.py", 'setdefault("DJANGO_SETTINGS_MODULE"', 'setdefault("UNUSED"')
    generate(project, "asgi", DJANGO_SETTINGS_MODULE="config.settings.production")
    assert application(project, "config.asgi") == "ASGIHandler config.settings.production"


def into_classes(project: Path, *lines: str) -> None:
    """Turn the settings of ``files_plain`` into a class of django-configurations."""
    settings = project / "site1/settings.py"
    head, name, rest = settings.read_text().partition("SECRET_KEY")
    imports, base = head.split("\n\n", 1)
    body = "".join(f"    {line}\n" for line in [*(name + rest).splitlines(), *lines])
    loaded = "from configurations import Configuration\n"
    settings.write_text(f"{imports}\n\n{loaded}\n{base}\n\nclass Site(Configuration):\n{body}")
    edit(project / "manage.py", "django.core.management", "configurations.management")
    line = 'os.environ.setdefault("DJANGO_CONFIGURATION", "Site")\n'
    edit(project / "manage.py", "    from conf", f"    {line}    from conf")


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_settings_that_are_classes_are_loaded_by_what_knows_them(tmp_path, interface):
    project = copy_project("files_plain", tmp_path)
    into_classes(project)
    generate(project, interface)
    written = (project / f"site1/{interface}.py").read_text()
    loaded = f"from configurations.{interface} import get_{interface}_application  # noqa: E402\n"
    name = 'os.environ.setdefault("DJANGO_CONFIGURATION", "Site")\n'
    assert written.index(name) < written.index(loaded)
    assert "django.core" not in written
    handler = f"{interface.upper()}Handler"
    assert application(project, f"site1.{interface}") == f"{handler} site1.settings"


def test_settings_beside_manage_py(tmp_path):
    project = copy_project("files_plain", tmp_path)
    for name in ("settings.py", "urls.py"):
        shutil.move(project / "site1" / name, project / name)
    shutil.rmtree(project / "site1")
    edit(project / "manage.py", "site1.settings", "settings")
    edit(project / "settings.py", "site1.urls", "urls")
    assert generate(project, "wsgi", "asgi") == "wsgi.py: created\nasgi.py: created\n"
    assert application(project, "wsgi") == "WSGIHandler settings"
    assert application(project, "asgi") == "ASGIHandler settings"


def test_a_src_layout(tmp_path):
    project = copy_project("files_plain", tmp_path)
    (project / "src").mkdir()
    shutil.move(project / "site1", project / "src" / "site1")
    edit(
        project / "manage.py",
        "    from django",
        '    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))\n'
        "    from django",
    )
    assert generate(project, "asgi") == "src/site1/asgi.py: created\n"
    assert "sys.path" not in (project / "src/site1/asgi.py").read_text()
    assert application(project / "src", "site1.asgi") == "ASGIHandler site1.settings"


def test_settings_of_another_name(tmp_path):
    project = copy_project("files_plain", tmp_path)
    (project / "site1/conf").mkdir()
    (project / "site1/conf/__init__.py").touch()
    shutil.move(project / "site1/settings.py", project / "site1/conf/live.py")
    edit(project / "manage.py", "site1.settings", "site1.conf.live")
    assert generate(project, "wsgi") == "site1/wsgi.py: created\n"
    assert application(project, "site1.wsgi") == "WSGIHandler site1.conf.live"


@pytest.mark.parametrize(
    ("setting", "path", "module", "attribute"),
    [
        ("site1.asgi.app", "site1/asgi.py", "site1.asgi", "app"),
        ("site1.serving.asgi.application", "site1/serving/asgi.py", "site1.serving.asgi", None),
        ("gateway.site", "gateway.py", "gateway", "site"),
    ],
)
def test_the_setting_says_where(tmp_path, setting, path, module, attribute):
    project = copy_project("files_plain", tmp_path)
    with (project / "site1/settings.py").open("a") as file:
        file.write(f'ASGI_APPLICATION = "{setting}"\n')
    assert generate(project, "asgi") == f"{path}: created\n"
    found = application(project, module, attribute or "application")
    assert found == "ASGIHandler site1.settings"
    assert generate(project, "asgi") == f"{path}: unchanged\n"


def test_a_package_is_not_shadowed(tmp_path):
    project = copy_project("files_plain", tmp_path)
    (project / "site1/asgi").mkdir()
    (project / "site1/asgi/middleware.py").touch()
    assert generate(project, "asgi") == "site1/asgi/__init__.py: created\n"
    assert application(project, "site1.asgi") == "ASGIHandler site1.settings"


def test_beside_the_other_entry_point(tmp_path):
    project = copy_project("files_plain", tmp_path)
    with (project / "site1/settings.py").open("a") as file:
        file.write('WSGI_APPLICATION = "deploy.wsgi.application"\n')
    created = generate(project, "wsgi", "asgi")
    assert created == "deploy/wsgi.py: created\ndeploy/asgi.py: created\n"
    assert generate(project, "wsgi", "asgi") == created.replace("created", "unchanged")
    assert application(project, "deploy.asgi") == "ASGIHandler site1.settings"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('"chat.routing.application"', "holds something else"),
        ('"site1.wsgi.application"', "holds something else"),
        ('"channels.routing.application"', "is not part of this project"),
        ('"application"', "does not name an attribute of a module"),
        ("object()", "has to be a dotted path"),
    ],
)
def test_a_setting_that_no_file_can_fulfil(tmp_path, setting, message):
    project = copy_project("files_channels", tmp_path)
    generate(project, "wsgi")
    with (project / "site1/settings.py").open("a") as file:
        file.write(f"ASGI_APPLICATION = {setting}\n")
    done = manage(project, "deployfiles", "asgi", "--noinput")
    assert done.returncode == 1
    assert message in done.stderr
    assert 'Set ASGI_APPLICATION = "site1.asgi.application"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "site1/asgi.py").exists()


def test_settings_from_no_module(tmp_path):
    project = copy_project("files_plain", tmp_path)
    (project / "manage.py").write_text(
        "import sys\nfrom django.conf import settings\n"
        "settings.configure(SECRET_KEY='x', INSTALLED_APPS=['deploytool'],"
        " ROOT_URLCONF='site1.urls')\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(sys.argv)\n"
    )
    done = manage(project, "deployfiles", "wsgi")
    assert done.returncode == 1
    assert "come from no module" in done.stderr
    assert "Traceback" not in done.stderr


BACKEND = (
    'TEMPLATES = [{"BACKEND": "django.template.backends.NAME", "DIRS": [BASE_DIR / "templates"]}]'
)
TEMPLATE = "# {{ module }} <{{ settings_module }}> {{ 1234.5 }}\n"


@pytest.mark.parametrize(
    "settings",
    [
        BACKEND.replace("NAME", "django.DjangoTemplates"),
        BACKEND.replace("NAME", "jinja2.Jinja2"),
        'INSTALLED_APPS.insert(0, "site1")',
    ],
)
def test_a_project_overrides_a_template(tmp_path, settings):
    project = copy_project("files_plain", tmp_path)
    with (project / "site1/settings.py").open("a") as file:
        file.write(f"{settings}\nUSE_THOUSAND_SEPARATOR = True\nLANGUAGE_CODE = 'de'\n")
    place = project / ("site1/templates" if "insert" in settings else "templates") / "deploytool"
    place.mkdir(parents=True)
    (place / "asgi.py.tpl").write_text(TEMPLATE)
    generate(project, "asgi")
    rest = (project / "site1/asgi.py").read_text().partition("\n")[2]
    assert rest == "# site1.asgi <site1.settings> 1234.5\n"


def test_a_template_with_an_error(tmp_path):
    project = copy_project("files_plain", tmp_path)
    with (project / "site1/settings.py").open("a") as file:
        file.write('INSTALLED_APPS.insert(0, "site1")\n')
    (project / "site1/templates/deploytool").mkdir(parents=True)
    (project / "site1/templates/deploytool/asgi.py.tpl").write_text("{% if %}")
    done = manage(project, "deployfiles", "asgi")
    assert done.returncode == 1
    assert "The template deploytool/asgi.py.tpl cannot be rendered" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_secret_is_written(tmp_path):
    project = copy_project("files_channels", tmp_path)
    edit(project / "site1/settings.py", "for tests only, not a secret", "hush-hush")
    generate(project, "wsgi", "asgi")
    for name in ("wsgi", "asgi"):
        assert "hush-hush" not in (project / f"site1/{name}.py").read_text()
