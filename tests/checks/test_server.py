"""The checks of the server: what it reads beside the plan, and whether it is required."""

from __future__ import annotations

import pytest

from deploytool.project.requirements import inspect_requirements
from deploytool.project.stack import read_stack
from tests.checks.project import found, make_project

WSGI = ("--interface", "wsgi", "--server", "gunicorn", "--workers", "2")
ASGI = ("--interface", "asgi", "--server", "uvicorn")


def messages(project, number, *args, **env):
    """Id without prefix, place and message of each finding of ``number``."""
    return [
        (each["id"].removeprefix("deploytool."), f"{each['path']}:{each['line']}", each["message"])
        for each in found(project, number, *args, **env)
    ]


# 213: what Gunicorn reads beside the plan

CONF = """
    import multiprocessing

    workers = multiprocessing.cpu_count() * 2 + 1
    timeout = 120
    max_requests = 1000
    """


def test_a_configuration_file_that_undoes_the_plan(tmp_path):
    conf = """
        daemon = True
        reload = True
        certfile = "/etc/site.pem"
        raw_env = ["LANG=C", "DJANGO_SETTINGS_MODULE=site1.other"]
        """
    project = make_project(tmp_path, {"gunicorn.conf.py": conf})
    findings = messages(project, 213, *WSGI)
    assert [finding[:2] for finding in findings] == [
        ("W213", f"gunicorn.conf.py:{line}") for line in (1, 2, 3, 4)
    ]
    texts = [finding[2] for finding in findings]
    assert "gunicorn.conf.py sets daemon = true" in texts[0]
    assert "ends at once" in texts[0]
    assert "watches all files" in texts[1]
    assert "no request over HTTP" in texts[2]
    assert "other settings than site1.settings" in texts[3]
    # Neither read by this server, nor below it.
    assert messages(project, 213, *ASGI) == []


def test_a_configuration_file_beside_the_plan(tmp_path):
    project = make_project(tmp_path, {"gunicorn.conf.py": CONF})
    [(identifier, place, text)] = messages(project, 213, *WSGI)
    assert (identifier, place) == ("I213", "gunicorn.conf.py:5")
    assert "in force beside the plan: max_requests = 1000" in text
    assert "without effect: timeout = 120 (planned: 30)" in text
    # The variable stands above the file.
    arguments = "--max-requests 7 --reload"
    reload, (identifier, place, text) = messages(project, 213, *WSGI, GUNICORN_CMD_ARGS=arguments)
    assert reload[0] == "W213"
    assert "$GUNICORN_CMD_ARGS sets reload" in reload[2]
    assert "max_requests = 7" in text


def test_what_gunicorn_reads_that_says_the_same_or_is_for_another_start(tmp_path):
    same = {
        "gunicorn.conf.py": """
            import os

            workers = 2
            timeout = 30
            raw_env = ["DJANGO_SETTINGS_MODULE=site1.settings"]
            wsgi_app = "site1.wsgi:application"

            def post_fork(server, worker):
                server.log.info("forked")
            """
    }
    [(identifier, _, text)] = messages(make_project(tmp_path / "same", same), 213, *WSGI)
    assert identifier == "I213"
    assert "without effect" not in text
    dockerfile = """
        FROM python:3.13-slim
        WORKDIR /app
        COPY . .
        CMD ["gunicorn", "site1.wsgi"]
        """
    files = {"gunicorn.conf.py": CONF, "Dockerfile": dockerfile}
    assert messages(make_project(tmp_path / "started", files), 213, *WSGI) == []
    # In a directory that Gunicorn is not started in, and not named.
    assert messages(make_project(tmp_path / "no", {"etc/gunicorn.conf.py": CONF}), 213, *WSGI) == []


# 214: requirements

SOUND = {
    "plain": {"requirements.txt": "Django>=5.2\nUvicorn==0.54.0  # served with\n"},
    "extra": {"requirements.txt": "Django[argon2]>=5.2\nuvicorn[standard]>=0.30\n"},
    "included": {
        "requirements/production.txt": "-r base.txt\nuvicorn\n",
        "requirements/base.txt": "Django\n",
    },
    "elsewhere": {"requirements.txt": "django\n-r ../common.txt\n"},
    "pyproject": {"pyproject.toml": '[project]\ndependencies = ["django~=5.2", "uvicorn"]\n'},
    "image": {
        "requirements.txt": "django\n",
        "Dockerfile": "FROM python:3.13\nRUN pip install -r requirements.txt && \\\n"
        "    pip install --no-cache-dir uvicorn\n",
    },
    "lock": {
        "pyproject.toml": '[project]\ndependencies = ["django"]\n',
        "uv.lock": '[[package]]\nname = "django"\n\n[[package]]\nname = "uvicorn"\n',
    },
    "nothing": {"requirements.txt": "requests\n"},
}
MISSING = {
    "plain": {"requirements.txt": "Django>=5.2\n# uvicorn\n"},
    "development": {
        "requirements.txt": "django\n",
        "requirements-dev.txt": "-r requirements.txt\nuvicorn\n",
    },
    "started": {
        "requirements.txt": "django\n",
        "Dockerfile": "FROM python:3.13\nRUN pip install -r requirements.txt\n"
        'CMD ["uvicorn", "site1.asgi:application"]\n',
    },
    "lock": {
        "pyproject.toml": '[project]\ndependencies = ["django", "uvicorn"]\n',
        "poetry.lock": '[[package]]\nname = "django"\n\n[package.extras]\nserving = ["uvicorn"]\n',
    },
}


def required(directory, distribution="uvicorn"):
    """Whether it is, for the files below ``directory``; None where nothing says so."""
    answer = inspect_requirements(read_stack(str(directory)))
    return answer.include(distribution) if answer.files and answer.complete else None


def written(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


@pytest.mark.parametrize("name", MISSING)
def test_requirements_without_a_server(tmp_path, name):
    assert required(written(tmp_path, MISSING[name])) is False


@pytest.mark.parametrize("name", SOUND)
def test_requirements_with_a_server(tmp_path, name):
    open_ = name in {"elsewhere", "nothing"}
    assert required(written(tmp_path, SOUND[name])) is (None if open_ else True)


def test_requirements_of_requirements(tmp_path):
    written(tmp_path, {"requirements.txt": "django\nChannels[Daphne]\n"})
    assert required(tmp_path, "daphne") is True
    other = written(tmp_path / "other", {"requirements.txt": "django\nchannels\n"})
    assert required(other, "daphne") is False


def test_a_server_that_is_not_required(tmp_path):
    project = make_project(tmp_path)
    written(project, MISSING["lock"])
    [finding] = found(project, 214, *ASGI)
    assert finding["id"] == "deploytool.W214"
    assert finding["path"] == "poetry.lock"
    assert "Uvicorn, which is installed here and is not in poetry.lock" in finding["message"]
    assert finding["hint"] == "Add uvicorn to the requirements and lock them again."
    written(project, {"poetry.lock": SOUND["lock"]["uv.lock"]})
    assert found(project, 214, *ASGI) == []
