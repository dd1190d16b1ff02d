"""What deployment files start: faults of each kind, and sound files that are close to them."""

from __future__ import annotations

from tests.checks import stacks
from tests.checks.filed import files, judged, marked
from tests.checks.project import deploycheck, make_project

APPLICATIONS = """
services:
  crossed:
    image: site
    command: gunicorn --bind 0.0.0.0:8000 site1.asgi:application  #! E700
  crossed_too:
    image: site
    command: uvicorn --host 0.0.0.0 site1.wsgi:application  #! E700
  default:
    image: site
    command: granian --host 0.0.0.0 site1.wsgi:application  #! E700
  worker_class:
    image: site
    command: gunicorn -k uvicorn_worker.UvicornWorker -b 0.0.0.0:8000 site1.wsgi  #! E700
  renamed:
    image: site
    command: gunicorn --bind 0.0.0.0:8000 site1.oldname.wsgi  #! E701
  dotted:
    image: site
    command: gunicorn --bind 0.0.0.0:8000 site1.wsgi.application  #! E701
  attribute:
    image: site
    command: gunicorn --bind 0.0.0.0:8000 site1.wsgi:app  #! E701
  bare:
    image: site
    command: uvicorn --host 0.0.0.0 site1.asgi  #! E701
  settings:
    image: site
    command: gunicorn --bind 0.0.0.0:8000 site1.wsgi
    environment:
      DJANGO_SETTINGS_MODULE: site1.settings_prod  #! E702
"""

# The same words, where each is right.
APPLICATIONS_SOUND = """
services:
  asgi_worker:
    image: site
    command: gunicorn -k asgi --bind 0.0.0.0:8000 site1.asgi:application
  uvicorn_worker:
    image: site
    command: gunicorn -k uvicorn_worker.UvicornWorker -b 0.0.0.0:8000 site1.asgi
  adapted:
    image: site
    command: uvicorn --host 0.0.0.0 --interface wsgi site1.wsgi:application
  granian:
    image: site
    command: granian --host 0.0.0.0 --interface wsgi site1.wsgi:application
  factory:
    image: site
    command: uvicorn --host 0.0.0.0 --factory site1.factory:make
  called:
    image: site
    command: gunicorn -b 0.0.0.0:8000 "site1.factory:make()"
  variable:
    image: site
    command: gunicorn -b 0.0.0.0:8000 $APPLICATION
  made:
    image: site
    command: gunicorn -b 0.0.0.0:8000 site1.dynamic:anything
  elsewhere:
    image: someone/else
    command: gunicorn -b 0.0.0.0:8000 --chdir /srv/other other.wsgi
  settings:
    image: site
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    environment:
      DJANGO_SETTINGS_MODULE: site1.settings_local
  chosen:
    image: site
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    environment:
      DJANGO_SETTINGS_MODULE: ${SETTINGS:-site1.missing}
"""


BESIDE = {
    "site1/factory.py": """
        from django.core.asgi import get_asgi_application


        def make():
            return get_asgi_application()
        """,
    "site1/dynamic.py": """
        def __getattr__(name):
            raise AttributeError(name)
        """,
}


CONTAINERS = """
services:
  loopback:
    build: .
    command: gunicorn site1.wsgi --bind 127.0.0.1:8000  #! E707
  default:
    build: .
    command: daphne site1.asgi:application  #! E707
  shell:
    build: .
    command: sh -c "python manage.py migrate && gunicorn -b 0.0.0.0:8000 site1.wsgi"  #! W705
  script:
    build: .
    command: /app/start.sh
  port:
    build: .
    command: gunicorn -b 0.0.0.0:8080 site1.wsgi
    ports:
      - "80:8000"  #! E708
  grace:
    build: .
    command: gunicorn -b 0.0.0.0:8000 --graceful-timeout 60 site1.wsgi
    stop_grace_period: 30s  #! W706
  docker_grace:  #! W706
    build: .
    command: uvicorn --host 0.0.0.0 --timeout-graceful-shutdown 25 site1.asgi:application
  daemon:
    build: .
    command: gunicorn -b 0.0.0.0:8000 --daemon site1.wsgi  #! E709
  traefik:  #! E708
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    labels:
      traefik.http.services.site.loadbalancer.server.port: "80"
"""
START = """
#!/bin/sh
python manage.py collectstatic --noinput
gunicorn -b 0.0.0.0:8000 site1.wsgi  #! W705
"""
CONTAINERS_SOUND = """
services:
  sidecar:
    build: .
    command: gunicorn site1.wsgi --bind 127.0.0.1:8000
  proxy:
    image: nginx
    network_mode: service:sidecar
  host:
    build: .
    network_mode: host
    command: gunicorn site1.wsgi
  shell:
    build: .
    command: sh -c "python manage.py migrate && exec gunicorn -b 0.0.0.0:8000 site1.wsgi"
  bash:
    build: .
    command: bash -c "gunicorn -b 0.0.0.0:8000 site1.wsgi"
  script:
    build: .
    command: /app/start.sh
  traps:
    build: .
    command: /app/traps.sh
  dumb:
    build: .
    command: dumb-init sh -c "sleep 1; gunicorn -b 0.0.0.0:8000 site1.wsgi"
  port:
    build: .
    command: gunicorn -b 0.0.0.0:8080 site1.wsgi
    ports:
      - "127.0.0.1:${PORT:-80}:8080"
  open:
    build: .
    command: gunicorn -b 0.0.0.0:${PORT:-8000} site1.wsgi
    ports:
      - "80:9000"
  grace:
    build: .
    command: gunicorn -b 0.0.0.0:8000 --graceful-timeout 60 site1.wsgi
    stop_grace_period: 1m10s
  default_grace:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
"""
START_SOUND = """
#!/bin/sh
set -e
python manage.py collectstatic --noinput
exec gunicorn -b 0.0.0.0:8000 site1.wsgi
"""
TRAPS = """
#!/bin/bash
gunicorn -b 0.0.0.0:8000 site1.wsgi &
trap 'kill -TERM $!' TERM
gunicorn -b 0.0.0.0:8001 site1.wsgi
wait
"""
DOCKERFILE = """
FROM python:3.13-slim
WORKDIR /app
COPY . .
"""


def test_applications_and_settings(tmp_path):
    project = make_project(tmp_path, BESIDE)
    broken, expected = marked({"compose.prod.yaml": APPLICATIONS})
    sound = {"compose.prod.yaml": APPLICATIONS_SOUND, ".gitignore": "settings_local.py\n"}
    found, fine = judged(project, [files(broken), files(sound)])
    assert found.ids == expected
    texts = [found[each] for each in expected]
    assert "class sync" in texts[0]
    assert "500" in texts[0]
    assert "site1.wsgi:application" in texts[0]
    assert "--interface wsgi" in texts[2]
    assert "no module site1.oldname.wsgi" in texts[4]
    assert "site1.wsgi:application" in texts[4]
    assert "a colon" in texts[5]
    assert "no attribute app" in texts[6]
    assert "site1.settings is loaded" in texts[8]
    assert fine == {}


SHELL = DOCKERFILE + "CMD gunicorn site1.wsgi --bind 0.0.0.0:$PORT"
DEVELOPMENT = DOCKERFILE + "CMD python manage.py runserver 0.0.0.0:8000\n"


def test_containers(tmp_path):
    project = make_project(tmp_path)
    broken, expected = marked(
        {"Dockerfile": DOCKERFILE, "compose.prod.yaml": CONTAINERS, "start.sh": START}
    )
    sound = {
        "Dockerfile": DOCKERFILE,
        "compose.prod.yaml": CONTAINERS_SOUND,
        "start.sh": START_SOUND,
        "traps.sh": TRAPS,
    }
    image, expected_of_image = marked(
        {"Dockerfile": SHELL + "  #! W705", "Dockerfile.dev": DEVELOPMENT}
    )
    # BusyBox's shell becomes the last command.
    alpine = {"Dockerfile": SHELL.replace("3.13-slim", "3.13-alpine") + "\n"}
    found, fine, of_image, of_alpine = judged(
        project, [files(broken), files(sound), files(image), files(alpine)]
    )
    assert found.ids == expected
    texts = dict(zip(expected, (found[each] for each in expected), strict=True))
    assert "127.0.0.1:8000, its default" in texts["E707", "compose.prod.yaml:7"]
    assert "SIGTERM" in texts["W705", "start.sh:3"]
    assert "exec before gunicorn" in texts["W705", "start.sh:3"]
    assert "60 seconds" in texts["W706", "compose.prod.yaml:22"]
    assert "10 seconds" in texts["W706", "compose.prod.yaml:23"]
    assert fine == {}
    assert of_image.ids == expected_of_image
    assert of_alpine == {}


PROCFILE = {"Procfile": "web: gunicorn site1.wsgi\n"}
WATCHED = "web: python manage.py runserver 8000\ncss: npm run watch\n"
MOUNTED = "services:\n  web:\n    build: .\n    volumes: ['.:/app']\n    ports: ['8000:8000']\n"
UNIT = """
[Service]
Type=simple
ExecStart=/srv/venv/bin/gunicorn -c gunicorn.conf.py -D site1.wsgi  #! E709
WorkingDirectory=/srv/site
TimeoutStopSec=90
"""
STARTED = {
    "Procfile": "web: daphne site1.asgi:application  #! W710",
    "gunicorn.conf.py": 'timeout = "60s"  #! E711\nworkers = 2\n',
    "deploy/site.service": UNIT,
}
STARTED_SOUND = {
    "Procfile": "web: daphne -b 0.0.0.0 -p ${PORT} site1.asgi:application\n",
    "gunicorn.conf.py": "timeout = 60\nworkers = 2\n",
    "deploy/site.service": UNIT.replace("simple", "forking").replace("  #! E709", ""),
}


def test_servers_of_development_platforms_and_units(tmp_path):
    project = make_project(tmp_path)
    started, expected = marked(STARTED)
    reloading = {"Procfile": "web: uvicorn --reload --port $PORT site1.asgi:application\n"}
    found = judged(
        project,
        [
            files({"Dockerfile": DEVELOPMENT}),
            files({"Dockerfile": DEVELOPMENT, "compose.yaml": MOUNTED}),
            files({"Dockerfile": DEVELOPMENT, **PROCFILE}),
            files(reloading, "asgi"),
            files({"Procfile": WATCHED}),
            files(started),
            files(STARTED_SOUND),
            files(PROCFILE),
            files(PROCFILE, "asgi"),
        ],
    )
    assert found[0].ids == [("W704", "Dockerfile:4")]
    assert "runserver_gateway" in found[0]["W704", "Dockerfile:4"]
    assert found[1] == {}  # the source is mounted over the image: one to develop with
    assert found[2] == {}
    assert found[3].ids == [("W704", "Procfile:1")]
    assert found[4] == {}
    assert found[5].ids == expected
    assert found[6] == {}
    assert found[7] == {}
    assert found[8].ids == [("I703", "Procfile:1")]
    assert "--interface wsgi" in found[8]["I703", "Procfile:1"]


WEBSOCKETS = {
    "site1/asgi.py": """
        import os

        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.core.asgi import get_asgi_application
        from django.urls import path

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
        django_application = get_asgi_application()

        from app.consumers import Chat

        application = ProtocolTypeRouter(
            {
                "http": django_application,
                "websocket": URLRouter([path("ws/chat/", Chat.as_asgi())]),
            }
        )
        """,
    "app/consumers.py": """
        from channels.generic.websocket import WebsocketConsumer


        class Chat(WebsocketConsumer):
            pass
        """,
}


def test_websockets_and_only_servers_for_wsgi(tmp_path):
    project = make_project(tmp_path, WEBSOCKETS)
    beside = "ws: daphne -b 0.0.0.0 -p 9000 site1.asgi:application\n"
    found, fine = judged(
        project,
        [files(PROCFILE, "asgi"), files({"Procfile": PROCFILE["Procfile"] + beside}, "asgi")],
    )
    assert found.ids == [("W703", "Procfile:1")]
    assert "404" in found["W703", "Procfile:1"]
    assert fine == {}


SESSIONS = """
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
DEPLOYTOOL = {"WORKERS": 1}
"""


def test_state_of_one_process_and_a_file_that_starts_several(tmp_path):
    project = make_project(tmp_path, settings=SESSIONS)
    found, fine = judged(
        project,
        [
            files({"Procfile": "web: gunicorn --workers 3 site1.wsgi\n"}),
            files({"Procfile": "web: gunicorn --workers 1 --threads 8 site1.wsgi\n"}),
        ],
    )
    assert found.ids == [("E712", "Procfile:1")]
    assert "check 401" in found["E712", "Procfile:1"]
    assert "3 workers" in found["E712", "Procfile:1"]
    assert fine == {}


def test_sound_stacks(tmp_path):
    """Nothing at WARNING or above of any rule, and nothing at all of the deployment files."""
    project = make_project(tmp_path)
    names = sorted(stacks.SOUND)
    interfaces = ["asgi" if name in {"procfile_asgi", "uv"} else "wsgi" for name in names]
    sets = [files(stacks.SOUND[n], i) for n, i in zip(names, interfaces, strict=True)]
    for name, found in zip(names, judged(project, sets, 1, 999), strict=True):
        assert [each for each in found.ids if each[0][0] != "I"] == [], (name, found)
        assert [each for each in found.ids if each[0][1] == "7"] == [], (name, found)


def test_urls_of_other_types(tmp_path):
    """Nothing crashes where settings that nginx's locations are compared with are no text."""
    types = 'STATIC_URL = b"/files/"\nMEDIA_URL = b"/media/"\nSTATIC_ROOT = 7\n'
    project = make_project(tmp_path, stacks.COMPOSE, settings=types)
    report = deploycheck(project)
    assert [each for each in report["findings"] if each["id"] == "deploytool.W001"] == []
