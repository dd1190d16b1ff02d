from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt

from .decorators import Counted, page, unsigned, unsigned_async


def plain(request, pk=None):
    return HttpResponse("plain")


async def coroutine(request):
    return HttpResponse("coroutine")


@login_required
async def private(request):
    return HttpResponse("private")


@csrf_exempt
@cache_page(60)
def cached(request):
    return HttpResponse("cached")


@unsigned
def stamped(request):
    return HttpResponse("stamped")


@unsigned
async def forgotten(request):
    return HttpResponse("never awaited: the decorator is sync")


@unsigned_async
async def awaited(request):
    return HttpResponse("awaited")


@Counted
def counted(request):
    return HttpResponse("counted")


def load(request):
    return "loaded"


made = page(load)


class Sync(View):
    def get(self, request):
        return HttpResponse("sync")


class Async(View):
    async def get(self, request):
        return HttpResponse("async")


@method_decorator(login_required, name="dispatch")
class Guarded(View):
    async def get(self, request):
        return HttpResponse("guarded")


class Health:
    def __call__(self, request):
        return HttpResponse("healthy")


class Evasive:
    """Answers every attribute access, as mocks and some lazy objects do."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name} before the app is ready")

    def __call__(self, request):
        return HttpResponse("evasive")
