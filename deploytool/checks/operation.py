"""Security and operation, as far as ``check --deploy`` leaves them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from deploytool.checks.inference import infer
from deploytool.checks.rule import Finding, rule
from deploytool.checks.served_settings import served_debug
from deploytool.project.coroutines.tasks import left_tasks
from deploytool.project.lost_logs import lost_logs
from deploytool.project.mailers import backends_to_nowhere
from deploytool.project.settings_values import random_secret, texts_for_truth
from deploytool.project.started import running_here
from deploytool.servers import server_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploytool.checks.case import Case
    from deploytool.checks.rule import Letter
    from deploytool.project.facts import Background, EarlyConnection, Location
    from deploytool.project.settings_values import TextForTruth


@rule(50, "E", supersedes=("security.W018",))
def debug(case: Case) -> Iterator[Finding]:
    """DEBUG is on.

    In the settings that the project would be served with, as they are loaded here. Where
    `manage.py` names the settings for development and the entry point others, in which it is
    off, nothing is found.

    ## Why is this bad?
    An error shows its visitor the settings, the source around it and the local variables; a
    page that does not exist lists the URLconf. Each connection keeps its queries in memory.

    ## Example
    ```python
    DEBUG = True
    ```

    ## Use instead
    ```python
    DEBUG = False
    ```
    with `DEBUG = True` in settings of their own for development.

    ## Source
    Django's documentation, the setting `DEBUG` and "Deployment checklist".
    """
    if not served_debug(case) or isinstance(getattr(settings, "DEBUG", None), str):
        return
    served = case.entry.settings_module or case.project.settings_module
    other = served != case.project.settings_module
    yield Finding(
        f"DEBUG is on in {served or 'the settings'}: every error shows its visitor the settings "
        "and the source around it, and queries are kept in memory.",
        "Set DEBUG = False in the settings for production. If these are not they, name them: "
        "manage.py deploycheck --settings MODULE, with the environment of production.",
        case.entry.location if other else case.set_at("DEBUG"),
    )


@rule(51, "EW")
def secret_of_each_process(case: Case) -> Iterator[Finding]:
    """SECRET_KEY is made anew at each start.

    Two processes that load the same settings have two keys. A warning where the settings
    would take it from a variable of the environment, which is not set here, and where one
    process serves alone.

    ## Why is this bad?
    What one worker signs, the next one refuses: visitors are logged out from one request to
    the other, and messages, signed cookies and links for a new password are lost. With one
    process the same happens at each restart, which servers also do by themselves.

    ## Example
    ```python
    SECRET_KEY = os.environ.get("SECRET_KEY", get_random_secret_key())
    ```

    ## Use instead
    ```python
    SECRET_KEY = os.environ["SECRET_KEY"]
    ```
    which does not start without it.

    ## Source
    Django's documentation, the setting `SECRET_KEY`.
    """
    found = random_secret(case.project, case.entry)
    if found is None:
        return
    several = case.processes > 1
    follows = (
        f"{case.processes} processes sign with as many keys, and visitors are "
        "logged out from one request to the next"
        if several
        else "each restart logs all visitors out and loses what was signed"
    )
    if found.variables:
        names = " or ".join(found.variables)
        message = (
            f"SECRET_KEY is made anew by each process where {names} is not set in the "
            f"environment, as it is not here. Without it, {follows}."
        )
        hint = f"Read it without a default, so that nothing starts without {found.variables[0]}."
    else:
        message = f"SECRET_KEY is made anew by each process: {follows}."
        hint = 'Keep one key in the environment: SECRET_KEY = os.environ["SECRET_KEY"].'
    level: Letter = "E" if several and not found.variables else "W"
    yield Finding(message, hint, case.set_at("SECRET_KEY"), level)


@rule(52, "EWI", supersedes=("security.W018",))
def text_for_truth(case: Case) -> Iterator[Finding]:
    """A setting that has to be True or False is text.

    A variable of the environment is taken as it is. `"False"` is text that is not empty, and
    so it is true. Also where the variable is not set here and the settings would take it so.

    ## Why is this bad?
    `DEBUG=False` in the environment switches DEBUG on.

    ## Example
    ```python
    DEBUG = os.environ.get("DEBUG", False)
    ```

    ## Use instead
    ```python
    DEBUG = os.environ.get("DEBUG", "").lower() in {"1", "true", "yes"}
    ```
    or what reads the environment by type: `env.bool("DEBUG", default=False)` of
    django-environ, `config("DEBUG", default=False, cast=bool)` of python-decouple.

    ## Source
    Python's documentation, "Truth Value Testing" and `os.environ`.
    """
    for each in texts_for_truth(case.project):
        finding = _text_for_truth(case, each)
        if finding is not None:
            yield finding


def _text_for_truth(case: Case, found: TextForTruth) -> Finding | None:
    name = found.name
    if found.variable:
        hint = f'Compare its text: {name} = os.environ.get("{found.variable}", "").lower() in '
        return Finding(
            f"{name} takes the text of {found.variable} as it is, where that is set, as it is not "
            f"here: {found.variable}=False would switch {name} on.",
            hint + '{"1", "true", "yes"}.',
            case.set_at(name),
            "W",
        )
    hint = "Make it True or False where it is read: ... in {'1', 'true', 'yes'}."
    if found.says_no:
        return Finding(
            f"{name} is the text {found.value!r}, which is true: {name} is on.",
            hint,
            case.set_at(name),
            "E" if name == "DEBUG" else "W",
        )
    if name == "DEBUG":
        return Finding(
            f"DEBUG is on: it is the text {found.value!r}, as any text is, 'False' included.",
            hint,
            case.set_at(name),
            "E",
        )
    return Finding(
        f"{name} is the text {found.value!r}: it is on, and 'False' would not switch it off.",
        hint,
        case.set_at(name),
        "I",
    )


_KINDS = {
    "thread": "goes on in a thread",
    "timer": "waits for its time in a thread",
    "scheduler": "calls its jobs by time, in a thread",
    "process": "goes on in a process of its own",
}


@rule(53, "WI")
def background_work(case: Case) -> Iterator[Finding]:
    """Work goes on in the background of each process that serves.

    The import of the entry point, an `AppConfig.ready()` or the URLconf starts a scheduler, a
    timer, a process or a thread of the project's that does something over and over. Threads
    that only wait for what their process gives them are none, nor are those of thread pools
    and of what sends telemetry.

    ## Why is this bad?
    Each worker of each replica starts its own: mails are sent and invoices made as many times.
    Every management command starts it too, `migrate` and this one included, and it ends in the
    middle of its work whenever a worker is replaced.

    ## Example
    ```python
    class ShopConfig(AppConfig):
        def ready(self):
            scheduler = BackgroundScheduler()
            scheduler.add_job(send_invoices, "cron", hour=6)
            scheduler.start()
    ```

    ## Use instead
    A management command that runs the scheduler, as a service of its own with one replica; or
    the scheduler of a task queue, or cron.

    ## Source
    APScheduler's documentation, "Frequently Asked Questions"; Django's documentation,
    "Applications", `AppConfig.ready()`; https://github.com/jcass77/django-apscheduler/issues/135
    """
    started = case.entry.started
    if started is None:
        return
    seen = {each.runs for each in started.background}
    here = [each for each in running_here(case.project.base_dir) if each.runs not in seen]
    for found in (*started.background, *here):
        if not found.waiting and found.repeats:
            yield _background(case, found)


def _background(case: Case, found: Background) -> Finding:
    several = case.processes > 1
    times = (
        f"{case.processes} processes serve, and each has one: what it does is done "
        f"{case.processes} times"
        if several
        else "one process serves: with a second one, or a second replica, it is done twice"
    )
    where = f" (started at {found.started_at})" if found.started_at and found.location else ""
    return Finding(
        f"{found.runs} {_KINDS[found.kind]} as soon as {case.entry.application} is loaded"
        f"{where}; {times}.",
        "Run it as a service of its own, with one replica: a management command that starts it, "
        "or the scheduler of a task queue.",
        found.started_at or found.location,
        "W" if several else "I",
    )


@rule(54, "WEI")
def early_connection(case: Case) -> Iterator[Finding]:
    """The database is asked while the project is being loaded.

    The import of the entry point connects to a database: a query in `AppConfig.ready()`, or
    in the body of a module or class. Advice where the project goes on without an answer, and
    where it is not the project's own code; an error where a deployment file starts Gunicorn
    with `preload_app` and with workers that would use the connection.

    ## Why is this bad?
    Without the database nothing starts: not the server, and not `collectstatic` in a build.
    `migrate` fails before it can make the table that is asked for. The connection stays open
    in the main thread of each worker. Where the server loads the application before it makes
    its workers (Gunicorn's `preload_app`), they share its socket: sync workers, and those with
    a pool of connections, read each other's answers.

    ## Example
    ```python
    class ShopConfig(AppConfig):
        def ready(self):
            self.currencies = list(Currency.objects.all())
    ```

    ## Use instead
    ```python
    @functools.cache
    def currencies():
        return list(Currency.objects.all())
    ```

    ## Source
    Django's documentation, "Applications", `AppConfig.ready()`, and the warning "Accessing the
    database during app initialization is discouraged"; Gunicorn's documentation, `preload_app`.
    """
    started = case.entry.started
    seen: set[object] = set()
    for found in started.connections if started else ():
        key = (found.alias, found.location, found.module)
        if key not in seen:
            seen.add(key)
            yield _early(case, found)


def _early(case: Case, found: EarlyConnection) -> Finding:
    who = str(found.location) if found.location else found.module
    message = (
        f"{who} asks the database {found.alias!r} while {case.entry.application} is being loaded"
    )
    if not found.answered:
        message += ", and goes on without an answer, which it did not get here."
    else:
        message += ": without it, neither the server nor collectstatic in a build starts."
    preloads = _preloads(case, found.alias) if found.kept else None
    level: Letter = "W" if found.answered and found.location else "I"
    if preloads:
        level = "E"
        message += (
            f" {preloads} loads the application before it makes its workers: they use that one "
            "connection together, and read each other's answers."
        )
    elif found.kept:
        message += " The connection stays open; workers that are forked after that share it."
    return Finding(
        message,
        "Ask when the answer is needed first, and keep it then (functools.cache).",
        found.location or found.module,
        level,
    )


def _preloads(case: Case, alias: str) -> Location | None:
    """Where Gunicorn is told to preload, with workers that use connections of their parent.

    Those are the pools of a process, and the connection of its main thread, in which only
    sync workers answer requests.
    """
    pools = {each.alias for each in case.project.services.databases if each.pool}
    for _, launch in infer(case.project).served:
        option = launch.option("preload_app")
        if launch.server == "gunicorn" and option and launch.switched("preload_app"):
            sync = launch.value("worker_class") in {None, "sync"} and not launch.open(
                "worker_class", "threads"
            )
            if alias in pools or (sync and (launch.number("threads") or 1) == 1):
                return option.place
    return None


@rule(55, "EI")
def task_left_behind(case: Case) -> Iterator[Finding]:
    """A coroutine starts a task and does not wait for it.

    `asyncio.create_task()` in an async view or middleware, whose result nobody awaits. Under
    ASGI also in consumers, where nobody holds it.

    ## Why is this bad?
    Under WSGI an async view has an event loop of its own, and what still runs when the view
    has answered is cancelled: the work is not done. Under ASGI it goes on; but the event loop
    holds tasks weakly, so that one without a reference may vanish, what it raises is only
    seen when it is thrown away, and it ends in the middle when the worker does.

    ## Example
    ```python
    async def order(request):
        asyncio.create_task(send_confirmation(request.user))
        return HttpResponse("Thank you")
    ```

    ## Use instead
    A task queue, for what must be done. Under ASGI, for what may be lost:
    ```python
    task = asyncio.create_task(warm_cache())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    ```

    ## Source
    Python's documentation, `asyncio.create_task()`; Django's documentation, "Asynchronous
    support"; asgiref's `AsyncToSync`.
    """
    for task in left_tasks(case.project):
        if not case.asgi:
            if task.kind == "consumer":
                continue
            yield Finding(
                f"{task.root} starts {task.code} and answers without waiting for it. Under WSGI "
                "the view's event loop ends with it, and the task is cancelled.",
                "Await it, or give the work to a task queue.",
                task.location,
            )
        elif not task.held:
            yield Finding(
                f"{task.root} starts {task.code} and keeps no reference: the task may vanish "
                "before it is done, and what it raises is not seen.",
                "Keep it in a set until it is done (task.add_done_callback), or give the work to "
                "a task queue.",
                task.location,
                "I",
            )


@rule(56, "I")
def time_zone(case: Case) -> Iterator[Finding]:
    """TIME_ZONE is not set.

    Django's default is `America/Chicago`.

    ## Why is this bad?
    Django sets the time zone of the process to it, so that the times in the server's log
    change by hours once the settings are loaded, and naive times are Chicago's.

    ## Example
    Settings without `TIME_ZONE`.

    ## Use instead
    ```python
    TIME_ZONE = "UTC"
    ```

    ## Source
    Django's documentation, the setting `TIME_ZONE`.
    """
    if case.project.settings_module and not settings.is_overridden("TIME_ZONE"):
        yield Finding(
            "TIME_ZONE is not set: the process has America/Chicago, Django's default, and so have "
            "the times in its logs.",
            'Set TIME_ZONE = "UTC", or the zone of the site.',
            "settings.TIME_ZONE",
        )


@rule(57, "I")
def server_logs_lost(case: Case) -> Iterator[Finding]:
    """LOGGING switches the server's own loggers off.

    `disable_existing_loggers` is True, which is its default, and the loggers of the server,
    which exist when Django configures logging, are not named in `LOGGING`.

    ## Why is this bad?
    The server's access log ends as soon as the application is loaded, and with it what it
    says of errors in the application and of workers that stop.

    ## Example
    ```python
    LOGGING = {"version": 1, "handlers": {...}, "root": {...}}
    ```

    ## Use instead
    ```python
    LOGGING = {"version": 1, "disable_existing_loggers": False, ...}
    ```

    ## Source
    Python's documentation, "Configuration dictionary schema"; Django's documentation,
    "Logging", "Configuring logging"; https://github.com/benoitc/gunicorn/issues/597
    """
    if case.plan.server is None:
        return
    lost = lost_logs(case.plan.server)
    if lost:
        names = ", ".join(lost)
        yield Finding(
            f"LOGGING disables the loggers that exist before it, those of "
            f"{server_named(case.plan.server).title} ({names}) too: what it has to say once the "
            "application is loaded is lost.",
            'Add "disable_existing_loggers": False to LOGGING.',
            case.set_at("LOGGING"),
        )


@rule(58, "I")
def mail_goes_nowhere(case: Case) -> Iterator[Finding]:
    """Mail is not sent.

    The e-mail backend is one of Django's for development: it writes messages to the console
    or to files, keeps them in memory or drops them.

    ## Why is this bad?
    Sending succeeds. Links for a new password, and the reports of errors to `ADMINS`, reach
    nobody; or they stand, readable, in the log.

    ## Example
    ```python
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    ```

    ## Use instead
    ```python
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    ```

    ## Source
    Django's documentation, "Sending email", "Email backends".
    """
    for found in backends_to_nowhere():
        yield Finding(
            f"{found.name} {found.does}: mail is sent to nobody, and nothing fails.",
            "Name a backend that sends, unless the site sends no mail.",
            case.set_at(found.setting),
        )
