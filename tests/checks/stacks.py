"""Deployment files of typical sound stacks, written whole, for projects of the tests."""

from __future__ import annotations

# As cookiecutter-django lays them out: a directory for each image, scripts beside it.
COOKIECUTTER = {
    "docker-compose.production.yml": """
        volumes:
          production_postgres_data: {}
          production_traefik: {}

        services:
          django: &django
            build:
              context: .
              dockerfile: ./compose/production/django/Dockerfile
            image: shop_production_django
            depends_on:
              postgres:
                condition: service_healthy
              redis:
                condition: service_started
            env_file:
              - ./.envs/.production/.django
              - ./.envs/.production/.postgres
            command: /start
            restart: unless-stopped

          postgres:
            build:
              context: .
              dockerfile: ./compose/production/postgres/Dockerfile
            image: shop_production_postgres
            volumes:
              - production_postgres_data:/var/lib/postgresql/data
            env_file:
              - ./.envs/.production/.postgres
            healthcheck:
              test: ["CMD-SHELL", "pg_isready -U postgres"]
              interval: 5s

          traefik:
            build:
              context: .
              dockerfile: ./compose/production/traefik/Dockerfile
            depends_on:
              - django
            volumes:
              - production_traefik:/etc/traefik/acme
            ports:
              - '0.0.0.0:80:80'
              - '0.0.0.0:443:443'

          redis:
            image: docker.io/redis:7

          celeryworker:
            <<: *django
            image: shop_production_celeryworker
            command: /start-celeryworker
        """,
    "docker-compose.local.yml": """
        services:
          django:
            build:
              context: .
              dockerfile: ./compose/local/django/Dockerfile
            volumes:
              - .:/app:z
            ports:
              - '8000:8000'
            command: python manage.py runserver 0.0.0.0:8000
            environment:
              DEBUG: 1
          postgres:
            image: postgres:16
            ports:
              - '5432:5432'
        """,
    ".envs/.production/.django": """
        DJANGO_SETTINGS_MODULE=site1.settings
        WEB_CONCURRENCY=4
        """,
    ".envs/.production/.postgres": """
        POSTGRES_HOST=postgres
        POSTGRES_DB=shop
        """,
    "compose/production/django/Dockerfile": """
        # define an alias for the specific python version used in this file.
        FROM docker.io/python:3.13.2-slim-bookworm AS python

        # Python build stage
        FROM python AS python-build-stage
        ARG BUILD_ENVIRONMENT=production
        RUN apt-get update && apt-get install --no-install-recommends -y \\
          # dependencies for building Python packages
          build-essential \\
          # psycopg dependencies
          libpq-dev
        COPY ./requirements .
        RUN pip wheel --wheel-dir /usr/src/app/wheels \\
          -r ${BUILD_ENVIRONMENT}.txt

        # Python 'run' stage
        FROM python AS python-run-stage
        ARG BUILD_ENVIRONMENT=production
        ARG APP_HOME=/app
        ENV PYTHONUNBUFFERED=1
        ENV PYTHONDONTWRITEBYTECODE=1
        ENV BUILD_ENV=${BUILD_ENVIRONMENT}
        WORKDIR ${APP_HOME}
        RUN addgroup --system django \\
            && adduser --system --ingroup django django
        COPY --from=python-build-stage /usr/src/app/wheels /wheels/
        RUN pip install --no-cache-dir --no-index --find-links=/wheels/ /wheels/* \\
          && rm -rf /wheels/
        COPY --chown=django:django ./compose/production/django/entrypoint /entrypoint
        RUN sed -i 's/\\r$//g' /entrypoint
        RUN chmod +x /entrypoint
        COPY --chown=django:django ./compose/production/django/start /start
        RUN sed -i 's/\\r$//g' /start
        RUN chmod +x /start
        COPY ./compose/production/django/celery/worker/start /start-celeryworker
        RUN sed -i 's/\\r$//g' /start-celeryworker
        RUN chmod +x /start-celeryworker
        # copy application code to WORKDIR
        COPY --chown=django:django . ${APP_HOME}
        RUN chown -R django:django ${APP_HOME}
        USER django
        RUN DATABASE_URL="" DJANGO_SETTINGS_MODULE="site1.settings" python manage.py compilemessages
        ENTRYPOINT ["/entrypoint"]
        """,
    "compose/production/django/entrypoint": """
        #!/bin/bash

        set -o errexit
        set -o pipefail
        set -o nounset

        export DATABASE_URL="postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@${POSTGRES_HOST}/x"

        python << END
        import sys
        import time

        import psycopg

        while True:
            try:
                psycopg.connect(dbname="${POSTGRES_DB}")
                break
            except psycopg.OperationalError as error:
                sys.stderr.write("Waiting for PostgreSQL to become available...\\n")
            time.sleep(1)
        END

        >&2 echo 'PostgreSQL is available'

        exec "$@"
        """,
    "compose/production/django/start": """
        #!/bin/bash

        set -o errexit
        set -o pipefail
        set -o nounset

        python /app/manage.py collectstatic --noinput

        exec /usr/local/bin/gunicorn site1.wsgi --bind 0.0.0.0:5000 --chdir=/app
        """,
    "compose/production/django/celery/worker/start": """
        #!/bin/bash

        set -o errexit

        exec celery -A site1.celery_app worker -l INFO
        """,
    "compose/production/postgres/Dockerfile": """
        FROM docker.io/postgres:16
        COPY ./compose/production/postgres/maintenance /usr/local/bin/maintenance
        """,
    "compose/production/traefik/Dockerfile": """
        FROM docker.io/traefik:3.3.4
        COPY ./compose/production/traefik/traefik.yml /etc/traefik
        """,
    "compose/local/django/Dockerfile": """
        FROM python:3.13
        WORKDIR /app
        COPY . .
        CMD python manage.py runserver 0.0.0.0:8000
        """,
    "requirements/base.txt": """
        django==6.1.3
        whitenoise==6.12.0
        celery==5.5.0
        """,
    "requirements/production.txt": """
        -r base.txt
        gunicorn==27.0.1
        psycopg[c]==3.3.9
        """,
}

# A platform that runs the lines of a Procfile and routes to $PORT.
PROCFILE = {
    "Procfile": """
        release: python manage.py migrate --noinput
        web: gunicorn site1.wsgi --log-file -
        worker: celery -A site1 worker -l info
        """,
    "requirements.txt": """
        Django>=5.2
        gunicorn>=23
        psycopg[binary]
        whitenoise
        celery
        """,
    "runtime.txt": "python-3.13.1\n",
}

PROCFILE_ASGI = {
    "Procfile": "web: daphne -b 0.0.0.0 -p $PORT site1.asgi:application\n",
    "Procfile.dev": "web: python manage.py runserver 8000\n",
    "requirements.txt": "Django\ndaphne\n",
}

# One machine: nginx before Gunicorn on a socket that systemd opens.
SYSTEMD = {
    "deploy/gunicorn.socket": """
        [Unit]
        Description=gunicorn socket

        [Socket]
        ListenStream=/run/gunicorn.sock
        SocketUser=www-data

        [Install]
        WantedBy=sockets.target
        """,
    "deploy/gunicorn.service": """
        [Unit]
        Description=gunicorn daemon
        Requires=gunicorn.socket
        After=network.target

        [Service]
        Type=notify
        NotifyAccess=main
        User=www-data
        Group=www-data
        RuntimeDirectory=gunicorn
        WorkingDirectory=/srv/shop
        EnvironmentFile=/etc/shop.env
        ExecStart=/srv/shop/.venv/bin/gunicorn \\
            --access-logfile - \\
            --workers 3 \\
            --bind unix:/run/gunicorn.sock \\
            site1.wsgi:application
        ExecReload=/bin/kill -s HUP $MAINPID
        KillMode=mixed
        TimeoutStopSec=5
        PrivateTmp=true

        [Install]
        WantedBy=multi-user.target
        """,
    "deploy/nginx/site.conf": """
        server {
            listen 80;
            server_name example.org;
            return 301 https://$host$request_uri;
        }

        server {
            listen 443 ssl http2;
            server_name example.org;
            ssl_certificate /etc/letsencrypt/live/example.org/fullchain.pem;
            ssl_certificate_key /etc/letsencrypt/live/example.org/privkey.pem;

            location = /favicon.ico { access_log off; log_not_found off; }
            location /static/ {
                root /srv/shop;
            }

            location / {
                include proxy_params;
                proxy_pass http://unix:/run/gunicorn.sock;
            }
        }
        """,
    "requirements.txt": "Django\ngunicorn\n",
}

# One image, with uv.
UV = {
    "Dockerfile": """
        # syntax=docker/dockerfile:1
        FROM ghcr.io/astral-sh/uv:python3.13-bookworm-slim AS builder
        ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
        WORKDIR /app
        RUN --mount=type=cache,target=/root/.cache/uv \\
            --mount=type=bind,source=uv.lock,target=uv.lock \\
            --mount=type=bind,source=pyproject.toml,target=pyproject.toml \\
            uv sync --locked --no-install-project --no-dev
        COPY . /app
        RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev

        FROM python:3.13-slim-bookworm
        RUN useradd --system --create-home app
        COPY --from=builder --chown=app:app /app /app
        ENV PATH="/app/.venv/bin:$PATH" PYTHONUNBUFFERED=1
        WORKDIR /app
        RUN SECRET_KEY=build python manage.py collectstatic --noinput
        USER app
        EXPOSE 8000
        HEALTHCHECK CMD ["python", "/health.py"]
        CMD ["uvicorn", "site1.asgi:application", "--host", "0.0.0.0", "--port", "8000"]
        """,
    ".dockerignore": ".git\n.env\n.venv\n",
    "pyproject.toml": """
        [project]
        name = "shop"
        version = "1"
        dependencies = ["django>=6", "uvicorn[standard]>=0.34"]
        """,
    "uv.lock": """
        version = 1

        [[package]]
        name = "django"
        version = "6.1.3"

        [[package]]
        name = "uvicorn"
        version = "0.54.0"

        [[package]]
        name = "shop"
        version = "1"
        source = { virtual = "." }
        """,
}

# Compose with nginx before Gunicorn, static files in a volume that both mount.
COMPOSE = {
    "docker-compose.yml": """
        services:
          db:
            image: postgres:17
            restart: unless-stopped
            volumes:
              - pgdata:/var/lib/postgresql/data
            environment:
              POSTGRES_DB: shop
              POSTGRES_PASSWORD: ${DB_PASSWORD:?}
            healthcheck:
              test: ["CMD-SHELL", "pg_isready -U postgres"]

          web:
            build: .
            restart: unless-stopped
            command: gunicorn --config deploy/gunicorn.conf.py site1.wsgi:application
            env_file: .env
            volumes:
              - static:/app/staticfiles
            expose:
              - "8000"
            depends_on:
              db:
                condition: service_healthy
              migrate:
                condition: service_completed_successfully
            stop_grace_period: 40s

          migrate:
            build: .
            command: python manage.py migrate --noinput
            env_file: .env
            depends_on:
              db:
                condition: service_healthy

          nginx:
            image: nginx:1.27
            restart: unless-stopped
            ports:
              - "80:80"
              - "443:443"
            volumes:
              - ./deploy/nginx.conf:/etc/nginx/nginx.conf:ro
              - static:/srv/static:ro
              - /etc/letsencrypt:/etc/letsencrypt:ro
            depends_on:
              - web

        volumes:
          pgdata:
          static:
        """,
    "Dockerfile": """
        FROM python:3.13-slim
        ENV PYTHONUNBUFFERED=1
        WORKDIR /app
        COPY requirements.txt .
        RUN pip install --no-cache-dir -r requirements.txt
        COPY . .
        RUN useradd app && mkdir staticfiles && chown app staticfiles
        USER app
        ENTRYPOINT ["/app/deploy/entrypoint.sh"]
        """,
    "deploy/entrypoint.sh": """
        #!/bin/sh
        set -e
        python manage.py collectstatic --noinput
        exec "$@"
        """,
    "deploy/gunicorn.conf.py": """
        import multiprocessing

        bind = "0.0.0.0:8000"
        workers = multiprocessing.cpu_count() * 2 + 1
        worker_class = "gthread"
        threads = 4
        max_requests = 1000
        max_requests_jitter = 100
        accesslog = "-"
        """,
    "deploy/nginx.conf": """
        events { worker_connections 1024; }

        http {
            include mime.types;
            upstream app {
                server web:8000;
            }
            server {
                listen 80;
                return 301 https://$host$request_uri;
            }
            server {
                listen 443 ssl;
                ssl_certificate /etc/letsencrypt/live/example.org/fullchain.pem;
                ssl_certificate_key /etc/letsencrypt/live/example.org/privkey.pem;
                client_max_body_size 20m;

                location /static/ {
                    alias /srv/static/;
                }
                location / {
                    proxy_pass http://app;
                    proxy_http_version 1.1;
                    proxy_set_header Host $host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header X-Forwarded-Proto $scheme;
                }
            }
        }
        """,
    ".gitignore": ".env\n",
    ".dockerignore": ".git\n.env\n",
    "requirements.txt": "Django\ngunicorn\npsycopg\n",
}

SOUND = {
    "cookiecutter": COOKIECUTTER,
    "procfile": PROCFILE,
    "procfile_asgi": PROCFILE_ASGI,
    "systemd": SYSTEMD,
    "uv": UV,
    "compose": COMPOSE,
}
"""Each stack, by its name."""
