"""Faults in the spellings of those who make them, and sound code that is close to them."""

from __future__ import annotations

import asyncio
import threading

from tests.checks.project import MIDDLEWARE, deploycheck, make_project


def line_of(project, path, comment):
    """The number of the one line of a file that ends with a comment."""
    lines = (project / path).read_text("utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith(f"# {comment}")]
    return number


def places(report, *numbers):
    """Number, level, path and line of each finding with one of these numbers."""
    return {
        (int(each["id"][-3:]), each["level"], each["path"], each["line"])
        for each in report["findings"]
        if each["id"].startswith("deploytool.") and int(each["id"][-3:]) in numbers
    }


ASYNC_MIDDLEWARE = """
    from asgiref.sync import markcoroutinefunction
    from django.http import HttpResponseForbidden


    class AsyncOnly:
        async_capable = True
        sync_capable = False

        def __init__(self, get_response):
            self.get_response = get_response
            markcoroutinefunction(self)


    class Cart(AsyncOnly):
        async def __call__(self, request):
            request.cart = request.session.get("cart", {})  # session
            return await self.get_response(request)


    class Members(AsyncOnly):
        async def __call__(self, request):
            if not request.user.is_authenticated:  # user
                return HttpResponseForbidden()
            return await self.get_response(request)


    class Seen:
        def __init__(self, get_response):
            self.get_response = get_response

        def __call__(self, request):
            request.session["seen"] = True
            return self.get_response(request)


    class Named(AsyncOnly):
        async def __call__(self, request):
            response = await self.get_response(request)
            response["X-User"] = str(request.user.pk)
            return response


    class Awaits(AsyncOnly):
        async def __call__(self, request):
            request.member = await request.auser()
            return await self.get_response(request)
    """


def test_what_async_middleware_loads_before_the_rest_of_the_chain(tmp_path):
    """It is lazy still, whatever asks for it further in, or in the middleware itself later."""
    project = make_project(
        tmp_path,
        {"app/middleware.py": ASYNC_MIDDLEWARE},
        middleware=(*MIDDLEWARE, "app.middleware.Cart", "app.middleware.Members"),
    )
    path = "app/middleware.py"
    assert places(deploycheck(project, "--interface", "asgi"), 151, 152) == {
        (152, "ERROR", path, line_of(project, path, "session")),
        (151, "ERROR", path, line_of(project, path, "user")),
    }


def test_a_loaded_session_does_not_make_the_user_known_and_a_view_may(tmp_path):
    project = make_project(
        tmp_path,
        {"app/middleware.py": ASYNC_MIDDLEWARE},
        middleware=(
            *MIDDLEWARE,
            "app.middleware.Awaits",
            "app.middleware.Seen",
            "app.middleware.Cart",
            "app.middleware.Members",
            "app.middleware.Named",
        ),
    )
    path = "app/middleware.py"
    assert places(deploycheck(project, "--interface", "asgi"), 151, 152) == {
        (151, "ERROR", path, line_of(project, path, "user"))
    }


CONTENT = """
    from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
    from django.utils.deprecation import MiddlewareMixin


    class Sometimes(MiddlewareMixin):
        def process_response(self, request, response):
            if response.has_header("Content-Disposition") or isinstance(
                response, (FileResponse, StreamingHttpResponse)
            ):
                return response
            if any([response.streaming, response.status_code != 200]):
                return response
            response["X-Length"] = len(response.content)
            return response


    class ByClass(MiddlewareMixin):
        def process_response(self, request, response):
            if type(response) is HttpResponse or isinstance(response, JsonResponse):
                response["X-Length"] = len(response.content)
            return response


    class ByClassOnly(MiddlewareMixin):
        def process_response(self, request, response):
            if issubclass(response.__class__, StreamingHttpResponse):
                return response
            response["X-Length"] = len(response.content)
            return response


    class Matching(MiddlewareMixin):
        def process_response(self, request, response):
            match response.streaming:
                case False:
                    response["X-Length"] = len(response.content)
            return response


    class Lazy(MiddlewareMixin):
        def process_response(self, request, response):
            if response.status_code == 200:
                setattr(response, "content", response.getvalue().strip())  # setattr
            return response
    """
SOUND_CONTENT = ("Sometimes", "ByClass", "ByClassOnly", "Matching")


def test_content_of_files(tmp_path):
    """A FileResponse streams; code may ask for that in more ways than can be followed."""
    names = (*SOUND_CONTENT, "Lazy")
    project = make_project(
        tmp_path,
        {
            "app/middleware.py": CONTENT,
            "app/views.py": """
                from django.http import FileResponse


                def home(request):
                    return FileResponse(open(__file__, "rb"))
                """,
        },
        middleware=(*MIDDLEWARE, *(f"app.middleware.{name}" for name in names)),
    )
    path = "app/middleware.py"
    report = deploycheck(project, "--interface", "wsgi")
    assert places(report, 112) == {(112, "ERROR", path, line_of(project, path, "setattr"))}
    (message,) = [each["message"] for each in report["findings"] if each["id"].endswith("112")]
    assert "app.views.home will fail" in message


CONSUMER = """
    import asyncio
    import threading

    from asgiref.sync import async_to_sync
    from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
    from channels.layers import get_channel_layer

    lock = threading.Lock()
    again = threading.RLock()


    class Chat(AsyncJsonWebsocketConsumer):
        async def connect(self):
            self.channel_layer.group_add("chat", self.channel_name)  # group_add
            self.accept()  # accept
            layer = get_channel_layer()
            layer.group_send("chat", {"type": "joined"})  # group_send
            await layer.group_send("chat", {"type": "joined"})

        async def receive_json(self, content):
            with lock:  # lock
                await self.send_json(content)
            with lock:
                self.last = content
            with again:
                await self.send_json(content)
            sending = self.send_json(content)
            await asyncio.gather(sending, self.close())
            self.named()

        async def joined(self, event):
            self.send_json(event)  # send_json

        def named(self):
            return self.channel_name


    class News(WebsocketConsumer):
        def connect(self):
            self.accept()
            join = async_to_sync(self.channel_layer.group_add)
            join("news", self.channel_name)

        def receive(self, text_data=None, bytes_data=None):
            self.channel_layer.group_send("news", {"type": "news"})  # sync
            self.send(text_data)
    """


def test_coroutines_that_a_consumer_drops_and_locks_that_it_holds(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/consumers.py": CONSUMER,
            "site1/asgi.py": """
                import os

                from django.core.asgi import get_asgi_application

                os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")
                http = get_asgi_application()

                from channels.routing import ProtocolTypeRouter, URLRouter
                from django.urls import path

                from app.consumers import Chat, News

                routes = [path("chat/", Chat.as_asgi()), path("news/", News.as_asgi())]
                application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(routes)})
                """,
        },
        settings="""
            INSTALLED_APPS += ["channels"]
            CHANNEL_LAYERS = {
                "default": {
                    "BACKEND": "channels_redis.core.RedisChannelLayer",
                    "CONFIG": {"hosts": ["redis://127.0.0.1:1"]},
                }
            }
            """,
    )
    path = "app/consumers.py"
    dropped = ("group_add", "accept", "group_send", "send_json", "sync")
    report = deploycheck(project, "--interface", "asgi")
    assert places(report, 154, 156) == {
        *((156, "ERROR", path, line_of(project, path, each)) for each in dropped),
        (154, "WARNING", path, line_of(project, path, "lock")),
    }
    (sync,) = [
        each for each in report["findings"] if each["line"] == line_of(project, path, "sync")
    ]
    assert sync["hint"] == "async_to_sync(self.channel_layer.group_send)(...)."


def test_a_lock_of_threads_is_held_while_its_coroutine_waits():
    """Claimed by W154: the loop's thread, which would give it back, can only wait for it."""
    lock, seen = threading.Lock(), []

    async def holds(go_on):
        with lock:
            await go_on.wait()

    async def main():
        go_on = asyncio.Event()
        first = asyncio.create_task(holds(go_on))
        await asyncio.sleep(0)
        seen.append(lock.acquire(blocking=False))
        go_on.set()
        await first
        seen.append(lock.acquire(blocking=False))

    asyncio.run(main())
    assert seen == [False, True]


def test_threads_of_the_project_that_never_end_do_not_keep_the_check(tmp_path):
    project = make_project(
        tmp_path,
        {
            "app/apps.py": """
                import threading
                import time

                from django.apps import AppConfig


                def poll():
                    while True:
                        time.sleep(60)


                class AppConfig(AppConfig):
                    name = "app"

                    def ready(self):
                        threading.Thread(target=poll).start()  # thread
                """
        },
    )
    report = deploycheck(project, "--interface", "wsgi")  # its exit status is defined
    assert places(report, 53) == {
        (53, "WARNING", "app/apps.py", line_of(project, "app/apps.py", "thread"))
    }
