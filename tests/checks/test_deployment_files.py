"""What deployment files start: faults of each kind, and sound files that are close to them."""

from __future__ import annotations

import pytest

from tests.checks import stacks
from tests.checks.project import deploycheck, make_project

# Everything that Compose would run, without what is another fault: on all addresses, by exec.
SERVICE = "--bind 0.0.0.0:8000"


def rules_of(project, *args, **env):
    """The findings of the block of deployment files."""
    report = deploycheck(project, *args, **env)
    return [
        finding
        for finding in report["findings"]
        if finding["id"].startswith("deploytool.") and finding["id"][-3:-2] == "7"
    ]


def places(findings):
    """Number, level, path and line of each finding."""
    return sorted(
        (int(each["id"][-3:]), each["level"], each["path"], each["line"]) for each in findings
    )


def numbered(text, path):
    """The places of the lines that end with ``# NUMBER LEVEL``, and the text of the file."""
    names = {"E": "ERROR", "W": "WARNING", "I": "INFO"}
    marked = []
    for line, content in enumerate(text.strip("\n").splitlines(), 1):
        _, hash_, mark = content.rpartition("  #! ")
        for each in mark.split(",") if hash_ else ():
            marked.append((int(each[1:]), names[each[0]], path, line))
    return sorted(marked)


def plain(text):
    """``text`` without its marks."""
    return "\n".join(line.partition("  #! ")[0] for line in text.splitlines())


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


def test_applications_and_settings_that_do_not_fit(tmp_path):
    project = make_project(tmp_path, {"compose.prod.yaml": plain(APPLICATIONS)})
    found = rules_of(project)
    assert places(found) == numbered(APPLICATIONS, "compose.prod.yaml")
    texts = {each["line"]: each["message"] + " " + each["hint"] for each in found}
    assert "class sync" in texts[4] and "500" in texts[4] and "site1.wsgi:application" in texts[4]
    assert "--interface wsgi" in texts[10]
    assert "no module site1.oldname.wsgi" in texts[16] and "site1.wsgi:application" in texts[16]
    assert "a colon" in texts[19]
    assert "no attribute app" in texts[22]
    assert "site1.settings is loaded" in texts[30]


def test_applications_that_fit(tmp_path):
    project = make_project(
        tmp_path,
        {
            "compose.prod.yaml": APPLICATIONS_SOUND,
            ".gitignore": "settings_local.py\n",
            "site1/factory.py": """
                from django.core.asgi import get_asgi_application


                def make():
                    return get_asgi_application()
                """,
            "site1/dynamic.py": """
                def __getattr__(name):
                    raise AttributeError(name)
                """,
        },
    )
    assert rules_of(project) == []


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


def test_containers_that_nobody_reaches_or_stops(tmp_path):
    project = make_project(
        tmp_path,
        {
            "Dockerfile": DOCKERFILE,
            "compose.prod.yaml": plain(CONTAINERS),
            "start.sh": plain(START),
        },
    )
    found = rules_of(project)
    expected = numbered(CONTAINERS, "compose.prod.yaml") + numbered(START, "start.sh")
    assert places(found) == sorted(expected)
    texts = {(each["path"], each["line"]): each["message"] + " " + each["hint"] for each in found}
    assert "127.0.0.1:8000, its default" in texts["compose.prod.yaml", 7]
    assert "SIGTERM" in texts["start.sh", 3] and "exec before gunicorn" in texts["start.sh", 3]
    assert "60 seconds" in texts["compose.prod.yaml", 22]
    assert "10 seconds" in texts["compose.prod.yaml", 23]


def test_containers_that_are_reached_and_stopped(tmp_path):
    project = make_project(
        tmp_path,
        {
            "Dockerfile": DOCKERFILE,
            "compose.prod.yaml": CONTAINERS_SOUND,
            "start.sh": START_SOUND,
            "traps.sh": TRAPS,
        },
    )
    assert rules_of(project) == []


def test_a_shell_form_of_an_image_for_development_beside(tmp_path):
    """The image in shell form; the same in a Dockerfile of development is nobody's matter."""
    shell = DOCKERFILE + "CMD gunicorn site1.wsgi --bind 0.0.0.0:$PORT\n"
    project = make_project(
        tmp_path,
        {
            "Dockerfile": shell,
            "Dockerfile.dev": DOCKERFILE + "CMD python manage.py runserver 0.0.0.0:8000\n",
        },
    )
    assert places(rules_of(project)) == [(705, "WARNING", "Dockerfile", 4)]
    alpine = shell.replace("3.13-slim", "3.13-alpine")
    (project / "Dockerfile").write_text(alpine.lstrip("\n"))
    assert rules_of(project) == []  # BusyBox's shell becomes the last command


def test_the_development_server_in_production(tmp_path):
    project = make_project(
        tmp_path,
        {"Dockerfile": DOCKERFILE + 'CMD ["python", "manage.py", "runserver", "0:8000"]\n'},
    )
    (finding,) = rules_of(project)
    assert places([finding]) == [(704, "WARNING", "Dockerfile", 4)]
    assert "runserver_gateway" in finding["hint"]
    # Compose mounts the source over it: the image is one to develop with.
    (project / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    volumes: ['.:/app']\n    ports: ['8000:8000']\n"
    )
    assert rules_of(project) == []
    (project / "compose.yaml").unlink()
    (project / "Dockerfile").unlink()
    (project / "Procfile").write_text("web: uvicorn --reload --port $PORT site1.asgi:application\n")
    assert places(rules_of(project, "--interface", "asgi")) == [(704, "WARNING", "Procfile", 1)]
    (project / "Procfile").write_text("web: python manage.py runserver 8000\ncss: npm run watch\n")
    assert rules_of(project) == []


def test_what_a_platform_or_an_init_system_starts(tmp_path):
    project = make_project(
        tmp_path,
        {
            "Procfile": "web: daphne site1.asgi:application\n",
            "gunicorn.conf.py": 'timeout = "60s"\nworkers = 2\n',
            "deploy/site.service": """
                [Service]
                Type=simple
                ExecStart=/srv/venv/bin/gunicorn -c gunicorn.conf.py -D site1.wsgi
                WorkingDirectory=/srv/site
                TimeoutStopSec=90
                """,
        },
    )
    assert places(rules_of(project)) == [
        (709, "ERROR", "deploy/site.service", 3),
        (710, "WARNING", "Procfile", 1),
        (711, "ERROR", "gunicorn.conf.py", 1),
    ]
    (project / "Procfile").write_text("web: daphne -b 0.0.0.0 -p ${PORT} site1.asgi:application\n")
    (project / "gunicorn.conf.py").write_text("timeout = 60\nworkers = 2\n")
    unit = project / "deploy" / "site.service"
    unit.write_text(unit.read_text().replace("simple", "forking"))
    assert rules_of(project) == []


def test_files_of_another_interface_than_the_plan(tmp_path):
    project = make_project(tmp_path, {"Procfile": "web: gunicorn site1.wsgi\n"})
    assert rules_of(project) == []
    (finding,) = rules_of(project, "--interface", "asgi")
    assert places([finding]) == [(703, "INFO", "Procfile", 1)]
    assert "--interface wsgi" in finding["hint"]


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
    project = make_project(tmp_path, {**WEBSOCKETS, "Procfile": "web: gunicorn site1.wsgi\n"})
    (finding,) = rules_of(project)
    assert places([finding]) == [(703, "WARNING", "Procfile", 1)]
    assert "404" in finding["message"]
    with (project / "Procfile").open("a") as file:
        file.write("ws: daphne -b 0.0.0.0 -p 9000 site1.asgi:application\n")
    assert rules_of(project) == []


SESSIONS = """
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
DEPLOYTOOL = {"WORKERS": 1}
"""


def test_state_of_one_process_and_a_file_that_starts_several(tmp_path):
    project = make_project(
        tmp_path,
        {"Procfile": "web: gunicorn --workers 3 site1.wsgi\n"},
        settings=SESSIONS,
    )
    (finding,) = rules_of(project)
    assert places([finding]) == [(712, "ERROR", "Procfile", 1)]
    assert "check 401" in finding["message"] and "3 workers" in finding["message"]
    (project / "Procfile").write_text("web: gunicorn --workers 1 --threads 8 site1.wsgi\n")
    assert rules_of(project) == []


@pytest.mark.parametrize("name", sorted(stacks.SOUND))
def test_sound_stacks(tmp_path, name):
    project = make_project(tmp_path, stacks.SOUND[name])
    report = deploycheck(
        project, "--interface", "asgi" if "asgi" in name or name == "uv" else "wsgi"
    )
    said = [each for each in report["findings"] if each["id"].startswith("deploytool.")]
    assert [each for each in said if each["level"] != "INFO"] == []
    assert [each for each in said if each["id"][-3:-2] == "7"] == []


@pytest.mark.parametrize("name", ["STATIC_URL", "MEDIA_URL"])
def test_urls_of_other_types(tmp_path, name):
    """Nothing crashes where a setting that nginx's locations are compared with is no text."""
    project = make_project(tmp_path, {**stacks.COMPOSE}, settings=f'{name} = b"/files/"\n')
    report = deploycheck(project)
    assert [each for each in report["findings"] if each["id"] == "deploytool.W001"] == []
