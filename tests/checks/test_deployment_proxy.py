"""nginx and health checks before the project's servers, with faults and soundly."""

from __future__ import annotations

import pytest

from tests.checks.filed import files, judged, marked
from tests.checks.project import make_project
from tests.checks.test_deployment_files import DOCKERFILE, WEBSOCKETS

COMPOSE = """
services:
  web:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
  my_web:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
  nginx:
    image: nginx:1.27
    ports: ["80:80", "443:443"]
    volumes:
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
"""
STACK = {"Dockerfile": DOCKERFILE, "compose.prod.yaml": COMPOSE}

HEADERS = """
upstream app {
    server web:8000;
}
server {
    listen 443 ssl;
    location / {
        proxy_pass http://app;  #! E720, E721
    }
    location /named/ {
        proxy_pass http://my_web:8000;  #! E720
        proxy_set_header X-Forwarded-Proto $scheme;
    }
    location /client/ {
        proxy_pass http://web:8000;  #! W721
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
    }
}
server {
    listen 443 ssl;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto $scheme;
    location / {
        proxy_pass http://web:8000;  #! E720
        proxy_set_header X-Forwarded-Proto https;
    }
    location /fine/ {
        proxy_pass http://web:8000;
    }
}
"""
HEADERS_SOUND = """
server {
    listen 80;
    return 301 https://$host$request_uri;
}
server {
    listen 443 ssl;
    include snippets/ssl-params.conf;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto $scheme;
    location / {
        proxy_pass http://web:8000;
    }
    location /own/ {
        include proxy_params;
        proxy_pass http://web:8000;
    }
    location /included/ {
        include /etc/nginx/headers.conf;
        proxy_pass http://web:8000;
    }
    location /elsewhere/ {
        proxy_pass http://grafana:3000;
    }
}
server {
    listen 8080;
    location / {
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;
        proxy_pass http://web:8000;
    }
}
"""
INNER = """
server {
    listen 80;
    location / {
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_pass http://web:8000;  #! E721
    }
}
"""


def test_headers_of_a_request(tmp_path):
    project = make_project(tmp_path)
    broken, expected = marked({**STACK, "nginx.conf": HEADERS})
    only_http = {**STACK, "compose.prod.yaml": COMPOSE.replace(', "443:443"', "")}
    inner, expected_inner = marked({**only_http, "nginx.conf": INNER})
    found, fine, behind, on_a_host, plain, allowed = judged(
        project,
        [
            files(broken),
            files({**STACK, "nginx.conf": HEADERS_SOUND}),
            files(inner),
            # certbot may add TLS to a file of the host.
            files({**inner, "compose.prod.yaml": COMPOSE}),
            files(broken, SECURE_SSL_REDIRECT=False),
            files(broken, ALLOWED_HOSTS=["example.org", "app", "web"]),
        ],
    )
    assert found.ids == expected
    assert "Django gets app, which ALLOWED_HOSTS does not have" in found["E720", "nginx.conf:7"]
    assert "no valid host" in found["E720", "nginx.conf:10"]
    assert "X-Forwarded-Proto $scheme" in found["E721", "nginx.conf:7"]
    assert "without an end" in found["E721", "nginx.conf:7"]
    assert fine == {}
    assert behind.ids == expected_inner
    assert "$http_x_forwarded_proto" in behind["E721", "nginx.conf:6"]
    assert on_a_host == {}
    assert ("W721", "nginx.conf:7") in plain.ids  # forms are refused, nothing is redirected
    assert ("W720", "nginx.conf:7") in allowed.ids
    assert ("E720", "nginx.conf:10") in allowed.ids


STATIC = """
server {
    listen 443 ssl;
    location /static/ {
        root /srv/static;  #! E724
    }
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
server {
    listen 443 ssl;
    location /static/ {
        alias /srv/staticfiles;  #! E724
    }
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
server {
    listen 443 ssl;
    location /static {  #! W724
        alias /srv/staticfiles/;
    }
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
"""
STATIC_SOUND = """
server {
    listen 443 ssl;
    location /static/ {
        root /srv;
    }
    location /media/ {
        root /srv/media/other;
    }
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
server {
    listen 443 ssl;
    location /static/ {
        alias /srv/static/;
    }
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
server {
    listen 443 ssl;
    location /static/ {
        root /srv/static;
        try_files $uri @app;
    }
    location @app {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
"""
VOLUMES = """
services:
  web:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    volumes:
      - static:/app/static  #! E724
  nginx:
    image: nginx:1.27
    volumes:
      - ./nginx.conf:/etc/nginx/conf.d/default.conf:ro
      - static:/srv/static:ro
volumes:
  static:
"""
SERVED = STATIC_SOUND[: STATIC_SOUND.index("server {", 5)]
PORTS = """
server {
    listen 443 ssl;
    include proxy_params;
    location / {
        proxy_pass http://web:8001;  #! E725
    }
    location /uwsgi/ {
        uwsgi_pass web:8000;  #! E725
    }
    location /variable/ {
        proxy_pass http://$backend;
    }
    location /other/ {
        proxy_pass http://grafana:3000;
    }
}
"""
UWSGI = """
services:
  web:
    build: .
    command: uwsgi --socket :3031 --http-socket :8000 --module site1.wsgi
"""
UWSGI_SOUND = """
server {
    listen 443 ssl;
    include proxy_params;
    location / {
        include uwsgi_params;
        uwsgi_pass web:3031;
    }
    location /http/ {
        proxy_pass http://web:8000;
    }
}
"""


def test_static_files_and_ports(tmp_path):
    project = make_project(tmp_path)
    broken, expected = marked({**STACK, "nginx.conf": STATIC})
    volumes, of_volumes = marked({**STACK, "compose.prod.yaml": VOLUMES, "nginx.conf": SERVED})
    mounted = VOLUMES.partition("  #! ")[0].replace("/app/static", "/app/staticfiles")
    mounted += VOLUMES.partition("E724")[2]
    ports, of_ports = marked({**STACK, "nginx.conf": PORTS})
    found = judged(
        project,
        [
            files(broken),
            files({**STACK, "nginx.conf": STATIC_SOUND}),
            files(volumes),
            files({**volumes, "compose.prod.yaml": mounted}),
            files(ports),
            files({**STACK, "compose.prod.yaml": UWSGI, "nginx.conf": UWSGI_SOUND}),
        ],
    )
    assert found[0].ids == expected
    assert "/srv/static/static/" in found[0]["E724", "nginx.conf:4"]
    assert "/srv/staticfilesa.css" in found[0]["E724", "nginx.conf:14"]
    assert "/static../" in found[0]["W724", "nginx.conf:23"]
    assert found[1] == {}
    assert found[2].ids == of_volumes
    assert "/app/staticfiles" in found[2]["E724", "compose.prod.yaml:6"]
    assert found[3] == {}
    assert found[4].ids == of_ports
    assert "listens on 8000" in found[4]["E725", "nginx.conf:5"]
    assert "web:8000" in found[4]["E725", "nginx.conf:5"]
    assert found[5] == {}


ASGI = COMPOSE.replace("gunicorn -b 0.0.0.0:8000 site1.wsgi", "SERVER")
DAPHNE = ASGI.replace("SERVER", "daphne -b 0.0.0.0 -p 8000 site1.asgi:application")
UVICORN = ASGI.replace("SERVER", "uvicorn --host 0.0.0.0 site1.asgi:application")
HELD = """
server {
    listen 443 ssl;
    location / {
        include proxy_params;
        proxy_pass http://web:8000;  #! E722, W723
    }
}
"""
PASSED = """
server {
    listen 443 ssl;
    proxy_http_version 1.1;
    location / {
        include proxy_params;
        proxy_pass http://web:8000;
    }
    location /ws/ {
        include proxy_params;
        proxy_pass http://web:8000;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
}
"""
OUTSIDE = """
server {
    listen 443 ssl;
    include /etc/nginx/locations.conf;
    location / {
        proxy_pass http://web:8000;
        include proxy_params;
    }
}
"""
STREAM = {
    **WEBSOCKETS,
    "app/views.py": """
        from django.http import HttpResponse, StreamingHttpResponse


        def home(request):
            return HttpResponse("home")


        async def events(request):
            async def numbers():
                yield b"data: 1"

            return StreamingHttpResponse(numbers(), content_type="text/event-stream")
        """,
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [path("", views.home), path("events/", views.events)]
        """,
}


def test_handshakes_and_event_streams(tmp_path):
    project = make_project(tmp_path, STREAM)
    held, expected = marked({**STACK, "compose.prod.yaml": DAPHNE, "nginx.conf": HELD})
    found = judged(
        project,
        [
            files(held, "asgi"),
            files({**held, "compose.prod.yaml": UVICORN}, "asgi"),
            files({**held, "nginx.conf": PASSED}, "asgi"),
            files({**held, "nginx.conf": OUTSIDE}, "asgi"),
        ],
    )
    assert found[0].ids == expected
    assert "ws/chat/" in found[0]["E722", "nginx.conf:5"]
    assert "Upgrade and Connection" in found[0]["E722", "nginx.conf:5"]
    assert "app.views.events" in found[0]["W723", "nginx.conf:5"]
    assert found[1].ids == [("E722", "nginx.conf:5")]
    assert found[2] == {}
    assert found[3] == {}


HEALTH = """
services:
  refused:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/health/"]  #! W730
  waited:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: wget -q --spider http://127.0.0.1:8000/health/ || exit 1  #! E730
  nginx:
    image: nginx
    depends_on:
      waited:
        condition: service_healthy
  redirected:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: "wget --header 'Host: example.org' http://localhost:8000/health/"  #! W731
  image:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
"""
CHECKED = (
    DOCKERFILE
    + 'HEALTHCHECK CMD python -c "import urllib.request as u; '
    + "u.urlopen('http://localhost:8000/health/')\"  #! W730"
)
HEALTH_SOUND = """
services:
  headers:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: >-
        wget --header 'Host: example.org' --header 'X-Forwarded-Proto: https'
        http://localhost:8000/health/
  not_failing:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD", "curl", "http://localhost:8000/health/"]
  not_following:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD", "curl", "-fsS", "-H", "Host: example.org", "http://localhost:8000/health/"]
  other_port:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:9000/health/"]
  other_path:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8000/alive"]
  port_alone:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      test: ["CMD-SHELL", "nc -z localhost 8000"]
  off:
    build: .
    command: gunicorn -b 0.0.0.0:8000 site1.wsgi
    healthcheck:
      disable: true
"""
ROUTED = {
    "site1/urls.py": """
        from django.urls import path

        from app import views

        urlpatterns = [path("", views.home), path("health/", views.home)]
        """,
}


def test_health_checks(tmp_path):
    project = make_project(tmp_path, ROUTED)
    broken, expected = marked({"Dockerfile": CHECKED, "compose.prod.yaml": HEALTH})
    sound = {"Dockerfile": DOCKERFILE, "compose.prod.yaml": HEALTH_SOUND}
    told = HEALTH.replace(
        "    healthcheck:", "    environment:\n      HOSTS: a.net,b.net\n    healthcheck:"
    )
    found, fine, exempt, elsewhere, known = judged(
        project,
        [
            files(broken),
            files(sound),
            files(broken, SECURE_REDIRECT_EXEMPT=[r"^health/$"]),
            # Other hosts than the source says: those of an environment.
            files(broken, ALLOWED_HOSTS=["a.net", "b.net"]),
            files(
                {**broken, "compose.prod.yaml": marked({"": told})[0][""]},
                ALLOWED_HOSTS=["a.net", "b.net"],
            ),
        ],
    )
    assert found.ids == expected
    assert "400" in found["W730", "compose.prod.yaml:6"]
    assert '"Host: example.org"' in found["W730", "compose.prod.yaml:6"]
    assert "nginx waits for" in found["E730", "compose.prod.yaml:11"]
    assert "SECURE_REDIRECT_EXEMPT" in found["W731", "compose.prod.yaml:21"]
    assert fine == {}
    assert ("W731", "compose.prod.yaml:21") not in exempt
    assert elsewhere == {}
    assert ("W730", "compose.prod.yaml:8") in known.ids


MIDDLEWARE = {
    **ROUTED,
    "app/middleware.py": """
        from django.http import HttpResponse


        def health(get_response):
            def middleware(request):
                if request.path == "/health/":
                    return HttpResponse("well")
                return get_response(request)

            return middleware
        """,
}


@pytest.mark.parametrize("first", [True, False])
def test_a_middleware_that_answers_before_the_host_is_looked_at(tmp_path, first):
    change = "insert(0, 'app.middleware.health')" if first else "append('app.middleware.health')"
    project = make_project(tmp_path, MIDDLEWARE, settings=f"MIDDLEWARE.{change}")
    broken, expected = marked({"Dockerfile": CHECKED, "compose.prod.yaml": HEALTH})
    (found,) = judged(project, [files(broken)])
    assert found.ids == ([] if first else expected)
