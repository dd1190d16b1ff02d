"""``manage.py deploycheck`` through real processes: exit statuses, options, outputs, what-if."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from docs import shown
from tests.checks.project import deploycheck, make_project
from tests.support import environment, manage, run_python

if TYPE_CHECKING:
    from pathlib import Path

# One finding of each level, one that is silenced, and one that differs between interfaces.
APP_CHECKS = """
from django.core import checks


@checks.register(deploy=True)
def levels(app_configs, **kwargs):
    return [
        checks.Info("Worth knowing.", id="app.I001"),
        checks.Warning("Not well.", hint="Better so.", id="app.W001"),
        checks.Warning("Known, and so wanted.", id="app.W002"),
    ]
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return make_project(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> Path:
    return make_project(
        tmp_path_factory.mktemp("faulty"),
        {"app/models.py": APP_CHECKS},
        settings='SILENCED_SYSTEM_CHECKS = ["app.W002", "deploytool.E999"]\n'
        "SECURE_HSTS_PRELOAD = False",
    )


def _line(path: Path, start: str) -> int:
    """The number of the line of ``path`` that begins with ``start``."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


# What it says, and how it ends


def test_a_sound_project_is_one_line_and_the_status_0(sound):
    done = manage(sound, "deploycheck")
    assert (done.returncode, done.stderr) == (0, "")
    *advice, judged, summary = done.stdout.splitlines()
    assert judged.startswith("Judged as: WSGI (default), Gunicorn ")
    assert re.fullmatch(r"No findings\.|\d+ info\.", summary)
    assert not any(line.startswith(("CRITICAL", "ERROR", "WARNING")) for line in advice)


def test_findings_are_sorted_placed_and_end_in_the_status_1(faulty):
    done = manage(faulty, "deploycheck")
    assert (done.returncode, done.stderr) == (1, "")
    headings = re.findall(r"(?m)^(CRITICAL|ERROR|WARNING|INFO) (\S+)(?:  (\S+))?$", done.stdout)
    levels = [level for level, _, _ in headings]
    assert levels == sorted(levels, key=["CRITICAL", "ERROR", "WARNING", "INFO"].index)
    line = _line(faulty / "site1" / "settings.py", "SILENCED_SYSTEM_CHECKS")
    assert ("WARNING", "deploytool.W003", f"site1/settings.py:{line}") in headings
    assert {("WARNING", "app.W001", ""), ("INFO", "app.I001", "")} <= set(headings)
    assert ("WARNING", "security.W021", "") in headings  # Django's own
    assert "    Not well.\n    → Better so.\n" in done.stdout
    assert "app.W002" not in done.stdout
    summary = r"\d+ warnings, \d+ info; \d+ at or above WARNING\. 1 silenced\."
    assert re.fullmatch(summary, done.stdout.splitlines()[-1])


def test_a_project_fresh_from_startproject_is_told_each_fault_once(tmp_path):
    shown.make_project("fresh", tmp_path)
    done = manage(tmp_path, "deploycheck")
    assert (done.returncode, done.stderr) == (1, "")
    headings = re.findall(r"(?m)^[A-Z]+ (\S+)(?:  (\S+))?$", done.stdout)
    places = dict(headings)
    assert len(places) == len(headings)
    # DEBUG is on and no host is named: Django's checks say so too, and less of it.
    assert places["deploytool.E050"].startswith("mysite/settings.py:")
    assert places["deploytool.E310"].startswith("mysite/settings.py:")
    assert done.stdout.count("answered 400") == 1
    assert not {"deploytool.E024", "security.W018", "security.W020"} & set(places)
    # Nothing that startproject writes is a fault of the code.
    of_code = [name for name in places if re.fullmatch(r"deploytool\.[EW][016]\d\d", name)]
    assert of_code == ["deploytool.E050"]
    [hint] = [line for line in done.stdout.splitlines() if "--explain" in line]
    identifier = hint.rpartition(" ")[2]
    assert f"deploytool.{identifier}" in places
    explained = manage(tmp_path, "deploycheck", "--explain", identifier)
    assert explained.stdout.startswith(f"deploytool.{identifier}: ")


def test_what_is_silenced_is_shown_when_asked_for(faulty):
    done = manage(faulty, "deploycheck", "-v", "2")
    assert "silenced: WARNING app.W002\n    Known, and so wanted.\n" in done.stdout


@pytest.mark.parametrize(("level", "status"), [("critical", 0), ("INFO", 1)])
def test_the_fail_level_decides_about_the_status(faulty, level, status):
    done = manage(faulty, "deploycheck", "--fail-level", level, "--format", "json")
    assert done.returncode == status
    report = json.loads(done.stdout)
    assert report["fail_level"] == level.upper()
    assert report["failed"] is (status == 1)


def test_advice_alone_does_not_fail(tmp_path):
    only_info = re.sub(r"        checks\.Warning.*\n", "", APP_CHECKS)
    project = make_project(tmp_path, {"app/models.py": only_info})
    done = manage(project, "deploycheck")
    assert done.returncode == 0
    assert re.fullmatch(r"\d+ info\.", done.stdout.splitlines()[-1])
    assert manage(project, "deploycheck", "--fail-level", "info").returncode == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--tag", "nothing"], "There is no tag 'nothing'. Tags: "),
        (["--database", "other"], "There is no database 'other' in DATABASES, but default."),
        (["--interface", "wsgi", "--server", "daphne"], "Daphne serves ASGI only"),
        (["--explain", "W999"], "There is no check 'W999': manage.py deploycheck --list."),
        (["--explain", "security.W018"], "is not one of deploytool's checks."),
        (["--output", "missing/report.txt"], "missing/report.txt cannot be written: No such"),
        (["--output", "."], ". cannot be written: Is a directory"),
        (["--workers", "0"], "not a whole number of at least 1"),
    ],
)
def test_what_cannot_be_judged_is_one_message_and_the_status_2(sound, args, says):
    before = sorted(sound.rglob("*"))
    done = manage(sound, "deploycheck", *args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(sound.rglob("*")) == before


def test_settings_that_no_plan_can_be_made_with_are_the_status_2(tmp_path):
    project = make_project(tmp_path, settings='DEPLOYTOOL = {"WORKRES": 3}')
    done = manage(project, "deploycheck", "--output", "report.json", "--format", "json")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("unknown key 'WORKRES'. Did you mean 'WORKERS'?")
    assert not (project / "report.json").exists()
    # And a finding where Django asks.
    done = manage(project, "check", "--deploy")
    assert done.returncode == 1
    assert "(deploytool.E002) The project cannot be judged: " in done.stderr
    assert "Did you mean 'WORKERS'?" in done.stderr


def test_an_exception_of_what_the_rules_rest_on_is_the_status_2_too(tmp_path):
    # Nothing that a project does wrong may raise there; this one reaches in.
    project = make_project(
        tmp_path,
        {
            "app/apps.py": """
                from django.apps import AppConfig


                class Sabotage(AppConfig):
                    name = "app"

                    def ready(self):
                        import deploytool.checks.registered as registered

                        def broken(*args):
                            raise KeyError("nobody expects it")

                        registered.inspect_deployment = broken
                """
        },
    )
    done = manage(project, "deploycheck")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be judged: KeyError: 'nobody expects it' (app/apps.py:11)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in manage(project, "deploycheck", "--traceback").stderr


# Where it goes


def test_a_report_is_written_to_a_file_and_summed_up(faulty, tmp_path):
    report = tmp_path / "report.json"
    report.write_text("of yesterday")
    report.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(report)
    done = manage(faulty, "deploycheck", "--format", "json", "--output", str(link))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{link}: ")
    assert " at or above WARNING." in done.stderr
    assert json.loads(report.read_text())["failed"] is True
    assert link.is_symlink()
    assert stat.S_IMODE(report.stat().st_mode) == 0o640
    assert sorted(tmp_path.iterdir()) == [link, report]
    done = manage(faulty, "deploycheck", "--output", os.devnull, "-v", "0")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_nothing_is_left_of_a_report_that_could_not_be_written(sound, tmp_path):
    # A file system that is full when the last byte is written: more than it may hold.
    report = tmp_path / "report.txt"
    report.write_text("of yesterday")
    script = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
        "sys.dont_write_bytecode = True\n"
        f"sys.argv = ['manage.py', 'deploycheck', '--output', {str(report)!r}]\n"
        "sys.path.insert(0, '')\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    done = run_python("-c", script, cwd=sound)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert report.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [report]


def _on_terminal(project: Path, *args: str, stdout: bool, stderr: bool, **env: str | None) -> str:
    """What deploycheck writes to standard output; which of its streams are a terminal."""
    parent, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "deploycheck", *args],
        cwd=project,
        env=environment(TERM="xterm", **env),
        stdin=subprocess.DEVNULL,
        stdout=terminal if stdout else subprocess.PIPE,
        stderr=terminal if stderr else subprocess.DEVNULL,
    )
    os.close(terminal)
    shown = b""
    if stdout:
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # Linux's way to say that nobody writes any more
                break
            if not part:
                break
            shown += part
        process.wait(60)
    else:
        shown = process.communicate(timeout=60)[0]
    os.close(parent)
    return shown.decode()


def test_colours_are_for_a_terminal_and_never_for_a_pipe(faulty):
    coloured = _on_terminal(faulty, stdout=True, stderr=False)
    assert re.search(r"\x1b\[\d[\d;]*mWARNING deploytool\.W003\x1b\[0m  site1/", coloured)
    assert "\x1b[" not in _on_terminal(faulty, stdout=False, stderr=True)
    assert "\x1b[" not in _on_terminal(faulty, stdout=True, stderr=True, NO_COLOR="1")
    assert "\x1b[" not in _on_terminal(faulty, "--no-color", stdout=True, stderr=True)
    assert "\x1b[" in _on_terminal(faulty, "--force-color", stdout=False, stderr=False)
    for kind in ("json", "github", "sarif"):
        shown = _on_terminal(faulty, "--force-color", "--format", kind, stdout=True, stderr=True)
        assert "\x1b[" not in shown


def test_only_the_report_reaches_stdout_whatever_the_project_prints(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/models.py": APP_CHECKS.replace(
                "    return [", "    print('a check speaks', flush=True)\n    return ["
            ),
            "site1/wsgi.py": """
                import os
                from django.core.wsgi import get_wsgi_application
                os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
                application = get_wsgi_application()
                print("an entry point speaks", flush=True)
                """,
        },
        settings="import atexit\natexit.register(print, 'the end speaks')",
    )
    with (project / "site1" / "urls.py").open("a") as urls:
        urls.write("import os\nprint('the URLconf speaks', flush=True)\nos.system('echo loud')\n")
    done = manage(project, "deploycheck", "--format", "json", PYTHONUNBUFFERED="1")
    report = json.loads(done.stdout)
    assert "app.W001" in {finding["id"] for finding in report["findings"]}
    for said in ("a check speaks", "the URLconf speaks", "loud", "the end speaks"):
        assert said in done.stderr


# What it judges


def test_options_state_the_deployment_above_the_settings(tmp_path):
    stated = """
        DEPLOYTOOL = {
            "REPLICAS": 2, "PROXY": "10.0.0.1", "TLS": "proxy", "CONTAINER": True,
            "MOUNT": "/a", "STOP_GRACE": 5, "STATIC": "proxy",
        }
        """
    project = make_project(tmp_path, settings=stated)
    deployment = deploycheck(project)["deployment"]
    assert {key: fact["value"] for key, fact in deployment.items()} == {
        "replicas": 2,
        "proxy": True,
        "proxy_address": "10.0.0.1",
        "tls": "proxy",
        "container": True,
        "mount": "/a",
        "stop_grace": 5,
        "static": "proxy",
    }
    assert {fact["source"] for fact in deployment.values()} == {"setting"}
    assert deployment["mount"]["evidence"] == 'settings.DEPLOYTOOL["MOUNT"]'
    options = "--replicas 3 --proxy none --tls none --no-container --mount / --stop-grace 0"
    options += " --static elsewhere"
    deployment = deploycheck(project, *options.split())["deployment"]
    assert {key: fact["value"] for key, fact in deployment.items()} == {
        "replicas": 3,
        "proxy": False,
        "proxy_address": None,
        "tls": "none",
        "container": False,
        "mount": "/",
        "stop_grace": 0,
        "static": "elsewhere",
    }
    assert deployment["stop_grace"] == {"value": 0, "source": "option", "evidence": "--stop-grace"}
    done = manage(project, "deploycheck", *options.split(), "--workers", "3")
    assert "3 workers (option), replicas 3 (option), proxy no (option)" in done.stdout


def test_only_checks_with_a_tag(faulty):
    report = deploycheck(faulty, "--tag", "deploytool")
    assert {finding["id"].partition(".")[0] for finding in report["findings"]} == {"deploytool"}
    report = deploycheck(faulty, "-t", "security", "-t", "urls")
    assert {finding["id"].partition(".")[0] for finding in report["findings"]} == {"security"}


# A rule of which the finding depends on the interface, for sure and whatever else there is.
BY_INTERFACE = """
    from django.apps import AppConfig


    class Rules(AppConfig):
        name = "app"

        def ready(self):
            from deploytool.checks.rule import Finding, rule, rules

            rules()

            @rule(998, "WE")
            def only_asgi(case):
                if case.asgi:
                    yield Finding("Only with ASGI.", "Stay.", "here")

            @rule(999, "W")
            def only_wsgi(case):
                if not case.asgi:
                    yield Finding("Only with WSGI.", "Go.", "here")

            @rule(997, "I")
            def both(case):
                yield Finding(f"Of {case.plan.interface}.", "So it is.", "here")

            rules.cache_clear()
    """


def test_what_if_marks_what_is_new_and_what_would_be_gone(tmp_path):
    project = make_project(
        tmp_path, {"app/apps.py": BY_INTERFACE}, settings='DEPLOYTOOL = {"SERVER": "gunicorn"}'
    )
    report = deploycheck(project, "--what-if", "asgi")
    changes = {finding["id"]: finding["change"] for finding in report["findings"]}
    assert {identifier: changes[identifier] for identifier in changes if "99" in identifier} == {
        "deploytool.W998": "new",
        "deploytool.W999": "gone",
        "deploytool.I997": None,
    }
    assert (report["what_if"], report["instead_of"]) == ("asgi", "wsgi")
    assert report["plan"]["interface"] == "asgi"
    done = manage(project, "deploycheck", "--what-if", "asgi")
    assert done.returncode == 1
    assert re.match(
        r"As if served by ASGI \(Gunicorn [\d.]+\), instead of WSGI \(Gunicorn [\d.]+\):\n\n"
        r"New: \d+ findings?\n\n",
        done.stdout,
    )
    texts = re.split(r"(?m)^(?:New|Gone|The same): \d+ findings?\n\n", done.stdout)[1:]
    new, gone, same = texts
    assert "new: WARNING deploytool.W998  here\n    Only with ASGI.\n    → Stay.\n\n" in new
    assert "gone: WARNING deploytool.W999  here\n    Only with WSGI.\n    → Go.\n\n" in gone
    assert "\nINFO deploytool.I997  here\n    Of asgi.\n" in f"\n{same}"
    # What would be gone does not count.
    done = manage(project, "deploycheck", "--interface", "asgi", "--what-if", "wsgi")
    assert "gone: WARNING deploytool.W998" in done.stdout
    done = manage(project, "deploycheck", "--what-if", "wsgi")
    assert done.stdout.startswith("The plan is WSGI (Gunicorn ")
    assert "as it is: nothing would change." in done.stdout
    github = manage(project, "deploycheck", "--what-if", "asgi", "--format", "github").stdout
    assert "deploytool.W998" in github
    assert "deploytool.W999" not in github


def test_what_if_lays_aside_a_setting_that_speaks_against_it(tmp_path):
    project = make_project(
        tmp_path, settings='DEPLOYTOOL = {"SERVER": "daphne", "INTERFACE": "asgi"}'
    )
    report = deploycheck(project, "--what-if", "wsgi")
    assert (report["plan"]["interface"], report["plan"]["server"]) == ("wsgi", "gunicorn")
    # A server that the command line names is meant.
    done = manage(project, "deploycheck", "--what-if", "wsgi", "--server", "uvicorn")
    assert done.returncode == 2
    assert "Uvicorn serves ASGI only" in done.stderr


def test_list_and_explain(sound):
    listed = manage(sound, "deploycheck", "--list")
    assert listed.returncode == 0
    lines = listed.stdout.splitlines()
    assert any(
        re.match(r"deploytool\.W003 +`SILENCED_SYSTEM_CHECKS` names a", row) for row in lines
    )
    numbers = [int(row.split()[0][-3:]) for row in lines]
    assert numbers == sorted(set(numbers))
    for name in ("deploytool.W003", "W003", "3"):
        page = manage(sound, "deploycheck", "--explain", name).stdout
        assert page.startswith("deploytool.W003: `SILENCED_SYSTEM_CHECKS` names a check")
        assert "\n## Use instead\n" in page


# Django's own command


@pytest.mark.parametrize("app", ["deploytool", "deploytool.apps.DeploytoolConfig"])
def test_check_deploy_finds_the_same(tmp_path, app):
    project = make_project(
        tmp_path,
        {"app/models.py": APP_CHECKS},
        settings=f"""
            INSTALLED_APPS = [{app!r}, *INSTALLED_APPS[1:]]
            SILENCED_SYSTEM_CHECKS = ["app.W002", "deploytool.E999"]
            SECURE_HSTS_PRELOAD = False
            """,
    )
    ours = deploycheck(project)
    done = manage(project, "check", "--deploy")
    assert done.returncode == 0
    found = sorted(re.findall(r"\(([\w.]+\.[EWI]\d+)\)", done.stderr))
    assert found == sorted(finding["id"] for finding in ours["findings"])
    line = _line(project / "site1" / "settings.py", "SILENCED_SYSTEM_CHECKS")
    assert f"site1/settings.py:{line}: (deploytool.W003)" in done.stderr
    assert manage(project, "check", "--deploy", "--tag", "deploytool").returncode == 0
    done = manage(project, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 1


def test_silencing_takes_it_out_of_both(tmp_path):
    silenced = 'SILENCED_SYSTEM_CHECKS = ["deploytool.E999", "deploytool.W003"]'
    project = make_project(tmp_path, settings=silenced)
    report = deploycheck(project)
    assert "deploytool.W003" not in {finding["id"] for finding in report["findings"]}
    assert [finding["id"] for finding in report["silenced"]] == ["deploytool.W003"]
    done = manage(project, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0
    assert "1 silenced" in done.stdout + done.stderr
    assert "W003" not in done.stderr


def test_check_without_deploy_loads_nothing_of_ours(sound):
    script = (
        "import sys, runpy, atexit\n"
        "sys.path.insert(0, '')\n"
        "show = lambda: print(sorted(m for m in sys.modules if m.startswith('deploytool')))\n"
        "atexit.register(show)\n"
        "sys.argv = ['manage.py', 'check']\n"
        "runpy.run_path('manage.py', run_name='__main__')\n"
    )
    done = run_python("-c", script, cwd=sound)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['deploytool', 'deploytool.apps']"


ASKED = """
    from django.apps import AppConfig


    class Asked(AppConfig):
        name = "app"

        def ready(self):
            from deploytool.checks.rule import Finding, rule, rules

            rules()

            @rule(999, "I")
            def asked(case):
                yield Finding(f"Databases: {case.databases}.", "So it is.", "here")

            rules.cache_clear()
    """


def test_a_database_is_asked_only_where_it_is_named(tmp_path):
    sqlite = 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}}'
    project = make_project(tmp_path, {"app/apps.py": ASKED}, settings=sqlite)
    assert "Databases: ()." in manage(project, "check", "--deploy").stderr
    done = manage(project, "check", "--deploy", "--database", "default")
    assert "Databases: ('default',)." in done.stderr
    assert "Databases: ()." in manage(project, "deploycheck").stdout
    done = manage(project, "deploycheck", "--database", "default")
    assert "Databases: ('default',)." in done.stdout
