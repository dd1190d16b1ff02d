"""The checks about coroutines: each fault found at its line, and what looks like it not."""

from __future__ import annotations

import pytest

from tests.checks.project import MIDDLEWARE, deploycheck, make_project

MODELS = """
    from django.db import models


    class AuthorQuerySet(models.QuerySet):
        def known(self):
            return self.exclude(name="")

        def total(self):
            return self.count()


    class Author(models.Model):
        name = models.TextField()
        objects = AuthorQuerySet.as_manager()

        def rename(self):
            self.name = "renamed"
            self.save()

        @property
        def books(self):
            return self.book_set.count()


    class Book(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)
        title = models.TextField()

        def save(self, *args, **kwargs):
            super().save(*args, **kwargs)

        def send(self):
            pass

        async def asend(self):
            pass
    """

BROKEN = """
    import asyncio
    import functools
    import subprocess as programs
    import time as clock
    from time import sleep as pause

    import httpx
    import requests
    from asgiref.sync import async_to_sync
    from django.contrib.auth import login
    from django.contrib.auth.mixins import LoginRequiredMixin
    from django.core.mail import send_mail
    from django.db import connection, connections, transaction
    from django.http import HttpResponse
    from django.shortcuts import get_object_or_404, render
    from django.utils.decorators import method_decorator
    from django.views import View
    from django.views.decorators.cache import never_cache

    from app.models import Author, Book


    def find(pk):
        clock.sleep(1)  # helper waits
        return Book.objects.get(pk=pk)  # helper asks


    async def deeper(book):
        book.delete()  # awaited helper


    async def orm(request, pk=1):
        Book.objects.get(pk=pk)  # orm get
        books = Book.objects.filter(title="").order_by("title")
        for book in books:  # orm for
            pass
        if books:  # orm if
            pass
        len(books)  # orm len
        books[0]  # orm index
        ", ".join(books.values_list("title", flat=True))  # orm join
        Author.objects.known().first()  # orm custom
        Author.objects.total()
        one = await Book.objects.aget(pk=pk)
        one.author.name  # orm relation
        one.save()  # orm save
        await deeper(one)
        author = await Author.objects.afirst()
        author.rename()
        author.books
        author.book_set.add(one)  # orm add
        async for each in Book.objects.all():
            print(each.author)  # orm relation in loop
        get_object_or_404(Book, pk=pk)  # orm shortcut
        login(request, None)  # orm login
        connection.cursor()  # orm cursor
        connections["default"].cursor()  # orm cursor of alias
        request.user.has_perm("app.x") if False else None
        return HttpResponse(find(pk))


    async def waiting(request):
        pause(1)  # wait sleep
        programs.run(["ls"])  # wait program
        requests.get("http://example.org")  # wait requests
        session = requests.Session()
        session.post("http://example.org")  # wait session
        with httpx.Client() as client:
            client.get("http://example.org")  # wait httpx
        send_mail("s", "b", "a@example.org", ["b@example.org"])  # wait mail
        return HttpResponse()


    async def others(request):
        async_to_sync(deeper)(None)  # loop adapter
        asyncio.run(deeper(None))  # loop run
        deeper(None)  # dropped
        Book().asave()  # dropped save
        with transaction.atomic():  # transaction
            pass
        await Book.objects.select_for_update().aget(pk=1)  # lock
        render(request, "books.html", {"books": Book.objects.all()})  # template
        return HttpResponse()


    async def user(request):
        return HttpResponse(request.user.username)  # user


    async def session(request):
        return HttpResponse(request.session["cart"])  # session


    class Members(LoginRequiredMixin, View):  # access
        async def get(self, request):
            return HttpResponse()


    @method_decorator(never_cache, name="dispatch")  # touched
    class Fresh(View):
        async def get(self, request):
            return HttpResponse()


    def logged(view):
        @functools.wraps(view)
        def inner(request, *args, **kwargs):
            return view(request, *args, **kwargs)

        return inner


    @logged  # wrapped
    async def wrapped(request):
        return HttpResponse()


    async def forgotten(request):
        return user(request)  # returned
    """

BROKEN_URLS = """
    from django.urls import path

    from app import middleware, views

    urlpatterns = [
        path("orm", views.orm),
        path("waiting", views.waiting),
        path("others", views.others),
        path("user", views.user),
        path("session", views.session),
        path("members", views.Members.as_view()),
        path("fresh", views.Fresh.as_view()),
        path("wrapped", views.wrapped),
        path("forgotten", views.forgotten),
    ]
    """

BROKEN_MIDDLEWARE = """
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django.utils.decorators import sync_and_async_middleware

    from app.models import Author


    class Counting:
        sync_capable = False
        async_capable = True

        def __init__(self, get_response):
            self.get_response = get_response
            markcoroutinefunction(self)

        async def __call__(self, request):
            Author.objects.count()  # class middleware
            return await self.get_response(request)


    @sync_and_async_middleware
    def both(get_response):
        if iscoroutinefunction(get_response):

            async def inner(request):
                Author.objects.exists()  # function middleware
                return await get_response(request)

        else:

            def inner(request):
                Author.objects.exists()
                return get_response(request)

        return inner
    """

SOUND = """
    import asyncio
    import contextlib
    import functools
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    import httpx
    from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
    from django.contrib.auth.decorators import login_required
    from django.db import transaction
    from django.http import HttpResponse
    from django.template.response import TemplateResponse
    from django.utils.decorators import method_decorator
    from django.views import View
    from django.views.decorators.cache import never_cache

    from app.models import Author, Book


    def slow():
        time.sleep(1)
        return Book.objects.count()


    @sync_to_async
    def in_thread():
        return slow()


    def threaded(function):
        @functools.wraps(function)
        async def inner(*args):
            return await asyncio.to_thread(function, *args)

        return inner


    @threaded
    def decorated():
        return slow()


    def background(function):
        @functools.wraps(function)
        def inner(*args):
            threading.Thread(target=function, args=args).start()

        return inner


    @background
    def later():
        slow()


    get_book = sync_to_async(Book.objects.get)


    async def sleep(seconds):
        await asyncio.sleep(seconds)


    async def threads(request):
        await sync_to_async(slow)()
        await asyncio.to_thread(slow)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, slow)
        with ThreadPoolExecutor() as pool:
            await loop.run_in_executor(pool, lambda: time.sleep(1))
        await in_thread()
        await decorated()
        later()
        await get_book(pk=1)
        await sleep(1)
        task = asyncio.create_task(sleep(1))
        await asyncio.gather(task, sleep(2))

        @sync_to_async
        def save():
            with transaction.atomic():
                Book.objects.create(title="")

        await save()
        async with httpx.AsyncClient() as client:
            await client.get("http://example.org")
        process = await asyncio.create_subprocess_exec("ls")
        await process.wait()
        await asyncio.Event().wait()
        return HttpResponse()


    async def orm(request, pk=1):
        query = Book.objects.filter(title="").select_related("author").order_by("title")[:5]
        books = [book async for book in query]
        names = [book.author.name for book in books]
        async for book in query:
            names.append(book.author.name)
        for book in query:  # loaded by now
            names.append(book.title)
        book = await Book.objects.aget(pk=pk)
        book.author_id
        await book.asave()
        book.send()
        await book.asend()
        author = await Author.objects.afirst()
        made = await Book.objects.acreate(author=author, title="")
        made.author.name
        other = await Book.objects.aget(pk=2)
        await sync_to_async(lambda: other.author)()
        other.author.name
        for none in Book.objects.none():
            pass
        if author and names:
            pass
        return TemplateResponse(request, "books.html", {"books": Book.objects.all()})


    async def loads_first(request):
        await sync_to_async(lambda: request.user.is_authenticated)()
        return HttpResponse(request.user.username)


    @login_required
    async def signed_in(request):
        user = await request.auser()
        request.session["seen"] = True
        return HttpResponse(user.username)


    async def session(request):
        key = request.session.session_key
        return HttpResponse(await request.session.aget("cart", key))


    def dual(view):
        if iscoroutinefunction(view):

            @functools.wraps(view)
            async def inner(request, *args):
                return await view(request, *args)

        else:

            @functools.wraps(view)
            def inner(request, *args):
                return view(request, *args)

        return inner


    @never_cache
    @dual
    async def wrapped(request):
        return HttpResponse()


    def runs_it(view):
        @functools.wraps(view)
        def inner(request, *args):
            return async_to_sync(view)(request, *args)

        return inner


    @runs_it
    async def run(request):
        return HttpResponse()


    adapted = async_to_sync(signed_in)


    @method_decorator(login_required, name="get")
    class Members(View):
        async def get(self, request):
            return HttpResponse()


    class Likely:
        def get(self, name):
            return name


    async def names(request):
        requests, time = Likely(), Likely()
        requests.get("x")
        time.get("x")
        return HttpResponse()


    def sync(request):
        time.sleep(1)
        Book.objects.count()
        return HttpResponse(request.user.username)
    """

SOUND_URLS = """
    from django.urls import path

    from app import views

    urlpatterns = [
        path("members", views.Members.as_view()),
        *[
            path(name, getattr(views, name))
            for name in (
                "threads", "orm", "loads_first", "signed_in", "session", "wrapped", "run",
                "adapted", "names", "sync",
            )
        ],
    ]
    """


def marked(project, path, comment):
    """The line of ``path`` that ends with this comment."""
    lines = (project / path).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.endswith(f"# {comment}"))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    files = {
        "app/models.py": MODELS,
        "app/views.py": BROKEN,
        "app/middleware.py": BROKEN_MIDDLEWARE,
        "site1/urls.py": BROKEN_URLS,
    }
    middleware = (*MIDDLEWARE, "app.middleware.Counting", "app.middleware.both")
    return make_project(tmp_path_factory.mktemp("broken"), files, middleware=middleware)


@pytest.fixture(scope="module")
def under_asgi(broken):
    return deploycheck(broken, "--interface", "asgi")["findings"]


@pytest.fixture(scope="module")
def under_wsgi(broken):
    return deploycheck(broken, "--interface", "wsgi")["findings"]


def ids(findings, identifier):
    return [each for each in findings if each["id"] == f"deploytool.{identifier}"]


def number_of(finding):
    digits = finding["id"].rpartition(".")[2].lstrip("CEWID")
    return int(digits) if finding["id"].startswith("deploytool.") else 0


def at(findings, identifier, broken, comment, path="app/views.py"):
    """The finding at the line with this comment."""
    line = marked(broken, path, comment)
    found = [
        each for each in ids(findings, identifier) if (each["path"], each["line"]) == (path, line)
    ]
    assert found, f"no {identifier} at {path}:{line} ({comment})"
    return found[0]


@pytest.mark.parametrize(
    ("comment", "instead"),
    [
        ("orm get", "await Book.objects.aget(...)"),
        ("orm for", "async for"),
        ("orm if", "await books.aexists()"),
        ("orm len", "async for"),
        ("orm index", "afirst()"),
        ("orm join", "async for"),
        ("orm custom", "await Author.objects.known().afirst(...)"),
        ("orm relation", "select_related('author')"),
        ("orm save", "await one.asave(...)"),
        ("orm add", "await author.book_set.aadd(...)"),
        ("orm relation in loop", "select_related('author')"),
        ("orm shortcut", "await aget_object_or_404(...)"),
        ("orm login", "await alogin(...)"),
        ("orm cursor", "sync_to_async()"),
        ("orm cursor of alias", "sync_to_async()"),
        ("awaited helper", "await book.adelete(...)"),
        ("helper asks", "await Book.objects.aget(...)"),
    ],
)
def test_sync_orm_is_found_under_both_interfaces(broken, under_asgi, under_wsgi, comment, instead):
    for findings in (under_asgi, under_wsgi):
        finding = at(findings, "E150", broken, comment)
        assert finding["level"] == "ERROR"
        assert "app.views.orm" in finding["message"]
        assert "SynchronousOnlyOperation" in finding["message"]
        assert instead in finding["hint"]


def test_sync_orm_is_found_in_methods_of_models_and_querysets(broken, under_asgi):
    found = {
        (each["line"], each["message"].partition(" ")[0])
        for each in ids(under_asgi, "E150")
        if each["path"] == "app/models.py"
    }
    lines = (broken / "app/models.py").read_text().splitlines()
    assert {lines[line - 1].strip().removeprefix("return ") for line, _ in found} == {
        "self.count()",
        "self.save()",
        "self.book_set.count()",
    }
    [total] = [each for each in ids(under_asgi, "E150") if "self.count()" in each["message"]]
    assert "through AuthorQuerySet.total" in total["message"]


def test_sync_orm_is_found_in_async_middleware(broken, under_asgi, under_wsgi):
    path = "app/middleware.py"
    for findings in (under_asgi, under_wsgi):
        finding = at(findings, "E150", broken, "class middleware", path)
        assert "the async middleware app.middleware.Counting" in finding["message"]
    assert at(under_asgi, "E150", broken, "function middleware", path)
    lines = [each["line"] for each in ids(under_wsgi, "E150") if each["path"] == path]
    assert lines == [marked(broken, path, "class middleware")]  # the sync form runs there


@pytest.mark.parametrize(
    ("comment", "gist"),
    [
        ("wait sleep", "pause(1) (time.sleep)"),
        ("wait program", "programs.run"),
        ("wait requests", "requests.get"),
        ("wait session", "session.post"),
        ("wait httpx", "client.get"),
        ("wait mail", "send_mail"),
        ("helper waits", "through find"),
    ],
)
def test_a_blocking_call_is_found_under_asgi_alone(broken, under_asgi, under_wsgi, comment, gist):
    finding = at(under_asgi, "W154", broken, comment)
    assert finding["level"] == "WARNING"
    assert gist in finding["message"]
    assert "no other request" in finding["message"]
    assert ids(under_wsgi, "W154") == []


def test_mail_is_no_blocking_call_where_the_backend_keeps_it(tmp_path):
    view = """
        from django.core.mail import send_mail
        from django.http import HttpResponse


        async def home(request):
            send_mail("s", "b", "a@example.org", ["b@example.org"])
            return HttpResponse()
        """
    backend = 'EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"'
    project = make_project(tmp_path, {"app/views.py": view}, settings=backend)
    assert ids(deploycheck(project, "--interface", "asgi")["findings"], "W154") == []


def test_the_user_and_the_session_are_found(broken, under_asgi, under_wsgi):
    for findings in (under_asgi, under_wsgi):
        user = at(findings, "E151", broken, "user")
        assert "every visitor who is signed in" in user["message"]
        assert "await request.auser()" in user["hint"]
        session = at(findings, "E152", broken, "session")
        assert "request.session.aget" in session["hint"]


@pytest.mark.parametrize(
    "fault",
    [
        ("E153", "transaction", "transactions do not work in async code", "sync function"),
        ("E153", "lock", "TransactionManagementError", "transaction.atomic()"),
        ("E155", "loop adapter", "a loop is running already", "Await the coroutine"),
        ("E155", "loop run", "a loop is running already", "Await the coroutine"),
        ("E156", "dropped", "nothing of it ever runs", "await deeper(...)"),
        ("E156", "dropped save", "nothing of it ever runs", "await Book().asave(...)"),
        ("E156", "returned", "It returned an unawaited coroutine", "return await"),
        ("E157", "wrapped", "app.views.logged is a sync function", "async form"),
        ("E157", "touched", "app.views.Fresh", "instead of dispatch()"),
        ("E158", "access", "LoginRequiredMixin is sync", "login_required()"),
        ("W159", "template", "'books'", "TemplateResponse"),
    ],
)
@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_the_other_faults_are_found(request, broken, interface, fault):
    number, comment, message, hint = fault
    finding = at(request.getfixturevalue(f"under_{interface}"), number, broken, comment)
    assert message in finding["message"]
    assert hint in finding["hint"]


def test_what_looks_like_the_faults_is_not_found(tmp_path):
    files = {"app/models.py": MODELS, "app/views.py": SOUND, "site1/urls.py": SOUND_URLS}
    project = make_project(tmp_path, files)
    for interface in ("asgi", "wsgi"):
        findings = deploycheck(project, "--interface", interface)["findings"]
        assert [each for each in findings if 150 <= number_of(each) < 180] == []


def test_the_user_is_no_finding_where_a_middleware_has_loaded_it(tmp_path):
    files = {
        "app/views.py": """
            from django.http import HttpResponse


            async def home(request):
                return HttpResponse(request.user.username + request.session["x"])
            """,
        "app/middleware.py": """
            class Tenant:
                def __init__(self, get_response):
                    self.get_response = get_response

                def __call__(self, request):
                    request.tenant = request.user.pk
                    return self.get_response(request)
            """,
    }
    for name in ("app.middleware.Tenant", "django.contrib.auth.middleware.LoginRequiredMiddleware"):
        project = make_project(tmp_path / name, files, middleware=(*MIDDLEWARE, name))
        findings = deploycheck(project, "--interface", "asgi")["findings"]
        assert ids(findings, "E151") == []


def test_a_session_elsewhere_than_in_the_database_is_no_finding(tmp_path):
    view = """
        from django.http import HttpResponse


        async def home(request):
            return HttpResponse(request.session["x"])
        """
    engine = 'SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"'
    project = make_project(tmp_path, {"app/views.py": view}, settings=engine)
    assert ids(deploycheck(project)["findings"], "E152") == []


def test_a_class_with_sync_and_async_handlers_is_named(tmp_path):
    files = {
        "app/views.py": """
            from django.http import HttpResponse
            from django.views import View


            class Cart(View):
                def get(self, request):
                    return HttpResponse()

                async def post(self, request):
                    return HttpResponse()
            """,
        "site1/urls.py": """
            from django.urls import path

            from app import views

            urlpatterns = [path("", views.Cart.as_view())]
            """,
    }
    findings = deploycheck(make_project(tmp_path, files))["findings"]
    [finding] = ids(findings, "E160")
    assert (finding["path"], finding["line"]) == ("site1/urls.py", 5)
    assert "Cart has sync and async handlers" in finding["message"]


def test_nothing_is_refused_where_django_is_told_to_allow_it(broken):
    findings = deploycheck(broken, DJANGO_ALLOW_ASYNC_UNSAFE="1")["findings"]
    assert ids(findings, "E150") == ids(findings, "E151") == ids(findings, "E152") == []
